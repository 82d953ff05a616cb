"""The older completions: a text to be continued → a turn for each prompt, or a fault by name."""

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bridge.core.conversation import (
    Message,
    Reasoning,
    Role,
    Sampling,
    Text,
    ToolChoice,
    Turn,
)
from bridge.core.errors import InvalidRequest, UnsupportedParameter
from bridge.dialects.openai_completions import CompletionRequest, decode
from bridge.dialects.openai_completions.decode import INSTRUCTION, MAX_PROMPTS, POLICY, WireRequest

Json = dict[str, Any]

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

HUGE = 10**400


def body(prompt: Any = "once", **fields: Any) -> bytes:
    return json.dumps({"prompt": prompt, **fields}).encode()


def ask(prompt: Any = "once", **fields: Any) -> CompletionRequest:
    return decode(body(prompt, **fields))


def seen(asked: CompletionRequest) -> Json:
    """What differs from a request with nothing but a prompt; every turn must differ alike."""

    def flat(whole: CompletionRequest, turn: Turn) -> Json:
        return {
            **attrs.asdict(whole, recurse=False),
            **attrs.asdict(turn, recurse=False),
            **attrs.asdict(turn.sampling, recurse=False),
        }

    plain = ask()
    wholes = {"turns", "sampling", "prompts", "messages"}
    expected = flat(plain, plain.turns[0])
    found = [
        {k: v for k, v in flat(asked, turn).items() if v != expected[k] and k not in wholes}
        for turn in asked.turns
    ]
    assert all(one == found[0] for one in found)
    return found[0]


# -- the prompt ----------------------------------------------------------------------------------

PROMPTS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "a-string": ("once", ("once",)),
    "it-is-not-trimmed": (" once \n", (" once \n",)),
    "of-any-characters": ("é\u2028\U0001f600", ("é\u2028\U0001f600",)),
    "a-list-of-one": (["once"], ("once",)),
    "several": (["a", "b", "a"], ("a", "b", "a")),
    "as-many-as-may-be": ([str(n) for n in range(16)], tuple(str(n) for n in range(16))),
}


@pytest.mark.parametrize(("prompt", "prompts"), PROMPTS.values(), ids=PROMPTS)
def test_a_turn_for_each_prompt(prompt: Any, prompts: tuple[str, ...]) -> None:
    asked = ask(prompt)
    assert asked.prompts == prompts
    assert [turn.messages for turn in asked.turns] == [
        (Message(role=Role.USER, parts=(Text(text=text),)),) for text in prompts
    ]


def test_a_request_with_a_prompt_alone() -> None:
    asked = ask()
    assert (asked.stream, asked.include_usage, asked.echo) == (False, False, False)
    assert (asked.ignored, asked.changed) == ((), ())
    (turn,) = asked.turns
    assert turn.system == (INSTRUCTION,)
    assert (turn.model, turn.owner, turn.session) == (None, "", None)
    assert (turn.sampling, turn.reasoning) == (Sampling(), Reasoning())
    assert (turn.tools, turn.tool_choice, turn.output) == ((), ToolChoice(), None)


TOKENS = "tokens are taken by nobody but the model that they were made for"

# prompt → param, code, a piece of the message
NO_PROMPTS: dict[str, tuple[Any, str, str, str]] = {
    "null": (None, "prompt", "invalid_type", "a string or an array of strings, but got null"),
    "a-number": (5, "prompt", "invalid_type", "a string or an array of strings, but got an integer"),
    "an-object": ({"text": "a"}, "prompt", "invalid_type", "but got an object"),
    "false": (False, "prompt", "invalid_type", "but got a boolean"),
    "tokens": ([5, 6], "prompt", "unsupported_parameter", TOKENS),
    "tokens-of-several": ([[5, 6], [7]], "prompt", "unsupported_parameter", TOKENS),
    "no-tokens": ([[]], "prompt", "unsupported_parameter", TOKENS),
    "a-list-of-strings-in-a-list": ([["a"]], "prompt", "unsupported_parameter", TOKENS),
    "a-token-among-strings": (["a", 5], "prompt[1]", "invalid_type", "expected a string"),
    "true-is-no-token": ([True], "prompt[0]", "invalid_type", "got a boolean"),
    "a-fraction-is-no-token": ([1.5], "prompt[0]", "invalid_type", "got a number"),
    "a-null": (["a", None], "prompt[1]", "invalid_type", "got null"),
    "an-object-in-a-list": ([{"text": "a"}], "prompt[0]", "invalid_type", "got an object"),
    "none": ([], "prompt", "empty_array", "'prompt' is empty"),
    "empty": ("", "prompt", "invalid_value", "more than white space"),
    "blank": (" \n", "prompt", "invalid_value", "more than white space"),
    "a-blank-one": (["a", "\t"], "prompt[1]", "invalid_value", "more than white space"),
    "an-empty-one-alone": ([""], "prompt[0]", "invalid_value", "more than white space"),
    "nul": ("a\0", "prompt", "invalid_value", "NUL"),
    "half-a-pair": (["a", "\ud800"], "prompt[1]", "invalid_value", "surrogate pair"),
    "too-many": (["a"] * 17, "prompt", "invalid_value", "up to 16 prompts, but there are 17"),
    "far-too-many": (["a"] * 100_000, "prompt", "invalid_value", "but there are 100000"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "param", "code", "fragment"), NO_PROMPTS.values(), ids=NO_PROMPTS
)
def test_no_prompt(prompt: Any, param: str, code: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(prompt)
    error = caught.value
    assert (error.status, error.param, error.code) == (400, param, code)
    assert fragment in error.message
    assert len(error.message) < 300


BODIES: dict[str, tuple[bytes, str | None, str]] = {
    "nothing": (b"", None, "invalid_json"),
    "no-object": (b'"once"', None, "invalid_type"),
    "no-prompt": (b"{}", "prompt", "missing_required_parameter"),
    "a-chat": (b'{"messages": [{"role": "user", "content": "hi"}]}', "prompt", "missing_required_parameter"),
    "nan": (b'{"prompt": "a", "seed": NaN}', None, "invalid_json"),
}  # fmt: skip


@pytest.mark.parametrize(("raw", "param", "code"), BODIES.values(), ids=BODIES)
def test_a_bad_body(raw: bytes, param: str | None, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(raw)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)


# -- sessions ------------------------------------------------------------------------------------

# the prompt, the session in the header, in the body → the one that is meant
SESSIONS: dict[str, tuple[Any, str | None, str | None, str | None]] = {
    "none": ("a", None, None, None),
    "in-the-header": ("a", "s", None, "s"),
    "in-the-body": (["a"], None, "s", "s"),
    "in-both": ("a", "s", "s", "s"),
    "none-for-several": (["a", "b"], None, None, None),
}


@pytest.mark.parametrize(("prompt", "header", "named", "meant"), SESSIONS.values(), ids=SESSIONS)
def test_a_session(prompt: Any, header: str | None, named: str | None, meant: str | None) -> None:
    asked = decode(body(prompt, session_id=named), session=header)
    assert {turn.session for turn in asked.turns} == {meant}


# the prompt, the session in the header, in the body → param, a piece of the message
NO_SESSIONS: dict[str, tuple[Any, str | None, Any, str, str]] = {
    "several-prompts": (["a", "b"], "s", None, "prompt", "one prompt at a time"),
    "several-prompts-by-the-body": (["a", "b"], None, "s", "prompt", "one prompt at a time"),
    "two-sessions": ("a", "s", "t", "session_id", "different sessions"),
    "an-empty-one-beside": ("a", "s", "", "session_id", "different sessions"),
}


@pytest.mark.parametrize(
    ("prompt", "header", "named", "param", "fragment"), NO_SESSIONS.values(), ids=NO_SESSIONS
)
def test_no_session(prompt: Any, header: str | None, named: Any, param: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body(prompt, session_id=named), session=header)
    assert (caught.value.param, caught.value.code) == (param, "invalid_value")
    assert fragment in caught.value.message


# -- the other fields ----------------------------------------------------------------------------

# fields → what comes of them
HONOURED: dict[str, tuple[Json, Json]] = {
    "model": ({"model": "gpt-3.5-turbo-instruct"}, {"model": "gpt-3.5-turbo-instruct"}),
    "model-empty": ({"model": ""}, {}),
    "echo": ({"echo": True}, {"echo": True}),
    "echo-false": ({"echo": False}, {}),
    "stream": ({"stream": True}, {"stream": True}),
    "usage": ({"stream_options": {"include_usage": True}}, {"include_usage": True}),
    "temperature": ({"temperature": 0.5}, {"temperature": 0.5}),
    "temperature-2": ({"temperature": 2}, {"temperature": 1.0, "changed": ("temperature",)}),
    "top-p": ({"top_p": 0.5}, {"top_p": 0.5}),
    "max-tokens": ({"max_tokens": 16}, {"max_tokens": 16}),
    "stop": ({"stop": "\n\n#"}, {"stop": ("\n\n#",)}),
    "stops": ({"stop": ["a", "b"]}, {"stop": ("a", "b")}),
}


@pytest.mark.parametrize("prompt", ["once", ["a", "b"]], ids=["one", "two"])
@pytest.mark.parametrize(("fields", "wanted"), HONOURED.values(), ids=HONOURED)
def test_honoured(fields: Json, wanted: Json, prompt: Any) -> None:
    assert seen(ask(prompt, **fields)) == wanted


@pytest.mark.parametrize(
    "name", [field.name for field in attrs.fields(WireRequest) if field.name != "prompt"]
)
def test_null_is_as_if_the_field_were_not_there(name: str) -> None:
    assert seen(ask(**{name: None})) == {}


# fields → param, code
REFUSED: dict[str, tuple[Json, str, str]] = {
    "echo-a-number": ({"echo": 1}, "echo", "invalid_type"),
    "stream-a-word": ({"stream": "true"}, "stream", "invalid_type"),
    "usage-a-number": ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage", "invalid_type"),
    "temperature-above": ({"temperature": 2.1}, "temperature", "invalid_value"),
    "top-p-above": ({"top_p": 1.1}, "top_p", "invalid_value"),
    "max-tokens-0": ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    "stop-blank": ({"stop": ["a", " "]}, "stop[1]", "invalid_value"),
    "stop-five": ({"stop": list("abcde")}, "stop", "invalid_value"),
    "model-a-number": ({"model": 5}, "model", "invalid_type"),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "param", "code"), REFUSED.values(), ids=REFUSED)
def test_refused(fields: Json, param: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(**fields)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)


# name → values that ask for nothing (null does too), values that ask for something
ASKS: dict[str, tuple[list[Any], list[Any]]] = {
    "suffix": ([""], [" the end", " ", 0, False]),
    "n": ([1, 1.0], [0, 2, -1, "1", True, HUGE]),
    "best_of": ([1], [0, 2, "1", True]),
    "logprobs": ([], [0, 1, 5, False, True]),
    "logit_bias": ([{}], [{"50256": -100}, []]),
}

# path → a request with the value there, values that ask for nothing, values that do
NO_EFFECT: dict[str, tuple[Callable[[Any], bytes], list[Any], list[Any]]] = {
    **{
        name: (lambda value, name=name: body(**{name: value}), nothing, something)
        for name, (nothing, something) in {
            "seed": ([], [0, 42]),
            "presence_penalty": ([0, 0.0], [0.5, False]),
            "frequency_penalty": ([0, 0.0], [-0.5, HUGE]),
            "user": ([], ["ann"]),
        }.items()
    },
    "stream_options.include_obfuscation": (
        lambda value: body(stream_options={"include_obfuscation": value}),
        [False],
        [True, 0],
    ),
}


def test_every_field_of_the_policy_has_a_row() -> None:
    assert ASKS.keys() == POLICY.refused.keys()
    assert NO_EFFECT.keys() == POLICY.ignored.keys()


def test_a_field_is_in_one_list_only() -> None:
    honoured = {field.name for field in attrs.fields(WireRequest)}
    assert not honoured & POLICY.refused.keys()
    assert not honoured & POLICY.ignored.keys()
    assert not POLICY.refused.keys() & POLICY.ignored.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}={json.dumps(value)}")
        for name, (neutral, _) in ASKS.items()
        for value in (None, *neutral)
    ],
)
def test_a_neutral_value_is_accepted_in_silence(name: str, value: Any) -> None:
    assert seen(ask(**{name: value})) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(name, value, id=f"{name}={json.dumps(value)[:40]}")
        for name, (_, asking) in ASKS.items()
        for value in asking
    ],
)
def test_what_would_change_the_answer_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        ask(**{name: value})
    error = caught.value
    assert (error.status, error.param, error.code) == (400, name, "unsupported_parameter")
    assert f"'{name}'" in error.message


@pytest.mark.parametrize(
    ("raw", "ignored"),
    [
        pytest.param(asked(value), named, id=f"{path}={value!r:.20}")
        for path, (asked, nothing, something) in NO_EFFECT.items()
        for values, named in (((None, *nothing), ()), (something, (path,)))
        for value in values
    ],
)
def test_an_ignored_field_is_named_where_it_asks_for_something(
    raw: bytes, ignored: tuple[str, ...]
) -> None:
    assert decode(raw).ignored == ignored


UNKNOWN: dict[str, tuple[Json, list[str]]] = {
    "of-the-request": ({"grammar": "x", "min_p": 0}, ["grammar", "min_p"]),
    "of-the-stream-options": ({"stream_options": {"x": 1}}, ["stream_options.x"]),
    "of-chat": (
        {"messages": [], "tools": [], "reasoning_effort": "low", "max_completion_tokens": 5},
        ["messages", "tools", "reasoning_effort", "max_completion_tokens"],
    ),
    "in-the-order-of-the-request": ({"zeta": 1, "user": "a", "alpha": 1}, ["zeta", "user", "alpha"]),
    "null": ({"grammar": None}, []),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "paths"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_field_is_named_by_its_path(fields: Json, paths: list[str]) -> None:
    assert seen(ask(**fields)) == ({"ignored": tuple(paths)} if paths else {})


def test_what_is_unsupported_is_told_before_what_is_mistyped() -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        ask(5, n=2)
    assert caught.value.param == "n"


# -- whatever comes ------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=()), max_size=6)
telling = st.sampled_from(
    [
        *[None, True, False, 0, 1, 2, -1, 1.0, 0.5, 1e300, HUGE, float("inf"), float("nan")],
        *["", " ", "\0", "\ud800", "once", "s", [], {}, [[]], [{}], [None], ["a"], ["a", "b"]],
        *[[5], [[5]], ["a"] * 17, {"include_usage": True}, {"include_usage": 1}],
    ]
)
any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | telling,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    [field.name for field in attrs.fields(WireRequest)] + [*POLICY.refused, *POLICY.ignored, "x"]
)
good = st.fixed_dictionaries(
    {"prompt": st.sampled_from(["once", ["once"], ["a", "b"]])},
    optional={
        "echo": st.booleans(),
        "stream": st.booleans(),
        "temperature": st.floats(0, 2),
        "max_tokens": st.integers(1, 100),
        "stop": st.sampled_from(["END", ["END"]]),
    },
)


def check(raw: bytes) -> None:
    """A body is a request that keeps its promises, or a fault of 400."""
    for session in (None, "s"):
        try:
            asked = decode(raw, session=session)
        except InvalidRequest as error:
            assert error.status == 400
            assert error.message
            assert isinstance(error.param, str | None)
            continue
        assert 1 <= len(asked.prompts) == len(asked.turns) <= MAX_PROMPTS
        for prompt, turn in zip(asked.prompts, asked.turns, strict=True):
            assert turn.messages == (Message(role=Role.USER, parts=(Text(text=prompt),)),)
            assert prompt.strip()
            prompt.encode()
            assert turn.sampling == asked.turns[0].sampling
            assert turn.session == session or session is None
            assert (turn.sampling.max_tokens or 1) >= 1
            assert 0 <= (turn.sampling.temperature or 0) <= 1
        assert session is None or len(asked.prompts) == 1
        assert {asked.stream, asked.include_usage, asked.echo} <= {True, False}
        assert all(isinstance(name, str) for name in asked.ignored)
        assert set(asked.changed) <= {"temperature"}


@steady
@given(st.binary(max_size=100))
@example(b"{")
def test_any_bytes(raw: bytes) -> None:
    check(raw)


@steady
@given(any_json | st.dictionaries(names | words, any_json, max_size=4))
def test_any_json(value: Any) -> None:
    check(json.dumps(value).encode())


@steady
@given(good, st.dictionaries(names, telling | any_json, max_size=3))
def test_any_wounds_of_a_good_request(request_: Json, wounds: Json) -> None:
    check(json.dumps({**request_, **wounds}).encode())


@steady
@given(good)
def test_a_good_request_is_taken(request_: Json) -> None:
    asked = decode(json.dumps(request_).encode())
    assert (asked.echo, asked.stream) == (
        request_.get("echo", False),
        request_.get("stream", False),
    )
    assert asked.changed == (("temperature",) if request_.get("temperature", 0) > 1 else ())
