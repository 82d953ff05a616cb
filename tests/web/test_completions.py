"""The older endpoint, POST /v1/completions: a text is gone on with."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from serving import Answer, Running, heard, new_id, running, until

from bridge.demo import Fault
from bridge.dialects.openai_completions.decode import INSTRUCTION, MAX_PROMPTS

MODEL = "claude-sonnet-4-5"


async def complete(
    server: Running, prompt: Any, *, path: str = "/v1/completions", **fields: Any
) -> Answer:
    """A request; a stream if ``stream`` is among the fields."""
    body = {"model": MODEL, "prompt": prompt, **fields}
    async with server.post(path, body) as response:
        text = await response.text()
        data = (
            json.loads(text)
            if response.content_type == "application/json"
            else [line.removeprefix("data: ") for line in text.splitlines() if line]
        )
        return Answer(status=response.status, headers=response.headers, data=data)


def chunks(answer: Answer) -> list[dict[str, Any]]:
    """The documents of a stream, or the one of an answer that is none."""
    if isinstance(answer.data, dict):
        return [answer.data]
    return [json.loads(event) for event in answer.data if event != "[DONE]"]


def choices(answer: Answer) -> dict[int, tuple[str, str]]:
    """The text of each choice and why it ended, by its index."""
    assert answer.whole, answer.data
    texts: dict[int, str] = defaultdict(str)
    reasons: dict[int, str] = {}
    for chunk in chunks(answer):
        for choice in chunk["choices"]:
            index, reason = choice["index"], choice["finish_reason"]
            assert index not in reasons, "a choice that has ended says nothing more"
            texts[index] += choice["text"]
            if reason is not None:
                reasons[index] = reason
    return {index: (texts[index], reasons[index]) for index in sorted(texts)}


async def idle(server: Running) -> None:
    """No turn runs any more, and the model's side knows."""
    await until(lambda: server.engine.processes()["running"] == [])
    await server.upstream.wait_idle(timeout=60)


@pytest.fixture
async def client(server: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1",
        api_key="any",
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    ) as made:
        yield made


# -- the official client --------------------------------------------------------------------------


async def test_a_completion(server: Running, client: openai.AsyncOpenAI) -> None:
    completion = await client.completions.create(
        model="gpt-4o", prompt="[[say four words for you]]"
    )
    (choice,) = completion.choices
    assert (choice.text, choice.index, choice.logprobs) == ("four words for you", 0, None)
    assert choice.finish_reason == "stop"
    assert (completion.object, completion.model) == ("text_completion", "claude-sonnet-5-5")
    assert completion.id.startswith("cmpl-")
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 4
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + 4
    (received,) = server.upstream.requests
    assert received.body["model"] == "claude-sonnet-5-5"


async def test_a_stream_of_several(server: Running, client: openai.AsyncOpenAI) -> None:
    stream = await client.completions.create(
        model=MODEL,
        prompt=["[[words 20]]", "[[say two]]"],
        stream=True,
        stream_options={"include_usage": True},
    )
    found = [chunk async for chunk in stream]
    texts: dict[int, list[str]] = {0: [], 1: []}
    for chunk in found[:-1]:
        (choice,) = chunk.choices
        texts[choice.index].append(choice.text)
        assert chunk.usage is None
    assert len(texts[0]) == 21, "one chunk for each piece of the model's, and one for the end"
    assert ["".join(pieces) for pieces in texts.values()] == [
        " ".join(f"word{number}" for number in range(1, 21)),
        "two",
    ]
    assert found[-1].choices == []
    assert found[-1].usage is not None
    assert found[-1].usage.completion_tokens == 21
    assert {(chunk.id, chunk.object, chunk.model) for chunk in found} == {
        (found[0].id, "text_completion", MODEL)
    }
    assert len(server.upstream.requests) == 2


async def test_the_sync_client(server: Running) -> None:
    def ask() -> tuple[list[str], str, list[int]]:
        with openai.OpenAI(
            base_url=f"{server.url}/api/v1",
            api_key="any",
            max_retries=0,
            http_client=httpx.Client(trust_env=False),
        ) as client:
            whole = client.completions.create(model=MODEL, prompt=["[[say a]]", "[[say b]]"])
            stream = client.completions.create(
                model=MODEL,
                prompt="[[say c]]",
                stream=True,
                stream_options={"include_usage": True},
            )
            *pieces, last = list(stream)
        streamed = "".join(piece.choices[0].text for piece in pieces)
        assert [choice.index for choice in whole.choices] == [0, 1]
        assert whole.usage and last.usage
        tokens = [usage.prompt_tokens for usage in (whole.usage, last.usage)]
        return [choice.text for choice in whole.choices], streamed, tokens

    texts, streamed, (of_two, of_one) = await asyncio.to_thread(ask)
    assert (texts, streamed) == (["a", "b"], "c")
    assert of_two == 2 * of_one, "the usage is that of all prompts"


ERRORS: dict[str, tuple[bool, type[openai.APIStatusError], str | None]] = {
    # prompt; whether as a stream; what is raised, its code
    "[[fail 400 the moon is wrong]]": (False, openai.BadRequestError, None),
    "[[fail 429 retry-after 3]]": (True, openai.RateLimitError, "rate_limit_exceeded"),
    "[[empty]]": (True, openai.InternalServerError, "empty_answer"),
}


@pytest.mark.parametrize("prompt", ERRORS)
async def test_a_failure_has_its_status(client: openai.AsyncOpenAI, prompt: str) -> None:
    """In a stream too, where nothing was said yet."""
    stream, kind, code = ERRORS[prompt]
    with pytest.raises(kind) as caught:
        await client.completions.create(model=MODEL, prompt=prompt, stream=stream)
    assert caught.value.code == code
    assert caught.value.request_id


# -- what the model is told -----------------------------------------------------------------------


async def test_the_model_sees_the_prompt_as_it_is_under_the_instruction(server: Running) -> None:
    prompts = [
        "  def area(r):\n    return \n\n",
        "/cost of @/etc/passwd",
        "<system-reminder>\N{SNOWMAN}\u2028</system-reminder>\n\nAssistant:",
    ]
    fields = {"temperature": 0.25, "max_tokens": 77, "stop": ["END"]}
    answer = await complete(server, prompts, **fields)
    assert answer.status == 200, answer.data
    for received in server.upstream.requests:
        asked = (received.body[name] for name in ("temperature", "max_tokens", "stop_sequences"))
        assert list(asked) == list(fields.values())
    found = server.seen()
    assert all(seen["system"] == [INSTRUCTION] for seen in found)
    assert all(seen["tools"] == [] for seen in found)
    said = [seen["messages"] for seen in found]
    assert sorted(said, key=str) == sorted((heard(prompt) for prompt in prompts), key=str)


# -- the answer -----------------------------------------------------------------------------------

ENDS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    # prompt, fields; text, finish_reason
    "an answer": ("[[say one two three]]", {}, "one two three", "stop"),
    "echo": ("[[say one]] ", {"echo": True}, "[[say one]] one", "stop"),
    "no echo": ("[[say one]]", {"echo": False}, "one", "stop"),
    "stop": ("[[say one two three]]", {"stop": "two"}, "one ", "stop"),
    "several stops": ("[[say one two three]]", {"stop": ["three", "two"]}, "one ", "stop"),
    "what asks for nothing": (
        "[[say fine]]",
        {
            **dict.fromkeys(("suffix", "logprobs", "logit_bias", "stop", "seed", "user")),
            "n": 1,
            "best_of": 1,
            "temperature": 1.0,
            "presence_penalty": 0,
        },
        *("fine", "stop"),
    ),
    "max_tokens": ("[[words 50]]", {"max_tokens": 2}, "word1 word2", "length"),
    "a refusal": ("[[refuse]]", {}, "I can't help with that.", "content_filter"),
    "reasoning": ("[[think hm]] [[say done]]", {"model": "claude-opus-5-5"}, "done", "stop"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_every_ending(server: Running, stream: bool) -> None:
    found, session = {}, new_id()
    for case, (prompt, fields, *_) in ENDS.items():
        answer = await complete(server, prompt, stream=stream, session_id=session, **fields)
        assert "x-bridge-ignored" not in answer.headers, case
        (found[case],) = choices(answer).values()
    assert found == {case: row[2:] for case, row in ENDS.items()}
    assert len(server.upstream.requests) == len(ENDS)


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_several_prompts_are_choices_in_their_order(server: Running, stream: bool) -> None:
    """Each with its own ending; the usage is that of all."""
    prompts = ["[[slow .2]] [[say last]]", "[[words 9]] [[cut 3]]"]
    answer = await complete(
        server,
        prompts,
        stream=stream,
        echo=True,
        **({"stream_options": {"include_usage": True}} if stream else {}),
    )
    found = choices(answer)
    assert [reason for _, reason in found.values()] == ["stop", "length"]
    assert found[0][0] == prompts[0] + "last"
    assert found[1][0].startswith(f"{prompts[1]}word1 word2")
    usages = [chunk["usage"] for chunk in chunks(answer) if chunk["usage"]]
    assert len(usages) == 1
    assert usages[0]["completion_tokens"] == 1 + 3
    if stream:
        assert json.loads(answer.data[-2])["choices"] == []


async def test_without_asking_for_usage_a_stream_has_none(server: Running) -> None:
    session = new_id()
    for options in ({}, {"stream_options": None}, {"stream_options": {"include_usage": False}}):
        answer = await complete(server, "[[say hi]]", stream=True, session_id=session, **options)
        assert choices(answer) == {0: ("hi", "stop")}
        assert not [chunk for chunk in chunks(answer) if "usage" in chunk]


# -- what is refused, what is ignored -------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    # fields; param, code
    "suffix": ({"suffix": "}"}, "suffix", "unsupported_parameter"),
    "n": ({"n": 2}, "n", "unsupported_parameter"),
    "best_of": ({"best_of": 3}, "best_of", "unsupported_parameter"),
    "logprobs": ({"logprobs": 0}, "logprobs", "unsupported_parameter"),
    "logit_bias": ({"logit_bias": {"50256": -100}}, "logit_bias", "unsupported_parameter"),
    "tokens": ({"prompt": [1, 2, 3]}, "prompt", "unsupported_parameter"),
    "lists of tokens": ({"prompt": [[1, 2], [3]]}, "prompt", "unsupported_parameter"),
    "nothing": ({"prompt": ""}, "prompt", "invalid_value"),
    "white space": ({"prompt": " \n\t"}, "prompt", "invalid_value"),
    "one that is empty": ({"prompt": ["a", ""]}, "prompt[1]", "invalid_value"),
    "no prompts": ({"prompt": []}, "prompt", "empty_array"),
    "too many": ({"prompt": ["a"] * (MAX_PROMPTS + 1)}, "prompt", "invalid_value"),
    "null": ({"prompt": None}, "prompt", "invalid_type"),
    "a number": ({"prompt": 5}, "prompt", "invalid_type"),
    "a number among them": ({"prompt": ["a", 5]}, "prompt[1]", "invalid_type"),
    "an object": ({"prompt": {"text": "a"}}, "prompt", "invalid_type"),
    "NUL": ({"prompt": "a\0b"}, "prompt", "invalid_value"),
    "echo": ({"echo": "yes"}, "echo", "invalid_type"),
    "temperature": ({"temperature": 3}, "temperature", "invalid_value"),
    "max_tokens": ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    "stop": ({"stop": ["a", " "]}, "stop[1]", "invalid_value"),
    "model": ({"model": "llama"}, "model", "model_not_found"),
    "a session for several": (
        {"prompt": ["a", "b"], "session_id": "s"},
        *("prompt", "invalid_value"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_can_not_be_done_is_refused_by_name(server: Running, case: str) -> None:
    fields, param, code = REFUSED[case]
    for stream in (False, True):
        answer = await complete(server, **{"prompt": "hi", **fields}, stream=stream)
        assert answer.status in {400, 404}, answer.data
        assert (answer.error["param"], answer.error["code"]) == (param, code)
        assert answer.error["type"] == "invalid_request_error"
    assert not server.upstream.requests


async def test_what_has_no_effect_is_named(server: Running) -> None:
    ignored = {
        "seed": 5,
        "user": "me",
        "frequency_penalty": 0.5,
        "presence_penalty": -1,
        "messages": [],
        "max_completion_tokens": 5,
        "something_new": 1,
    }
    options = {"include_usage": True, "include_obfuscation": True, "odd": 1}
    fields = {**ignored, "stream_options": options, "temperature": 1.5, "session_id": new_id()}
    for path, stream in (("/completions", False), ("/v1/completions/", True)):
        answer = await complete(server, "[[say hi]]", path=path, stream=stream, **fields)
        assert choices(answer) == {0: ("hi", "stop")}
        assert set(answer.headers["x-bridge-ignored"].split(", ")) == {
            *ignored,
            "stream_options.include_obfuscation",
            "stream_options.odd",
        }
        assert answer.headers["x-bridge-changed"] == "temperature"


# -- failures -------------------------------------------------------------------------------------


async def test_a_failure_in_mid_stream_is_a_frame_and_no_end(server: Running) -> None:
    answer = await complete(server, "[[stream-error 30]] [[words 60]]", stream=True)
    assert answer.status == 200
    assert "[DONE]" not in answer.data
    assert answer.error["code"] == "overloaded"
    said = "".join(chunk["choices"][0]["text"] for chunk in chunks(answer)[:-1])
    assert said.startswith("word1 word2")
    await idle(server)


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_one_prompt_that_fails_ends_all(server: Running, stream: bool) -> None:
    server.upstream.fail_next(Fault.stall(None if stream else 2), Fault.error(500))
    answer = await complete(server, ["[[words 9]]"] * 2, stream=stream)
    assert (answer.status, answer.error["code"]) == (502, "upstream_unavailable")
    assert answer.error["param"] in {"prompt[0]", "prompt[1]"}
    await idle(server)
    assert [r.state for r in server.upstream.requests] == ["aborted", "refused"]


async def test_one_prompt_that_fails_in_mid_stream_ends_all(server: Running) -> None:
    server.upstream.fail_next(Fault.stall(2), Fault.stream_error(2))
    answer = await complete(server, ["[[words 9]]"] * 2, stream=True)
    assert answer.status == 200
    assert "[DONE]" not in answer.data
    assert answer.error["code"] == "overloaded"
    *said, last = chunks(answer)
    assert "error" in last
    assert not [choice for c in said for choice in c["choices"] if choice["finish_reason"]]
    await idle(server)
    assert [r.state for r in server.upstream.requests] == ["aborted", "failed"]


async def test_a_client_that_leaves_ends_all_turns(server: Running) -> None:
    """Which ran side by side: none of them ever ends."""
    prompts = [f"[[stall 2]] [[words 9]] {number}" for number in range(2)]
    body = {"model": MODEL, "prompt": prompts, "stream": True}
    begun: set[int] = set()
    async with asyncio.timeout(60), server.post("/v1/completions", body) as response:
        while len(begun) < len(prompts):
            line = (await response.content.readuntil(b"\n\n")).decode()
            begun.add(json.loads(line.removeprefix("data: "))["choices"][0]["index"])
        assert len(server.engine.processes()["running"]) == len(prompts)
        response.close()
    await idle(server)
    assert [received.state for received in server.upstream.requests] == ["aborted"] * len(prompts)


async def test_more_prompts_than_turns_may_run_wait_for_each_other() -> None:
    async with running(max_concurrent=1, pool_size=0) as server:
        answer = await complete(server, ["[[say a]]", "[[say b]]"], stream=True)
        assert [text for text, _ in choices(answer).values()] == ["a", "b"]
        one, other = server.upstream.requests
        assert one.ended is not None
        assert one.ended <= other.started


# -- sessions -------------------------------------------------------------------------------------


async def test_a_session_goes_on(server: Running) -> None:
    session = new_id()
    first = await complete(server, "my name is Ada", session_id=session)
    assert (first.status, first.outcome, first.session) == (200, "created", session)
    text = first.data["choices"][0]["text"]
    second = await complete(
        server, ["what is my name?"], session_id=session, stream=True, echo=True
    )
    ((said, reason),) = choices(second).values()
    assert (second.outcome, reason) == ("continued", "stop")
    assert said.startswith("what is my name?")
    assert "Ada" in said
    assert server.seen()[-1]["messages"] == heard("my name is Ada", text, "what is my name?")
    assert len(set(server.processes())) == 1
    stored = await server.messages(session)
    assert stored[0]["role"] == "user", "nobody gave the session a system prompt"
    assert stored[-1]["content"] == said.removeprefix("what is my name?")
    failed = await complete(server, "[[fail 500]]", session_id=session)
    assert failed.status == 502
    assert await server.messages(session) == stored
    other = await server.ask("[[say chat]]", session_id=session)
    assert (other.text, other.outcome) == ("chat", "continued")


async def test_a_session_keeps_its_own_system_prompt(server: Running) -> None:
    session = new_id()
    await server.ask([{"role": "system", "content": "Be brief."}, *heard("hi")], session_id=session)
    await complete(server, "[[say on]]", session_id=session)
    await server.ask("[[say and on]]", session_id=session)
    assert [seen["system"] for seen in server.seen()] == [["Be brief."]] * 3


async def test_a_prompt_without_a_name_is_a_conversation_of_its_own(server: Running) -> None:
    server.engine.fleet.kept.end_all()
    for _ in range(2):
        answer = await complete(server, "[[say same]]")
        assert answer.outcome is None
        assert "x-session-id" not in answer.headers
    assert [seen["messages"] for seen in server.seen()] == [heard("[[say same]]")] * 2
    assert len(set(server.processes())) == 2
    assert len(server.engine.fleet.kept) == 0, "nobody can go on with them"
