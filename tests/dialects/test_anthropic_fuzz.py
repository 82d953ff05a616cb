"""One invariant: whatever comes in, a turn that keeps its promises comes out, or a fault of 4xx."""

import copy
import json
from typing import Any

import pytest
from anthropic.types.shared import ErrorResponse
from anthropic_bodies import (
    HI,
    NEW,
    OLD,
    PICTURE,
    PRINTED,
    YO,
    assistant,
    base64,
    calling,
    document,
    image,
    plain,
    redacted,
    result,
    results,
    system,
    text,
    thinking,
    tool,
    url,
    use,
    user,
    whole,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai_media import DRAWN, claimed_png, encoded
from promises import (
    SCHEMA,
    anything,
    check_conversation,
    check_reasoning,
    check_schema,
    check_text,
    places,
    words_,
)

from bridge.core.conversation import Turn
from bridge.core.errors import BridgeError
from bridge.core.rules import check_tool_choice
from bridge.dialects.anthropic_messages import (
    MessagesRequest,
    decode,
    decode_count,
    render_error,
    status_of,
)
from bridge.dialects.frames import dumps

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

CACHED = {"cache_control": {"type": "ephemeral"}}
WHOLE: dict[str, Any] = whole(
    user([text("see", **CACHED), image(PICTURE), document(plain("é"), title="a", context="b")]),
    assistant([thinking(), redacted(), text("I look."), use("c1"), use("c2", "find", {})]),
    user(
        [
            result("c2", [text("a"), image(url("https://a/b")), document(PRINTED)]),
            result("c1", is_error=True),
            text("so"),
            document(url("https://a/b"), citations={"enabled": False}),
        ]
    ),
    YO,
    system([text("later")]),
    HI,
    model="claude-opus-5",
    stream=True,
    system=[text("be brief", **CACHED), text("and kind")],
    temperature=0.5,
    top_p=1,
    top_k=40,
    stop_sequences=["END"],
    metadata={"user_id": "u"},
    tools=[tool(schema=SCHEMA, description="Looks.", strict=True), tool("find", type="custom")],
    tool_choice={"type": "tool", "name": "find", "disable_parallel_tool_use": True},
    thinking={"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
    output_config={"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}},
)
PLAIN: dict[str, Any] = whole(
    *[HI, calling("c1", "c2"), results("c1"), results("c2"), assistant(""), user("so")],
    tools=[tool()],
    tool_choice={"type": "any"},
    thinking={"type": "adaptive"},
    system="be brief",
)
WHOLES = [WHOLE, PLAIN]


def check(raw: bytes) -> None:
    """The invariant, with and without a session, of each version and of both endpoints."""
    for read, session, version in (
        (decode, None, OLD),
        (decode, "s", NEW),
        (decode_count, None, NEW),
    ):
        try:
            asked = read(raw, session=session, version=version)
        except BridgeError as error:
            check_error(error)
        else:
            check_request(asked, counts=read is decode_count)


def check_error(error: BridgeError) -> None:
    assert 400 <= status_of(error) < 500
    body = json.loads(dumps(render_error(error, "req_1")))
    told = ErrorResponse.model_validate(body, strict=True)
    assert told.error.message
    assert isinstance(error.param, str | None)
    assert isinstance(error.code, str)


def check_request(asked: MessagesRequest, *, counts: bool) -> None:
    assert isinstance(asked, MessagesRequest)
    assert asked.stream in (True, False)
    assert all(isinstance(name, str) for name in asked.ignored)
    assert asked.changed == ()
    turn = asked.turn
    assert turn.reasoning.exact
    assert turn.model is None or turn.model
    assert turn.end_user is None or turn.end_user
    for words in (turn.model or "", turn.end_user or "", *turn.system, *turn.sampling.stop):
        check_text(words)
    assert all(words.strip() for words in (*turn.system, *turn.sampling.stop))
    check_sampling(turn, counts=counts)
    check_reasoning(turn)
    check_tools(turn)
    check_conversation(turn, continues=turn.session is not None)


def check_sampling(turn: Turn, *, counts: bool) -> None:
    sampling = turn.sampling
    assert counts == (sampling.max_tokens is None)
    for share in (sampling.temperature, sampling.top_p):
        assert share is None or (type(share) is float and 0 <= share <= 1)
    for count, least in ((sampling.max_tokens, 1), (sampling.top_k, 0)):
        assert count is None or (type(count) is int and count >= least)


def check_tools(turn: Turn) -> None:
    assert len({offered.name for offered in turn.tools}) == len(turn.tools)
    for offered in turn.tools:
        assert 1 <= len(offered.name) <= 128
        assert offered.strict in (True, False)
        assert offered.description is None or offered.description
        check_text(offered.description or "")
        check_schema(offered.schema)
    if turn.session is None:
        check_tool_choice(turn.tools, turn.tool_choice)
    if turn.output is not None:
        check_schema(turn.output.schema or {"type": "object"})


# -- what comes in -------------------------------------------------------------------------------

TELLING: list[Any] = [
    *[None, True, False, 0, 1, -1, 1.0, 0.5, 1e300, 10**400, float("inf"), float("nan")],
    *["", " ", "\0", "\ud800", "user", "assistant", "system", "text", "c1", "c2", "look", "find"],
    *[[], {}, [[]], [{}], [None], ["a"], HI, YO, text("a"), text(""), [text("a")], system("s")],
    *[calling("c1"), results("c1"), results("c1", "c2"), use("c1"), use("c2"), result("c1")],
    *[result("c2", [text("")]), thinking(), redacted(), [thinking()], image(PICTURE)],
    *[PICTURE, PRINTED, url("https://a/b"), url("http://a"), plain("x"), document(plain("x"))],
    *[{"type": "file", "file_id": "f"}, {"type": "content", "content": []}, base64("a", "b")],
    base64("image/png", encoded(claimed_png(9_000, 1))),
    base64("image/jpeg", encoded(DRAWN["image/jpeg"])),
    *[[image(url("https://a/b"))] * 101, tool(), [tool()], tool("find"), SCHEMA, "base64", "url"],
    *[{"type": "auto"}, {"type": "any"}, {"type": "none"}, {"type": "tool", "name": "look"}],
    *[{"type": "adaptive"}, {"type": "enabled"}, {"effort": "low"}, {"enabled": True}, "max"],
    *[{"type": "web_search_20250305", "name": "web_search"}, "enabled", "low", 1024, 1023],
]
telling = st.sampled_from(TELLING)
any_json = anything(telling)
names = st.sampled_from(
    [
        *WHOLE,
        *["role", "content", "type", "text", "source", "media_type", "data", "url", "title"],
        *["context", "citations", "tool_use_id", "is_error", "id", "name", "input", "signature"],
        *["input_schema", "strict", "budget_tokens", "display", "effort", "format", "schema"],
        *["cache_control", "container", "mcp_servers", "session_id", "caller", "user_id"],
    ]
)


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, Any]:
    """A good request with up to three wounds."""
    request = copy.deepcopy(draw(st.sampled_from(WHOLES)))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places(request) or [("messages",)]))
        holder: Any = request
        for step in way:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "delete", "insert", "swap"])):
            case "delete" if last in holder or isinstance(holder, list):
                del holder[last]
            case "insert" if isinstance(holder, list):
                holder.insert(last, copy.deepcopy(draw(telling | any_json)))
            case "insert":
                holder[draw(names | words_)] = copy.deepcopy(draw(telling | any_json))
            case "swap" if isinstance(holder, list):
                holder[last], holder[0] = holder[0], holder[last]
            case _:
                holder[last] = copy.deepcopy(draw(telling | any_json))
    return request


@pytest.mark.parametrize("request_", WHOLES)
def test_the_whole_requests_are_good(request_: dict[str, Any]) -> None:
    raw = json.dumps(request_).encode()
    check_request(decode(raw), counts=False)
    check_request(decode_count(raw), counts=True)


@steady
@given(st.binary(max_size=40) | any_json.map(lambda value: json.dumps(value).encode()))
def test_any_bytes(raw: bytes) -> None:
    check(raw)


@steady
@given(any_json | telling)
def test_any_messages(value: Any) -> None:
    check(json.dumps({"max_tokens": 1, "messages": value}).encode())


@steady
@given(st.lists(telling | any_json, max_size=4), st.lists(telling | any_json, max_size=3))
def test_any_blocks(mine: list[Any], given_: list[Any]) -> None:
    for messages in (
        [user(mine)],
        [HI, assistant(mine), user(given_)],
        [HI, calling("c1"), user([result("c1", mine), *given_])],
    ):
        check(json.dumps({"max_tokens": 1, "messages": messages}).encode())


@steady
@given(st.dictionaries(names | words_, telling | any_json, max_size=5))
def test_any_fields(fields: dict[str, Any]) -> None:
    check(json.dumps({"max_tokens": 1, "messages": [HI], **fields}).encode())


@steady
@given(st.lists(telling.filter(lambda value: isinstance(value, dict)), max_size=8))
def test_any_messages_in_any_order(messages: list[Any]) -> None:
    check(json.dumps({"max_tokens": 1, "messages": [HI, *messages]}).encode())


@settings(steady, max_examples=100)
@given(mutations())
def test_any_mutation_of_a_good_request(request_: dict[str, Any]) -> None:
    check(json.dumps(request_).encode())
