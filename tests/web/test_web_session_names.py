"""Every name that the contract allows works in every path, and forks check what they are given."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from serving import Answer, Running

from bridge.sessions.session import SessionKey

SEED = SessionKey(owner="local", id="seed")


@pytest.fixture
async def seeded(server: Running) -> Running:
    """It has a session, the seed, of one turn, from which others are made without a turn."""
    if not any(seen.session.key == SEED for seen in server.sessions.list("local")):
        await server.ask("my name is Ada", session_id="seed")
    return server


def path_of(session: str) -> str:
    return f"/{quote(session, safe='')}"


ODD = [
    *("a/b", "/", "a//b/", "%", "%2F", "%252F", "%41", "100%", "%zz", "a%20b"),
    *("{id}", "{", "}", "'", '"', "\\", "<b>&amp;", "?a=b", "#x", ";", "a+b", "a,b", "*", "~"),
    *(" ", " lead", "trail ", "a b", "\xa0", "\u3000", "\u2028", "\u200b", "\ufeff"),
    *("..x", "...", "./x", "../x", "a/../b", "stats/", "Stats", "fork", "messages", "a/fork"),
    *(
        "\U0001f600",
        "é",
        "e\u0301",
        "日本",
        "\u202eabc",
        "null",
        "-",
        "x" * 256,
        "\U0001f600" * 256,
    ),
]


async def lives(server: Running, session: str) -> None:
    """A session of that name can be made, seen, gone through and deleted."""
    path = path_of(session)
    made = await server.rest("POST", "/seed/fork", {"session_id": session})
    assert (made.status, made.session) == (201, session), made.data
    listed = (await server.rest("GET", "")).data["sessions"]
    assert listed[0]["session_id"] == session
    found = await server.rest("GET", path)
    assert (found.status, found.data["session_id"]) == (200, session)
    told = await server.rest("GET", f"{path}/messages/")
    assert (told.status, told.data["session_id"], told.data["total"]) == (200, session, 2)
    forked = await server.rest("POST", f"{path}/fork", {})
    assert forked.status == 201
    assert (await server.rest("DELETE", path_of(forked.session))).status == 200
    deleted = await server.rest("DELETE", path)
    assert deleted.data == {"message": f"Session {session} deleted successfully"}
    assert (await server.rest("GET", path)).status == 404


@pytest.mark.parametrize("session", ODD, ids=ascii)
async def test_an_odd_name_is_a_name(seeded: Running, session: str) -> None:
    await lives(seeded, session)


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=256).filter(
        lambda name: name not in {"stats", ".", "..", "seed"}
    )
)
async def test_every_name_that_may_be_can_be_used(seeded: Running, session: str) -> None:
    await lives(seeded, session)


async def test_lower_case_escapes_name_the_same_session(seeded: Running) -> None:
    await seeded.sessions.fork(SEED, "a/b é")
    for path in ("/a%2fb%20%c3%a9", "/a%2Fb%20%C3%A9", "/%61%2fb%20%C3%a9"):
        assert (await seeded.rest("GET", path)).data["session_id"] == "a/b é"
    await seeded.rest("DELETE", "/a%2fb%20%c3%a9")


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"session_id": "seed"}, "session_id", "session_exists"),
        ({"session_id": ""}, "session_id", "invalid_session_id"),
        ({"session_id": "stats"}, "session_id", "invalid_session_id"),
        ({"session_id": "a\tb"}, "session_id", "invalid_session_id"),
        ({"session_id": 5}, "session_id", None),
        ({"message_count": 0}, "message_count", "invalid_value"),
        ({"message_count": 1}, "message_count", "invalid_value"),
        ({"message_count": 3}, "message_count", "invalid_value"),
        ({"message_count": -2}, "message_count", "invalid_value"),
        ({"message_count": True}, "message_count", None),
        ({"message_count": 2.5}, "message_count", None),
        ({"message_count": "2"}, "message_count", None),
        ({"messages": 2}, "messages", "unknown_parameter"),
        ([], None, None),
        ("{", None, None),
    ],
)
async def test_a_fork_that_can_not_be_is_refused(
    seeded: Running, body: Any, param: str | None, code: str | None
) -> None:
    before = len(seeded.sessions.list("local"))
    data = body if isinstance(body, str) else json.dumps(body)
    async with seeded.http.post(
        f"{seeded.url}/v1/sessions/seed/fork",
        data=data,
        headers={"Content-Type": "application/json"},
    ) as response:
        answer = Answer(
            status=response.status, headers=response.headers, data=await response.json()
        )
    assert answer.status == 400, answer.data
    assert answer.error["type"] == "invalid_request_error"
    if param:
        assert answer.error["param"] == param
    if code:
        assert answer.error["code"] == code
    assert len(seeded.sessions.list("local")) == before
