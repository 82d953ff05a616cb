"""Every field that a request to OpenAI may have, and what becomes of it here.

The fields are read from the types of the official ``openai`` package; what becomes of each is asked
of our code, by a request that has it. The notes are written by hand. ``make fields`` writes
docs/openai-fields.md with it.
"""

import functools
import json
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import openai
import typing_extensions
from attrs import frozen
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params

from bridge.core.errors import InvalidRequest
from bridge.dialects import openai_chat, openai_completions, openai_embeddings
from bridge.dialects.openai_chat.models import POLICY, WireRequest
from bridge.dialects.openai_completions.decode import POLICY as POLICY_OF_COMPLETIONS
from bridge.dialects.openai_completions.decode import WireRequest as WireCompletion
from bridge.dialects.openai_embeddings.decode import POLICY as POLICY_OF_EMBEDDINGS
from bridge.dialects.openai_embeddings.decode import WireRequest as WireEmbeddings
from bridge.dialects.policy import AsksNothing, Policy

Json = dict[str, Any]

NOTES_OF_CHAT = {
    "audio": "Claude does not speak",
    "enable_tools": "Claude Code's own tools; not yet",
    "frequency_penalty": "Claude has no such parameter",
    "function_call": "The older form of `tool_choice`",
    "functions": "The older form of `tools`",
    "logit_bias": "Claude has no such parameter",
    "logprobs": "Claude tells no probabilities",
    "max_completion_tokens": "From 1 on; counts before `max_tokens`",
    "max_tokens": "From 1 on",
    "messages": "What they may hold is told below",
    "metadata": "Nothing is kept by it",
    "modalities": "Claude answers in text",
    "model": "Any name that leads to a Claude model",
    "moderation": "Nothing is moderated here",
    "n": "One answer a request",
    "parallel_tool_calls": "`false`: at most one call an answer",
    "prediction": "Claude has no such parameter",
    "presence_penalty": "Claude has no such parameter",
    "prompt_cache_key": "Prompts are cached without it",
    "prompt_cache_options": "Prompts are cached without it",
    "prompt_cache_retention": "Prompts are cached without it",
    "reasoning_effort": "Fitted to what the model takes",
    "response_format": "Answers are held against the schema",
    "safety_identifier": "Goes nowhere",
    "seed": "Claude has no such parameter",
    "service_tier": "There is one",
    "session_id": "The conversation that the request goes on with",
    "stop": "A string, or up to 4",
    "store": "Answers are not kept for later; see `session_id`",
    "stream": "",
    "stream_options": "What it may hold is told below",
    "temperature": "0 to 1; up to 2 it counts as 1. The newest models take none",
    "thinking": "Anthropic's own way to ask for reasoning",
    "tool_choice": "",
    "tools": "Up to 128 functions",
    "top_logprobs": "Claude tells no probabilities",
    "top_p": "0 to 1. The newest models take none",
    "user": "Goes nowhere",
    "verbosity": "Say it in the system prompt",
    "web_search_options": "Nothing is searched",
}

NOTES_OF_COMPLETIONS = {
    "best_of": "One answer a prompt",
    "echo": "The prompt stands before the answer",
    "frequency_penalty": "Claude has no such parameter",
    "logit_bias": "Claude has no such parameter",
    "logprobs": "Claude tells no probabilities",
    "max_tokens": "From 1 on; without it there is no limit of 16",
    "model": "Any name that leads to a Claude model",
    "n": "One answer a prompt",
    "presence_penalty": "Claude has no such parameter",
    "prompt": "A string, or up to 16; tokens are refused",
    "seed": "Claude has no such parameter",
    "session_id": "The conversation that the request goes on with; one prompt at a time",
    "stop": "A string, or up to 4",
    "stream": "",
    "stream_options": "What it may hold is told below",
    "suffix": "Claude goes on with a text, it fills no gaps",
    "temperature": "0 to 1; up to 2 it counts as 1. The newest models take none",
    "top_p": "0 to 1. The newest models take none",
    "user": "Goes nowhere",
}

NOTES_OF_EMBEDDINGS = {
    "dimensions": "Of WordLlama's 64, 128 or 256; what another server makes",
    "encoding_format": "",
    "input": "A string, or up to 2,048; tokens are refused",
    "model": "Of WordLlama's its own name and OpenAI's three; of another server its own names",
    "user": "Told to another server; with WordLlama it is ignored",
}


@frozen
class Surface:
    """An endpoint: the official type of its request, our own one, and what decides."""

    title: str
    official: type
    ours: type
    policy: Policy
    decode: Callable[[bytes], Any]
    whole: Callable[[Json], Json]  # fields → a request with them that is whole
    notes: Mapping[str, str]


@frozen(order=True)
class Row:
    """A field, and what becomes of it.

    ``path`` and ``tag`` tell the object that holds it: ``messages[]`` and ``role: user``; both are
    empty for the request itself. Without a ``field``: the whole object.
    """

    path: str
    tag: str
    field: str
    outcome: str


# -- requests that are whole ----------------------------------------------------------------------

_HI = {"role": "user", "content": "hi"}
_FUNCTION = {"name": "a"}
_TOOL = {"type": "function", "function": _FUNCTION}

_SAMPLES: dict[tuple[str, str], Any] = {
    # a field of an official type, where not any string or number is a good value
    ("ImageURL", "url"): "https://example.com/a.png",
    ("FileFile", "file_data"): "data:text/plain;base64,YQ==",
    ("FunctionCall", "arguments"): "{}",
    ("Function", "arguments"): "{}",
    ("ChatCompletionAllowedToolsParam", "tools"): [_TOOL],
}

_LEAST: dict[str, Json] = {
    # what an object must have beside the fields that its type requires
    "FileFile": {"file_data": "data:text/plain;base64,YQ=="},
}


def _whole_chat(fields: Json) -> Json:
    whole = {"messages": [_HI], **fields}
    if "tool_choice" in fields:
        whole.setdefault("tools", [_TOOL])
    if "function_call" in fields:
        whole.setdefault("functions", [_FUNCTION])
    if len(whole["messages"]) == 1:
        whole["messages"] = _around(whole["messages"][0])
    return whole


def _around(message: Json) -> list[Json]:
    """A conversation that the message may be in."""
    match message["role"]:
        case "assistant":
            results = [
                {"role": "tool", "tool_call_id": call["id"], "content": "a"}
                for call in message.get("tool_calls", ())
            ]
            if "function_call" in message:
                results.append({"role": "function", "name": "a", "content": "a"})
            return [_HI, message, *results, _HI]
        case "tool":
            call = {**_TOOL, "id": message["tool_call_id"]}
            call["function"] = {**_FUNCTION, "arguments": "{}"}
            return [_HI, {"role": "assistant", "tool_calls": [call]}, message]
        case "function":
            return [
                _HI,
                {"role": "assistant", "function_call": {**_FUNCTION, "arguments": "{}"}},
                message,
            ]
        case _:
            return [message, _HI]


CHAT = Surface(
    title="Chat completions",
    official=chat_create_params.CompletionCreateParamsNonStreaming,
    ours=WireRequest,
    policy=POLICY,
    decode=openai_chat.decode,
    whole=_whole_chat,
    notes=NOTES_OF_CHAT,
)
COMPLETIONS = Surface(
    title="Completions",
    official=completion_create_params.CompletionCreateParamsNonStreaming,
    ours=WireCompletion,
    policy=POLICY_OF_COMPLETIONS,
    decode=openai_completions.decode,
    whole=lambda fields: {"prompt": "a", **fields},
    notes=NOTES_OF_COMPLETIONS,
)
EMBEDDINGS = Surface(
    title="Embeddings",
    official=embedding_create_params.EmbeddingCreateParams,
    ours=WireEmbeddings,
    policy=POLICY_OF_EMBEDDINGS,
    decode=openai_embeddings.decode,
    whole=lambda fields: {"input": "a", "model": "a", **fields},
    notes=NOTES_OF_EMBEDDINGS,
)
SURFACES = (CHAT, COMPLETIONS, EMBEDDINGS)


# -- the official types ---------------------------------------------------------------------------


@functools.cache
def official_fields(cls: type) -> dict[str, Any]:
    """The fields of an official type in the order of the alphabet, each with its type."""
    return dict(sorted(typing.get_type_hints(cls).items()))


@functools.cache
def _required(cls: type) -> list[str]:
    hints = typing.get_type_hints(cls, include_extras=True)
    marks = (typing.Required, typing_extensions.Required)
    return [name for name, hint in hints.items() if typing.get_origin(hint) in marks]


def _alternatives(kind: Any) -> list[Any]:
    """What a value may be, null aside."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        inner = [one for member in typing.get_args(kind) for one in _alternatives(member)]
        return [one for one in inner if one is not type(None)]
    return [kind]


def _is_list(kind: Any) -> bool:
    return typing.get_origin(kind) in (list, Iterable, Sequence)


def _objects(kind: Any) -> list[tuple[str, type]]:
    """The official types that a value may have or hold; those in a list with ``[]``."""
    found = []
    for one in _alternatives(kind):
        if typing_extensions.is_typeddict(one):
            found.append(("", one))
        elif _is_list(one):
            found += [(f"[]{steps}", inner) for steps, inner in _objects(typing.get_args(one)[0])]
    return sorted(found, key=lambda item: (item[0], _tag(item[1])))


def _tag(cls: type) -> str:
    """What tells an object's type among others: ``role: user``."""
    for name in ("role", "type"):
        hint = official_fields(cls).get(name)
        if typing.get_origin(hint) is typing.Literal and len(typing.get_args(hint)) == 1:
            return f"{name}: {typing.get_args(hint)[0]}"
    return ""


def _samples(kind: Any) -> list[Any]:
    """Values of a type; the first one is the plainest."""
    kind = _alternatives(kind)[0]
    if typing_extensions.is_typeddict(kind):
        return [_object(kind), _object(kind, **_optional(kind))]
    match typing.get_origin(kind):
        case typing.Literal:
            return list(typing.get_args(kind))
        case origin if origin is dict:
            return [{}, {"a": _samples(typing.get_args(kind)[1])[0]}]
        case None:
            return {str: ["a"], int: [1, 2], float: [0.5], bool: [True], object: [1]}[kind]
        case _:
            return [[value] for value in _samples(typing.get_args(kind)[0])]


def _samples_of(cls: type, name: str) -> list[Any]:
    """Values of a field of an official type."""
    if (cls.__name__, name) in _SAMPLES:
        return [_SAMPLES[cls.__name__, name]]
    return _samples(official_fields(cls)[name])


def _object(cls: type, **more: Any) -> Json:
    """An object with the fields that it must have, and these."""
    must = {name: _samples_of(cls, name)[0] for name in _required(cls)}
    return {**_LEAST.get(cls.__name__, {}), **must, **more}


def _optional(cls: type) -> Json:
    return {
        name: _samples_of(cls, name)[0]
        for name in official_fields(cls)
        if name not in _required(cls)
    }


# -- what becomes of them -------------------------------------------------------------------------


def table(surface: Surface) -> list[Row]:
    """All fields of an endpoint's requests.

    First the request's own, then those that are not OpenAI's, then those of the objects inside.
    """
    own = [
        Row("", "", name, _outcome(surface, surface.official, name, name, lambda fields: fields))
        for name in official_fields(surface.official)
    ]
    ours = [
        Row("", "", name, _decided(surface.policy, name))
        for name in sorted(our_fields(surface) - official_fields(surface.official).keys())
    ]
    inside = sorted(set(_inside(surface, surface.official, "", lambda fields: fields)))
    assert len({(row.path, row.tag, row.field) for row in inside}) == len(inside), "it depends"
    return own + ours + inside


def our_fields(surface: Surface) -> set[str]:
    """The fields of a request that our own code knows."""
    honoured = {field.name for field in attrs.fields(surface.ours)}
    known = {*surface.policy.refused, *surface.policy.ignored}
    return honoured | {name for name in known if "." not in name}


Put = Callable[[Json], Json]
"""Puts an object into its place in the fields of a request."""


def _inside(surface: Surface, cls: type, path: str, put: Put) -> Iterator[Row]:
    """The fields of the objects in the honoured fields of an object."""
    for name, hint in official_fields(cls).items():
        where = f"{path}.{name}" if path else name
        if _outcome(surface, cls, name, where, put) != "honoured":
            continue
        for steps, inner in _objects(hint):

            def put_inside(value: Json, name: str = name, steps: str = steps) -> Json:
                return put(_object(cls, **{name: [value] if steps else value}))

            yield from _of_object(surface, inner, where + steps, put_inside)


def _of_object(surface: Surface, cls: type, path: str, put: Put) -> Iterator[Row]:
    tag = _tag(cls)
    if _refusal(surface, path, put(_object(cls))):
        yield Row(path, tag, "", "refused")
        return
    for name in official_fields(cls):
        if not tag.startswith(f"{name}:"):
            yield Row(path, tag, name, _outcome(surface, cls, name, f"{path}.{name}", put))
    yield from _inside(surface, cls, path, put)


def _outcome(surface: Surface, cls: type, name: str, path: str, put: Put) -> str:
    """What becomes of a field of an official type, whose place in a request is ``path``."""
    policy = surface.policy
    asks_nothing = {**policy.refused, **policy.ignored}.get(path, AsksNothing())
    asking = next(value for value in _samples_of(cls, name) if not asks_nothing(value))
    fields = put(_object(cls, **{name: asking}))
    refusal = _refusal(surface, path, fields)
    if refusal is not None:
        assert refusal.code == "unsupported_parameter", f"no good sample: {refusal.message}"
        return f"refused{_unless(asks_nothing)}"
    if path in surface.decode(_body(surface, fields)).ignored:
        return f"ignored{_unless(asks_nothing)}"
    return "honoured"


def _decided(policy: Policy, name: str) -> str:
    """The same for a field that no official type has."""
    for word, known in (("refused", policy.refused), ("ignored", policy.ignored)):
        if name in known:
            return word + _unless(known[name])
    return "honoured"


def _unless(asks_nothing: AsksNothing) -> str:
    return f", unless it is {asks_nothing}" if asks_nothing.values else ""


def _refusal(surface: Surface, path: str, fields: Json) -> InvalidRequest | None:
    """The error for what stands at ``path``; any other error is a fault of the sample."""
    try:
        surface.decode(_body(surface, fields))
    except InvalidRequest as error:
        place = re.sub(r"\[\d+\]", "[]", error.param or "")
        assert place.startswith(path), f"no good sample: {error.message}"
        return error
    return None


def _body(surface: Surface, fields: Json) -> bytes:
    return json.dumps(surface.whole(fields)).encode()


# -- the document ---------------------------------------------------------------------------------

HEAD = """# Every field of a request to OpenAI

<!-- Made by `make fields` from the types of openai {version}; the notes are in
tests/dialects/openai_fields.py. -->

The fields are those of the types of the official `openai` package. What becomes of each was asked
of the bridge's own code. See [openai-compatibility.md](openai-compatibility.md) for the rest.

- *honoured*: it does what it does at OpenAI, within what the note says.
- *refused*: a `400` names it in `param`, since to leave it out would change the answer.
- *ignored*: it has no effect; `x-bridge-ignored` names it.

What is inside a refused or an ignored field shares its lot, and any field that is in none of these
tables is ignored. `null` is as if the field were not there.
"""

_VERSION = re.compile(r"from the types of openai ([\d.]+);")


def version_of(document: str) -> tuple[int, ...]:
    """The version of the package that a document was made with."""
    found = _VERSION.search(document)
    assert found is not None
    return parsed(found[1])


def parsed(version: str) -> tuple[int, ...]:
    """A version, to compare."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def without_version(document: str) -> str:
    """What of a document does not depend on the version alone."""
    return _VERSION.sub("", document)


def document(surfaces: Sequence[Surface] = SURFACES) -> str:
    """The whole document."""
    lines = [HEAD.format(version=openai.__version__)]
    for surface in surfaces:
        rows = table(surface)
        official = official_fields(surface.official)
        lines += [f"## {surface.title}\n", "| field | what becomes of it | |", "|---|---|---|"]
        for row in rows:
            if not row.path:
                foreign = "" if row.field in official else "Not OpenAI's. "
                note = foreign + surface.notes.get(row.field, "")
                lines.append(f"| `{row.field}` | {row.outcome} | {note} |".replace("  |", " |"))
        if all(not row.path for row in rows):
            lines.append("")
            continue
        lines += ["\nInside them:\n", "| in | field | what becomes of it |", "|---|---|---|"]
        for row in rows:
            if row.path:
                holder = f"`{row.path}`" + (f" with `{row.tag}`" if row.tag else "")
                name = f"`{row.field}`" if row.field else "all of it"
                lines.append(f"| {holder} | {name} | {row.outcome} |")
        lines.append("")
    return "\n".join(lines)


def without_note(surface: Surface) -> set[str]:
    """The fields that nobody has decided about."""
    return (official_fields(surface.official).keys() | our_fields(surface)) - surface.notes.keys()


def gone(surface: Surface) -> set[str]:
    """The notes about fields that are no longer there."""
    return surface.notes.keys() - official_fields(surface.official).keys() - our_fields(surface)


if __name__ == "__main__":
    sys.stdout.write(document())
