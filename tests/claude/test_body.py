"""What of a turn goes into the request to the model as it is."""

import json
from typing import Any

import pytest
from attrs import evolve
from claude_turns import CLOSED, OBJECT, asking, assistant, call, result, tool, tools, user

from bridge.claude.abilities import Abilities, abilities_of
from bridge.claude.body import JSON_ANSWER, Request, request_of
from bridge.claude.options import flag_settings
from bridge.core.conversation import Effort, JsonOutput, Reasoning, Sampling, Tool, ToolChoice

ABLE = {True: abilities_of("claude-sonnet-4-5"), False: abilities_of("claude-opus-5-5")}
"""Models, by whether they can be forced to call."""

FUNCTIONS = tools("f g h")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
OUTPUTS = {"words": None, "a schema": JsonOutput(schema=SCHEMA), "any object": JsonOutput()}

ANY = {"type": "any"}
ANSWER = {"type": "tool", "name": JSON_ANSWER}

CHOICES: dict[str, tuple[ToolChoice, str, dict[str, Any] | None, str, dict[str, Any] | None]] = {
    # the choice; then, for words and for JSON, which functions are offered and how they are forced
    "auto": (ToolChoice(), "f g h", None, f"f g h {JSON_ANSWER}", ANY),
    "none": (ToolChoice(names=()), "f g h", {"type": "none"}, JSON_ANSWER, ANSWER),
    "required": (ToolChoice(required=True), "f g h", ANY, "f g h", ANY),
    "named": (
        ToolChoice(names=("g",), required=True),
        *("g", {"type": "tool", "name": "g"}),
        *("g", {"type": "tool", "name": "g"}),
    ),
    "allowed": (ToolChoice(names=("h", "f")), "f h", None, f"f h {JSON_ANSWER}", ANY),
    "allowed, one of them": (
        ToolChoice(names=("h", "f"), required=True),
        *("f h", ANY),
        *("f h", ANY),
    ),
}


def names(request: Request) -> str:
    return " ".join(definition["name"] for definition in request.fields.get("tools", ()))


def told_to_call(request: Request) -> set[bool]:
    """Whether the descriptions of the functions ask for a call."""
    orders = ("must be called" in d.get("description", "") for d in request.fields["tools"])
    return set(orders)


@pytest.mark.parametrize("parallel", [True, False], ids=["parallel", "one at a time"])
@pytest.mark.parametrize("forces", [True, False], ids=["forced", "unforced"])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("choice", CHOICES)
def test_a_choice_among_functions_and_what_the_answer_must_be(
    choice: str, output: str, forces: bool, parallel: bool
) -> None:
    wanted, *expected = CHOICES[choice]
    offered, asked = expected[2:] if OUTPUTS[output] else expected[:2]
    turn = asking(
        tools=FUNCTIONS,
        tool_choice=evolve(wanted, parallel=parallel),
        output=OUTPUTS[output],
    )
    request = request_of(turn, ABLE[forces])
    answers_json = OUTPUTS[output] is not None and not wanted.required
    must_call = wanted.required or answers_json

    assert names(request) == offered
    assert request.json_answer == (JSON_ANSWER if answers_json else None)
    assert request.calls == wanted.required
    assert told_to_call(request) == {must_call and not forces}
    one_only = not parallel or offered == JSON_ANSWER
    expected_choice = (
        {**(asked or {"type": "auto"})} if forces or not must_call else {"type": "auto"}
    )
    if one_only and asked != {"type": "none"}:
        expected_choice["disable_parallel_tool_use"] = True
    assert request.fields.get("tool_choice", {"type": "auto"}) == expected_choice
    assert request.fields.get("tool_choice") != {"type": "auto"}, "the default is left unsaid"
    if answers_json:
        answer = request.fields["tools"][-1]
        assert answer["input_schema"] == (SCHEMA if output == "a schema" else {"type": "object"})
        assert "strict" not in answer


def test_a_turn_without_functions_says_nothing_of_them() -> None:
    assert request_of(asking(), ABLE[True]) == Request(fields={})


@pytest.mark.parametrize("forces", [True, False])
def test_the_answer_alone_is_asked_for_where_there_are_no_functions(forces: bool) -> None:
    request = request_of(asking(output=JsonOutput()), ABLE[forces])
    assert names(request) == JSON_ANSWER
    asked = ANSWER if forces else {"type": "auto"}
    assert request.fields["tool_choice"] == {**asked, "disable_parallel_tool_use": True}
    assert told_to_call(request) == {not forces}


HISTORY = (
    user("hi"),
    assistant("let me see", call("1", "g"), call("2", "f"), call("3", "g")),
    user(result("1"), result("2"), result("3")),
)


def test_the_functions_of_earlier_calls_are_named_and_not_offered() -> None:
    request = request_of(asking(*HISTORY), ABLE[True])
    assert request.fields == {
        "tools": [
            {"name": "g", "input_schema": {"type": "object"}},
            {"name": "f", "input_schema": {"type": "object"}},
        ],
        "tool_choice": {"type": "none"},
    }
    assert not request.calls
    assert names(request_of(asking(*HISTORY, tools=tools("x y")), ABLE[True])) == "x y"
    assert names(request_of(asking(*HISTORY, output=JsonOutput()), ABLE[True])) == JSON_ANSWER


@pytest.mark.parametrize("choice", [ToolChoice(), ToolChoice(names=()), ToolChoice(names=("f",))])
@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ("f", "StructuredOutput"),
        ("f StructuredOutput", "StructuredOutput_"),
        ("f StructuredOutput_", "StructuredOutput"),
        ("StructuredOutput_ f StructuredOutput", "StructuredOutput__"),
    ],
)
def test_the_answer_has_a_name_that_no_function_has(
    choice: ToolChoice, taken: str, name: str
) -> None:
    turn = asking(tools=tools(taken), tool_choice=choice, output=JsonOutput())
    request = request_of(turn, ABLE[True])
    assert request.json_answer == name
    assert names(request).split()[-1] == name
    assert len(set(names(request).split())) == len(names(request).split())


def test_the_answers_own_description_comes_first() -> None:
    output = JsonOutput(schema=SCHEMA, description="A count.")
    (described,) = request_of(asking(output=output), ABLE[True]).fields["tools"]
    (plain,) = request_of(asking(output=JsonOutput()), ABLE[True]).fields["tools"]
    assert described["description"] == f"A count. {plain['description']}"


OPEN = {"type": "object", "properties": {"a": {"type": "integer"}}}

STRICT: list[tuple[Tool, bool]] = [
    (tool("f", CLOSED, strict=True), True),
    (tool("f", CLOSED), False),
    (tool("f", OPEN, strict=True), False),
    (tool("f", {**CLOSED, "maxProperties": 1}, strict=True), False),
]


@pytest.mark.parametrize(("function", "strict"), STRICT)
@pytest.mark.parametrize("output", [None, JsonOutput()])
@pytest.mark.parametrize("choice", [ToolChoice(), ToolChoice(required=True), ToolChoice(names=())])
def test_strict_is_passed_on_where_it_can_be(
    function: Tool, strict: bool, output: JsonOutput | None, choice: ToolChoice
) -> None:
    turn = asking(tools=(function,), tool_choice=choice, output=output)
    offered = request_of(turn, ABLE[False]).fields["tools"]
    assert [d for d in offered if "strict" in d] == (
        [offered[0]] if strict and offered[0]["name"] == "f" else []
    )
    assert all(d.get("strict", True) is True for d in offered)


ODD = {
    "z": {
        "x-foo": [1, {"b": None, "a": 1.5}],
        "type": "object",
        "$comment": "\u2028 \u00e9 \U0001f642",
    },
    "type": "object",
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "properties": {"b": {"type": "string"}, "a": {"default": {"y": 0, "x": 0}}, "__proto__": {}},
    "additionalProperties": {"$ref": "#/z"},
    "required": ["b", "a"],
}


@pytest.mark.parametrize("description", [None, "", "words", "x" * 10_000, "\n\ttwo\nlines\n"])
def test_a_definition_is_handed_on_untouched(description: str | None) -> None:
    functions = (tool("b", ODD, description=description), tool("a", OBJECT, description="second"))
    given = json.dumps([ODD, OBJECT])
    request = request_of(asking(tools=functions), ABLE[True])
    first = {"name": "b", "description": description, "input_schema": ODD}
    if description is None:
        del first["description"]
    second = {"name": "a", "description": "second", "input_schema": OBJECT}
    expected = json.dumps({"tools": [first, second]})
    assert json.dumps(request.fields) == expected, "keys in their order"
    assert flag_settings(None, request.fields)["env"]["CLAUDE_CODE_EXTRA_BODY"] == expected
    request_of(asking(tools=functions, output=JsonOutput()), ABLE[False])
    assert json.dumps([ODD, OBJECT]) == given, "the turn is left as it is"


def test_a_description_of_an_unforced_function_only_gets_longer() -> None:
    functions = (tool("f", description="Does it."), tool("g"), tool("h", description=""))
    turn = asking(tools=functions, tool_choice=ToolChoice(required=True))
    f, g, h = (d["description"] for d in request_of(turn, ABLE[False]).fields["tools"])
    assert f == f"Does it. {g}"
    assert g == h
    assert g == g.strip()


OFF = {"type": "disabled"}

SAMPLING: list[tuple[Sampling, dict[str, Any]]] = [
    (Sampling(), {}),
    (Sampling(temperature=0.0), {"temperature": 0.0}),
    (Sampling(max_tokens=1), {"max_tokens": 1}),
    (Sampling(top_k=0), {"top_k": 0}),
    (Sampling(temperature=0.5, top_k=40), {"temperature": 0.5, "top_k": 40}),
    (Sampling(top_p=0.5, top_k=40), {"top_p": 0.5, "top_k": 40, "thinking": OFF}),
    (
        Sampling(temperature=1.0, top_p=0.0, max_tokens=1),
        {"temperature": 1.0, "top_p": 0.0, "max_tokens": 1},
    ),
    (
        Sampling(top_p=0.5, max_tokens=3, stop=("a", "b")),
        {"top_p": 0.5, "thinking": OFF, "max_tokens": 3, "stop_sequences": ["a", "b"]},
    ),
]


@pytest.mark.parametrize(("sampling", "body"), SAMPLING)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("functions", ["", "f"])
def test_the_whole_sampling_is_said_beside_everything_else(
    sampling: Sampling, body: dict[str, Any], output: str, functions: str
) -> None:
    turn = asking(sampling=sampling, output=OUTPUTS[output], tools=tools(functions))
    fields = request_of(turn, ABLE[True]).fields
    assert {k: v for k, v in fields.items() if not k.startswith("tool")} == body
    assert ("tools" in fields) == bool(functions or OUTPUTS[output])


TOP_P = Sampling(top_p=0.5)
BARE = [
    # whether the CLI must be kept from adding a temperature, which models from 4.7 on get none of
    ("claude-sonnet-4-5", TOP_P, Reasoning(), True),
    ("claude-opus-4-6", TOP_P, Reasoning(effort=Effort.HIGH), True),
    ("claude-sonnet-4-5", Sampling(top_p=0.5, temperature=0.0), Reasoning(), False),
    ("claude-sonnet-4-5", Sampling(temperature=0.5), Reasoning(), False),
    ("claude-sonnet-4-5", Sampling(), Reasoning(effort=Effort.HIGH), False),
    ("claude-opus-4-7", TOP_P, Reasoning(), False),
    ("claude-opus-5-5", TOP_P, Reasoning(), False),
]


@pytest.mark.parametrize(("model", "sampling", "reasoning", "bare"), BARE)
def test_top_p_alone_is_kept_alone(
    model: str, sampling: Sampling, reasoning: Reasoning, bare: bool
) -> None:
    request = request_of(asking(sampling=sampling, reasoning=reasoning), abilities_of(model))
    assert request.taken_to_think is bare
    assert request.clears is not bare
    if bare:
        assert "thinking" in request.fields, "or the CLI would have the model think"


LENIENT = [
    ("claude-opus-5-5", Sampling(temperature=0.0, top_p=0.5), ("temperature", "top_p")),
    ("claude-opus-5-5", Sampling(temperature=0.0), ("temperature",)),
    ("claude-opus-4-7", Sampling(top_p=1.0), ("top_p",)),
    ("claude-opus-4-7", Sampling(max_tokens=1, stop=("a",)), ()),
    ("claude-opus-4-7", Sampling(top_k=40), ("top_k",)),
    (
        "claude-opus-5-5",
        Sampling(temperature=0.0, top_p=0.5, top_k=0, max_tokens=1),
        ("temperature", "top_p", "top_k"),
    ),
    ("claude-sonnet-4-5", Sampling(temperature=0.0, top_p=0.5, top_k=40), ()),
]


@pytest.mark.parametrize(("model", "sampling", "dropped"), LENIENT)
def test_a_lenient_server_drops_what_the_model_would_refuse_and_says_so(
    model: str, sampling: Sampling, dropped: tuple[str, ...]
) -> None:
    turn = asking(sampling=sampling)
    strict = request_of(turn, abilities_of(model))
    lenient = request_of(turn, abilities_of(model), lenient=True)
    assert (strict.ignored, lenient.ignored) == ((), dropped)
    assert lenient.fields == {k: v for k, v in strict.fields.items() if k not in dropped}


@pytest.mark.parametrize("able", ABLE.values(), ids=["able", "not able"])
@pytest.mark.parametrize(
    ("end_user", "fields"), [(None, {}), ("u1", {"metadata": {"user_id": "u1"}})]
)
def test_the_api_is_told_who_asks(
    end_user: str | None, fields: dict[str, Any], able: Abilities
) -> None:
    assert request_of(asking(end_user=end_user), able).fields == fields


def test_what_is_asked_for_exactly_goes_beside_the_rest() -> None:
    turn = asking(
        reasoning=Reasoning(effort=Effort.MAX, exact=True), sampling=Sampling(top_k=5), end_user="u"
    )
    assert request_of(turn, ABLE[False]).fields == {
        "top_k": 5,
        "metadata": {"user_id": "u"},
        "output_config": {"effort": "max"},
        "thinking": {"type": "adaptive"},
    }


@pytest.mark.parametrize("output", [None, JsonOutput()])
def test_a_model_that_was_told_to_think_is_not_forced(output: JsonOutput | None) -> None:
    turn = asking(
        tools=tools("f"),
        tool_choice=ToolChoice(required=True),
        output=output,
        reasoning=Reasoning(effort=Effort.HIGH),
    )
    thinking = request_of(turn, ABLE[True])
    assert thinking.fields["thinking"]["type"] == "enabled"
    assert "tool_choice" not in thinking.fields
    assert told_to_call(thinking) == {True}
    quiet = request_of(evolve(turn, reasoning=Reasoning(effort=Effort.NONE)), ABLE[True])
    assert quiet.fields["tool_choice"] == {"type": "tool", "name": "f"}
