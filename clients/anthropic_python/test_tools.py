"""Tools, and the loops that are made of them."""

import json
from typing import Any

import anthropic
import pytest
from anthropic import beta_async_tool, beta_tool
from asking import CLOCK, MODEL, NEWEST, WEATHER, asked, assistant, calls, result, said, user
from media import PNG_DATA, PNG_SEEN

BOTH = [WEATHER, CLOCK]
RAIN = asked("get_weather", city="Rome") + asked("get_weather", city="Bern")


def test_a_call_and_its_result(client: anthropic.Anthropic, model: str) -> None:
    messages = [user("What is the weather in Paris?")]
    first = client.messages.create(model=model, max_tokens=999, messages=messages, tools=BOTH)
    assert first.stop_reason == "tool_use"
    (call,) = calls(first)
    assert (call.name, call.input) == ("get_weather", {"city": "Paris"})
    assert call.id.startswith("toolu_")
    messages += [assistant(first.content), user([result(call, "rain, 8 °C")])]
    second = client.messages.create(model=model, max_tokens=999, messages=messages, tools=BOTH)
    assert second.stop_reason == "end_turn"
    assert "rain, 8 °C" in said(second)


@pytest.mark.parametrize(
    ("content", "heard"),
    [
        ([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}], ["one", "two"]),
        (
            [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG_DATA},
                }
            ],
            [PNG_SEEN.removeprefix("I see ").removesuffix(".")],
        ),
    ],
)
def test_a_result_of_blocks(
    client: anthropic.Anthropic, content: list[Any], heard: list[str]
) -> None:
    messages = [user(asked("now"))]
    first = client.messages.create(model=MODEL, max_tokens=999, messages=messages, tools=BOTH)
    (call,) = calls(first)
    messages += [assistant(first.content), user([result(call, content)])]
    second = client.messages.create(model=MODEL, max_tokens=999, messages=messages, tools=BOTH)
    assert all(text in said(second) for text in heard)


def test_a_call_that_failed(client: anthropic.Anthropic, model: str) -> None:
    messages = [user(asked("now"))]
    first = client.messages.create(model=model, max_tokens=999, messages=messages, tools=BOTH)
    (call,) = calls(first)
    messages += [
        assistant(first.content),
        user(
            [
                result(call, "the clock stands still", is_error=True),
                {"type": "text", "text": "[[echo]]"},
            ]
        ),
    ]
    second = client.messages.create(model=model, max_tokens=999, messages=messages, tools=BOTH)
    heard = json.loads(said(second))["messages"][-1]["content"][0]
    assert heard["is_error"] is True
    assert "the clock stands still" in json.dumps(heard)


def test_a_result_without_content(client: anthropic.Anthropic) -> None:
    messages = [user(asked("now"))]
    first = client.messages.create(model=MODEL, max_tokens=999, messages=messages, tools=BOTH)
    (call,) = calls(first)
    empty = {"type": "tool_result", "tool_use_id": call.id}
    messages += [
        assistant(first.content),
        user([empty, {"type": "text", "text": "[[say nothing came]]"}]),
    ]
    second = client.messages.create(model=MODEL, max_tokens=999, messages=messages, tools=BOTH)
    assert said(second) == "nothing came"


def test_parallel_calls(client: anthropic.Anthropic, model: str) -> None:
    messages = [user(f"[[say both of them]]{RAIN}")]
    first = client.messages.create(model=model, max_tokens=999, messages=messages, tools=BOTH)
    assert said(first) == "both of them"
    assert [block.type for block in first.content] == ["text", "tool_use", "tool_use"]
    rome, bern = calls(first)
    assert [rome.input, bern.input] == [{"city": "Rome"}, {"city": "Bern"}]
    assert rome.id != bern.id
    messages += [assistant(first.content), user([result(rome, "hot"), result(bern, "cold")])]
    second = client.messages.create(model=model, max_tokens=999, messages=messages, tools=BOTH)
    assert "hot" in said(second)
    assert "cold" in said(second)


def test_one_call_at_a_time(client: anthropic.Anthropic, model: str) -> None:
    one = client.messages.create(
        model=model,
        max_tokens=999,
        messages=[user(RAIN)],
        tools=BOTH,
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
    )
    assert [call.input for call in calls(one)] == [{"city": "Rome"}]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto"}, []),
        ({"type": "any"}, ["get_weather"]),
        ({"type": "any", "disable_parallel_tool_use": True}, ["get_weather"]),
        ({"type": "tool", "name": "now"}, ["now"]),
        ({"type": "none"}, []),
    ],
)
def test_the_choice(client: anthropic.Anthropic, choice: Any, names: list[str]) -> None:
    message = client.messages.create(
        model=MODEL, max_tokens=999, messages=[user("Hello!")], tools=BOTH, tool_choice=choice
    )
    assert [call.name for call in calls(message)] == names
    assert message.stop_reason == ("tool_use" if names else "end_turn")


def test_a_call_that_is_not_let_through(client: anthropic.Anthropic, model: str) -> None:
    message = client.messages.create(
        model=model,
        max_tokens=999,
        messages=[user("What is the weather in Paris?")],
        tools=BOTH,
        tool_choice={"type": "none"},
    )
    assert calls(message) == []
    assert message.stop_reason == "end_turn"


def test_the_newest_models_can_be_forced_too(client: anthropic.Anthropic) -> None:
    """By themselves they can't; the bridge sees to it, as it does for OpenAI's clients."""
    message = client.messages.create(
        model=NEWEST,
        max_tokens=999,
        messages=[user("Hello!")],
        tools=BOTH,
        tool_choice={"type": "tool", "name": "now"},
    )
    assert [call.name for call in calls(message)] == ["now"]


def test_streamed_calls(client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(
        model=model, max_tokens=999, messages=[user(f"[[say both]]{RAIN}")], tools=BOTH
    ) as stream:
        events = list(stream)
        final = stream.get_final_message()
    starts = [event.content_block for event in events if event.type == "content_block_start"]
    assert [block.type for block in starts] == ["text", "tool_use", "tool_use"]
    assert starts[1].id.startswith("toolu_")
    assert [event.index for event in events if event.type == "content_block_stop"] == [0, 1, 2]
    pieces: dict[int, str] = {}
    for event in events:
        if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
            pieces[event.index] = pieces.get(event.index, "") + event.delta.partial_json
    assert [json.loads(pieces[index]) for index in (1, 2)] == [{"city": "Rome"}, {"city": "Bern"}]
    helped = [event.snapshot for event in events if event.type == "input_json"]
    assert helped[-1] == {"city": "Bern"}
    assert [call.input for call in calls(final)] == [{"city": "Rome"}, {"city": "Bern"}]
    assert final.stop_reason == "tool_use"


def test_a_streamed_call_without_input(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model=MODEL, max_tokens=999, messages=[user(asked("now"))], tools=BOTH
    ) as stream:
        (call,) = calls(stream.get_final_message())
    assert (call.name, call.input) == ("now", {})


def test_a_tool_of_a_type_and_a_strict_one(client: anthropic.Anthropic) -> None:
    strict = {
        "type": "custom",
        "name": "book",
        "description": "Books a table",
        "strict": True,
        "input_schema": {
            "type": "object",
            "properties": {"guests": {"type": "integer"}, "note": {"type": ["string", "null"]}},
            "required": ["guests", "note"],
            "additionalProperties": False,
        },
    }
    given = {"guests": 4, "note": None}
    message = client.messages.create(
        model=MODEL, max_tokens=999, messages=[user(asked("book", **given))], tools=[strict]
    )
    assert [call.input for call in calls(message)] == [given]


def test_the_tools_as_the_model_sees_them(client: anthropic.Anthropic) -> None:
    schema = {
        "type": "object",
        "properties": {"deep": {"$ref": "#/$defs/Deep"}},
        "$defs": {"Deep": {"type": "array", "items": {"type": "number", "minimum": 0}}},
    }
    tool: Any = {"name": "dig", "description": "Digs", "input_schema": schema}
    message = client.messages.create(
        model=MODEL, max_tokens=9999, messages=[user("[[echo]]")], tools=[tool]
    )
    (heard,) = json.loads(said(message))["tools"]
    assert heard["input_schema"] == schema
    assert (heard["name"], heard["description"]) == ("dig", "Digs")


@pytest.mark.parametrize("streamed", [False, True])
def test_many_rounds(client: anthropic.Anthropic, model: str, streamed: bool) -> None:
    messages = [user(asked("get_weather", city="0"))]
    rounds = 0
    while rounds < 9:
        sent: Any = {"model": model, "max_tokens": 999, "messages": messages, "tools": BOTH}
        if streamed:
            with client.messages.stream(**sent) as stream:
                answer = stream.get_final_message()
        else:
            answer = client.messages.create(**sent)
        messages.append(assistant(answer.content))
        if answer.stop_reason != "tool_use":
            break
        rounds += 1
        (call,) = calls(answer)
        assert call.input == {"city": str(rounds - 1)}
        again = asked("get_weather", city=str(rounds)) if rounds < 5 else "[[say all five]]"
        messages.append(user([result(call, again)]))
    assert rounds == 5
    assert said(answer) == "all five"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tool_choice": {"type": "tool", "name": "other"}}, "other"),
        ({"tools": [{**WEATHER, "name": "a b"}]}, "name"),
        ({"tools": [WEATHER, WEATHER]}, "get_weather|unique"),
        ({"tools": [{"name": "x"}]}, "input_schema"),
        ({"messages": [user([{"type": "tool_result", "tool_use_id": "toolu_x"}])]}, "toolu_x"),
        (
            {
                "messages": [
                    user("hi"),
                    assistant([{"type": "tool_use", "id": "toolu_y", "name": "now", "input": {}}]),
                    user("well?"),
                ]
            },
            "toolu_y",
        ),
    ],
)
def test_what_does_not_fit(client: anthropic.Anthropic, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=words) as caught:
        client.messages.create(
            **{"model": MODEL, "max_tokens": 99, "messages": [user("hi")], "tools": BOTH, **fields}
        )
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ({"type": "web_search_20250305", "name": "web_search"}, "web_search"),
        ({"type": "web_fetch_20260318", "name": "web_fetch"}, "web_fetch"),
        ({"type": "code_execution_20250825", "name": "code_execution"}, "code_execution"),
        ({"type": "tool_search_tool_bm25_20251119", "name": "tool_search"}, "tool_search"),
    ],
)
def test_tools_of_anthropics_servers_are_refused_by_name(
    client: anthropic.Anthropic, tool: Any, words: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=words):
        client.messages.create(
            model=MODEL, max_tokens=99, messages=[user("hi")], tools=[tool, WEATHER]
        )


@beta_tool
def get_weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: Its name
    """
    if city == "Oslo":
        return asked("get_weather", city="Rome") + asked("get_weather", city="Bern")
    return f"rain in {city}"


@beta_tool
def now() -> str:
    """The time of day."""
    raise ValueError("the clock stands still")


def test_the_tool_runner(client: anthropic.Anthropic, model: str) -> None:
    runner = client.beta.messages.tool_runner(
        model=model,
        max_tokens=999,
        tools=[get_weather, now],
        messages=[user(asked("get_weather", city="Oslo"))],
    )
    answers = list(runner)
    assert [len(calls(answer)) for answer in answers] == [1, 2, 0]
    assert "rain in Rome" in said(answers[-1])
    assert "rain in Bern" in said(answers[-1])


def test_a_tool_of_the_runner_that_fails(client: anthropic.Anthropic) -> None:
    final = client.beta.messages.tool_runner(
        model=MODEL, max_tokens=999, tools=[now], messages=[user(asked("now"))]
    ).until_done()
    assert "the clock stands still" in said(final)


def test_the_tool_runner_streams(client: anthropic.Anthropic) -> None:
    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=999,
        tools=[get_weather],
        messages=[user(asked("get_weather", city="Oslo"))],
        stream=True,
    )
    answers = []
    for stream in runner:
        list(stream)
        answers.append(stream.get_final_message())
    assert [len(calls(answer)) for answer in answers] == [1, 2, 0]
    assert "rain in Rome" in said(answers[-1])


async def test_the_async_tool_runner(async_client: anthropic.AsyncAnthropic) -> None:
    @beta_async_tool
    async def double(number: int) -> str:
        """Twice a number."""
        return f"[[say {2 * number}]]"

    final = await async_client.beta.messages.tool_runner(
        model=MODEL, max_tokens=999, tools=[double], messages=[user(asked("double", number=21))]
    ).until_done()
    assert said(final) == "42"
