"""The official openai package, unmodified, against the real CLI; the upstream is the witness."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import httpx
import openai
import pytest
from serving import Running, new_id


@pytest.fixture
async def client(server: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    # A client of its own: the package's default one looks for proxies in the environment.
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1",
        api_key="any",
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    ) as made:
        yield made


def user(text: str) -> Any:
    return {"role": "user", "content": text}


async def test_a_completion(server: Running, client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="gpt-4o", messages=[user("[[say four words for you]]")]
    )
    choice = completion.choices[0]
    assert choice.message.content == "four words for you"
    assert choice.finish_reason == "stop"
    assert completion.model == "claude-sonnet-5-5"
    assert completion.object == "chat.completion"
    assert completion.usage is not None
    usage = completion.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.completion_tokens == 4
    assert usage.prompt_tokens > 10  # the CLI's own two lines are part of what is paid for
    (received,) = server.upstream.requests
    assert received.body["model"] == "claude-sonnet-5-5"


async def test_a_stream_is_the_models_own_deltas(
    server: Running, client: openai.AsyncOpenAI
) -> None:
    stream = await client.chat.completions.create(
        model="sonnet",
        messages=[user("[[words 30]]")],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [
        c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content
    ]
    assert len(pieces) == 30  # one chunk for each delta of the model
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 30
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1
    assert len(server.upstream.requests) == 1


async def test_the_first_words_come_before_the_last_are_made(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="haiku", messages=[user("[[stall 2]] [[words 9]]")], stream=True
    )
    seen = ""
    async with asyncio.timeout(60):  # the model never ends: what is here was streamed
        async for chunk in stream:
            seen += chunk.choices[0].delta.content or ""
            if len(seen.split()) == 2:
                break
    await stream.close()


async def test_the_stream_helper(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model="opus", messages=[user("[[say helped along]]")]
    ) as stream:
        events = [event.type async for event in stream]
        final = await stream.get_final_completion()
    assert "content.delta" in events
    assert events[-1] == "content.done" or "content.done" in events
    assert final.choices[0].message.content == "helped along"


async def test_the_sync_client(server: Running) -> None:
    def ask() -> tuple[str | None, str]:
        with openai.OpenAI(
            base_url=f"{server.url}/api/v1",
            api_key="any",
            max_retries=0,
            http_client=httpx.Client(trust_env=False),
        ) as client:
            whole = client.chat.completions.create(
                model="sonnet", messages=[user("[[say in sync]]")]
            )
            stream = client.chat.completions.create(
                model="sonnet", messages=[user("[[say in sync too]]")], stream=True
            )
            streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        return whole.choices[0].message.content, streamed

    assert await asyncio.to_thread(ask) == ("in sync", "in sync too")


async def test_what_the_model_is_really_sent(server: Running, client: openai.AsyncOpenAI) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "my name is Ada"},
        {"role": "assistant", "content": "Hello Ada"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
        },
        {
            "role": "assistant",
            "content": "Looking.",
            "tool_calls": [
                {
                    "id": f"call_{city}",
                    "type": "function",
                    "function": {"name": "weather", "arguments": f'{{"city": "{city}"}}'},
                }
                for city in ("Oslo", "Rome")
            ],
        },
        {"role": "tool", "tool_call_id": "call_Rome", "content": "hot"},
        {
            "role": "tool",
            "tool_call_id": "call_Oslo",
            "content": [{"type": "text", "text": "cold"}],
        },
        {"role": "assistant", "content": "Rome is hot."},
        {"role": "system", "content": "From here on, whisper."},
        {"role": "user", "content": "What is my name?"},
    ]
    completion = await client.chat.completions.create(model="claude-sonnet-4-5", messages=messages)
    assert "Ada" in (completion.choices[0].message.content or "")
    (seen,) = server.seen()
    assert seen["system"] == ["Be brief.\n\nBe kind."]

    def text(words: str) -> dict[str, Any]:
        return {"type": "text", "text": words}

    def use(city: str) -> dict[str, Any]:
        return {
            "type": "tool_use",
            "id": f"call_{city}",
            "name": "weather",
            "input": {"city": city},
        }

    def result(city: str, words: str) -> dict[str, Any]:
        return {"type": "tool_result", "tool_use_id": f"call_{city}", "content": [text(words)]}

    assert seen["messages"] == [
        {"role": "user", "content": [text("my name is Ada")]},
        {"role": "assistant", "content": [text("Hello Ada")]},
        {"role": "user", "content": [text("one"), text("two")]},
        {"role": "assistant", "content": [text("Looking."), use("Oslo"), use("Rome")]},
        {"role": "user", "content": [result("Oslo", "cold"), result("Rome", "hot")]},
        {"role": "assistant", "content": [text("Rome is hot.")]},
        {
            "role": "user",
            "content": [
                text("<system-message>\nFrom here on, whisper.\n</system-message>"),
                text("What is my name?"),
            ],
        },
    ]
    assert len(server.upstream.requests) == 1


async def test_results_of_tools_may_end_the_conversation(
    server: Running, client: openai.AsyncOpenAI
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": ""}}
    await client.chat.completions.create(
        model="claude-sonnet-4-5",
        messages=[
            user("what time is it?"),
            {"role": "assistant", "content": None, "tool_calls": [call]},  # type: ignore[list-item]
            {"role": "tool", "tool_call_id": "c1", "content": "noon"},
        ],
    )
    (seen,) = server.seen()
    assert [message["role"] for message in seen["messages"]] == ["user", "assistant", "user"]
    assert seen["messages"][-1]["content"][0]["type"] == "tool_result"


async def test_sampling_reaches_the_model_and_its_limits_are_named(
    server: Running, client: openai.AsyncOpenAI
) -> None:
    response = await client.chat.completions.with_raw_response.create(
        model="claude-sonnet-4-5",
        messages=[user("hi")],
        temperature=1.7,
        max_completion_tokens=99,
        stop=["A", "B"],
        seed=7,
        user="somebody",
        extra_body={"something_new": 1},
    )
    body = server.upstream.requests[0].body
    assert (body["temperature"], body["max_tokens"], body["stop_sequences"]) == (1, 99, ["A", "B"])
    assert response.headers["x-bridge-changed"] == "temperature"
    assert set(response.headers["x-bridge-ignored"].split(", ")) == {
        *("seed", "user", "something_new"),
    }

    await client.chat.completions.create(
        model="claude-sonnet-4-5", messages=[user("hi")], top_p=0.5
    )
    assert "temperature" not in server.upstream.requests[1].body
    assert server.upstream.requests[1].body["top_p"] == 0.5
    assert "stop_sequences" not in server.upstream.requests[1].body


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("[[fail 400 no]]", openai.BadRequestError),
        ("[[fail 404]]", openai.NotFoundError),
        ("[[fail 429 retry-after 3]]", openai.RateLimitError),
        ("[[fail 529]]", openai.InternalServerError),
        ("[[fail 401]]", openai.InternalServerError),
    ],
)
async def test_errors_are_the_packages_own(
    client: openai.AsyncOpenAI, message: str, error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        await client.chat.completions.create(model="claude-sonnet-4-5", messages=[user(message)])
    assert caught.value.request_id is not None
    assert "API Error" not in str(caught.value)


async def test_an_error_in_mid_stream_is_raised(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="haiku", messages=[user("[[stream-error 30]] [[words 60]]")], stream=True
    )
    with pytest.raises(openai.APIError, match="overloaded"):
        async for _ in stream:
            pass


async def test_models(client: openai.AsyncOpenAI) -> None:
    names = {model.id async for model in client.models.list()}
    assert {"opus", "sonnet", "haiku", "gpt-4o", "claude-3.5-sonnet", "claude-opus-5-5"} <= names
    assert "default" not in names
    one = await client.models.retrieve("gpt-4")
    assert (one.id, one.object, one.owned_by) == ("gpt-4", "model", "anthropic")
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("no-such-model")


async def test_a_model_that_does_not_exist(server: Running, client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(model="llama-3", messages=[user("hi")])
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert len(server.upstream.requests) == 0


async def test_reasoning_is_told_apart_from_the_answer(client: openai.AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(
        model="claude-opus-5-5",
        messages=[user("think about it, then [[say done]]")],
        reasoning_effort="low",
    )
    message: Any = completion.choices[0].message
    assert message.content == "done"
    assert message.reasoning_content
    stream = await client.chat.completions.create(
        model="claude-opus-5-5",
        messages=[user("think about it, then [[say done]]")],
        reasoning_effort="low",
        stream=True,
    )
    deltas: list[Any] = [chunk.choices[0].delta async for chunk in stream]
    assert "".join(delta.content or "" for delta in deltas) == "done"
    assert "".join(getattr(d, "reasoning_content", "") or "" for d in deltas) == (
        message.reasoning_content
    )


async def test_a_session_by_its_name(server: Running, client: openai.AsyncOpenAI) -> None:
    session, named = new_id(), {"session_id": new_id() + " ünï/1"}
    first = await client.chat.completions.with_raw_response.create(
        model="sonnet", messages=[user("my name is Ada")], extra_body=named
    )
    assert first.headers["x-bridge-session"] == "created"
    assert unquote(first.headers["x-session-id"]) == named["session_id"]
    told = first.parse().choices[0].message.content or ""

    stream = await client.chat.completions.create(
        model="sonnet", messages=[user("what is my name?")], extra_body=named, stream=True
    )
    said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert "Ada" in said

    whole: list[Any] = [
        user("my name is Ada"),
        {"role": "assistant", "content": told},
        user("what is my name?"),
        {"role": "assistant", "content": said},
        user("[[say the end]]"),
    ]
    last = await client.chat.completions.with_raw_response.create(
        model="sonnet", messages=whole, extra_body=named
    )
    assert last.headers["x-bridge-session"] == "continued"
    texts = [text["text"] for m in server.seen()[-1]["messages"] for text in m["content"]]
    assert texts == [message["content"] for message in whole]
    assert len(set(server.processes())) == 1

    by_header = await client.chat.completions.with_raw_response.create(
        model="sonnet", messages=[user("hi")], extra_headers={"X-Session-Id": session}
    )
    assert by_header.headers["x-bridge-session"] == "created"
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(
            model="sonnet", messages=[user("hi")], extra_body={"session_id": "stats"}
        )
    assert (caught.value.param, caught.value.code) == ("session_id", "invalid_session_id")


async def test_a_conversation_without_a_name_goes_on_in_its_process(
    server: Running, client: openai.AsyncOpenAI
) -> None:
    messages: list[Any] = []
    outcomes = []
    for text in ("my name is Eve, by the way", "what is my name?"):
        messages.append(user(text))
        response = await client.chat.completions.with_raw_response.create(
            model="sonnet", messages=messages
        )
        outcomes.append(response.headers.get("x-bridge-session"))
        # As the package gives it, with its nulls: many clients send that back.
        messages.append(response.parse().choices[0].message.model_dump())
    assert outcomes == [None, "matched"]
    assert "Eve" in messages[-1]["content"]
    assert len(set(server.processes())) == 1
