"""Plain and streamed answers."""

import asyncio
import json

import openai
from asking import MODEL, user


def test_an_answer(client: openai.OpenAI, model: str) -> None:
    completion = client.chat.completions.create(
        model=model, messages=[user("[[say four words for you]]")]
    )
    (choice,) = completion.choices
    assert choice.message.content == "four words for you"
    assert choice.message.role == "assistant"
    assert choice.message.refusal is None
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "stop"
    assert completion.object == "chat.completion"
    assert completion.model.startswith("claude-sonnet-")
    assert completion._request_id  # noqa: SLF001 - the package tells it there


def test_the_usage_of_an_answer(client: openai.OpenAI) -> None:
    usage = client.chat.completions.create(
        model=MODEL, messages=[user("[[say four words for you]]")]
    ).usage
    assert usage is not None
    assert usage.completion_tokens == 4
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + 4
    assert usage.prompt_tokens_details is not None
    assert usage.prompt_tokens_details.cached_tokens is not None
    assert 0 <= usage.prompt_tokens_details.cached_tokens <= usage.prompt_tokens


def test_a_stream(client: openai.OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model,
        messages=[user("[[words 30]]")],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    said = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert len(said) == 30  # as the model sent them, not collected
    assert "".join(said).split() == [f"word{number}" for number in range(1, 31)]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens >= 30
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_stream_without_usage(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=[user("Hello")], stream=True)
    chunks = list(stream)
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_a_stream_that_is_left_early(client: openai.OpenAI) -> None:
    with client.chat.completions.create(
        model=MODEL, messages=[user("[[words 5000]]")], stream=True
    ) as stream:
        assert "word1" in [next(stream).choices[0].delta.content for _ in range(3)]
    after = client.chat.completions.create(model=MODEL, messages=[user("[[say still here]]")])
    assert after.choices[0].message.content == "still here"


def test_the_stream_helper(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL, messages=[user("[[say helped along the way]]")]
    ) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    deltas = [event.delta for event in events if event.type == "content.delta" and event.delta]
    assert deltas == ["helped", " along", " the", " way"]
    (done,) = [event for event in events if event.type == "content.done"]
    assert done.content == "helped along the way"
    assert final.choices[0].message.content == "helped along the way"
    assert final.choices[0].finish_reason == "stop"


async def test_the_async_client(async_client: openai.AsyncOpenAI) -> None:
    completion = await async_client.chat.completions.create(
        model=MODEL, messages=[user("[[say in no hurry]]")]
    )
    assert completion.choices[0].message.content == "in no hurry"
    stream = await async_client.chat.completions.create(
        model=MODEL, messages=[user("[[words 8]]")], stream=True
    )
    said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert said.split() == [f"word{number}" for number in range(1, 9)]


async def test_many_at_once_get_their_own_answers(async_client: openai.AsyncOpenAI) -> None:
    async def ask(number: int) -> str | None:
        completion = await async_client.chat.completions.create(
            model=MODEL, messages=[user(f"[[say answer {number}]]")]
        )
        return completion.choices[0].message.content

    said = await asyncio.gather(*(ask(number) for number in range(6)))
    assert said == [f"answer {number}" for number in range(6)]


def test_a_conversation(client: openai.OpenAI) -> None:
    messages = [user("My name is Ada.")]
    first = client.chat.completions.create(model=MODEL, messages=messages)
    messages += [first.choices[0].message, user("What is my name?")]
    second = client.chat.completions.create(model=MODEL, messages=messages)
    assert second.choices[0].message.content == "Your name is Ada."


def test_what_reaches_the_model(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": [{"type": "text", "text": "One."}]},
            {"role": "assistant", "content": "Two.", "name": "helper"},
            {"role": "user", "content": "Three, [[echo]]", "name": "ada"},
        ],
    )
    heard = json.loads(completion.choices[0].message.content or "")
    assert heard["system"] == ["Be brief.\n\nBe kind."]
    said = [[part["text"] for part in message["content"]] for message in heard["messages"]]
    assert said == [["One."], ["Two."], ["Three, [[echo]]"]]


def test_a_limit_and_a_stop(client: openai.OpenAI) -> None:
    cut = client.chat.completions.create(
        model=MODEL, messages=[user("[[words 50]]")], max_completion_tokens=5
    )
    assert cut.choices[0].finish_reason == "length"
    assert (cut.choices[0].message.content or "").split() == [f"word{n}" for n in range(1, 6)]
    stopped = client.chat.completions.create(
        model=MODEL, messages=[user("[[words 50]]")], stop=["word4"], temperature=0.5
    )
    assert stopped.choices[0].finish_reason == "stop"
    assert (stopped.choices[0].message.content or "").split() == ["word1", "word2", "word3"]


def test_a_refusal(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(model=MODEL, messages=[user("[[refuse]]")])
    assert completion.choices[0].finish_reason == "content_filter"


def test_reasoning_is_told_apart(client: openai.OpenAI) -> None:
    message = (
        client.chat.completions.create(
            model="gpt-4o",
            messages=[user("Please think, then [[say done]]")],
            reasoning_effort="medium",
        )
        .choices[0]
        .message
    )
    assert message.content == "done"
    assert message.model_extra is not None
    assert "user said" in message.model_extra["reasoning_content"]


def test_the_raw_response(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=[user("[[say raw]]")], seed=7
    )
    assert raw.headers["x-bridge-ignored"] == "seed"
    assert raw.headers["x-request-id"]
    assert raw.parse().choices[0].message.content == "raw"
    with client.chat.completions.with_streaming_response.create(
        model=MODEL, messages=[user("[[say raw too]]")]
    ) as response:
        assert response.parse().choices[0].message.content == "raw too"


def test_the_models(client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {"gpt-4o", "sonnet", "claude-sonnet-5-5"} <= names
    one = client.models.retrieve("gpt-4o")
    assert (one.id, one.object, one.owned_by) == ("gpt-4o", "model", "anthropic")
