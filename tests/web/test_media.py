"""Pictures and files: what of them reaches the model, and that they get nowhere else."""

import asyncio
import base64
import io
import os
import random
import signal
import struct
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from serving import Running, new_id, running, until

from bridge.core.rules import MAX_MEDIA
from bridge.dialects.media import MAX_SIDE

Part = dict[str, Any]
Messages = list[dict[str, Any]]

FORMATS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
}


def drawn(kind: str = "PNG", size: tuple[int, int] = (3, 2), *, noise: bool = False) -> bytes:
    """The bytes of a picture, always the same for the same arguments."""
    made = Image.new("RGB", size, (10, 20, 30))
    if noise:
        made = Image.frombytes("RGB", size, random.Random(6).randbytes(size[0] * size[1] * 3))  # noqa: S311
    file = io.BytesIO()
    made.save(file, kind)
    return file.getvalue()


def animated(size: tuple[int, int]) -> bytes:
    """A GIF that moves."""
    one, *others = (Image.new("RGB", size, (red, 0, 0)) for red in (0, 100, 200))
    file = io.BytesIO()
    one.save(file, "GIF", save_all=True, append_images=others)
    return file.getvalue()


def weighing(size: int) -> bytes:
    """A picture of 300 x 300 pixels and so many bytes."""
    small = drawn(size=(300, 300), noise=True)
    chunk = b"teSt" + bytes(size - len(small) - 12)  # of a kind that is passed over
    filling = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    whole = small[:-12] + filling + small[-12:]
    assert len(whole) == size
    return whole


PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)
WORDS = "Grüße\n\n@/etc/passwd \N{SNOWMAN}\n"
LINK = "https://127.0.0.1/a%20b.png?c=d&e=f#g"


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def data_url(media_type: str, raw: bytes) -> str:
    return f"data:{media_type};base64,{in_base64(raw)}"


def linked(url: str) -> Part:
    return {"type": "image_url", "image_url": {"url": url}}


def picture(raw: bytes, media_type: str = "image/png") -> Part:
    return linked(data_url(media_type, raw))


def file(url: str, name: str | None = None) -> Part:
    named = {} if name is None else {"filename": name}
    return {"type": "file", "file": {"file_data": url, **named}}


def text(words: str) -> Part:
    return {"type": "text", "text": words}


def user(*parts: Part) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def seen_picture(raw: bytes, media_type: str = "image/png") -> Part:
    source = {"type": "base64", "media_type": media_type, "data": in_base64(raw)}
    return {"type": "image", "source": source}


def seen_link(url: str) -> Part:
    return {"type": "image", "source": {"type": "url", "url": url}}


def seen_pdf(**titled: str) -> Part:
    source = {"type": "base64", "media_type": "application/pdf", "data": in_base64(PDF)}
    return {"type": "document", "source": source, **titled}


def seen_text(words: str, **titled: str) -> Part:
    source = {"type": "text", "media_type": "text/plain", "data": words}
    return {"type": "document", "source": source, **titled}


MEDIA: dict[str, tuple[Part, Part]] = {
    # a part of the message; what reaches the model
    **{
        kind: (picture(drawn(kind), media_type), seen_picture(drawn(kind), media_type))
        for kind, media_type in FORMATS.items()
    },
    "a type by its other name": (
        picture(drawn("JPEG"), "image/jpg"),
        seen_picture(drawn("JPEG"), "image/jpeg"),
    ),
    "capitals": (linked(f"DATA:IMAGE/PNG;BASE64,{in_base64(drawn())}"), seen_picture(drawn())),
    "a URL alone": (
        {"type": "image_url", "image_url": data_url("image/png", drawn())},
        seen_picture(drawn()),
    ),
    "a link": (linked(LINK), seen_link(LINK)),
    "words between": (text("between"), text("between")),
    "a PDF": (
        file(data_url("application/pdf", PDF), "a b.pdf"),
        seen_pdf(title="a b.pdf"),
    ),
    "without a name": (file(data_url("application/pdf", PDF)), seen_pdf()),
    "a text": (
        file(data_url("text/plain;charset=utf-8", WORDS.encode()), "ü.txt"),
        seen_text(WORDS, title="ü.txt"),
    ),
    "a text with a mark": (file(data_url("text/plain", b"\xef\xbb\xbfhi")), seen_text("hi")),
    "JSON": (
        file(data_url("application/json", b'{"a": 1}'), "a.json"),
        seen_text('{"a": 1}', title="a.json"),
    ),
}
SENT = [part for part, _ in MEDIA.values()]
SEEN = [block for _, block in MEDIA.values()]


@pytest.fixture
async def fresh(server: Running) -> AsyncIterator[Running]:
    """The shared server without any kept process; it forgets these conversations afterwards."""
    server.engine.fleet.kept.end_all()
    yield server
    server.upstream.clear()
    server.engine.fleet.kept.end_all()
    await server.sessions.delete_all("local")


async def killed(server: Running) -> None:
    """The one process that holds a conversation dies."""
    (process,) = (kept for kept in server.engine.fleet.kept if kept.alive)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    await until(lambda: not process.alive)


# -- what reaches the model -----------------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False], ids=["session", "stateless"])
@pytest.mark.parametrize("dies", [True, False], ids=["killed", "live"])
async def test_media_reach_the_model_as_they_are_and_stay_in_the_conversation(
    fresh: Running, dies: bool, named: bool
) -> None:
    session = {"session_id": new_id()} if named else {}
    told: Messages = []
    seen: Messages = []
    turns = {
        "[[say one]]": ([], []),
        "[[say two]]": (SENT, SEEN),
        "[[say three]]": ([picture(drawn("GIF"), "image/gif")], [SEEN[2]]),
    }
    for number, (words, (sent, blocks)) in enumerate(turns.items()):
        if dies and number:
            await killed(fresh)
        question = user(*sent, text(words))
        told.append(question)
        answer = await fresh.ask([question] if named else told, stream=number == 1, **session)
        assert answer.whole, answer.data
        seen.append({"role": "user", "content": [*blocks, text(words)]})
        assert fresh.seen()[-1]["messages"] == seen
        said = words[6:-2]
        assert answer.text == said
        told.append({"role": "assistant", "content": said})
        seen.append({"role": "assistant", "content": [text(said)]})
    assert len(fresh.upstream.requests) == len(turns)
    assert len(set(fresh.processes())) == (len(turns) if dies else 1)


@pytest.mark.parametrize("dies", [True, False], ids=["killed", "live"])
async def test_media_in_a_result(fresh: Running, dies: bool) -> None:
    """Whatever their size: Claude Code makes no picture smaller there."""
    session, big = new_id(), drawn(size=(2_500, 100))
    look = {"type": "function", "function": {"name": "look"}}
    called = await fresh.ask("[[call look {}]]", session_id=session, tools=[look])
    call_id = called.message["tool_calls"][0]["id"]
    if dies:
        await killed(fresh)
    result = {"role": "tool", "tool_call_id": call_id, "content": [*SENT, picture(big)]}
    answer = await fresh.ask([result], session_id=session)
    assert answer.text.startswith("look returned: [an image"), answer.data
    if dies:
        await killed(fresh)
    await fresh.ask("[[say next]]", session_id=session)
    blocks = [*SEEN, seen_picture(big)]
    for seen in fresh.seen()[1:]:
        (block,) = seen["messages"][2]["content"]
        assert (block["tool_use_id"], block["content"]) == (call_id, blocks)
    assert len(fresh.upstream.requests) == 3


async def test_a_session_tells_its_media_as_they_were_sent(fresh: Running) -> None:
    session, big = new_id(), picture(drawn(size=(2_500, 100)))
    await fresh.ask([user(text("[[say seen]]"), big, *SENT)], session_id=session)
    question, _ = await fresh.messages(session)
    fresh.engine.release("local", session)
    again = [question, {"role": "assistant", "content": "seen"}, user(text("[[say and]]"))]
    answer = await fresh.ask(again, session_id=session)
    assert (answer.outcome, answer.text) == ("continued", "and")
    first, last = fresh.seen()
    assert last["messages"][0] == first["messages"][0]
    assert question["content"][1] == big


async def test_as_many_pictures_as_a_request_may_have_reach_the_model(server: Running) -> None:
    several = [drawn(size=(3, height)) for height in range(1, MAX_MEDIA + 1)]
    # to models of 200,000 tokens they are too many: Claude Code counts 2,000 for each
    content = [text("[[say all]]"), *map(picture, several)]
    answer = await server.ask([user(*content)], model="claude-opus-5-5")
    assert answer.status == 200, answer.data
    (seen,) = server.seen()
    assert seen["messages"][0]["content"][1:] == [seen_picture(raw) for raw in several]


# -- what Claude Code makes of pictures that are large --------------------------------------------

NOTE = (
    "[Image: original {}, displayed at {}. Multiply coordinates by 1.25 to map to original image.]"
)
LARGE: dict[str, tuple[bytes, tuple[str, tuple[int, int]] | None, str | None]] = {
    # the picture; its format and its size as the model sees it, None if nothing was done to it;
    # the words that are added
    "2000 x 2000 pixels": (drawn(size=(2_000, 2_000)), None, None),
    "2500 x 100": (drawn(size=(2_500, 100)), ("PNG", (2_000, 80)), NOTE.format("2500x100", "2000x80")),
    "100 x 2500": (drawn(size=(100, 2_500)), ("PNG", (80, 2_000)), NOTE.format("100x2500", "80x2000")),
    "an animation of 2500 x 100": (animated((2_500, 100)), ("PNG", (2_000, 80)), NOTE.format("2500x100", "2000x80")),
    "512,000 bytes": (weighing(512_000), None, None),
    "512,001 bytes": (weighing(512_001), ("JPEG", (300, 300)), None),
    "3.75 MiB and a byte": (weighing(3_932_161), ("PNG", (300, 300)), None),
}  # fmt: skip


async def test_large_pictures_are_made_smaller_alike_live_and_after_a_replay(
    fresh: Running,
) -> None:
    """Not by us: this is what docs/openai-compatibility.md tells of Claude Code."""
    session = new_id()
    for name, (raw, becomes, words) in LARGE.items():
        kind = "image/gif" if raw.startswith(b"GIF") else "image/png"
        question = user(text("[[say ok]]"), picture(raw, kind), text("after"))
        answer = await fresh.ask([question], session_id=session)
        assert answer.status == 200, (name, answer.data)
        before, image, after, *added = fresh.seen()[-1]["messages"][-1]["content"]
        found = base64.b64decode(image["source"]["data"])
        assert before == text("[[say ok]]"), name
        assert after == text("after\n" if words else "after"), name
        assert added == ([text(words)] if words else []), name
        if becomes is None:
            assert found == raw, name
            continue
        with Image.open(io.BytesIO(found)) as opened:
            assert (opened.format, opened.size) == becomes, name
        assert image["source"]["media_type"] == FORMATS[becomes[0]], name
        assert len(found) <= 512_000, name
    live = await fresh.ask("[[say live]]", session_id=session)
    assert live.text == "live"
    assert len(set(fresh.processes())) == 1
    await killed(fresh)
    history = [*(await fresh.messages(session))[:-2], user(text("[[say live]]"))]
    replayed = await fresh.ask(history, session_id=session)
    assert (replayed.outcome, replayed.text) == ("replaced", "live")
    *_, one, other = fresh.seen()
    assert other == one
    assert len(set(fresh.processes())) == 2


async def test_newer_models_are_shown_fewer_pixels(server: Running) -> None:
    small, large = drawn(size=(1_900, 1_900)), drawn(size=(2_000, 2_000))
    question = user(text("[[say ok]]"), picture(small), picture(large))
    answer = await server.ask([question], model="claude-opus-5-5")
    assert answer.status == 200, answer.data
    _, one, other, words = server.seen()[0]["messages"][0]["content"]
    assert one == seen_picture(small)
    with Image.open(io.BytesIO(base64.b64decode(other["source"]["data"]))) as opened:
        assert (opened.format, opened.size) == ("PNG", (1_932, 1_932))
    assert words == text(NOTE.format("2000x2000", "1932x1932").replace("1.25", "1.04"))


NOISE = drawn(size=(2_100, 100), noise=True)
DAMAGED: dict[str, bytes] = {
    "cut off, with too many pixels": drawn(size=(2_500, 100))[:-100],
    "cut off, with too many bytes": drawn(size=(600, 600), noise=True)[:-10_000],
    "cut off, but with an end": NOISE[:20_000] + NOISE[-12:],
    "damaged in the middle": NOISE[:2_000] + b"U" * 10_000 + NOISE[12_000:],
}


@pytest.mark.parametrize("case", DAMAGED)
async def test_a_damaged_picture_is_refused(server: Running, case: str) -> None:
    """Claude Code would tell the model in words that it could not read it."""
    answer = await server.ask([user(text("[[say ok]]"), picture(DAMAGED[case]))])
    assert answer.status == 400, answer.data
    assert answer.error["param"] == "messages[0].content[1].image_url.url"
    assert not server.upstream.requests


# -- what is refused ------------------------------------------------------------------------------

URL = "image_url.url"
DATA = "file.file_data"
WRONG: dict[str, tuple[Part, str]] = {
    # the part, where the fault is
    "not base64": (linked("data:image/png;base64,!!!!"), URL),
    "base64 with a line end": (linked(data_url("image/png", drawn()) + "\n"), URL),
    "no bytes": (linked("data:image/png;base64,"), URL),
    "no base64": (linked("data:image/png,hello"), URL),
    "no type": (linked(f"data:;base64,{in_base64(drawn())}"), URL),
    "nothing": (linked(""), URL),
    "http": (linked("http://127.0.0.1/x.png"), URL),
    "ftp": (linked("ftp://127.0.0.1/x.png"), URL),
    "a file of the server": (linked("file:///etc/passwd"), URL),
    "a path": (linked("/etc/passwd"), URL),
    "a link with a space": (linked("https://127.0.0.1/x y.png"), URL),
    "a link to nowhere": (linked("https://"), URL),
    "SVG": (picture(b"<svg/>", "image/svg+xml"), URL),
    "BMP": (picture(drawn("BMP"), "image/bmp"), URL),
    "BMP as PNG": (picture(drawn("BMP")), URL),
    "GIF as PNG": (picture(drawn("GIF")), URL),
    "PNG as JPEG": (picture(drawn(), "image/jpeg"), URL),
    "a PDF as a picture": (linked(data_url("application/pdf", PDF)), URL),
    "words as a picture": (picture(b"hello"), URL),
    "a head alone": (picture(drawn()[:20]), URL),
    "too wide": (picture(drawn(size=(MAX_SIDE + 1, 1))), URL),
    "too high": (picture(drawn(size=(1, MAX_SIDE + 1))), URL),
    "a bomb": (picture(drawn()[:16] + struct.pack(">II", 60_000, 60_000) + drawn()[24:]), URL),
    "a URL alone": ({"type": "image_url", "image_url": "x"}, "image_url"),
    "no URL": ({"type": "image_url", "image_url": {}}, URL),
    "null": ({"type": "image_url", "image_url": None}, "image_url"),
    "a URL of null": ({"type": "image_url", "image_url": {"url": None}}, URL),
    "no file": ({"type": "file"}, "file"),
    "an empty file": ({"type": "file", "file": {}}, DATA),
    "a file of before": ({"type": "file", "file": {"file_id": "file-1"}}, "file.file_id"),
    "base64 alone": (file(in_base64(PDF)), DATA),
    "a link without TLS to a file": (file("http://127.0.0.1/x.pdf"), DATA),
    "no PDF": (file(data_url("application/pdf", b"hello")), DATA),
    "a picture as a file": (file(data_url("image/png", drawn())), DATA),
    "a program": (file(data_url("application/octet-stream", b"hello")), DATA),
    "not UTF-8": (file(data_url("text/plain", b"\xff\xfe")), DATA),
    "NUL": (file(data_url("text/plain", b"a\0b")), DATA),
    "an empty text": (file(data_url("text/plain", b" \n")), DATA),
    "a name of the wrong type": ({"type": "file", "file": {"filename": 5}}, "file.filename"),
    "sound": (
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
        "type",
    ),
}


def with_part(part: Part) -> Messages:
    """A conversation whose last message has this part, after some words."""
    return [
        {"role": "system", "content": "Be brief."},
        user(text("hi")),
        {"role": "assistant", "content": "hello"},
        user(text("look"), part),
    ]


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_media_are_refused_by_their_place(server: Running, case: str) -> None:
    part, where = WRONG[case]
    for stream in (False, True):
        answer = await server.ask(with_part(part), stream=stream)
        assert (answer.status, answer.error["param"]) == (400, f"messages[3].content[1].{where}")
        assert answer.error["type"] == "invalid_request_error"
        assert len(answer.error["message"]) < 400, "what was sent is not sent back"
    assert not server.upstream.requests


async def test_wrong_media_leave_a_session_as_it_was(fresh: Running) -> None:
    session = new_id()
    await fresh.ask([user(text("[[say one]]"), *SENT)], session_id=session)
    before = await fresh.messages(session)
    for name, (part, _) in WRONG.items():
        answer = await fresh.ask(with_part(part), session_id=session)
        assert answer.status == 400, name
    assert await fresh.messages(session) == before
    assert len(fresh.upstream.requests) == 1
    answer = await fresh.ask("[[say two]]", session_id=session)
    assert (answer.text, answer.outcome) == ("two", "continued")
    assert len(set(fresh.processes())) == 1


ELSEWHERE: dict[str, tuple[Messages, str]] = {
    # messages, where the fault is
    "the system's": (
        [{"role": "system", "content": [picture(drawn())]}, user(text("hi"))],
        "messages[0].content[0].type",
    ),
    "the assistant's": (
        [user(text("hi")), {"role": "assistant", "content": [picture(drawn())]}, user(text("hi"))],
        "messages[1].content[0].type",
    ),
    "too many": ([user(*[linked(LINK)] * (MAX_MEDIA + 1))], "messages"),
    "too many in several messages": (
        [
            *(user(*[linked(LINK)] * MAX_MEDIA), {"role": "assistant", "content": "hi"}),
            user(picture(drawn())),
        ],
        "messages",
    ),
}


@pytest.mark.parametrize("case", ELSEWHERE)
async def test_media_where_none_can_be_are_refused(server: Running, case: str) -> None:
    messages, where = ELSEWHERE[case]
    answer = await server.ask(messages)
    assert (answer.status, answer.error["param"]) == (400, where)
    assert not server.upstream.requests


# -- where they do not get ------------------------------------------------------------------------

SECRET = "a-word-that-stands-in-no-other-file"
PRIVATE = {
    "a picture": drawn(size=(40, 40), noise=True),
    "a picture made smaller": drawn(size=(2_400, 40), noise=True),
    "a picture made JPEG": drawn(size=(420, 420), noise=True),
}
ALL_PRIVATE = user(
    *(picture(raw) for raw in PRIVATE.values()),
    file(data_url("application/pdf", PDF + f"%{SECRET}\n".encode()), f"{SECRET}.pdf"),
    file(data_url("text/plain", SECRET.encode()), f"{SECRET}.txt"),
)
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"%PDF")


def traces(root: Path) -> Iterator[Path]:
    """The files in a directory that hold something of these media, or are of their kind."""
    pieces = [SECRET.encode(), base64.b64encode(SECRET.encode())[:-4]]
    for raw in PRIVATE.values():
        middle = len(raw) // 6 * 3  # a place where the base64 of the whole begins a group
        pieces += [raw[middle : middle + 30], base64.b64encode(raw[middle : middle + 30])]
    for path in root.rglob("*"):
        if SECRET in path.name:
            yield path
        elif path.is_file():
            held = path.read_bytes()
            if held.startswith(_MAGIC) or any(piece in held for piece in pieces):
                yield path


def test_traces_would_be_found(tmp_path: Path) -> None:
    body = str(ALL_PRIVATE).encode()
    raw = PRIVATE["a picture"]
    for number, held in enumerate((body, raw[5:], b"xx" + raw, SECRET.encode(), drawn("JPEG"))):
        path = tmp_path / "deep" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(held)
        assert list(traces(tmp_path)) == [path]
        path.unlink()


async def test_nothing_of_media_is_on_disk(fresh: Running) -> None:
    """Not in TMPDIR of a process, not in Claude Code's configuration, not elsewhere of ours."""
    root, session = fresh.engine.account.launch.workdir.parent, {"session_id": new_id()}
    asked = [ALL_PRIVATE, user(text("[[stall 2]] [[words 9]]"))]
    body = {"messages": asked, "stream": True, "model": "claude-sonnet-4-5", **session}
    async with fresh.post("/v1/chat/completions", body) as response:
        await response.content.readuntil(b"word2")  # and no more comes: the turn runs
        (pid,) = fresh.engine.processes()["running"]
        assert list(root.glob("home/.claude/*.json")), "this is where it keeps its files"
        assert list(traces(root)) == []
        response.close()
    await until(lambda: fresh.engine.processes()["running"] == [])

    answer = await fresh.ask([ALL_PRIVATE, user(text("[[say whole]]"))], **session)
    assert (answer.status, len(fresh.seen()[-1]["messages"][0]["content"])) == (200, 7)
    assert len(fresh.engine.processes()["idle"]) == 1
    assert list(traces(root)) == []
    await killed(fresh)
    answered = {"role": "assistant", "content": "whole"}
    again = await fresh.ask(
        [ALL_PRIVATE, user(text("[[say whole]]")), answered, user(text("[[say again]]"))],
        **session,
    )
    assert again.text == "again"
    assert list(traces(root)) == []
    fresh.engine.fleet.kept.end_all()
    await fresh.engine.fleet.pool.settled()
    assert list(traces(root)) == []
    assert not Path(f"/proc/{pid}").exists()


async def test_nothing_is_fetched(fresh: Running) -> None:
    """Neither by us nor by Claude Code: a link is the model's side's to follow."""
    callers: list[str] = []

    async def called(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.append("somebody")
        writer.close()

    async with await asyncio.start_server(called, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        url, session = f"https://127.0.0.1:{port}/x.png", new_id()
        look = {"type": "function", "function": {"name": "look"}}
        await fresh.ask([user(linked(url), text("[[say seen]]"))], session_id=session)
        called_back = await fresh.ask(
            [user(linked(url), text("[[call look {}]]"))], session_id=session, tools=[look]
        )
        call_id = called_back.message["tool_calls"][0]["id"]
        result = {"role": "tool", "tool_call_id": call_id, "content": [linked(url)]}
        await fresh.ask([result], session_id=session)
        await killed(fresh)
        last = await fresh.ask([user(linked(url), text("[[say last]]"))], session_id=session)
        assert last.text == "last"
        assert str(fresh.seen()[-1]).count(repr(seen_link(url))) == 4
        assert callers == []
        _, writer = await asyncio.open_connection("127.0.0.1", port)  # or nothing was proven
        await until(lambda: callers == ["somebody"])
        writer.close()


# -- restarts -------------------------------------------------------------------------------------


async def test_a_session_with_media_outlives_the_server(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"pool_size": 0, "session_store": tmp_path / "sessions.db"}
    async with running(**settings) as server:
        await server.ask([user(*SENT, text("[[say seen]]"))], session_id="one")
        before = await server.messages("one")
    async with running(**settings) as server:
        assert await server.messages("one") == before
        answer = await server.ask([user(SENT[0], text("[[say more]]"))], session_id="one")
        assert (answer.text, answer.outcome) == ("more", "continued")
        (seen,) = server.seen()
        assert seen["messages"] == [
            {"role": "user", "content": [*SEEN, text("[[say seen]]")]},
            {"role": "assistant", "content": [text("seen")]},
            {"role": "user", "content": [SEEN[0], text("[[say more]]")]},
        ]
        last = await server.ask("[[say live]]", session_id="one")
        assert last.outcome == "continued"
        assert len(set(server.processes())) == 1
