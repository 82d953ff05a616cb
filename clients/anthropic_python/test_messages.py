"""Plain and streamed answers."""

import asyncio
import json
from typing import Any

import anthropic
import pytest
from asking import MODEL, NEWEST, assistant, said, user
from conftest import SAMPLES


def test_an_answer(client: anthropic.Anthropic, model: str) -> None:
    message = client.messages.create(
        model=model, max_tokens=1000, messages=[user("[[say four words for you]]")]
    )
    assert [block.type for block in message.content] == ["text"]
    assert said(message) == "four words for you"
    assert (message.type, message.role, message.model) == ("message", "assistant", model)
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.id.startswith("msg_")
    assert message._request_id  # noqa: SLF001 - the package tells it there
    assert "four words" in said(message.model_copy())


def test_usage(client: anthropic.Anthropic) -> None:
    usage = client.messages.create(
        model=MODEL, max_tokens=1000, messages=[user("[[say four words for you]]")]
    ).usage
    assert usage.output_tokens == 4
    assert usage.input_tokens >= 0
    assert usage.cache_creation_input_tokens is not None
    assert usage.cache_read_input_tokens is not None
    total = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    assert total > 0


def test_the_cache_is_told_of(client: anthropic.Anthropic) -> None:
    marked: Any = {"cache_control": {"type": "ephemeral"}}
    system: Any = [{"type": "text", "text": "Be brief. " * 50, **marked}]
    messages = [user([{"type": "text", "text": "My name is Ada.", **marked}])]
    first = client.messages.create(model=MODEL, max_tokens=99, system=system, messages=messages)
    messages += [assistant(first.content), user("What is my name?")]
    second = client.messages.create(model=MODEL, max_tokens=99, system=system, messages=messages)
    assert said(second) == "Your name is Ada."
    assert (second.usage.cache_read_input_tokens or 0) > 0


def test_the_events_of_a_stream(client: anthropic.Anthropic) -> None:
    with client.messages.with_streaming_response.create(
        model=MODEL, max_tokens=1000, messages=[user("[[words 5]]")], stream=True
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["request-id"]
        frames = "\n".join(response.iter_lines()).strip().split("\n\n")
    events = []
    for frame in frames:
        first, second = frame.split("\n")
        event = json.loads(second.removeprefix("data: "))
        assert first == f"event: {event['type']}"
        events.append(event)
    names = [event["type"] for event in events]
    assert "ping" in names
    assert [name for name in names if name != "ping"] == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 5,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    kinds = {event["type"]: event for event in events}
    start = kinds["message_start"]["message"]
    assert start["content"] == []
    assert (start["stop_reason"], start["stop_sequence"]) == (None, None)
    assert start["usage"]["input_tokens"] >= 0
    assert "output_tokens" in start["usage"]
    assert kinds["content_block_start"] == {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": ""},
    }
    assert kinds["content_block_delta"]["index"] == kinds["content_block_stop"]["index"] == 0
    assert kinds["message_delta"]["delta"]["stop_reason"] == "end_turn"
    assert kinds["message_delta"]["usage"]["output_tokens"] == 5


def test_a_stream(client: anthropic.Anthropic, model: str) -> None:
    stream = client.messages.create(
        model=model, max_tokens=1000, messages=[user("[[words 30]]")], stream=True
    )
    deltas = [event.delta.text for event in stream if event.type == "content_block_delta"]
    assert len(deltas) == 30  # as the model sent them, not collected
    assert "".join(deltas).split() == [f"word{number}" for number in range(1, 31)]


def test_the_stream_helper(client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(
        model=model, max_tokens=1000, messages=[user("[[say helped along the way]]")]
    ) as stream:
        assert list(stream.text_stream) == ["helped", " along", " the", " way"]
        final = stream.get_final_message()
        assert stream.get_final_text() == "helped along the way"
        assert stream.request_id
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == 4
    assert final.model == model


def test_the_events_of_the_helper(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model=MODEL, max_tokens=1000, messages=[user("[[say one two]]")]
    ) as stream:
        events = list(stream)
    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        *["content_block_delta", "text"] * 2,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [event.snapshot for event in events if event.type == "text"] == ["one", "one two"]
    assert said(events[-1].message) == "one two"


def test_a_long_stream(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model=MODEL, max_tokens=20_000, messages=[user("[[words 4000]]")]
    ) as stream:
        final = stream.get_final_message()
    assert len(said(final).split()) == 4000
    assert final.usage.output_tokens == 4000


def test_a_stream_that_is_left_early(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model=MODEL, max_tokens=20_000, messages=[user("[[words 9000]]")]
    ) as stream:
        assert next(stream.text_stream).strip() == "word1"
    after = client.messages.create(
        model=MODEL, max_tokens=99, messages=[user("[[say still here]]")]
    )
    assert said(after) == "still here"


async def test_the_async_client(async_client: anthropic.AsyncAnthropic, model: str) -> None:
    message = await async_client.messages.create(
        model=model, max_tokens=99, messages=[user("[[say in no hurry]]")]
    )
    assert said(message) == "in no hurry"
    async with async_client.messages.stream(
        model=model, max_tokens=99, messages=[user("[[words 8]]")]
    ) as stream:
        words = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert len(words) == 8
    assert said(final) == "".join(words)


async def test_an_async_stream_that_is_cancelled(async_client: anthropic.AsyncAnthropic) -> None:
    began = asyncio.Event()

    async def read() -> None:
        async with async_client.messages.stream(
            model=MODEL, max_tokens=99, messages=[user("[[stall 2]] [[words 50]]")]
        ) as stream:
            async for _ in stream.text_stream:
                began.set()

    task = asyncio.create_task(read())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_many_at_once_get_their_own_answers(async_client: anthropic.AsyncAnthropic) -> None:
    async def ask(number: int) -> str:
        return said(
            await async_client.messages.create(
                model=MODEL, max_tokens=99, messages=[user(f"[[say answer {number}]]")]
            )
        )

    answers = await asyncio.gather(*(ask(number) for number in range(6)))
    assert answers == [f"answer {number}" for number in range(6)]


def test_a_conversation(client: anthropic.Anthropic, model: str) -> None:
    messages = [user("My name is Ada.")]
    first = client.messages.create(model=model, max_tokens=99, messages=messages)
    messages += [assistant(first.content), user("What is my name?")]
    second = client.messages.create(model=model, max_tokens=99, messages=messages)
    assert said(second) == "Your name is Ada."
    as_text = [messages[0], assistant(said(first)), messages[2]]
    third = client.messages.create(model=model, max_tokens=99, messages=as_text)
    assert said(third) == "Your name is Ada."


@pytest.mark.parametrize(
    ("system", "heard"),
    [
        ("Be brief.", ["Be brief."]),
        ([{"type": "text", "text": "Be brief."}], ["Be brief."]),
        (
            [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Be kind."}],
            ["Be brief.", "Be kind."],
        ),
    ],
)
def test_what_reaches_the_model(client: anthropic.Anthropic, system: Any, heard: list[str]) -> None:
    message = client.messages.create(
        model=MODEL,
        max_tokens=1000,
        system=system,
        messages=[
            user([{"type": "text", "text": "One."}, {"type": "text", "text": "And a half."}]),
            assistant("Two."),
            user("Three, [[echo]]"),
        ],
    )
    echo = json.loads(said(message))
    assert "\n".join(echo["system"]).split() == "\n".join(heard).split()
    texts = [[part["text"] for part in message["content"]] for message in echo["messages"]]
    assert texts == [["One.", "And a half."], ["Two."], ["Three, [[echo]]"]]


def test_a_limit(client: anthropic.Anthropic) -> None:
    cut = client.messages.create(model=MODEL, max_tokens=5, messages=[user("[[words 50]]")])
    assert cut.stop_reason == "max_tokens"
    assert said(cut).split() == [f"word{number}" for number in range(1, 6)]
    with client.messages.stream(
        model=MODEL, max_tokens=5, messages=[user("[[words 50]]")]
    ) as stream:
        assert stream.get_final_message().stop_reason == "max_tokens"


@pytest.mark.parametrize("streamed", [False, True])
def test_stop_sequences(client: anthropic.Anthropic, streamed: bool) -> None:
    wanted: Any = {
        "model": MODEL,
        "max_tokens": 1000,
        "messages": [user("[[words 50]]")],
        "stop_sequences": ["never", "word4"],
    }
    if streamed:
        with client.messages.stream(**wanted) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**wanted)
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "word4")
    assert said(message).split() == ["word1", "word2", "word3"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal(client: anthropic.Anthropic, streamed: bool) -> None:
    wanted: Any = {"model": MODEL, "max_tokens": 99, "messages": [user("[[refuse]]")]}
    if streamed:
        with client.messages.stream(**wanted) as stream:
            message = stream.get_final_message()
    else:
        message = client.messages.create(**wanted)
    assert message.stop_reason == "refusal"
    assert message.stop_details is None or message.stop_details.type == "refusal"


@pytest.mark.xfail(reason="an empty answer is an error of the bridge's, for Claude Code asks again")
def test_an_empty_answer(client: anthropic.Anthropic) -> None:
    message = client.messages.create(model=MODEL, max_tokens=99, messages=[user("[[empty]]")])
    assert message.stop_reason == "end_turn"
    assert said(message) == ""


@pytest.mark.parametrize("fields", [{"temperature": 0.2, "top_k": 5}, {"top_p": 0.5}])
def test_sampling(client: anthropic.Anthropic, fields: dict[str, float]) -> None:
    asked: Any = {
        "model": MODEL,
        "max_tokens": 99,
        "messages": [user("[[say sampled]]")],
        "extra_body": fields,
    }
    if SAMPLES:
        assert said(client.messages.create(**asked)) == "sampled"
        return
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(**asked)
    assert caught.value.type == "invalid_request_error"
    assert any(name in caught.value.message for name in fields)


def test_what_a_newer_model_does_not_take(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="temperature"):
        client.messages.create(
            model=NEWEST, max_tokens=99, messages=[user("hi")], extra_body={"temperature": 0.2}
        )


def test_metadata_and_a_tier(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model=MODEL,
        max_tokens=99,
        messages=[user("[[say noted]]")],
        metadata={"user_id": "4711"},
        service_tier="auto",
    )
    assert said(message) == "noted"


def test_the_raw_response(client: anthropic.Anthropic) -> None:
    raw = client.messages.with_raw_response.create(
        model=MODEL, max_tokens=99, messages=[user("[[say raw]]")]
    )
    assert raw.headers["content-type"].startswith("application/json")
    assert raw.headers["request-id"] == raw.request_id
    assert said(raw.parse()) == "raw"


def test_the_beginning_of_an_answer_is_refused(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="prefill"):
        client.messages.create(
            model=MODEL, max_tokens=99, messages=[user("Hello"), assistant("Well,")]
        )
