"""``functions`` and ``function_call``, which came before ``tools``."""

import json

import openai
import pytest
from asking import MODEL, WEATHER, asked, user

WEATHER_OF_OLD = WEATHER["function"]


def test_a_loop(client: openai.OpenAI, model: str) -> None:
    messages = [user("What is the weather in Paris?")]
    first = client.chat.completions.create(
        model=model, messages=messages, functions=[WEATHER_OF_OLD]
    )
    (choice,) = first.choices
    assert choice.finish_reason == "function_call"
    assert choice.message.tool_calls is None
    assert choice.message.function_call is not None
    assert choice.message.function_call.name == "get_weather"
    assert json.loads(choice.message.function_call.arguments) == {"city": "Paris"}
    messages += [
        choice.message,
        {"role": "function", "name": "get_weather", "content": "12 degrees and rain"},
    ]
    second = client.chat.completions.create(
        model=model, messages=messages, functions=[WEATHER_OF_OLD]
    )
    assert second.choices[0].finish_reason == "stop"
    assert "12 degrees and rain" in (second.choices[0].message.content or "")


def test_a_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL,
        messages=[user(asked("get_weather", city="Oslo"))],
        functions=[WEATHER_OF_OLD],
        stream=True,
    )
    name = arguments = ""
    reasons = []
    for chunk in stream:
        (choice,) = chunk.choices
        reasons.append(choice.finish_reason)
        if piece := choice.delta.function_call:
            name += piece.name or ""
            arguments += piece.arguments or ""
    assert (name, json.loads(arguments)) == ("get_weather", {"city": "Oslo"})
    assert [reason for reason in reasons if reason] == ["function_call"]


@pytest.mark.parametrize(
    ("choice", "calls"), [("none", False), ("auto", True), ({"name": "get_weather"}, True)]
)
def test_the_choice(client: openai.OpenAI, model: str, choice: object, calls: bool) -> None:
    completion = client.chat.completions.create(
        model=model,
        messages=[user("What is the weather in Paris?")],
        functions=[WEATHER_OF_OLD],
        function_call=choice,
    )
    assert (completion.choices[0].message.function_call is not None) is calls
