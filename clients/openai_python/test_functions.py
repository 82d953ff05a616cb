"""Function calling, and the loops that are made of it."""

import asyncio
import json
from typing import Any

import openai
import pytest
from asking import CLOCK, MODEL, STRICT_CLOCK, WEATHER, answered, asked, user
from pydantic import BaseModel, Field

BOTH = [WEATHER, CLOCK]
ALONE: Any = {"type": "function", "function": {"name": "now"}}


def named(name: str) -> Any:
    return {"type": "function", "function": {"name": name}}


def called(completion: Any) -> list[tuple[str, Any]]:
    """Each call's name and arguments."""
    (choice,) = completion.choices
    assert choice.finish_reason == "tool_calls"
    assert all(call.type == "function" and call.id for call in choice.message.tool_calls)
    return [
        (call.function.name, json.loads(call.function.arguments))
        for call in choice.message.tool_calls
    ]


def test_a_call_and_its_result(client: openai.OpenAI, model: str) -> None:
    messages = [user("What is the weather in Paris?")]
    first = client.chat.completions.create(model=model, messages=messages, tools=BOTH)
    assert called(first) == [("get_weather", {"city": "Paris"})]
    assert first.choices[0].message.content is None
    (call,) = first.choices[0].message.tool_calls or ()
    messages += [first.choices[0].message, answered(call, "12 degrees and rain")]
    second = client.chat.completions.create(model=model, messages=messages, tools=BOTH)
    assert second.choices[0].finish_reason == "stop"
    assert "12 degrees and rain" in (second.choices[0].message.content or "")
    messages += [second.choices[0].message, user("[[say and so it goes on]]")]
    third = client.chat.completions.create(model=model, messages=messages, tools=BOTH)
    assert third.choices[0].message.content == "and so it goes on"


def test_the_usage_of_a_call(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL, messages=[user("What is the weather in Paris?")], tools=BOTH
    )
    assert completion.usage is not None
    assert completion.usage.completion_tokens > 0
    assert completion.usage.total_tokens == (
        completion.usage.prompt_tokens + completion.usage.completion_tokens
    )


def test_no_function_fits(client: openai.OpenAI, model: str) -> None:
    completion = client.chat.completions.create(
        model=model, messages=[user("[[say a good morning to you]]")], tools=BOTH
    )
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.content == "a good morning to you"
    assert completion.choices[0].message.tool_calls is None


def test_parallel_calls(client: openai.OpenAI, model: str) -> None:
    messages = [user(asked("get_weather", city="Oslo") + asked("get_weather", city="Rome"))]
    first = client.chat.completions.create(model=model, messages=messages, tools=BOTH)
    assert called(first) == [("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rome"})]
    oslo, rome = first.choices[0].message.tool_calls or ()
    assert oslo.id != rome.id
    messages += [first.choices[0].message, answered(rome, "It is hot"), answered(oslo, "It snows")]
    second = client.chat.completions.create(model=model, messages=messages, tools=BOTH)
    said = second.choices[0].message.content or ""
    assert "It is hot" in said
    assert "It snows" in said


def test_calls_one_at_a_time(client: openai.OpenAI, model: str) -> None:
    completion = client.chat.completions.create(
        model=model,
        messages=[user(asked("get_weather", city="Oslo") + asked("get_weather", city="Rome"))],
        tools=BOTH,
        parallel_tool_calls=False,
    )
    assert called(completion) == [("get_weather", {"city": "Oslo"})]


def test_words_beside_a_call(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL, messages=[user("[[say Let me look.]] [[call now {}]]")], tools=BOTH
    )
    assert completion.choices[0].message.content == "Let me look."
    assert called(completion) == [("now", {})]


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("required", "get_weather"),
        (named("now"), "now"),
        (named("get_weather"), "get_weather"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [ALONE]}},
            "now",
        ),
    ],
)
def test_a_call_that_must_be_made(
    client: openai.OpenAI, model: str, choice: Any, name: str
) -> None:
    completion = client.chat.completions.create(
        model=model, messages=[user("Hello!")], tools=BOTH, tool_choice=choice
    )
    ((called_name, _),) = called(completion)
    assert called_name == name


def test_a_call_that_must_not_be_made(client: openai.OpenAI, model: str) -> None:
    completion = client.chat.completions.create(
        model=model,
        messages=[user("What is the weather in Paris?")],
        tools=BOTH,
        tool_choice="none",
    )
    assert completion.choices[0].message.tool_calls is None
    assert "weather in Paris" in (completion.choices[0].message.content or "")


def test_functions_that_are_allowed(client: openai.OpenAI, model: str) -> None:
    allowed: Any = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [ALONE]},
    }
    completion = client.chat.completions.create(
        model=model,
        messages=[user("What is the weather in Paris?")],
        tools=BOTH,
        tool_choice=allowed,
    )
    assert completion.choices[0].message.tool_calls is None


def test_a_stream_of_calls(client: openai.OpenAI, model: str) -> None:
    """Put together as OpenAI's guide tells it."""
    stream = client.chat.completions.create(
        model=model,
        messages=[user(asked("get_weather", city="Oslo ø 你好", unit="celsius") + "[[call now]]")],
        tools=BOTH,
        stream=True,
        stream_options={"include_usage": True},
    )
    calls: dict[int, Any] = {}
    deltas = 0
    reasons = []
    usage = None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            reasons.append(choice.finish_reason)
            for piece in choice.delta.tool_calls or ():
                deltas += 1
                if piece.index not in calls:
                    assert piece.id
                    assert piece.type == "function"
                    calls[piece.index] = piece
                else:
                    assert piece.id is None
                    calls[piece.index].function.arguments += piece.function.arguments
    assert sorted(calls) == [0, 1]
    assert calls[0].function.name == "get_weather"
    assert json.loads(calls[0].function.arguments) == {"city": "Oslo ø 你好", "unit": "celsius"}
    assert calls[1].function.name == "now"
    assert json.loads(calls[1].function.arguments) == {}
    assert calls[0].id != calls[1].id
    assert deltas > 4  # the arguments come in pieces
    assert [reason for reason in reasons if reason] == ["tool_calls"]
    assert usage is not None
    assert usage.completion_tokens > 0


def test_the_stream_helper_puts_calls_together(client: openai.OpenAI, model: str) -> None:
    with client.chat.completions.stream(
        model=model,
        messages=[user(asked("get_weather", city="Oslo") + asked("get_weather", city="Rome"))],
        tools=BOTH,
    ) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    assert called(final) == [("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rome"})]
    done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert [(event.index, event.name) for event in done] == [(0, "get_weather"), (1, "get_weather")]
    pieces = "".join(
        event.arguments_delta
        for event in events
        if event.type == "tool_calls.function.arguments.delta" and event.index == 0
    )
    assert json.loads(pieces) == {"city": "Oslo"}


async def test_an_async_loop_of_streams(async_client: openai.AsyncOpenAI) -> None:
    messages = [user(asked("now"))]
    for _ in range(4):
        async with async_client.chat.completions.stream(
            model=MODEL, messages=messages, tools=[STRICT_CLOCK]
        ) as stream:
            message = (await stream.get_final_completion()).choices[0].message
        messages.append(message)
        if not message.tool_calls:
            break
        messages += [answered(call, "[[say noon it is]]") for call in message.tool_calls]
    assert messages[-1].content == "noon it is"
    assert len(messages) == 4


async def test_many_loops_at_once(async_client: openai.AsyncOpenAI) -> None:
    async def loop(number: int) -> str | None:
        messages = [user(asked("get_weather", city=f"City {number}"))]
        for _ in range(2):
            completion = await async_client.chat.completions.create(
                model=MODEL, messages=messages, tools=BOTH
            )
            ((name, arguments),) = called(completion)
            assert (name, arguments["city"]) == ("get_weather", f"City {number}")
            message = completion.choices[0].message
            assert message.tool_calls is not None
            again = asked("get_weather", city=f"City {number}")
            more = again if len(messages) == 1 else f"[[say the end of {number}]]"
            messages += [message, answered(message.tool_calls[0], more)]
        last = await async_client.chat.completions.create(
            model=MODEL, messages=messages, tools=BOTH
        )
        return last.choices[0].message.content

    said = await asyncio.gather(*(loop(number) for number in range(5)))
    assert said == [f"the end of {number}" for number in range(5)]


def test_a_history_that_was_made_elsewhere(client: openai.OpenAI, model: str) -> None:
    """With the nulls that the package gives, a result in parts, and one that is empty."""
    call = {"type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
    none = dict.fromkeys(("content", "refusal", "audio", "function_call", "annotations"))
    completion = client.chat.completions.create(
        model=model,
        messages=[
            user("How is it in Oslo?"),
            {
                "role": "assistant",
                **none,
                "tool_calls": [
                    {"id": "call_1", **call},
                    {"id": "call_2", **call},
                ],
            },
            {
                "role": "tool",
                "tool_call_id": "call_1",
                "content": [{"type": "text", "text": "cold"}, {"type": "text", "text": "and dark"}],
            },
            {"role": "tool", "tool_call_id": "call_2", "content": ""},
        ],
        tools=BOTH,
    )
    said = completion.choices[0].message.content or ""
    assert "cold\nand dark" in said
    assert "returned: nothing" in said


def test_as_many_functions_as_there_may_be(client: openai.OpenAI, model: str) -> None:
    names = [f"{'function-of_64_letters'.ljust(61, '_')}{number:03}" for number in range(128)]
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    completion = client.chat.completions.create(
        model=model, messages=[user(asked(names[-1], a=[1, {"b": None}]))], tools=tools
    )
    assert called(completion) == [(names[-1], {"a": [1, {"b": None}]})]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=model, messages=[user("hi")], tools=[*tools, {**WEATHER}]
        )
    assert caught.value.param == "tools"


def test_a_long_result(client: openai.OpenAI) -> None:
    messages = [user(asked("now"))]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=BOTH)
    (call,) = first.choices[0].message.tool_calls or ()
    messages += [first.choices[0].message, answered(call, "long " * 60_000)]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=BOTH)
    assert "(300000 characters in all)" in (second.choices[0].message.content or "")


def test_several_rounds(client: openai.OpenAI, model: str) -> None:
    """Each result asks for the next call, until one asks for words."""
    results = {
        "Oslo": asked("get_weather", city="Rome"),
        "Rome": asked("get_weather", city="Bern") + asked("now"),
        "Bern": "[[say three cities, all seen]]",
        None: "noon",
    }
    messages = [user(asked("get_weather", city="Oslo"))]
    seen = []
    for _ in range(8):
        message = (
            client.chat.completions.create(model=model, messages=messages, tools=BOTH)
            .choices[0]
            .message
        )
        messages.append(message)
        if not message.tool_calls:
            break
        for call in message.tool_calls:
            city = json.loads(call.function.arguments).get("city")
            seen.append(city)
            messages.append(answered(call, results[city]))
    assert seen == ["Oslo", "Rome", "Bern", None]
    assert messages[-1].content == "three cities, all seen"


def test_a_function_that_fails(client: openai.OpenAI, model: str) -> None:
    messages = [user(asked("get_weather", city="Atlantis"))]
    first = client.chat.completions.create(model=model, messages=messages, tools=BOTH)
    (call,) = first.choices[0].message.tool_calls or ()
    messages += [
        first.choices[0].message,
        {**answered(call, "Error: no such city"), "is_error": True},
    ]
    second = client.chat.completions.create(model=model, messages=messages, tools=BOTH)
    assert "get_weather failed: Error: no such city" in (second.choices[0].message.content or "")


def test_a_call_without_its_result(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model=MODEL, messages=[user(asked("now"))], tools=BOTH)
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=MODEL,
            messages=[user("hi"), first.choices[0].message, user("never mind")],
            tools=BOTH,
        )
    assert caught.value.code == "missing_tool_result"


class Place(BaseModel):
    """Where something is."""

    city: str
    country: str | None = None


class Booking(BaseModel):
    """Books a table."""

    place: Place
    guests: int = Field(description="How many come")
    wishes: list[str]


def test_arguments_that_the_client_parses(client: openai.OpenAI, model: str) -> None:
    wanted = {"place": {"city": "Rome", "country": None}, "guests": 4, "wishes": ["a view", "fish"]}
    completion = client.chat.completions.parse(
        model=model,
        messages=[user(asked("Booking", **wanted))],
        tools=[openai.pydantic_function_tool(Booking)],
    )
    (call,) = completion.choices[0].message.tool_calls or ()
    assert call.function.parsed_arguments == Booking(
        place=Place(city="Rome"), guests=4, wishes=["a view", "fish"]
    )


def test_arguments_that_the_model_makes_up(client: openai.OpenAI, model: str) -> None:
    completion = client.chat.completions.parse(
        model=model,
        messages=[user("A booking in Rome for 4 guests, please")],
        tools=[openai.pydantic_function_tool(Booking)],
    )
    (call,) = completion.choices[0].message.tool_calls or ()
    parsed = call.function.parsed_arguments
    assert isinstance(parsed, Booking)
    assert parsed.place.city == "Rome"
    assert parsed.guests == 4


def test_strict_arguments_that_do_not_fit(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(
            model=MODEL,
            messages=[user(asked("Booking", guests="many"))],
            tools=[openai.pydantic_function_tool(Booking)],
        )
    assert caught.value.code == "schema_mismatch"
