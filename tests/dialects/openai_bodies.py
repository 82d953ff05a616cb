"""Parts of chat requests, written once for the tables of these tests, and a plain view of a turn.

A turn is seen as rows ``(role, part, …)``: a string is a text, ``("call", id, name, arguments)`` a
tool call, ``("result", call_id, text, …)`` a result, ``("error", …)`` one that tells of a failure,
and ``("result of", name, …)`` one whose call is not known yet. A picture is ``(media_type, data)``
or ``("link", url)``, a file ``("file", media_type, data, title)`` or ``("linked file", url, title)``,
with its context behind if it has one; a document in pieces is ``("passages", pieces, title)`` and
something found ``("found", source, title, text, …)``. What is to be cited has "cited" at its end.
Reasoning is ``("thinking", text, signature)`` or
``("redacted", data)``.
"""

import json
from typing import Any

import attrs

from bridge.core.conversation import (
    Document,
    Image,
    LinkedDocument,
    LinkedImage,
    Part,
    Passages,
    RedactedThinking,
    ResultPart,
    SearchResult,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from bridge.dialects.openai_chat import ChatRequest, decode

Json = dict[str, Any]


def system(content: Any) -> Json:
    return {"role": "system", "content": content}


def developer(content: Any) -> Json:
    return {"role": "developer", "content": content}


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Json:
    return {"role": "assistant", "content": content}


def calling(
    *ids: str, content: Any = None, name: str = "look", arguments: Any = '{"a": 1}'
) -> Json:
    """An assistant message with a call for each id."""
    calls = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_ in ids
    ]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def result(id_: Any, content: Any = "done") -> Json:
    return {"role": "tool", "tool_call_id": id_, "content": content}


def legacy(name: str = "look", arguments: Any = '{"a": 1}') -> Json:
    call = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": None, "function_call": call}


def function(name: Any = "look", content: Any = "done") -> Json:
    return {"role": "function", "name": name, "content": content}


def tool(name: Any = "look", **fields: Any) -> Json:
    return {"type": "function", "function": {"name": name, **fields}}


def image(url: Any) -> Json:
    return {"type": "image_url", "image_url": {"url": url}}


def text(value: Any) -> Json:
    return {"type": "text", "text": value}


def refusal(value: Any) -> Json:
    return {"type": "refusal", "refusal": value}


def tool_use(id_: Any, name: Any = "look", arguments: Any = None) -> Json:
    """A call in Anthropic's own form."""
    return {"type": "tool_use", "id": id_, "name": name, "input": arguments or {"a": 1}}


def tool_result(id_: Any, content: Any = "done", **fields: Any) -> Json:
    """A result in Anthropic's own form."""
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **fields}


def thinking(words: Any = "hm", signature: Any = "sig") -> Json:
    return {"type": "thinking", "thinking": words, "signature": signature}


def redacted(data: Any = "secret") -> Json:
    return {"type": "redacted_thinking", "data": data}


HI = user("hi")
YO = assistant("yo")


def body(*messages: Any, **fields: Any) -> bytes:
    return json.dumps({"messages": list(messages) or [HI], **fields}).encode()


def ask(*messages: Any, **fields: Any) -> ChatRequest:
    return decode(body(*messages, **fields))


def seen(asked: ChatRequest) -> dict[str, Any]:
    """What differs from a request with nothing but ``messages``."""
    wholes = {"turn", "sampling", "reasoning"}
    flat, plain = (
        {
            **attrs.asdict(whole, recurse=False),
            **attrs.asdict(whole.turn, recurse=False),
            **attrs.asdict(whole.turn.sampling, recurse=False),
            **attrs.asdict(whole.turn.reasoning, recurse=False),
        }
        for whole in (asked, ask(HI))
    )
    return {name: flat[name] for name in flat if flat[name] != plain[name] and name not in wholes}


def rows(turn: Turn) -> list[tuple[Any, ...]]:
    return [
        (message.role.value, *(_plain(part) for part in message.parts)) for message in turn.messages
    ]


def _plain(part: Part) -> Any:
    match part:
        case Thinking(text=text, signature=signature):
            return ("thinking", text, signature)
        case RedactedThinking(data=data):
            return ("redacted", data)
        case ToolCall(id=id_, name=name, arguments=arguments):
            return ("call", id_, name, arguments)
        case ToolResult(call_id="", name=name, content=content):
            return ("result of", name, *map(_plain, content))
        case ToolResult(call_id=call_id, content=content, is_error=is_error):
            return ("error" if is_error else "result", call_id, *map(_plain, content))
        case _:
            return _read(part)


def _read(part: ResultPart) -> Any:
    match part:
        case Text(text=text):
            return text
        case Image(media_type=media_type, data=data):
            return (media_type, data)
        case LinkedImage(url=url):
            return ("link", url)
        case Document(media_type=media_type, data=data, title=title):
            return ("file", media_type, data, title, *_told(part))
        case LinkedDocument(url=url, title=title):
            return ("linked file", url, title, *_told(part))
        case Passages(content=content, title=title):
            return ("passages", tuple(map(_plain, content)), title, *_told(part))
        case SearchResult(source=source, title=title, texts=texts, cited=cited):
            return ("found", source, title, *texts, *(["cited"] if cited else []))


def _told(part: Document | LinkedDocument | Passages) -> list[str]:
    return [*filter(None, [part.context]), *(["cited"] if part.cited else [])]
