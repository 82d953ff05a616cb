"""What the server tells of its login, of what was used, and of the plan; tokens counted by it."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic_client import OLDER, TIME, Told, assistant, calls, official, result, tell, user
from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query
from clock import Clock
from serving import Answer, Running, new_id, running

from bridge.claude.failures import LOGIN_ADVICE
from bridge.claude.process import CliProcess
from bridge.demo import DemoUpstream

NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200.0
KEYS = tuple(f"key-{n}" for n in range(8))
_keys = itertools.cycle(KEYS)


CLOCK = Clock(NOON)


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Running]:
    async with running(api_keys=KEYS, pool_size=1, clock=CLOCK) as server:
        yield server


@pytest.fixture
def key() -> str:
    """A key that no other test has."""
    return next(_keys)


async def get(server: Running, path: str, key: str | None = None) -> tuple[int, dict[str, Any]]:
    headers = {"x-api-key": key} if key else {}
    async with server.http.get(server.url + path, headers=headers) as response:
        return response.status, await response.json()


async def usage(server: Running, key: str | None, *, priced: int = 0) -> dict[str, Any]:
    """What was used, when Claude Code has told what so many turns cost."""
    async with asyncio.timeout(20):
        while True:
            status, found = await get(server, "/v1/usage", key)
            assert status == 200, found
            if found["total"]["priced_requests"] >= priced:
                return found


# -- usage ----------------------------------------------------------------------------------------


def price(told: dict[str, Any]) -> float:
    """What Claude Code takes these tokens of Haiku 4.5 to cost, in dollars."""
    return round(
        told["input_tokens"] * 1e-6
        + told["cache_read_tokens"] * 0.1e-6
        + told["cache_write_tokens"] * 1.25e-6
        + told["output_tokens"] * 5e-6,
        6,
    )


async def test_what_turns_used_is_what_they_told_and_what_claude_code_says_they_cost(
    shared: Running, key: str, tmp_path: Path
) -> None:
    session = new_id()
    named: dict[str, Any] = {"model": OLDER, "session_id": session, "key": key}
    told = await tell(shared, "[[say one two three]]", **named)
    tokens = [told.data["usage"]["output_tokens"]]
    told = await tell(shared, "[[say four]]", stream=True, **named)
    tokens.append(told.data[-2]["usage"]["output_tokens"])
    answer = await shared.ask("[[say five six]]", **named)
    tokens.append(answer.usage["completion_tokens"])
    answer = await shared.ask(
        "[[words 30]]", stream=True, stream_options={"include_usage": True}, **named
    )
    tokens.append(answer.usage["completion_tokens"])
    await tell(shared, "[[say elsewhere]]", key=key, model="claude-sonnet-5-5")

    found = await usage(shared, key, priced=5)
    one, (name, other) = found["by_session"][session], list(found["by_model"].items())[1]
    assert one == found["by_model"][OLDER]
    assert (one["requests"], one["output_tokens"]) == (4, sum(tokens))
    assert one["cost_usd"] == price(one) > 0
    assert (name, other["requests"], other["output_tokens"]) == ("claude-sonnet-5-5", 1, 1)
    total = found["total"]
    assert (total["failed"], total["cancelled"], total["priced_requests"]) == (0, 0, 5)
    sums = {n: one[n] + other[n] for n in total if n != "first_token_ms"}
    assert sums == pytest.approx({n: total[n] for n in sums}, abs=1e-6)
    assert total["first_token_ms"]["count"] == 5
    assert list(found["by_key"].values()) == list(found["by_day"].values()) == [total]
    assert found["plan"] == []  # an API key has none

    # The same Claude Code, asked without us: it counts by the same prices.
    options = ClaudeAgentOptions(
        model=OLDER,
        system_prompt="",
        tools=[],
        setting_sources=[],
        env={
            "HOME": str(tmp_path),
            "CLAUDE_CONFIG_DIR": str(tmp_path / "claude"),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ANTHROPIC_BASE_URL": shared.upstream.url,
            "ANTHROPIC_API_KEY": "demo",
        },
    )
    (direct,) = [
        message
        async for message in query(prompt="[[say one two three]]", options=options)
        if isinstance(message, ResultMessage)
    ]
    assert direct.usage is not None
    renamed = {
        "input_tokens": direct.usage["input_tokens"],
        "cache_read_tokens": direct.usage["cache_read_input_tokens"],
        "cache_write_tokens": direct.usage["cache_creation_input_tokens"],
        "output_tokens": direct.usage["output_tokens"],
    }
    assert direct.total_cost_usd == pytest.approx(price(renamed), abs=1e-6)


async def test_a_turn_that_is_heard_in_one_step_is_priced_for_its_model_and_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a busy machine its answer and its cost are read before anybody takes its first event."""
    hear = CliProcess._hear
    held: list[dict[str, Any]] = []

    def at_once(process: CliProcess, raw: dict[str, Any]) -> None:
        held.append(raw)
        if raw["type"] == "result" or raw.get("status") == "requesting":
            while held:
                hear(process, held.pop(0))

    monkeypatch.setattr(CliProcess, "_hear", at_once)
    named = {"model": "claude-sonnet-5-5", "session_id": "s"}
    async with running() as server:
        assert (await server.ask("[[say hi]]", **named)).text == "hi"
        found = await usage(server, None, priced=1)
    told = {**found["by_model"], **found["by_session"]}
    assert {name: one["priced_requests"] for name, one in told.items()} == {
        "claude-sonnet-5-5": 1,
        "s": 1,
    }


async def test_a_tool_loop_is_priced_when_it_ends(shared: Running, key: str) -> None:
    messages = [user("[[call get_time {}]]")]
    first = await tell(shared, messages, tools=[TIME], key=key)
    (call_id,) = calls(first.data["content"]).values()
    parked = await usage(shared, key)
    assert (parked["total"]["requests"], parked["total"]["priced_requests"]) == (1, 0)
    messages += [assistant(first.data["content"]), user([result(call_id)])]
    last = await tell(shared, messages, tools=[TIME], key=key)
    assert last.outcome == "matched"
    total = (await usage(shared, key, priced=2))["total"]
    assert (total["requests"], total["cost_usd"]) == (2, price(total))


async def test_what_ends_otherwise_is_counted_and_has_no_price(shared: Running, key: str) -> None:
    failed = await tell(shared, "[[fail 400 no]]", key=key)
    assert failed.status == 400
    cut = await tell(shared, "[[words 30]]", max_tokens=3, key=key)
    assert cut.data["stop_reason"] == "max_tokens"
    async with shared.next_request() as arrival:
        body = {
            "model": OLDER,
            "max_tokens": 99,
            "stream": True,
            "messages": [user("[[stall 2]] [[words 9]]")],
        }
        async with shared.post("/v1/messages", body, **{"x-api-key": key}) as response:
            received = await arrival
            await response.content.readline()
            response.close()
        await received.ended_event.wait()
    async with asyncio.timeout(20):
        while (total := (await usage(shared, key))["total"])["requests"] < 3:
            pass
    assert (total["failed"], total["cancelled"]) == (1, 1)
    assert (total["priced_requests"], total["cost_usd"]) == (0, 0)
    assert total["output_tokens"] > 3  # what the model had begun to say is paid for, too


async def test_a_refused_request_is_none_and_nobody_sees_anothers(
    shared: Running, key: str
) -> None:
    refused = await tell(shared, "hi", key=key, max_tokens=0)
    assert refused.status == 400
    found = await usage(shared, key)
    assert found["total"]["requests"] == 0
    assert found["by_model"] == found["by_session"] == found["by_day"] == {}
    (name,) = found["by_key"]
    assert name.startswith("key_")
    assert key not in str(found)
    status, document = await get(shared, "/v1/usage")
    assert (status, document["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("all_of_them", [False, True], ids=["one", "all"])
async def test_a_deleted_session_is_gone_from_it(
    shared: Running, key: str, all_of_them: bool
) -> None:
    session = new_id()
    CLOCK.now = NOON + 43_140  # a minute before midnight
    told = await tell(shared, "[[say a]]", session_id=session, key=key)
    assert told.outcome == "created"
    async with shared.next_request() as arrival:
        running_turn: asyncio.Task[Told | Answer] = asyncio.create_task(
            tell(shared, "[[stall]]", session_id=session, key=key)
        )
        await arrival
        CLOCK.now += 120
        deleted = await shared.rest("DELETE", "" if all_of_them else f"/{session}", key=key)
        assert deleted.status == 200
        assert (await running_turn).status == 404
    found = await usage(shared, key, priced=1)
    assert found["by_session"] == {}
    assert (found["total"]["requests"], found["total"]["failed"]) == (2, 1)
    assert [tally["requests"] for tally in found["by_day"].values()] == [1, 1]
    assert list(found["by_day"]) == ["2026-09-21", "2026-09-22"]


# -- the login ------------------------------------------------------------------------------------

TOKEN = "sk-ant-oat01-made-up-for-this-test"


def environment(home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / "claude"),
        **more,
    }


async def test_the_login_of_the_demo(server: Running) -> None:
    status, found = await get(server, "/v1/auth/status")
    assert status == 200
    assert found["claude_code_auth"] == {
        "method": "api_key",
        "provider": "firstParty",
        "backend": "demo",
        "status": {"valid": True, "errors": []},
        "environment_variables": {
            "ANTHROPIC_API_KEY": True,
            "ANTHROPIC_AUTH_TOKEN": False,
            "CLAUDE_CODE_OAUTH_TOKEN": False,
            "CLAUDE_CODE_USE_BEDROCK": False,
            "CLAUDE_CODE_USE_VERTEX": False,
            "ANTHROPIC_BASE_URL": True,
        },
    }
    assert found["server_info"]["api_key_required"] is False
    assert found["server_info"]["api_key_source"] == "none"


async def test_nobody_is_logged_in(tmp_path: Path) -> None:
    keys = {"api_keys": ("ours",)}
    async with running(
        demo=False, environ=environment(tmp_path), upstream=DemoUpstream(), **keys
    ) as server:
        status, found = await get(server, "/v1/auth/status", "ours")
        assert status == 200
        login = found["claude_code_auth"]
        assert (login["method"], login["backend"]) == ("none", "claude")
        assert login["status"] == {"valid": False, "errors": [LOGIN_ADVICE]}
        assert not any(login["environment_variables"].values())
        assert found["server_info"]["api_key_required"] is True
        assert "ours" not in str(found)
        assert (await get(server, "/v1/auth/status"))[0] == 401
        for path in ("/v1/messages", "/v1/messages/count_tokens"):
            told = await tell(server, "hi", key="ours", path=path)
            assert (told.status, told.error["type"]) == (503, "overloaded_error")
            assert told.headers["x-should-retry"] == "false"
            assert "claude auth login" in told.error["message"]
        assert (await get(server, "/v1/models", "ours"))[0] == 503


async def test_a_plan(tmp_path: Path) -> None:
    """A login with a plan: its state is told, no secret is, and no tokens can be counted."""
    told = {
        "anthropic-ratelimit-unified-status": "allowed_warning",
        "anthropic-ratelimit-unified-reset": "1790010000",
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
        "anthropic-ratelimit-unified-5h-utilization": "0.91",
        "anthropic-ratelimit-unified-5h-reset": "1790010000",
        "anthropic-ratelimit-unified-5h-surpassed-threshold": "0.9",
    }
    upstream = DemoUpstream(pace=0, headers=told)
    await upstream.start()
    environ = environment(
        tmp_path,
        CLAUDE_CODE_OAUTH_TOKEN=TOKEN,
        ANTHROPIC_BASE_URL=upstream.url,
        ANTHROPIC_CUSTOM_HEADERS="x-planted: planted-secret",
    )
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(upstream.stop)
        server = await stack.enter_async_context(
            running(demo=False, environ=environ, upstream=upstream, pool_size=1)
        )
        status, found = await get(server, "/v1/auth/status")
        login = found["claude_code_auth"]
        assert (status, login["method"]) == (200, "oauth_token")
        assert login["status"] == {"valid": True, "errors": []}
        assert {name for name, is_set in login["environment_variables"].items() if is_set} == {
            *("CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL"),
        }
        assert not any(secret in str(found) for secret in (TOKEN, "planted", upstream.url))

        assert (await tell(server, "[[say hi]]")).text == "hi"
        found = await usage(server, None, priced=1)
        assert found["plan"] == [
            {
                "window": "five_hour",
                "status": "allowed_warning",
                "utilization": 0.91,
                "resets_at": "2026-09-21T17:00:00.000Z",
                "overage_status": None,
                "told_at": found["plan"][0]["told_at"],
            }
        ]

        async with official(server) as client:
            with pytest.raises(anthropic.InternalServerError) as caught:
                await client.with_options(max_retries=2).messages.count_tokens(
                    model=OLDER, messages=[user("hi")]
                )
        assert caught.value.status_code == 501
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert "ANTHROPIC_API_KEY" in caught.value.message
