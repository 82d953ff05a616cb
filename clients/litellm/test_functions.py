"""Function calling, whole and streamed."""

import json
from typing import Any

import litellm
import pytest
from asking import CLOCK, SONNET, WEATHER, ask, ask_async, asked, each_model, said, server, user

BOTH = asked("get_weather", city="Rome") + asked("get_weather", city="Bern")


def made(message: Any) -> list[tuple[str, Any]]:
    """Each call's name and arguments."""
    calls = message.tool_calls or ()
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls]


def weather(arguments: str) -> str:
    """In one city there is more to be asked."""
    city = json.loads(arguments)["city"]
    return BOTH if city == "Oslo" else f"rain in {city}"


@each_model
@pytest.mark.parametrize("streamed", [False, True])
def test_several_rounds(model: str, streamed: bool) -> None:
    messages: list[Any] = [user(asked("get_weather", city="Oslo"))]
    for _ in range(5):
        answer = litellm.completion(
            messages=messages, tools=[WEATHER], stream=streamed, **server(model)
        )
        if streamed:
            answer = litellm.stream_chunk_builder(list(answer), messages=messages)
        (choice,) = answer.choices
        messages.append(choice.message)
        if choice.finish_reason != "tool_calls":
            break
        messages += [
            {
                "role": "tool",
                "tool_call_id": call.id,
                "name": call.function.name,
                "content": weather(call.function.arguments),
            }
            for call in choice.message.tool_calls
        ]
    results = [m["content"] for m in messages if isinstance(m, dict) and m["role"] == "tool"]
    assert results == [BOTH, "rain in Rome", "rain in Bern"]
    assert said(answer) == "get_weather returned: rain in Rome\nget_weather returned: rain in Bern"


@each_model
def test_parallel_calls(model: str) -> None:
    (choice,) = ask(model, BOTH, tools=[WEATHER, CLOCK]).choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert made(choice.message) == [
        ("get_weather", {"city": "Rome"}),
        ("get_weather", {"city": "Bern"}),
    ]
    assert len({call.id for call in choice.message.tool_calls}) == 2


@each_model
def test_calls_one_at_a_time(model: str) -> None:
    answer = ask(model, BOTH, tools=[WEATHER], parallel_tool_calls=False)
    assert made(answer.choices[0].message) == [("get_weather", {"city": "Rome"})]


@each_model
async def test_streamed_calls(model: str) -> None:
    stream = await ask_async(model, f"[[say Let me see]]{BOTH}", tools=[WEATHER], stream=True)
    chunks = [chunk async for chunk in stream]
    deltas = [piece for chunk in chunks for piece in chunk.choices[0].delta.tool_calls or ()]
    found: dict[int, str] = {}
    for piece in deltas:
        found[piece.index] = found.get(piece.index, "") + (piece.function.arguments or "")
    assert [json.loads(text) for text in found.values()] == [{"city": "Rome"}, {"city": "Bern"}]
    assert [piece.function.name for piece in deltas if piece.function.name] == ["get_weather"] * 2
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Let me see"
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@each_model
@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("required", ["get_weather"]),
        ({"type": "function", "function": {"name": "now"}}, ["now"]),
        ("none", []),
        ("auto", []),
    ],
    ids=["required", "named", "none", "auto"],
)
def test_the_choice(model: str, choice: object, names: list[str]) -> None:
    answer = ask(model, "Hello!", tools=[WEATHER, CLOCK], tool_choice=choice)
    assert [name for name, _ in made(answer.choices[0].message)] == names


def test_the_older_form() -> None:
    answer = ask(SONNET, asked("get_weather", city="Rome"), functions=[WEATHER["function"]])
    (choice,) = answer.choices
    assert choice.message.function_call.name == "get_weather"
    assert json.loads(choice.message.function_call.arguments) == {"city": "Rome"}
