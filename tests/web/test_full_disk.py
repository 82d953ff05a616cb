"""A disk that is full, with the real program on it: a clear error or an answer, and nothing lost."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Running, heard, running


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 8 MB that all temporary files are made on, those of the server and of the CLI."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=2k", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk of its own can't be mounted here: {error}")
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, *, names: bool) -> list[Path]:
    """Take all the room, and every place for a name too."""
    filler = place / "filler"
    with filler.open("wb") as file:
        while True:
            try:
                os.write(file.fileno(), bytes(4_096))
            except OSError:
                break
    made = [filler]
    while names:
        try:
            made.append(place / f"name{len(made)}")
            made[-1].touch()
        except OSError:
            made.pop()
            break
    return made


def empty(made: list[Path]) -> None:
    for path in made:
        path.unlink()


async def remembers(server: Running, told: str, number: int) -> None:
    """The session is what it was, and goes on."""
    answer = await server.ask("what is my name?", session_id="one")
    assert answer.status == 200, answer.data
    assert "Ada" in answer.text
    assert server.seen()[-1]["messages"][:2] == heard("my name is Ada", told)[:2]
    assert len(await server.messages("one")) == number


@pytest.mark.parametrize("names", [False, True], ids=["no room", "no room, no names"])
async def test_no_room_for_the_files_of_a_process(disk: Path, names: bool) -> None:
    async with running(max_timeout=60) as server:
        told = (await server.ask("my name is Ada", session_id="one")).text
        server.engine.fleet.kept.end_all()
        await server.engine.fleet.pool.settled()
        made = fill(disk, names=names)
        answer = await server.ask("[[say hello]]", session_id="two")
        if names:
            assert answer.status in {502, 503}
            assert answer.error["code"] in {"spawn_failed", "process_lost"}
            assert server.engine.faults.total() == 1
        else:
            assert (answer.status, answer.text) == (200, "hello"), "nothing had to be written"
        empty(made)
        await remembers(server, told, 4)
        assert server.engine.places.taken == 0


async def test_no_room_for_the_sessions(disk: Path) -> None:
    async with running(session_store=disk / "sessions.db") as server:
        told = (await server.ask("my name is Ada", session_id="one")).text
        made = fill(disk, names=False)
        answer = await server.ask("[[say " + "long " * 20_000 + "]]", session_id="one")
        assert (answer.status, answer.error["code"]) == (500, "storage_failed")
        assert len(await server.messages("one")) == 2
        empty(made)
        await remembers(server, told, 4)
    async with running(session_store=disk / "sessions.db") as server:
        assert len(await server.messages("one")) == 4
