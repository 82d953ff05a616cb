"""Parts of requests to the Messages API, written once for the tables of these tests.

``rows`` (of ``openai_bodies``) is the plain view of a turn.
"""

import json
from collections.abc import Callable
from typing import Any

import attrs
from openai_media import DRAWN, PDF, encoded

from bridge.dialects.anthropic_messages import MessagesRequest, decode

Json = dict[str, Any]

OLD, NEW = "2023-06-01", "2026-10-21"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Json:
    return {"role": "assistant", "content": content}


def system(content: Any) -> Json:
    return {"role": "system", "content": content}


def text(value: Any, **fields: Any) -> Json:
    return {"type": "text", "text": value, **fields}


def use(id_: Any, name: Any = "look", arguments: Any = None, **fields: Any) -> Json:
    given = {"a": 1} if arguments is None else arguments
    return {"type": "tool_use", "id": id_, "name": name, "input": given, **fields}


def calling(*ids: str) -> Json:
    """An assistant's message with a call for each id."""
    return assistant([use(id_) for id_ in ids])


def result(id_: Any, content: Any = "done", **fields: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id_, "content": content, **fields}


def results(*ids: str) -> Json:
    """A user's message with a result for each id."""
    return user([result(id_) for id_ in ids])


def thinking(words: Any = "hm", signature: Any = "sig") -> Json:
    return {"type": "thinking", "thinking": words, "signature": signature}


def redacted(data: Any = "secret") -> Json:
    return {"type": "redacted_thinking", "data": data}


def base64(media_type: Any, data: Any) -> Json:
    return {"type": "base64", "media_type": media_type, "data": data}


def url(value: Any) -> Json:
    return {"type": "url", "url": value}


def image(source: Any, **fields: Any) -> Json:
    return {"type": "image", "source": source, **fields}


def document(source: Any, **fields: Any) -> Json:
    return {"type": "document", "source": source, **fields}


def plain(data: Any, media_type: Any = "text/plain") -> Json:
    return {"type": "text", "media_type": media_type, "data": data}


def tool(name: Any = "look", schema: Any = None, **fields: Any) -> Json:
    return {"name": name, "input_schema": SCHEMA if schema is None else schema, **fields}


HI, YO = user("hi"), assistant("yo")
PICTURE = base64("image/png", encoded(DRAWN["image/png"]))
PRINTED = base64("application/pdf", encoded(PDF))

# the name of a place → the messages with a block in it, and the path of that block
PLACES: dict[str, tuple[Callable[[Json], list[Json]], str]] = {
    "alone": (lambda block: [user([block])], "messages[0].content[0]"),
    "in-the-history": (
        lambda block: [HI, YO, user([text("see"), block]), YO, HI],
        "messages[2].content[1]",
    ),
    "in-a-result": (
        lambda block: [HI, calling("c1"), user([result("c1", [text("see"), block])])],
        "messages[2].content[0].content[1]",
    ),
}


def whole(*messages: Any, **fields: Any) -> Json:
    """A request; a field that is ``...`` is left out."""
    told = {"max_tokens": 100, "messages": list(messages) or [HI], **fields}
    return {name: value for name, value in told.items() if value is not ...}


def body(*messages: Any, **fields: Any) -> bytes:
    return json.dumps(whole(*messages, **fields)).encode()


def ask(*messages: Any, **fields: Any) -> MessagesRequest:
    return decode(body(*messages, **fields))


def seen(asked: MessagesRequest) -> Json:
    """What differs from a request with nothing but ``messages`` and ``max_tokens``."""
    wholes = {"turn", "sampling", "reasoning"}
    flat, plain_ = (
        {
            **attrs.asdict(whole, recurse=False),
            **attrs.asdict(whole.turn, recurse=False),
            **attrs.asdict(whole.turn.sampling, recurse=False),
            **attrs.asdict(whole.turn.reasoning, recurse=False),
        }
        for whole in (asked, ask(HI))
    )
    return {name: flat[name] for name in flat if flat[name] != plain_[name] and name not in wholes}
