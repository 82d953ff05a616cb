"""Every field beside ``messages``: honoured, refused, or named as ignored; versions and betas."""

import json
from typing import Any

import pytest
from anthropic_bodies import (
    HI,
    NEW,
    OLD,
    SCHEMA,
    YO,
    Json,
    ask,
    assistant,
    body,
    calling,
    image,
    result,
    results,
    seen,
    text,
    tool,
    url,
    use,
    user,
    whole,
)
from attrs import evolve

from bridge.core.conversation import (
    Effort,
    JsonOutput,
    Sampling,
    ThinkingMode,
    Thought,
    Tool,
    ToolChoice,
)
from bridge.core.errors import InvalidRequest, UnsupportedParameter
from bridge.dialects.anthropic_messages import VERSIONS, decode, decode_count, render_error
from bridge.dialects.anthropic_messages.models import POLICY, WireRequest
from bridge.dialects.policy import AsksNothing

TOOLS = [tool(), tool("find")]

# field → value, what differs then in the turn or what was asked
HONOURED: dict[str, list[tuple[Any, dict[str, Any]]]] = {
    "model": [("claude-opus-5", {"model": "claude-opus-5"}), ("", {}), (None, {})],
    "max_tokens": [(1, {"max_tokens": 1}), (10**6, {"max_tokens": 10**6}), (5.0, {"max_tokens": 5})],
    "stream": [(True, {"stream": True}), (False, {}), (None, {})],
    "temperature": [(0, {"temperature": 0.0}), (0.5, {"temperature": 0.5}), (1, {"temperature": 1.0}), (None, {})],
    "top_p": [(0, {"top_p": 0.0}), (1.0, {"top_p": 1.0}), (None, {})],
    "top_k": [(0, {"top_k": 0}), (40, {"top_k": 40}), (None, {})],
    "stop_sequences": [
        (["END", "\n\n#", "a", "b", "c"], {"stop": ("END", "\n\n#", "a", "b", "c")}),
        ([], {}),
        (None, {}),
    ],
    "metadata": [({"user_id": "u1"}, {"end_user": "u1"}), ({"user_id": None}, {}), ({"user_id": ""}, {}), ({}, {}), (None, {})],
    "session_id": [("s", {"session": "s"}), (None, {})],
    "tools": [
        ([tool()], {"tools": (Tool(name="look", schema=SCHEMA),)}),
        ([tool(type="custom", description="Looks.", strict=True)], {"tools": (Tool(name="look", schema=SCHEMA, description="Looks.", strict=True),)}),
        ([tool(type=None, description="", strict=None)], {"tools": (Tool(name="look", schema=SCHEMA),)}),
        ([tool("x" * 128, {"properties": {}})], {"tools": (Tool(name="x" * 128, schema={"type": "object", "properties": {}}),)}),
        ([tool("b"), tool("a")], {"tools": (Tool(name="b", schema=SCHEMA), Tool(name="a", schema=SCHEMA))}),
        ([], {}),
        (None, {}),
    ],
    "tool_choice": [({"type": "auto"}, {}), ({"type": "none"}, {"tool_choice": ToolChoice(names=())}), (None, {})],
    "thinking": [
        ({"type": "disabled"}, {"thought": Thought(mode=ThinkingMode.DISABLED)}),
        ({"type": "adaptive"}, {"thought": Thought(mode=ThinkingMode.ADAPTIVE)}),
        ({"type": "between_tools"}, {"thought": Thought(mode=ThinkingMode.BETWEEN_TOOLS)}),
        ({"type": "adaptive", "display": "omitted"}, {"thought": Thought(mode=ThinkingMode.ADAPTIVE, display="omitted")}),
        ({"type": "adaptive", "display": None}, {"thought": Thought(mode=ThinkingMode.ADAPTIVE)}),
        ({"type": "enabled", "budget_tokens": 1024}, {"thought": Thought(mode=ThinkingMode.ENABLED, budget=1024)}),
        ({"type": "enabled", "budget_tokens": 9_000, "display": "summarized"}, {"thought": Thought(mode=ThinkingMode.ENABLED, budget=9_000, display="summarized")}),
        (None, {}),
    ],
    "output_config": [
        *(({"effort": effort.value}, {"effort": effort}) for effort in (Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.XHIGH, Effort.MAX)),
        ({"format": {"type": "json_schema", "schema": SCHEMA}}, {"output": JsonOutput(schema=SCHEMA)}),
        ({"effort": "low", "format": {"type": "json_schema", "schema": {}}}, {"effort": Effort.LOW, "output": JsonOutput(schema={"type": "object"})}),
        ({"effort": None, "format": None}, {}),
        ({}, {}),
        (None, {}),
    ],
    "system": [("be brief", {"system": ("be brief",)}), (None, {})],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [(name, value, expected) for name, cases in HONOURED.items() for value, expected in cases],
)
def test_a_field_is_honoured(name: str, value: Any, expected: dict[str, Any]) -> None:
    assert seen(ask(HI, **{name: value})) == expected


def test_every_honoured_field_has_a_row() -> None:
    fields = {attribute.name for attribute in WireRequest.__attrs_attrs__}  # type: ignore[attr-defined]
    assert HONOURED.keys() == fields - {"messages"}


def test_reasoning_is_asked_for_exactly() -> None:
    assert ask(HI).turn.reasoning.exact


CHOICES: list[tuple[Json, ToolChoice]] = [
    ({"type": "auto"}, ToolChoice()),
    ({"type": "auto", "disable_parallel_tool_use": None}, ToolChoice()),
    ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(parallel=False)),
    ({"type": "any"}, ToolChoice(required=True)),
    (
        {"type": "any", "disable_parallel_tool_use": True},
        ToolChoice(required=True, parallel=False),
    ),
    ({"type": "tool", "name": "find"}, ToolChoice(names=("find",), required=True)),
    (
        {"type": "tool", "name": "find", "disable_parallel_tool_use": True},
        ToolChoice(names=("find",), required=True, parallel=False),
    ),
    ({"type": "none"}, ToolChoice(names=())),
]


@pytest.mark.parametrize(("wire", "choice"), CHOICES)
def test_a_choice_among_tools(wire: Json, choice: ToolChoice) -> None:
    assert ask(HI, tools=TOOLS, tool_choice=wire).turn.tool_choice == choice


# fields → the place of the fault, its code, what is said of it
REFUSED: dict[str, tuple[Json, str, str, str]] = {
    # -- sampling --------------------------------------------------------------------------------
    "no-max-tokens": ({"max_tokens": ...}, "max_tokens", "missing_required_parameter", "missing"),
    "max-tokens-null": ({"max_tokens": None}, "max_tokens", "invalid_type", "null"),
    "max-tokens-as-a-string": ({"max_tokens": "5"}, "max_tokens", "invalid_type", "a string"),
    "max-tokens-true": ({"max_tokens": True}, "max_tokens", "invalid_type", "a boolean"),
    "max-tokens-broken": ({"max_tokens": 1.5}, "max_tokens", "invalid_type", "a number"),
    "no-tokens": ({"max_tokens": 0}, "max_tokens", "invalid_value", "at least 1"),
    "fewer-than-no-tokens": ({"max_tokens": -1}, "max_tokens", "invalid_value", "at least 1"),
    "too-hot": ({"temperature": 1.01}, "temperature", "invalid_value", "between 0 and 1"),
    "too-cold": ({"temperature": -0.1}, "temperature", "invalid_value", "between 0 and 1"),
    "hot-in-words": ({"temperature": "1"}, "temperature", "invalid_type", "a string"),
    "too-much-of-them": ({"top_p": 2}, "top_p", "invalid_value", "between 0 and 1"),
    "top-p-true": ({"top_p": True}, "top_p", "invalid_type", "a boolean"),
    "fewer-than-none-of-them": ({"top_k": -1}, "top_k", "invalid_value", "at least 0"),
    "half-of-one": ({"top_k": 0.5}, "top_k", "invalid_type", "a number"),
    "an-empty-stop": ({"stop_sequences": ["a", ""]}, "stop_sequences[1]", "invalid_value", "white space"),
    "a-stop-of-white-space": ({"stop_sequences": ["\n\n"]}, "stop_sequences[0]", "invalid_value", "white space"),
    "a-stop-alone": ({"stop_sequences": "END"}, "stop_sequences", "invalid_type", "a string"),
    "a-stop-that-is-a-number": ({"stop_sequences": [1]}, "stop_sequences[0]", "invalid_type", "an integer"),
    # -- plain fields ----------------------------------------------------------------------------
    "a-model-that-is-a-number": ({"model": 5}, "model", "invalid_type", "an integer"),
    "a-stream-in-words": ({"stream": "true"}, "stream", "invalid_type", "a string"),
    "a-stream-of-1": ({"stream": 1}, "stream", "invalid_type", "an integer"),
    "metadata-as-a-string": ({"metadata": "u"}, "metadata", "invalid_type", "a string"),
    "a-user-that-is-a-number": ({"metadata": {"user_id": 5}}, "metadata.user_id", "invalid_type", "an integer"),
    "a-session-that-is-a-number": ({"session_id": 5}, "session_id", "invalid_type", "an integer"),
    # -- tools -----------------------------------------------------------------------------------
    "tools-as-an-object": ({"tools": {}}, "tools", "invalid_type", "an object"),
    "a-tool-as-a-string": ({"tools": ["look"]}, "tools[0]", "invalid_type", "a string"),
    "a-tool-in-openai's-form": ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].type", "unsupported_parameter", "'function'"),
    "no-name": ({"tools": [{"input_schema": {}}]}, "tools[0].name", "missing_required_parameter", "missing"),
    "an-empty-name": ({"tools": [tool("")]}, "tools[0].name", "invalid_value", "1 to 128"),
    "an-odd-name": ({"tools": [tool(), tool("a.b")]}, "tools[1].name", "invalid_value", "'a.b'"),
    "a-name-of-129": ({"tools": [tool("x" * 129)]}, "tools[0].name", "invalid_value", "1 to 128"),
    "a-name-twice": ({"tools": [tool(), tool()]}, "tools[1].name", "invalid_value", "unique"),
    "no-schema": ({"tools": [{"name": "look"}]}, "tools[0].input_schema", "missing_required_parameter", "missing"),
    "a-schema-in-words": ({"tools": [tool(schema="{}")]}, "tools[0].input_schema", "invalid_type", "a string"),
    "an-array's-schema": ({"tools": [tool(schema={"type": "array"})]}, "tools[0].input_schema.type", "invalid_function_parameters", "'object'"),
    "a-malformed-schema": ({"tools": [tool(schema={"properties": {"a": {"type": 5}}})]}, "tools[0].input_schema.properties.a.type", "invalid_function_parameters", "malformed"),
    "alternatives-at-the-root": ({"tools": [tool(schema={"anyOf": [{}]})]}, "tools[0].input_schema.anyOf", "invalid_function_parameters", "top level"),
    "a-description-of-numbers": ({"tools": [tool(description=5)]}, "tools[0].description", "invalid_type", "an integer"),
    "strict-in-words": ({"tools": [tool(strict="yes")]}, "tools[0].strict", "invalid_type", "a string"),
    "a-type-that-is-a-number": ({"tools": [tool(type=5)]}, "tools[0].type", "invalid_type", "an integer"),
    "tools-without-end": ({"tools": [tool(f"t{n}") for n in range(1_001)]}, "tools", "invalid_value", "1000"),
    **{
        kind: ({"tools": [tool(), {"type": kind, "name": "x"}]}, "tools[1].type", "unsupported_parameter", f"'{kind}'")
        for kind in (
            "web_search_20250305", "web_search_20260318", "web_fetch_20260309", "code_execution_20260521", "bash_20250124",
            "text_editor_20250728", "memory_20250818", "computer_20251124", "computer_toolset_20260801",
            "browser_toolset_20260801", "tool_search_tool_regex_20251119", "tool_search_tool_bm25_20251119", "mcp_toolset", "",
        )
    },
    # -- the choice ------------------------------------------------------------------------------
    "a-choice-in-words": ({"tools": TOOLS, "tool_choice": "auto"}, "tool_choice", "invalid_type", "a string"),
    "a-choice-without-type": ({"tools": TOOLS, "tool_choice": {}}, "tool_choice.type", "missing_required_parameter", "missing"),
    "another-choice": ({"tools": TOOLS, "tool_choice": {"type": "required"}}, "tool_choice.type", "unsupported_parameter", "'required'"),
    "a-choice-of-nothing": ({"tools": TOOLS, "tool_choice": {"type": "tool"}}, "tool_choice.name", "missing_required_parameter", "missing"),
    "a-choice-of-a-stranger": ({"tools": TOOLS, "tool_choice": {"type": "tool", "name": "no"}}, "tool_choice", "invalid_value", "'no'"),
    "a-call-of-no-tool": ({"tool_choice": {"type": "any"}}, "tool_choice", "invalid_value", "no function"),
    "one-at-a-time-in-words": ({"tools": TOOLS, "tool_choice": {"type": "any", "disable_parallel_tool_use": "yes"}}, "tool_choice.disable_parallel_tool_use", "invalid_type", "a string"),
    # -- thinking --------------------------------------------------------------------------------
    "thinking-in-words": ({"thinking": "enabled"}, "thinking", "invalid_type", "a string"),
    "thinking-true": ({"thinking": True}, "thinking", "invalid_type", "a boolean"),
    "thinking-without-type": ({"thinking": {"budget_tokens": 2048}}, "thinking.type", "missing_required_parameter", "missing"),
    "thinking-of-another-type": ({"thinking": {"type": "auto"}}, "thinking.type", "invalid_value", "'auto'"),
    "no-budget": ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens", "missing_required_parameter", "missing"),
    "too-small-a-budget": ({"thinking": {"type": "enabled", "budget_tokens": 1023}}, "thinking.budget_tokens", "invalid_value", "1024"),
    "a-budget-in-words": ({"thinking": {"type": "enabled", "budget_tokens": "2048"}}, "thinking.budget_tokens", "invalid_type", "a string"),
    "a-budget-of-no-use": ({"thinking": {"type": "adaptive", "budget_tokens": 2048}}, "thinking.budget_tokens", "invalid_value", "'enabled'"),
    "another-display": ({"thinking": {"type": "adaptive", "display": "full"}}, "thinking.display", "invalid_value", "'full'"),
    # -- what the answer must be -----------------------------------------------------------------
    "an-output-in-words": ({"output_config": "json"}, "output_config", "invalid_type", "a string"),
    "another-effort": ({"output_config": {"effort": "huge"}}, "output_config.effort", "invalid_value", "'huge'"),
    "an-effort-of-openai's": ({"output_config": {"effort": "minimal"}}, "output_config.effort", "invalid_value", "'minimal'"),
    "no-effort": ({"output_config": {"effort": "none"}}, "output_config.effort", "invalid_value", "'none'"),
    "another-format": ({"output_config": {"format": {"type": "json_object"}}}, "output_config.format.type", "unsupported_parameter", "'json_object'"),
    "a-format-in-words": ({"output_config": {"format": "json"}}, "output_config.format", "invalid_type", "a string"),
    "no-schema-of-it": ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema", "missing_required_parameter", "missing"),
    "a-malformed-schema-of-it": ({"output_config": {"format": {"type": "json_schema", "schema": {"required": 5}}}}, "output_config.format.schema.required", "invalid_json_schema", "malformed"),
    "an-array-of-it": ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "array"}}}}, "output_config.format.schema.type", "invalid_json_schema", "'array'"),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "param", "code", "told"), REFUSED.values(), ids=REFUSED)
def test_a_field_is_refused(fields: Json, param: str, code: str, told: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(HI, **fields)
    assert (caught.value.param, caught.value.code, caught.value.status) == (param, code, 400)
    assert param.partition(".")[0].partition("[")[0] in caught.value.message
    assert told in caught.value.message


def test_a_thousand_tools_are_taken() -> None:
    assert len(ask(HI, tools=[tool(f"t{n}", {}) for n in range(1_000)]).turn.tools) == 1_000


def test_a_session_has_tools_of_its_own() -> None:
    choice = {"type": "tool", "name": "of_the_session"}
    asked = ask(HI, session_id="s", tool_choice=choice)
    assert asked.turn.tool_choice == ToolChoice(names=("of_the_session",), required=True)


# -- the fields that are not honoured ------------------------------------------------------------

# field → values that ask for something; all of AsksNothing's are taken without a word
NOT_HONOURED: dict[str, list[Any]] = {
    "billing_policy": [{"bill_to": "user_profile"}, {}],
    "compaction": [{"type": "summarize"}, {}],
    "container": [{"id": "c"}, "c", {}],
    "mcp_servers": [[{"type": "url", "url": "https://a/b", "name": "x"}], {}],
    "inference_geo": ["eu", ""],
    "speed": ["fast"],
    "output_format": [{"type": "json_schema", "schema": SCHEMA}],
    "enable_tools": [True, 1, 0],
}
WITHOUT_EFFECT: dict[str, list[Any]] = {
    "cache_control": [{"type": "ephemeral"}],
    "context_management": [{"edits": [{"type": "clear_tool_uses_20250919"}]}],
    "diagnostics": [{"previous_message_id": None}],
    "service_tier": ["standard_only"],
    "user_profile_id": ["u"],
    "workspace_id": ["w"],
    "messages[].content[].citations": [[{"type": "char_location"}]],
    "messages[].content[].caller": [{"type": "code_execution_20250825", "tool_id": "x"}],
    "tools[].allowed_callers": [["code_execution_20250825"], ["direct", "code_execution_20250825"]],
    "tools[].defer_loading": [True],
    "tools[].eager_input_streaming": [True],
    "tools[].input_examples": [[{"a": 1}]],
}


def test_every_field_that_is_not_honoured_has_a_row() -> None:
    assert NOT_HONOURED.keys() == POLICY.refused.keys()
    assert WITHOUT_EFFECT.keys() == POLICY.ignored.keys()


def flat(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, values in table.items() for value in values]


def silent(table: Any) -> list[tuple[str, Any]]:
    """Each field with the values that ask for nothing."""
    asks: dict[str, AsksNothing] = dict(table)
    return [(name, value) for name in asks for value in (None, *asks[name].values)]


@pytest.mark.parametrize(("name", "value"), flat(NOT_HONOURED))
def test_what_would_change_the_answer_is_refused(name: str, value: Any) -> None:
    for read in (decode, decode_count):
        with pytest.raises(UnsupportedParameter, match=name) as caught:
            read(body(HI, **{name: value}))
        assert caught.value.param == name


@pytest.mark.parametrize("more", [{"type": "adaptive"}, {"type": "enabled", "budget_tokens": 2000}])
def test_the_display_of_a_beta_hides_the_thoughts(more: Json) -> None:
    request = body(HI, thinking={**more, "display": "updates"})
    for read in (decode, decode_count):
        asked = read(request, betas="effort-2025-11-24,thinking-display-updates-2026-08-18")
        assert asked.changed == ("thinking.display",)
        thought = asked.turn.reasoning.thought
        assert thought is not None
        assert thought.display == "omitted"
        with pytest.raises(InvalidRequest, match="updates"):
            read(request, betas="effort-2025-11-24")


@pytest.mark.parametrize("asked", [{"type": "create"}, {"type": "continue"}, "t", {}, False])
def test_a_thread_is_refused_by_the_code_that_clients_know(asked: Any) -> None:
    for read in (decode, decode_count):
        with pytest.raises(UnsupportedParameter, match="session_id") as caught:
            read(body(HI, thread=asked))
        told = render_error(caught.value, "req_1")["error"]
        assert told["type"] == "invalid_request_error"
        assert told["details"] == {"error_code": "thread_unsupported_request"}
    assert seen(ask(HI, thread=None)) == {}
    assert "details" not in render_error(InvalidRequest("no"), "req_1")["error"]


@pytest.mark.parametrize(("name", "value"), silent(POLICY.refused))
def test_what_asks_for_nothing_is_taken(name: str, value: Any) -> None:
    assert seen(ask(HI, **{name: value})) == {}


def with_field(path: str, value: Any) -> Json:
    """A request that has the field."""
    held, _, name = path.rpartition(".")
    match held:
        case "":
            return whole(HI, **{path: value})
        case "tools[]":
            return whole(HI, tools=[tool(), tool("find", **{name: value})])
        case _ if name == "caller":
            return whole(HI, assistant([use("c1", **{name: value})]), results("c1"))
        case _:
            return whole(HI, assistant([text("yo", **{name: value})]), HI)


@pytest.mark.parametrize(("path", "value"), flat(WITHOUT_EFFECT))
def test_what_has_no_effect_is_named(path: str, value: Any) -> None:
    assert decode(json.dumps(with_field(path, value)).encode()).ignored == (path,)


@pytest.mark.parametrize(("path", "value"), silent(POLICY.ignored))
def test_what_has_no_effect_and_asks_for_none_is_not(path: str, value: Any) -> None:
    assert decode(json.dumps(with_field(path, value)).encode()).ignored == ()


UNKNOWN: dict[str, tuple[Json, tuple[str, ...]]] = {
    "a-field": (whole(HI, foo=1, bar=None), ("foo",)),
    "a-field-of-a-message": (whole({**HI, "name": "ann"}), ("messages[].name",)),
    "a-field-of-blocks-once": (
        whole(user([text("a", x=1), text("b", x=1)])),
        ("messages[].content[].x",),
    ),
    "cache-control-anywhere": (
        whole(
            HI,
            calling("c1"),
            user([result("c1", [text("a", cache_control={"type": "ephemeral"})])]),
            system=[text("s", cache_control={"type": "ephemeral"})],
            tools=[tool(cache_control={"type": "ephemeral"})],
        ),
        (
            "messages[].content[].content[].cache_control",
            "system[].cache_control",
            "tools[].cache_control",
        ),
    ),
    "a-field-of-a-source": (
        whole(user([{"type": "image", "source": {**url("https://a/b"), "x": 1}}])),
        ("messages[].content[].source.x",),
    ),
    "transformations-of-a-picture": (
        whole(user([image(url("https://a/b"), transformations={"oversized": "error"})])),
        ("messages[].content[].transformations",),
    ),
    "metadata": (whole(HI, metadata={"user_id": "u", "more": 1}), ("metadata.more",)),
    "a-choice-of-none": (
        whole(HI, tools=TOOLS, tool_choice={"type": "none", "disable_parallel_tool_use": True}),
        ("tool_choice.disable_parallel_tool_use",),
    ),
}


@pytest.mark.parametrize(("request_", "named"), UNKNOWN.values(), ids=UNKNOWN)
def test_fields_that_nobody_knows_are_named(request_: Json, named: tuple[str, ...]) -> None:
    assert decode(json.dumps(request_).encode()).ignored == named


# -- versions and betas --------------------------------------------------------------------------


@pytest.mark.parametrize("read", [decode, decode_count])
@pytest.mark.parametrize("version", ["", "2023-01-01", "2026-10-22", "latest", "2023-06-01 "])
def test_a_version_that_nobody_knows(version: str, read: Any) -> None:
    with pytest.raises(InvalidRequest, match="'2023-06-01', '2026-10-21'") as caught:
        read(body(HI), version=version)
    assert caught.value.param == "anthropic-version"


def test_the_versions() -> None:
    assert VERSIONS == (OLD, NEW)
    assert decode(body(HI), version=OLD) == decode(body(HI), version=NEW) == ask(HI)


@pytest.mark.parametrize("value", [1, None])
@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_the_newer_version_has_no_sampling(name: str, value: Any) -> None:
    raw = body(HI, **{name: value})
    assert decode(raw, version=OLD) == decode(raw)
    with pytest.raises(InvalidRequest, match=OLD) as caught:
        decode(raw, version=NEW)
    assert (caught.value.param, caught.value.code) == (name, "unknown_parameter")


CITED = text("hi", citations=[{"type": "char_location"}])


def test_the_newer_version_takes_no_citations_of_the_user() -> None:
    raw = body(HI, YO, user([text("a"), CITED]))
    assert decode(raw, version=OLD).ignored == ("messages[].content[].citations",)
    with pytest.raises(InvalidRequest) as caught:
        decode(raw, version=NEW)
    assert caught.value.param == "messages[2].content[1].citations"
    for kept in (
        body(HI, assistant([CITED]), HI),
        body(user([{**CITED, "citations": []}])),
        body(user([{**CITED, "citations": None}])),
    ):
        decode(kept, version=NEW)


@pytest.mark.parametrize(
    ("betas", "named"),
    [
        (None, ()),
        ("", ()),
        (" ", ()),
        ("files-api-2025-04-14", ("anthropic-beta",)),
        ("a,b", ("anthropic-beta",)),
    ],
)
def test_betas_have_no_effect(betas: str | None, named: tuple[str, ...]) -> None:
    assert decode(body(HI), betas=betas).ignored == named
    assert decode_count(body(HI, max_tokens=...), betas=betas).ignored == named


# -- counting ------------------------------------------------------------------------------------


def test_a_count_is_of_the_prompt() -> None:
    prompt = {
        "model": "claude-opus-5",
        "system": "be brief",
        "tools": TOOLS,
        "tool_choice": {"type": "any"},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "output_config": {"effort": "low"},
        "session_id": "s",
    }
    counted = decode_count(body(HI, max_tokens=..., **prompt))
    turn = decode(body(HI, max_tokens=1, **prompt)).turn
    assert counted.turn == evolve(turn, sampling=Sampling())
    assert (counted.stream, counted.ignored) == (False, ())


def test_what_an_answer_is_asked_for_is_not_counted() -> None:
    raw = body(HI, stream=True, temperature="hot", stop_sequences=5, metadata=5)
    assert set(decode_count(raw).ignored) == {
        *("max_tokens", "stream", "temperature", "stop_sequences", "metadata")
    }


# -- bodies that are none ------------------------------------------------------------------------


@pytest.mark.parametrize("read", [decode, decode_count])
@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"null", b'"a"', b"\xff", b'{"a": NaN}', b"[" * 999]
)
def test_a_body_that_is_no_object(raw: bytes, read: Any) -> None:
    with pytest.raises(InvalidRequest):
        read(raw)
