"""What real clients do beside what OpenAI documents: see "Quirks of clients" in the docs."""

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import psutil
import pytest
from serving import Running, new_id, said, until

from bridge.demo import upstream
from bridge.demo.reply import Reply, text
from bridge.demo.signature import sign
from bridge.dialects.openai_chat.models import POLICY, WireRequest

CHAT = "/v1/chat/completions"
Messages = list[dict[str, Any]]


def words(*texts: str) -> list[dict[str, Any]]:
    """Texts as parts of a message, and as blocks of what reaches the model."""
    return [{"type": "text", "text": text} for text in texts]


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def later(instruction: str) -> dict[str, Any]:
    """What an instruction becomes that stands later than the front."""
    return {"type": "text", "text": f"<system-message>\n{instruction}\n</system-message>"}


def call(call_id: str, **extra: Any) -> dict[str, Any]:
    function = {"name": "look", "arguments": '{"at": "it"}'}
    return {"id": call_id, "type": "function", "function": function, **extra}


def use(call_id: str) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": "look", "input": {"at": "it"}}


def result(call_id: str, *blocks: Any, **extra: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": list(blocks), **extra}


HI, OK, ON = words("hi", "ok", "[[say on]]")
ASK = {"role": "user", "content": "hi"}
GO = {"role": "user", "content": "[[say on]]"}
THOUGHTS = [
    {"type": "thinking", "thinking": "hm", "signature": sign("hm")},
    {"type": "redacted_thinking", "data": sign("redacted")},
]

# -- messages -------------------------------------------------------------------------------------

CONVERSATIONS: dict[str, tuple[Messages, list[str], Messages, str | None]] = {
    # messages; the system prompt and the messages that reach the model, x-bridge-ignored
    "every content as parts": (
        [
            {"role": "system", "content": words("Be brief.", "Be kind.")},
            {"role": "developer", "content": words("Be quick.")},
            {"role": "user", "content": words("hi", "", " ")},
            {"role": "assistant", "content": words("ok"), "tool_calls": [call("c1")]},
            {"role": "tool", "tool_call_id": "c1", "content": words("a", "b")},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "user", "content": words("[[say on]]")},
        ],
        ["Be brief.\n\nBe kind.\n\nBe quick."],
        [
            *(user(HI), assistant(OK, use("c1")), user(result("c1", *words("a", "b")))),
            *(assistant(*words("no")), user(ON)),
        ],
        None,
    ),
    "messages of one side in a row": (
        [
            *({"role": "system", "content": "One."}, {"role": "system", "content": "Two."}),
            *(ASK, ASK, {"role": "assistant", "content": "ok"}),
            *({"role": "assistant", "content": "ok"}, GO),
        ],
        ["One.\n\nTwo."],
        [user(HI, HI), assistant(OK, OK), user(ON)],
        None,
    ),
    "instructions at the front and later": (
        [
            {"role": "developer", "content": "First."},
            {"role": "system", "content": "Second."},
            ASK,
            {"role": "developer", "content": "Third."},
            {"role": "assistant", "content": "ok"},
            {"role": "system", "content": words("Fourth.", "Fifth.")},
            GO,
            {"role": "system", "content": "Sixth."},
        ],
        ["First.\n\nSecond."],
        [
            *(user(HI, later("Third.")), assistant(OK)),
            user(later("Fourth."), later("Fifth."), ON, later("Sixth.")),
        ],
        None,
    ),
    "names": (
        [
            {"role": "system", "content": "Be brief.", "name": "rules"},
            {**ASK, "name": "ada"},
            {"role": "assistant", "content": None, "name": "bot", "tool_calls": [call("c1")]},
            {"role": "tool", "tool_call_id": "c1", "content": "x", "name": "look"},
            {**GO, "name": ""},
        ],
        ["Be brief."],
        [user(HI), assistant(use("c1")), user(result("c1", *words("x")), ON)],
        "messages[].name",
    ),
    "blocks of Anthropic's own": (
        [
            ASK,
            assistant(OK, use("c1"), use("c2")),
            user(
                *words("[[say on]]"),
                {"type": "tool_result", "tool_use_id": "c2", "content": "b", "is_error": True},
                {"type": "tool_result", "tool_use_id": "c1", "content": words("a")},
            ),
        ],
        [],
        [
            *(user(HI), assistant(OK, use("c1"), use("c2"))),
            user(result("c1", *words("a")), result("c2", *words("b"), is_error=True), ON),
        ],
        None,
    ),
    "reasoning in words": (
        [ASK, {"role": "assistant", "content": "ok", "reasoning_content": "hm"}, GO],
        [],
        [user(HI), assistant(OK), user(ON)],
        "messages[].reasoning_content",
    ),
    "reasoning in blocks, beside the content, in it, and both": (
        [
            *(ASK, {"role": "assistant", "content": "ok", "thinking_blocks": THOUGHTS}),
            *(ASK, {"role": "assistant", "content": [*THOUGHTS, OK]}),
            ASK,
            {"role": "assistant", "content": [*THOUGHTS, OK], "thinking_blocks": THOUGHTS},
            GO,
        ],
        [],
        [*[user(HI), assistant(*THOUGHTS, OK)] * 3, user(ON)],
        None,
    ),
    "an answer as a client keeps it": (
        [
            {**ASK, "id": "msg_1", "createdAt": 1.5},
            {
                **dict.fromkeys(("refusal", "audio", "function_call", "reasoning_content")),
                "role": "assistant",
                "content": "",
                "annotations": [],
                "tool_calls": [call("c1", index=0)],
            },
            {"role": "tool", "tool_call_id": "c1", "content": None, "is_error": None},
            {"role": "assistant", "content": "ok", "tool_calls": []},
            {**GO, "cache_control": {"type": "ephemeral"}},
        ],
        [],
        [user(HI), assistant(use("c1")), user(result("c1")), assistant(OK), user(ON)],
        ", ".join(
            f"messages[].{name}"
            for name in ("id", "createdAt", "tool_calls[].index", "cache_control")
        ),
    ),
    "messages that say nothing": (
        [
            {"role": "system", "content": ""},
            {"role": "system", "content": []},
            ASK,
            {"role": "assistant", "content": ""},
            {"role": "assistant"},
            {"role": "user", "content": None},
            {"role": "user", "content": []},
            {"role": "user", "content": [{"type": "text", "text": None}]},
            {"role": "user", "content": " \n"},
            GO,
        ],
        [],
        [user(HI, ON)],
        None,
    ),
}


@pytest.mark.parametrize("case", CONVERSATIONS)
async def test_what_a_conversation_becomes(server: Running, case: str) -> None:
    messages, system, seen, ignored = CONVERSATIONS[case]
    answer = await server.ask(messages)
    assert answer.status == 200, answer.data
    (found,) = server.seen()
    assert (found["system"], found["messages"]) == (system, seen)
    assert answer.headers.get("x-bridge-ignored") == ignored


async def test_an_answer_can_be_sent_back_as_it_came(server: Running) -> None:
    """With its reasoning, whose words alone say nothing to the model; its process goes on."""
    asked = {"model": "claude-opus-5-5"}
    question = {"role": "user", "content": "[[think hm]] [[say one]]"}
    answer = await server.ask([question], stream=True, reasoning_effort="low", **asked)
    assert answer.message["reasoning_content"] == "hm"
    answer = await server.ask([question, answer.message, GO], **asked)
    assert (answer.text, answer.outcome) == ("on", "matched")
    thought, told = server.seen()[-1]["messages"][1]["content"]
    assert (thought["thinking"], told["text"]) == ("hm", "one")


# -- fields ---------------------------------------------------------------------------------------

FIELDS: dict[str, tuple[dict[str, Any], str | None]] = {
    # fields of the request → x-bridge-ignored
    "what asks for nothing": (
        {
            "n": 1.0,
            "logprobs": False,
            "top_logprobs": 0.0,
            "logit_bias": {},
            "modalities": ["text"],
            "audio": {},
            "prediction": {},
            "presence_penalty": 0.0,
            "frequency_penalty": 0,
            "metadata": {},
            "store": False,
            "service_tier": "auto",
            "verbosity": "medium",
            "response_format": {"type": "text"},
        },
        None,
    ),
    "bookkeeping": (
        {
            "prompt_cache_key": "k",
            "prompt_cache_retention": "24h",
            "safety_identifier": "s",
            "service_tier": "flex",
            "store": True,
        },
        "prompt_cache_key, prompt_cache_retention, safety_identifier, service_tier, store",
    ),
    "user and metadata of any type": (
        {"user": {"id": 1}, "metadata": {"a": [1, {"b": None}]}},
        "user, metadata",
    ),
    "a user that is a number": ({"user": 7}, "user"),
    "fields of other servers": (
        {
            "top_k": 40,
            "min_p": 0.1,
            "repetition_penalty": 1.1,
            "keep_alive": "5m",
            "chat_template_kwargs": {"a": 1},
            "provider": {"order": []},
            "chat_id": "c",
        },
        "top_k, min_p, repetition_penalty, keep_alive, chat_template_kwargs, provider, chat_id",
    ),
    "stream_options without a stream": ({"stream_options": {"include_usage": True}}, None),
    "no functions": ({"functions": [], "function_call": None, "tool_choice": "none"}, None),
    "no tools": ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, None),
    "both limits": ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
    "no stops": ({"stop": []}, None),
    "an empty model": ({"model": ""}, None),
    "numbers with a point": ({"max_tokens": 50.0, "temperature": 1, "top_logprobs": 0}, None),
}


async def test_what_becomes_of_fields(server: Running) -> None:
    """All in one session, whose process goes on."""
    session = new_id()
    await server.ask("[[say begun]]", session_id=session, model="claude-sonnet-4-5")
    for case, (fields, ignored) in FIELDS.items():
        answer = await server.ask("[[say on]]", session_id=session, **fields)
        assert (answer.status, answer.outcome) == (200, "continued"), (case, answer.data)
        assert (answer.text, answer.finish_reason) == ("on", "stop"), case
        assert answer.headers.get("x-bridge-ignored") == ignored, case
    assert len(set(server.processes())) == 1
    bodies = [received.body for received in server.upstream.requests]
    limits = dict(zip(["", *FIELDS], [body["max_tokens"] for body in bodies], strict=True))
    assert limits["both limits"] == 6
    assert limits["numbers with a point"] == 50
    assert not [body["tools"] for body in bodies if body.get("tools")]


async def test_every_field_may_be_null(server: Running) -> None:
    fields = {field.name for field in attrs.fields(WireRequest)} | {
        name for name in (*POLICY.refused, *POLICY.ignored) if name.isidentifier()
    }
    assert len(fields) > 30
    body = {**dict.fromkeys(fields), "messages": [GO], "unknown": None}
    async with server.post(CHAT, body) as response:
        document = await response.json()
        assert response.status == 200, document
        assert document["choices"][0]["message"]["content"] == "on"
        assert "x-bridge-ignored" not in response.headers
    tool = {"name": "look", "description": None, "parameters": None, "strict": None}
    answer = await server.ask(
        [GO],
        stream=True,
        stream_options={"include_usage": None, "include_obfuscation": None},
        tools=[{"type": "function", "function": tool}],
        response_format=None,
    )
    assert (answer.whole, answer.text) == (True, "on")
    assert [tool["name"] for tool in server.seen()[-1]["tools"]] == ["look"]
    assert "x-bridge-ignored" not in answer.headers


OTHER_SHAPES: dict[str, tuple[dict[str, Any], str, str]] = {
    # the body; param, words of the error
    "a body for /v1/responses": ({"input": "hi"}, "messages", "/v1/responses"),
    "the same with items": ({"input": [{"role": "user"}]}, "messages", "/v1/chat/completions"),
    "a prompt": ({"prompt": "hi"}, "messages", "missing"),
    "parts of /v1/responses": (
        {"messages": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]},
        "messages[0].content[0].type",
        "input_text",
    ),
    "a number as a string": ({"messages": [ASK], "max_tokens": "5"}, "max_tokens", "integer"),
}


@pytest.mark.parametrize("case", OTHER_SHAPES)
async def test_a_body_of_another_shape_is_refused_with_what_was_wanted(
    server: Running, case: str
) -> None:
    body, param, hint = OTHER_SHAPES[case]
    async with server.post(CHAT, {"model": "gpt-4o", **body}) as response:
        error = (await response.json())["error"]
        assert (response.status, error["param"]) == (400, param)
        assert hint in error["message"]
    assert not server.upstream.requests


# -- paths, headers, bodies -----------------------------------------------------------------------

WAYS: dict[str, tuple[str, dict[str, str]]] = {
    # path and headers that mean the same as POST /v1/chat/completions without any
    "a slash at the end": ("/v1/chat/completions/", {}),
    "no prefix": ("/chat/completions", {}),
    "no prefix, a slash": ("/chat/completions/", {}),
    "/api/v1": ("/api/v1/chat/completions", {}),
    "a query": ("/v1/chat/completions?api-version=2024-10-21", {}),
    "any key": (CHAT, {"Authorization": "Bearer sk-any"}),
    "no key": (CHAT, {"Authorization": "Bearer "}),
    "Bearer alone": (CHAT, {"Authorization": "Bearer"}),
    "junk": (CHAT, {"Authorization": 'Bearer {"a": "b"} \xe9 ,;'}),
    "another scheme": (CHAT, {"Authorization": "Basic YTpi"}),
    "both keys": (CHAT, {"Authorization": "Bearer a", "x-api-key": "b", "api-key": "c"}),
    "a client's own headers": (
        CHAT,
        {"OpenAI-Organization": "o", "OpenAI-Beta": "b", "X-Stainless-Lang": "js", "X-Title": "t"},
    ),
    "a charset": (CHAT, {"Content-Type": "application/json; charset=UTF-8"}),
    "JSON alone": (CHAT, {"Accept": "application/json"}),
    "an odd Accept": (CHAT, {"Accept": "text/html;q=0.1, image/*"}),
}


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
async def test_many_ways_mean_the_same(server: Running, stream: bool) -> None:
    """``Accept`` too: whether it is a stream is for ``stream`` to say."""
    session = new_id()
    for case, (path, headers) in WAYS.items():
        body = {"messages": [GO], "stream": stream, "session_id": session}
        async with server.post(path, body, **headers) as response:
            text = await response.text()
            assert response.status == 200, (case, text)
            kind = "text/event-stream" if stream else "application/json"
            assert response.content_type == kind, case
            assert text.endswith("data: [DONE]\n\n") == stream, case
    assert len(server.upstream.requests) == len(WAYS)
    assert len(set(server.processes())) == 1


@pytest.mark.parametrize("path", ["/models", "/models/", "/v1/models/", "/api/v1/models"])
async def test_models_are_listed_at_every_prefix(server: Running, path: str) -> None:
    async with server.http.get(server.url + path) as response:
        assert response.status == 200
        listed = (await response.json())["data"]
    one = listed[0]["id"]
    async with server.http.get(f"{server.url}{path.rstrip('/')}/{one}") as response:
        assert (await response.json())["id"] == one


async def test_bodies_may_come_in_chunks(server: Running) -> None:
    body = json.dumps({"messages": [ASK, GO]}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 7):
            yield body[start : start + 7]

    headers = {"Content-Type": "application/json"}
    async with server.http.post(server.url + CHAT, data=pieces(), headers=headers) as response:
        assert response.request_info.headers["Transfer-Encoding"] == "chunked"
        assert response.status == 200
    async with server.http.post(  # as curl sends long ones
        server.url + CHAT, data=io.BytesIO(body), headers=headers, expect100=True
    ) as response:
        assert response.status == 200
    one, other = server.seen()
    assert one == other
    assert one["messages"] == [user(HI, ON)]


# -- a user interface's work in the background ----------------------------------------------------


async def test_a_title_is_asked_for_beside_a_sessions_turn(server: Running) -> None:
    """As Open WebUI does: the same messages without a name, while the session is answered."""
    session = new_id()
    await server.ask("my name is Ada", session_id=session)
    history = (await server.messages(session)) + said("[[stall 2]] [[words 9]]")
    body = {"model": "claude-sonnet-4-5", "messages": history, "stream": True}
    async with server.post(CHAT, {**body, "session_id": session}) as response:
        await response.content.readuntil(b"word2")
        asked = [*history[:-1], {"role": "user", "content": "[[say A title]]"}]
        titles = await asyncio.gather(
            *(server.ask(asked, max_tokens=50, stream=False) for _ in range(2))
        )
        assert [(title.text, title.outcome) for title in titles] == [("A title", None)] * 2
        assert server.upstream.requests[1].state == "running", "the turn was not touched"
        response.close()
    await until(lambda: server.engine.processes()["running"] == [])
    assert await server.messages(session) == history[:-1]
    last = await server.ask("what is my name?", session_id=session)
    assert (last.outcome, "Ada" in last.text) == ("continued", True)


# -- answers that say nothing ---------------------------------------------------------------------

EMPTY: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    # the question, the texts of the answer, fields of the request
    "nothing": ("[[empty]]", (), {}),
    "white space": ("[[empty]]", (" \n", "\t "), {}),
    "reasoning alone": (
        "[[think hm]] [[empty]]",
        *((), {"model": "claude-opus-5-5", "reasoning_effort": "low"}),
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["document", "stream"])
@pytest.mark.parametrize("case", EMPTY)
async def test_an_answer_that_says_nothing_is_an_error(
    server: Running, monkeypatch: pytest.MonkeyPatch, case: str, stream: bool
) -> None:
    question, texts, fields = EMPTY[case]
    empty = Reply(blocks=tuple(map(text, texts)))
    monkeypatch.setitem(upstream._INSTEAD, "empty", empty)  # what the model's side answers then
    answer = await server.ask(question, stream=stream, **fields)
    assert not answer.whole
    assert (answer.error["code"], answer.error["type"]) == ("empty_answer", "api_error")
    if stream and (texts or "reasoning" in case):
        assert answer.status == 200, "something was sent before it was known"
    else:
        assert answer.status == 502
    assert len(server.upstream.requests) == 1


# -- long system prompts --------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_long_system_prompt_shows_in_no_process(server: Running) -> None:
    secret = new_id()
    prompt = f"{secret} " * (300 * 1024 // (len(secret) + 1) + 1)
    assert len(prompt) > 300 * 1024
    body = {
        "model": "claude-sonnet-4-5",
        "messages": [
            {"role": "system", "content": prompt},
            {"role": "user", "content": "[[stall 2]] [[words 9]]"},
        ],
        "stream": True,
    }
    async with server.post(CHAT, body) as response:
        await response.content.readuntil(b"word2")
        (pid,) = server.engine.processes()["running"]
        shown = _shown()
        response.close()
    assert b"--output-format" in shown[pid, "cmdline"], "this is what ps would show"
    assert b"TMPDIR" in shown[pid, "environ"]
    assert not [where for where, held in shown.items() if secret.encode() in held]
    (seen,) = server.seen()
    assert seen["system"] == [prompt]


def _shown() -> Mapping[tuple[int, str], bytes]:
    """The arguments and the environment of this process and all below it."""
    mine = psutil.Process()
    return {
        (process.pid, name): Path(f"/proc/{process.pid}/{name}").read_bytes()
        for process in (mine, *mine.children(recursive=True))
        for name in ("cmdline", "environ")
    }


async def test_the_log_tells_of_an_ignored_field_once(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    fields = {f"odd_{new_id()}".replace("-", "_"): 1, "seed": None}
    with caplog.at_level("INFO", logger="bridge.web.turns"):
        for _ in range(3):
            await server.ask("hi", max_tokens=0, **fields)  # refused: nobody need wait
            await server.ask("[[say hi]]", **fields)
    (name, _) = fields
    assert [name in line for line in caplog.messages if "no effect" in line] == [True]
