"""The last requests of a key: what is told of them, whose they are, and what they cost."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
import yarl
from anthropic_client import OLDER, TIME, Told, assistant, calls, result, tell, user
from clock import Clock
from serving import Answer, Running, new_id, running, until

from bridge.claude.meter import Spent
from bridge.core.events import Usage
from bridge.web.requests import MAX_METHOD, MAX_REQUESTS, MAX_TEXT, RequestLog
from bridge.web.tally import Ended

NOON = 1_790_000_000 // 86_400 * 86_400 + 43_200.0
KEYS = tuple(f"key-{n}" for n in range(20))
_keys = itertools.cycle(KEYS)
CHAT = "/v1/chat/completions"


# -- the log ---------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def log(clock: Clock) -> RequestLog:
    return RequestLog(clock)


def ids(log: RequestLog, owner: str = "o") -> list[str]:
    return [entry.id for entry in log.list(owner)]


def spent(cost: float, *requests: str, owner: str = "o") -> Spent:
    return Spent(
        owner=owner, session=None, model="m", cost=cost, turns=len(requests), requests=requests
    )


def test_the_last_to_arrive_is_the_first_and_a_running_one_is_not_there(
    log: RequestLog, clock: Clock
) -> None:
    first, second, third = (log.begin(id_, "GET") for id_ in "abc")
    clock.now += 1
    fourth = log.begin("d", "GET")
    for entry in (fourth, third, first):
        log.end(entry, "o")
    assert ids(log) == ["d", "a", "c"]
    log.end(second, None)
    assert ids(log) == ["d", "a", "c"], "it was nobody's"
    assert ids(log, "another") == []
    assert log._running == {}


def test_only_so_many_are_kept_of_each_key(log: RequestLog, clock: Clock) -> None:
    log.end(log.begin("of another", "GET"), "p")
    for number in range(MAX_REQUESTS + 5):
        clock.now += 1
        log.end(log.begin(str(number), "GET"), "o")
    assert ids(log) == [str(number) for number in range(MAX_REQUESTS + 4, 4, -1)]
    assert ids(log, "p") == ["of another"]


def test_what_comes_from_outside_is_cut(log: RequestLog) -> None:
    entry = log.begin("a", "X" * 5_000)
    entry.add(Ended(model="m" * 5_000))
    assert (len(entry.method), len(entry.model)) == (MAX_METHOD, MAX_TEXT)


def test_several_turns_of_a_request_add_up(log: RequestLog) -> None:
    entry = log.begin("a", "POST")
    for first in (0.5, 0.0, None, 0.25):
        used = Usage(input_tokens=1, cache_read_tokens=2, cache_write_tokens=3, output_tokens=4)
        entry.add(Ended(model="m", usage=used, first_token=first))
    log.pay(spent(0.25, entry.ref))  # while it runs
    log.end(entry, "o")
    log.pay(spent(0.5, entry.ref))
    told = entry.render()
    assert (told["input_tokens"], told["cached_tokens"], told["output_tokens"]) == (24, 8, 16)
    assert (told["first_token_ms"], told["cost_usd"], told["cost_of"]) == (0.0, 0.75, 1)


def test_the_last_of_a_loop_has_the_cost_of_all(log: RequestLog) -> None:
    entries = [log.begin("the same", "POST") for _ in range(3)]
    for entry in entries:
        log.end(entry, "o")
    log.pay(spent(0.5, *(entry.ref for entry in entries)))
    told = [(entry.cost, entry.cost_of) for entry in entries]
    assert told == [(None, None), (None, None), (0.5, 3)]


def test_a_cost_that_is_nobodys(log: RequestLog) -> None:
    """Of a request that went meanwhile, of another key's, and of none."""
    entry = log.begin("a", "POST")
    log.end(entry, "o")
    for cost in (spent(1, "unknown"), spent(1, entry.ref, owner="p"), spent(1)):
        log.pay(cost)
    assert entry.cost is None


def test_a_deleted_session_is_named_no_more(log: RequestLog) -> None:
    def named(owner: str, session: str | None, *, ends: bool = True) -> Any:
        entry = log.begin("a", "POST")
        entry.owner, entry.session = owner, session
        if ends:
            log.end(entry, owner)
        return entry

    mine, other, running_one = named("o", "s"), named("o", "t"), named("o", "s", ends=False)
    same_name = named("p", "s")
    log.forget("o", "s")
    assert [e.session for e in (mine, other, running_one, same_name)] == [None, "t", None, "s"]
    log.end(running_one, "o")
    log.forget_all("o")
    assert [e.session for e in (other, running_one, same_name)] == [None, None, "s"]
    assert len(log.list("o")) == 3


# -- a server --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Running]:
    async with running(api_keys=KEYS, pool_size=1) as server:
        yield server


@pytest.fixture
def key() -> str:
    """A key that no other test has."""
    return next(_keys)


async def get(
    server: Running, path: str, key: str | None = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    sent = {**({"x-api-key": key} if key else {}), **headers}
    async with server.http.get(server.url + path, headers=sent) as response:
        return response.status, await response.json()


async def entry_of(server: Running, id_: str, key: str, *, priced: bool = False) -> dict[str, Any]:
    """The entry of a request, when it is there; a stream's comes a moment after its last frame."""
    async with asyncio.timeout(20):
        while True:
            status, found = await get(server, f"/v1/requests/{id_}", key)
            if status == 200 and not (priced and found["cost_usd"] is None):
                return found
            assert status in {200, 404}


async def listed(server: Running, key: str, query: str = "") -> dict[str, Any]:
    """The list, by a request that does not come into it."""
    told = {"X-Bridge-Refresh": "1"}
    status, found = await get(server, f"/v1/requests{query}", key, **told)
    assert status == 200, found
    return found


async def test_an_answer(shared: Running, key: str) -> None:
    session = new_id()
    told = await tell(shared, "[[say one two]]", key=key, session_id=session)
    found = await entry_of(shared, told.headers["x-request-id"], key, priced=True)
    used = told.data["usage"]
    prompt = sum(
        used[name]
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    _, usage = await get(shared, "/v1/usage", key)
    assert found == {
        "id": told.headers["x-request-id"],
        "time": found["time"],
        "method": "POST",
        "route": "/v1/messages",
        "status": 200,
        "duration_ms": found["duration_ms"],
        "stream": False,
        "model": OLDER,
        "session": session,
        "input_tokens": prompt,
        "cached_tokens": used["cache_read_input_tokens"],
        "output_tokens": used["output_tokens"],
        "first_token_ms": found["first_token_ms"],
        "error": None,
        "cost_usd": usage["total"]["cost_usd"],
        "cost_of": 1,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["time"])
    assert 0 < found["first_token_ms"] <= found["duration_ms"]
    assert usage["total"]["first_token_ms"]["longest"] == found["first_token_ms"]
    assert found["cost_usd"] > 0
    assert "one two" not in str(found)


async def test_a_conversation_by_streams(shared: Running, key: str) -> None:
    """What is read from the cache is counted among the input, and each turn has its own price."""
    session = new_id()
    costs = []
    for number in (1, 2):
        name = f"turn-{number}"
        answer = await shared.ask(
            f"[[say {'word ' * 30}]]",
            key=key,
            headers={"X-Request-Id": name},
            session_id=session,
            stream=True,
            stream_options={"include_usage": True},
        )
        assert answer.whole
        found = await entry_of(shared, name, key, priced=True)
        assert (found["route"], found["stream"], found["session"]) == (CHAT, True, session)
        assert found["input_tokens"] == answer.usage["prompt_tokens"]
        assert found["cached_tokens"] == answer.usage["prompt_tokens_details"]["cached_tokens"]
        assert found["output_tokens"] == answer.usage["completion_tokens"]
        assert found["cost_of"] == 1
        costs.append(found["cost_usd"])
    assert len(set(shared.processes()[-2:])) == 1, "whatever request it is"
    _, usage = await get(shared, "/v1/usage", key)
    assert sum(costs) == pytest.approx(usage["total"]["cost_usd"], abs=2e-6)


async def test_a_loop_of_calls_with_one_id_for_all(shared: Running, key: str) -> None:
    """An agent may call all of its requests the same; each is itself all the same."""
    same: dict[str, Any] = {"key": key, "tools": [TIME], "headers": {"X-Request-Id": "my-task"}}
    messages = [user("[[call get_time {}]]")]
    first = await tell(shared, messages, **same)
    (call_id,) = calls(first.data["content"]).values()
    parked = await entry_of(shared, "my-task", key)
    assert (parked["cost_usd"], parked["cost_of"]) == (None, None)
    assert parked["first_token_ms"] > 0
    messages += [assistant(first.data["content"]), user([result(call_id)])]
    last = await tell(shared, messages, **same)
    assert last.outcome == "matched"
    found = await entry_of(shared, "my-task", key, priced=True)
    assert found["cost_of"] == 2
    _, usage = await get(shared, "/v1/usage", key)
    assert found["cost_usd"] == usage["total"]["cost_usd"]
    newest, oldest = [e for e in (await listed(shared, key))["data"] if e["id"] == "my-task"]
    assert newest == found
    assert oldest == parked


async def test_several_prompts_are_one_request(shared: Running, key: str) -> None:
    body = {"model": OLDER, "prompt": ["[[say a]]", "[[say b]]"], "max_tokens": 50}
    async with shared.post("/v1/completions", body, **{"x-api-key": key}) as response:
        used = (await response.json())["usage"]
        name = response.headers["x-request-id"]
    async with asyncio.timeout(20):
        while (total := (await get(shared, "/v1/usage", key))[1]["total"])["priced_requests"] < 2:
            pass
    found = await entry_of(shared, name, key)
    assert found["input_tokens"] == used["prompt_tokens"]
    assert found["output_tokens"] == used["completion_tokens"]
    assert (found["cost_usd"], found["cost_of"]) == (total["cost_usd"], 1)


async def test_what_does_not_end_well(shared: Running, key: str) -> None:
    failed = await shared.ask("[[fail 400 no]]", key=key)
    found = await entry_of(shared, failed.headers["x-request-id"], key)
    assert (found["status"], found["error"]) == (400, failed.error["code"] or "invalid_request")
    assert (found["model"], found["first_token_ms"], found["output_tokens"]) == (None, None, 0)

    broken = await shared.ask("[[stream-error 2]]", key=key, stream=True)
    found = await entry_of(shared, broken.headers["x-request-id"], key)
    assert (found["status"], found["error"]) == (200, broken.error["code"])

    refused = await shared.ask("hi", key=key, n=2)
    found = await entry_of(shared, refused.headers["x-request-id"], key)
    assert (found["status"], found["error"], found["session"]) == (
        *(400, "unsupported_parameter", None),
    )

    async with shared.next_request() as arrival:
        body = {"model": OLDER, "stream": True, "messages": [user("[[stall 2]] [[words 9]]")]}
        sent = {"x-api-key": key, "X-Request-Id": "left"}
        async with shared.post(CHAT, body, **sent) as response:
            received = await arrival
            await response.content.readline()
            response.close()
        await received.ended_event.wait()
    found = await entry_of(shared, "left", key)
    assert (found["status"], found["error"], found["model"]) == (499, None, OLDER)
    assert found["input_tokens"] > 0
    assert found["cost_usd"] is None


async def test_each_key_sees_its_own_and_a_stranger_none(shared: Running, key: str) -> None:
    other = next(_keys)
    for path in ("/v1/requests", "/v1/requests/a", "/v1/usage/series"):
        status, found = await get(shared, path, **{"X-Request-Id": "stranger"})
        assert (status, found["error"]["code"]) == (401, "invalid_api_key")
    await get(shared, "/version", key, **{"X-Request-Id": "mine"})
    status, found = await get(shared, "/v1/requests/mine", other)
    assert (status, found["error"]["code"]) == (404, "request_not_found")
    assert [entry["route"] for entry in (await listed(shared, other))["data"]] == [
        "/v1/requests/{id}"
    ]
    assert (await entry_of(shared, "mine", key))["route"] == "/version"
    assert "stranger" not in str([await listed(shared, each) for each in KEYS])


@pytest.mark.parametrize("all_of_them", [False, True], ids=["one", "all"])
async def test_the_name_of_a_deleted_session_vanishes(
    shared: Running, key: str, all_of_them: bool
) -> None:
    session = new_id()
    await shared.ask("[[say a]]", session_id=session, key=key)
    async with shared.next_request() as arrival:
        running_turn: asyncio.Task[Told | Answer] = asyncio.create_task(
            tell(shared, "[[stall]]", session_id=session, key=key)
        )
        await arrival
        assert session in str(await listed(shared, key))
        deleted = await shared.rest("DELETE", "" if all_of_them else f"/{session}", key=key)
        assert deleted.status == 200
        assert (await running_turn).status == 404
    assert (await shared.rest("GET", f"/{session}", key=key)).status == 404
    found = await listed(shared, key)
    assert found["total"] == 4
    assert session not in str(found)


async def test_so_does_that_of_a_session_that_is_no_more_or_never_was(
    shared: Running, key: str
) -> None:
    session = new_id()
    assert (await shared.ask("[[fail 400 no]]", session_id=session, key=key)).status == 400
    assert session in str(await listed(shared, key))
    assert (await shared.rest("DELETE", f"/{session}", key=key)).status == 404
    assert session not in str(await listed(shared, key))
    assert session not in str(await get(shared, "/v1/usage", key))


async def test_what_is_not_listed_and_what_the_log_tells_of_it(server: Running) -> None:
    """Without keys, where every request is somebody's."""
    before = [entry["id"] for entry in (await listed(server, ""))["data"]]
    asks_again = {"X-Bridge-Refresh": "1"}
    sent = [
        # path, headers, whether it is listed, how loud the log is
        ("/", {}, False, "info"),
        ("/docs", {}, False, "info"),
        ("/openapi.json", {}, False, "info"),
        ("/health", {}, False, "info"),
        ("/static/style.css", {}, False, "info"),
        ("/v1/usage", asks_again, False, "debug"),
        ("/v1/models/nobody", asks_again, False, "info"),
        ("/v1/usage", {"X-Bridge-Refresh": "0"}, True, "info"),
        ("/api/v1/usage/", {}, True, "info"),
        ("/v1/sessions/ada/messages", {}, True, "info"),
        ("/api/v1/sessions/ada/nothing", {}, True, "info"),
        (f"/there/is/n%C3%B6thing{'x' * 300}?a=b", {}, True, "info"),
    ]
    with structlog.testing.capture_logs() as lines:
        for number, (path, headers, _, _) in enumerate(sent):
            url = yarl.URL(server.url + path, encoded=True)
            named = {**headers, "X-Request-Id": f"listed-{number}"}
            async with server.http.get(url, headers=named):
                pass
        async with server.post(CHAT, {}, **asks_again, **{"X-Request-Id": "no-look"}):
            pass
        async with server.http.head(f"{server.url}/version", headers=asks_again):
            pass
        await until(lambda: len(lines) >= len(sent) + 2)
    assert [line["log_level"] for line in lines] == [
        *(level for *_, level in sent),
        "info",
        "debug",
    ]
    found = {
        e["id"]: e["route"] for e in (await listed(server, ""))["data"] if e["id"] not in before
    }
    assert found == {
        "no-look": CHAT,
        "listed-11": f"/there/is/n%C3%B6thing{'x' * 300}"[:200],
        "listed-10": "/api/v1/sessions/…",
        "listed-9": "/v1/sessions/{id}/messages",
        "listed-8": "/v1/usage",
        "listed-7": "/v1/usage",
    }


async def test_how_many_are_told(shared: Running, key: str) -> None:
    for number in range(3):
        await get(shared, "/version", key, **{"X-Request-Id": f"r{number}"})
    found = await listed(shared, key, "?limit=2")
    assert [entry["id"] for entry in found["data"]] == ["r2", "r1"]
    assert (found["object"], found["total"]) == ("list", 3)


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("/v1/requests?limit=0", "limit"),
        (f"/v1/requests?limit={MAX_REQUESTS + 1}", "limit"),
        ("/v1/usage/series?step=61", "step"),
        ("/v1/usage/series?step=", "step"),
        ("/v1/usage/series?step=060", "step"),
    ],
)
async def test_a_query_that_can_not_be(server: Running, path: str, param: str) -> None:
    status, found = await get(server, path)
    assert (status, found["error"]["param"], found["error"]["code"]) == (
        *(400, param, "invalid_value"),
    )


async def test_usage_over_time(shared: Running, key: str) -> None:
    await tell(shared, "[[say one two]]", key=key)
    async with asyncio.timeout(20):
        while (usage := (await get(shared, "/v1/usage", key))[1])["total"]["priced_requests"] < 1:
            pass
    for query, step in (("", 3600), ("?step=60", 60), ("?step=86400", 86_400)):
        status, found = await get(shared, f"/v1/usage/series{query}", key)
        assert (status, found["object"], found["step"]) == (200, "usage.series", step)
        assert found["since"] == usage["since"] < found["until"]
        told = [bucket["by_model"][OLDER] for bucket in found["data"]]
        for name in ("requests", "output_tokens", "cost_usd"):  # a minute may have begun meanwhile
            assert sum(tally[name] for tally in told) == usage["total"][name] > 0
