"""A later CLI may take no system prompt when it is initialized: then processes start on demand."""

import logging
from pathlib import Path

import pytest
from door import make_door
from serving import heard, running, until

REFUSES_A_PROMPT = """
    message = json.loads(line)
    request = message.get("request") or {}
    if request.get("subtype") == "initialize" and "systemPrompt" in request:
        response = {"subtype": "error", "error": "no", "request_id": message["request_id"]}
        print(json.dumps({"type": "control_response", "response": response}), flush=True)
        continue
"""


@pytest.fixture
def refusing(tmp_path: Path) -> Path:
    return make_door(tmp_path / "claude", REFUSES_A_PROMPT)


async def test_it_says_so_once_and_goes_on(
    refusing: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with running(cli_path=refusing, pool_size=2) as server:
            await server.engine.account.known_names()
            assert server.engine.account.names.listed
            for question in ("my name is Ada", "what is my name?"):
                messages = [
                    {"role": "system", "content": "be kind"},
                    {"role": "system", "content": "and \u00e9xact"},
                    {"role": "user", "content": question},
                ]
                answer = await server.ask(messages, session_id="one")
                assert answer.status == 200, answer.data
            assert "Ada" in answer.text
            assert len(set(server.processes())) == 1
            await server.ask("[[say another]]")
            seen = server.seen()
            assert [body["system"] for body in seen] == [["be kind\n\nand \u00e9xact"]] * 2 + [[]]
            assert seen[2]["messages"] == heard("[[say another]]")
            await until(lambda: not server.engine.processes()["ready"])
            scratch = server.engine.account.launch.scratch
            server.engine.fleet.kept.end_all()
            await server.engine.fleet.pool.settled()
            assert list(scratch.iterdir()) == []
    said = [record for record in caplog.records if "takes no system prompt" in record.message]
    assert len(said) == 1


async def test_the_real_one_takes_it() -> None:
    async with running(pool_size=0) as server:
        await server.engine.account.known_names()
        assert server.engine.account.late
