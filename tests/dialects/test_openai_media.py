"""Pictures and files in messages: handed on as they are, or refused where they stand."""

import json
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openai_bodies import HI, YO, ask, calling, image, result, tool_result, user
from openai_media import (
    DRAWN,
    FORMS,
    PDF,
    PLACES,
    PNG,
    as_object,
    as_string,
    claimed_gif,
    claimed_jpeg,
    claimed_png,
    data_url,
    drawn,
    encoded,
    file,
    held,
)
from PIL import Image as Pillow

from bridge.core.conversation import Document, Image, LinkedDocument, LinkedImage
from bridge.core.errors import InvalidRequest
from bridge.dialects.openai_chat import decode

Json = dict[str, Any]

steady = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is not a fault
)

MAX_BYTES, MAX_PARTS, MAX_SIDE = 24 * 1024 * 1024, 100, 8_000
LINK = "https://example.com/a.png?b=c#d"
PNG_URL = f"data:image/png;base64,{PNG}"


@pytest.fixture(autouse=True)
def asked_of_the_net(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Nothing is ever fetched: no test of this file may look for another machine."""
    asked: list[str] = []

    def refusing(name: str) -> Callable[..., Any]:
        def refuse(*_: object, **__: object) -> Any:
            asked.append(name)
            raise OSError("the tests have no net")

        return refuse

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refusing(name))
    for name in ("getaddrinfo", "gethostbyname", "create_connection"):
        monkeypatch.setattr(socket, name, refusing(name))
    yield asked
    assert not asked


def test_the_guard_sees_who_asks_the_net(asked_of_the_net: list[str]) -> None:
    with socket.socket() as one, pytest.raises(OSError, match="no net"):
        one.connect(("127.0.0.1", 9))
    with pytest.raises(OSError, match="no net"):
        socket.getaddrinfo("example.com", 443)
    assert asked_of_the_net == ["connect", "getaddrinfo"]
    asked_of_the_net.clear()


# -- pictures ------------------------------------------------------------------------------------


def several_in_one(form: str, count: int = 2) -> bytes:
    """A picture that moves, or a JPEG with others in its tail."""
    others = [Pillow.new("RGB", (3, 2), shade) for shade in range(1, count)]
    return drawn(form, save_all=True, append_images=others)


# the URL → what the model is told
PICTURES: dict[str, tuple[str, Image | LinkedImage]] = {
    **{
        media_type: (data_url(media_type, raw), Image(media_type=media_type, data=encoded(raw)))
        for media_type, raw in DRAWN.items()
    },
    "another-name-of-jpeg": (
        data_url("image/jpg", DRAWN["image/jpeg"]),
        Image(media_type="image/jpeg", data=encoded(DRAWN["image/jpeg"])),
    ),
    "a-type-in-capitals": (data_url("Image/PNG", DRAWN["image/png"]), Image(media_type="image/png", data=PNG)),
    "a-scheme-in-capitals": (f"DATA:image/png;BASE64,{PNG}", Image(media_type="image/png", data=PNG)),
    "a-type-with-parameters": (f"data:image/png;name=a.png;q=1;base64,{PNG}", Image(media_type="image/png", data=PNG)),
    **{
        name: (data_url(media_type, raw), Image(media_type=media_type, data=encoded(raw)))
        for name, media_type, raw in [
            ("one-pixel", "image/png", drawn("PNG", (1, 1))),
            ("one-pixel-of-webp", "image/webp", drawn("WEBP", (1, 1))),
            ("with-alpha", "image/png", drawn("PNG", mode="RGBA")),
            ("grey", "image/jpeg", drawn("JPEG", mode="L")),
            ("for-print", "image/jpeg", drawn("JPEG", mode="CMYK")),
            ("a-moving-gif", "image/gif", several_in_one("GIF")),
            ("a-moving-webp", "image/webp", several_in_one("WEBP")),
            ("a-moving-png", "image/png", several_in_one("PNG")),
            ("a-jpeg-of-a-telephone", "image/jpeg", several_in_one("MPO")),
            ("as-large-as-may-be", "image/png", claimed_png(MAX_SIDE, MAX_SIDE)),
            ("as-wide-as-may-be", "image/png", claimed_png(MAX_SIDE, 1)),
            ("as-high-as-may-be", "image/jpeg", claimed_jpeg(1, MAX_SIDE)),
            ("with-more-behind-it", "image/png", DRAWN["image/png"] + b"more"),
        ]
    },
    **{
        f"a-link-{url[8:]!r}": (url, LinkedImage(url=url))
        for url in [LINK, "https://a", "https://a/é.png", "https://127.0.0.1:1/a", "https://[::1]/"]
    },
}  # fmt: skip


@pytest.mark.parametrize("form", [as_object, as_string])
@pytest.mark.parametrize(("url", "wanted"), PICTURES.values(), ids=PICTURES)
def test_a_picture(url: str, wanted: Image | LinkedImage, form: Callable[[str], Json]) -> None:
    assert held(ask(user([form(url)])).turn) == [wanted]


FORMS_OF_URLS = {
    "an-object": (as_object, ".image_url.url"),
    "a-string": (as_string, ".image_url"),
}
SHORT = {
    "a-png": (PNG_URL, Image(media_type="image/png", data=PNG)),
    "a-link": (LINK, LinkedImage(url=LINK)),
}


@pytest.mark.parametrize(("form", "_"), FORMS_OF_URLS.values(), ids=FORMS_OF_URLS)
@pytest.mark.parametrize(("url", "wanted"), SHORT.values(), ids=SHORT)
@pytest.mark.parametrize(("place", "path"), PLACES.values(), ids=PLACES)
def test_a_picture_in_its_place(
    place: Callable[[Json], list[Json]],
    path: str,
    url: str,
    wanted: Image | LinkedImage,
    form: Callable[[str], Json],
    _: str,
) -> None:
    assert held(ask(*place(form(url))).turn) == [wanted]


def test_several_pictures_keep_their_order() -> None:
    jpeg = data_url("image/jpeg", DRAWN["image/jpeg"])
    turn = ask(
        user([image(PNG_URL), image(LINK)]),
        calling("c1", "c2"),
        user([tool_result("c2", [image(jpeg)])]),
        result("c1", [image(LINK), image(PNG_URL)]),
        YO,
        user([as_string(jpeg)]),
    ).turn
    png, link = (wanted for _, wanted in SHORT.values())
    drawing = Image(media_type="image/jpeg", data=encoded(DRAWN["image/jpeg"]))
    assert held(turn) == [png, link, drawing, link, png, drawing]


NOT_A_URL = "must begin with https://, or be a data: URL"
NOT_A_TYPE = "must be one of image/png, image/jpeg, image/gif, image/webp."
NOT_BASE64 = "must hold a picture in base64, and no more"
NOT_A_PICTURE = "the bytes are not those of a picture"

# the URL → a piece of the message
NO_PICTURES: dict[str, tuple[str, str]] = {
    **{
        f"the-url-{url[:28]!r}": (url, NOT_A_URL)
        for url in [
            *["", "a", PNG, "http://example.com/a.png", "https://", "https:///a", "HTTPS://a/b"],
            *["file:///etc/passwd", "/etc/passwd", "ftp://a/b", "blob:https://a/b", "javascript:1"],
            *[" https://a/b", "https://a/b c", "https://a/b\n", "\nhttps://a/b", "http:https://a"],
            *["data:", "data:image/png", "data:image/png,a", f"data:image/png;utf-8,{PNG}"],
            *[f"data:image/png;base64{PNG}", f"data:image/png;base64;a=b,{PNG}", f" {PNG_URL}"],
            *["/" * 100_000, "https://" + "a" * 100_000 + " "],
        ]
    },
    **{
        f"the-type-{kind!r}": (f"data:{kind};base64,{PNG}", NOT_A_TYPE)
        for kind in [
            *["", "image", "image/", "image/bmp", "image/svg+xml", "image/tiff", "image/heic"],
            *["image/png ", "image/x-png", "text/plain", "application/octet-stream"],
            *["application/pdf", "image/pjpeg", "image/mpo", "x" * 100_000],
        ]
    },
    **{
        f"the-base64-{data!r}": (f"data:image/png;base64,{data}", NOT_BASE64)
        for data in [
            *["", "=", "A", "AA", "AAA", "AA=", "AA==AA==", "AA\nAA", "A-_A", "éAAA", "AA A"],
            *["AAAA%3D", "\ufeffAAAA", " AAAA", "AAAA\n"],
        ]
    },
    **{
        f"bytes-of-{real}-as-{claimed}": (
            data_url(claimed, DRAWN[real]),
            f"says that it is {claimed}, but its bytes are those of a {FORMS[real]}.",
        )
        for real in FORMS
        for claimed in FORMS
        if real != claimed
    },
    "bytes-of-a-png-as-jpg": (
        data_url("image/jpg", DRAWN["image/png"]),
        "says that it is image/jpeg, but its bytes are those of a PNG.",
    ),
    **{
        name: (data_url(media_type, raw), NOT_A_PICTURE)
        for name, media_type, raw in [
            ("bytes-of-no-picture", "image/png", b"hello"),
            ("bytes-of-a-pdf", "image/png", PDF),
            ("bytes-of-a-bmp", "image/png", drawn("BMP")),
            ("bytes-of-a-tiff", "image/png", drawn("TIFF")),
            ("an-svg", "image/png", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
            ("no-pixels", "image/png", claimed_png(0, 0)),
            *[
                (f"the-first-bytes-of-a-{form}-{more}", media_type, DRAWN[media_type][:12] + tail)
                for media_type, form in FORMS.items()
                for more, tail in [("alone", b""), ("and-garbage", b"\xa5garbage" * 20)]
                if (form, more) != ("GIF", "and-garbage")  # that has no sums: any bytes are one
            ],
        ]
    },
    **{
        name: (data_url(media_type, raw), words)
        for name, media_type, raw, words in [
            ("a-pixel-too-wide", "image/png", claimed_png(8001, 1), "8001x1 pixels; at most 8000 a"),
            ("a-pixel-too-high", "image/png", claimed_png(1, 8001), "1x8001 pixels; at most 8000 a"),
            ("too-large", "image/jpeg", claimed_jpeg(9000, 9000), "9000x9000 pixels; at most 8000 a"),
            ("too-large-a-gif", "image/gif", claimed_gif(8001, 2), "8001x2 pixels; at most 8000 a"),
            ("a-bomb", "image/png", claimed_png(30_000, 30_000), "too large; at most 8000 pixels a"),
            ("a-bomb-of-jpeg", "image/jpeg", claimed_jpeg(65_000, 65_000), "too large; at most 8000"),
            ("a-bomb-of-gif", "image/gif", claimed_gif(65_000, 65_000), "too large; at most 8000"),
            ("a-long-bomb", "image/png", claimed_png(2**31 - 1, 1), "too large; at most 8000 pixels"),
            ("half-a-bomb", "image/png", claimed_png(10_000, 10_000), "at most 8000 pixels a side"),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize(("form", "inside"), FORMS_OF_URLS.values(), ids=FORMS_OF_URLS)
@pytest.mark.parametrize(("url", "fragment"), NO_PICTURES.values(), ids=NO_PICTURES)
def test_no_picture(url: str, fragment: str, form: Callable[[str], Json], inside: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(HI, user([image(LINK), form(url)]))
    error = caught.value
    param = f"messages[1].content[1]{inside}"
    assert (error.status, error.param, error.code) == (400, param, "invalid_value")
    assert fragment in error.message
    assert f"'{param}'" in error.message
    assert len(error.message) < 400


@pytest.mark.filterwarnings("default::PIL.Image.DecompressionBombWarning")
def test_half_a_bomb_where_warnings_are_none_of_an_error() -> None:
    """As in the server: the tests make errors of warnings."""
    with (
        pytest.raises(InvalidRequest, match="10000x10000 pixels; at most 8000"),
        pytest.warns(Pillow.DecompressionBombWarning),
    ):
        ask(user([image(data_url("image/png", claimed_png(10_000, 10_000)))]))


@pytest.mark.parametrize(("form", "inside"), FORMS_OF_URLS.values(), ids=FORMS_OF_URLS)
@pytest.mark.parametrize(("place", "path"), PLACES.values(), ids=PLACES)
def test_no_picture_in_its_place(
    place: Callable[[Json], list[Json]], path: str, form: Callable[[str], Json], inside: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(*place(form(data_url("image/png", b"hello"))))
    assert caught.value.param == f"{path}{inside}"


# the part → param after its place, code, a piece of the message
MALFORMED: dict[str, tuple[Json, str, str, str]] = {
    "no-image-url": ({"type": "image_url"}, ".image_url", "missing_required_parameter", "missing"),
    "image-url-null": (as_string(None), ".image_url", "invalid_type", "a string or an object"),
    "image-url-a-number": (as_string(5), ".image_url", "invalid_type", "a string or an object"),
    "image-url-a-list": (as_string([LINK]), ".image_url", "invalid_type", "got an array"),
    "no-url": (
        {"type": "image_url", "image_url": {}},
        ".image_url.url",
        "missing_required_parameter",
        "missing",
    ),
    "url-null": (as_object(None), ".image_url.url", "invalid_type", "got null"),
    "url-a-number": (as_object(5), ".image_url.url", "invalid_type", "expected a string"),
    "url-with-nul": (as_object(f"{LINK}\0"), ".image_url.url", "invalid_value", "NUL"),
    "url-with-half-a-pair": (
        as_string(f"{LINK}\ud800"),
        ".image_url",
        "invalid_value",
        "surrogate",
    ),
    "no-file": ({"type": "file"}, ".file", "missing_required_parameter", "missing"),
    "file-a-string": ({"type": "file", "file": "a"}, ".file", "invalid_type", "an object"),
    "file-data-a-number": (file(5), ".file.file_data", "invalid_type", "a string"),
    "filename-a-number": (file("", filename=5), ".file.filename", "invalid_type", "a string"),
    "filename-with-nul": (file("", filename="\0"), ".file.filename", "invalid_value", "NUL"),
    "file-id-a-number": (file("", file_id=5), ".file.file_id", "invalid_type", "a string"),
    "a-file-without-data": (
        {"type": "file", "file": {"filename": "a.pdf"}},
        ".file.file_data",
        "missing_required_parameter",
        "missing",
    ),
    "file-data-null": (file(None), ".file.file_data", "missing_required_parameter", "missing"),
    "a-file-by-its-id": (
        {"type": "file", "file": {"file_id": "file-1"}},
        ".file.file_id",
        "unsupported_parameter",
        "keeps no files",
    ),
    "a-file-by-its-id-and-its-data": (
        file(data_url("text/plain", b"a"), file_id="file-1"),
        ".file.file_id",
        "unsupported_parameter",
        "Send the file itself as 'file_data'",
    ),
    "a-file-by-an-empty-id": (
        {"type": "file", "file": {"file_id": ""}},
        ".file.file_id",
        "unsupported_parameter",
        "keeps no files",
    ),
}


@pytest.mark.parametrize(("place", "path"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize(("part", "inside", "code", "fragment"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_part(
    part: Json,
    inside: str,
    code: str,
    fragment: str,
    place: Callable[[Json], list[Json]],
    path: str,
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(json.dumps({"messages": place(part)}).encode())
    error = caught.value
    assert (error.status, error.param, error.code) == (400, f"{path}{inside}", code)
    assert fragment in error.message


# -- files ---------------------------------------------------------------------------------------


def plain(text: str, title: str | None = None) -> Document:
    return Document(media_type="text/plain", data=text, title=title)


PRINTED = Document(media_type="application/pdf", data=encoded(PDF))

# the part → what the model is told
FILES: dict[str, tuple[Json, Document]] = {
    "a-pdf": (file(data_url("application/pdf", PDF)), PRINTED),
    "a-pdf-in-capitals": (file(data_url("Application/PDF", PDF)), PRINTED),
    "a-pdf-by-an-older-name": (file(data_url("application/x-pdf", PDF)), PRINTED),
    "a-named-pdf": (
        file(data_url("application/pdf", PDF), filename="é 1.pdf"),
        Document(media_type="application/pdf", data=encoded(PDF), title="é 1.pdf"),
    ),
    "a-pdf-with-an-empty-name": (file(data_url("application/pdf", PDF), filename=""), PRINTED),
    "a-pdf-with-a-head-of-its-own": (
        file(data_url("application/pdf", b"x" * 1019 + PDF)),
        Document(media_type="application/pdf", data=encoded(b"x" * 1019 + PDF)),
    ),
    "text": (file(data_url("text/plain", b"hello")), plain("hello")),
    "text-in-utf-8": (file(data_url("text/plain;charset=utf-8", "é \U0001f600".encode())), plain("é \U0001f600")),
    "text-is-not-trimmed": (file(data_url("text/plain", b" a\r\n\t")), plain(" a\r\n\t")),
    "a-byte-order-mark": (file(data_url("text/plain", b"\xef\xbb\xbfhello")), plain("hello")),
    "two-byte-order-marks": (file(data_url("text/plain", b"\xef\xbb\xbf" * 2 + b"hello")), plain("hello")),
    "a-mark-inside": (file(data_url("text/plain", "a\ufeffb".encode())), plain("a\ufeffb")),
    "a-named-text": (file(data_url("text/plain", b"a"), filename="a.txt"), plain("a", "a.txt")),
    "an-empty-name": (file(data_url("text/plain", b"a"), filename=""), plain("a")),
    "no-name": (file(data_url("text/plain", b"a"), filename=None, file_id=None), plain("a")),
    **{
        f"a-file-of-{kind}": (file(data_url(kind, b'{"a": 1}')), plain('{"a": 1}'))
        for kind in [
            *["text/csv", "text/markdown", "text/html", "text/x-python", "text/css", "TEXT/CSV"],
            *["application/json", "application/ld+json", "application/vnd.api+json"],
            *["application/xml", "application/atom+xml", "application/yaml", "application/x-yaml"],
            *["application/toml", "application/sql", "application/javascript", "application/x-sh"],
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize(("part", "wanted"), FILES.values(), ids=FILES)
def test_a_file(part: Json, wanted: Document) -> None:
    assert held(ask(user([part])).turn) == [wanted]


@pytest.mark.parametrize(("place", "path"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("name", ["a-named-pdf", "a-named-text"])
def test_a_file_in_its_place(name: str, place: Callable[[Json], list[Json]], path: str) -> None:
    part, wanted = FILES[name]
    assert held(ask(*place(part)).turn) == [wanted]


NOT_A_FILE_URL = "must be a data: URL in base64"
NOT_A_FILE_TYPE = "Claude reads PDFs (application/pdf) and text"
NOT_BASE64_OF_A_FILE = "must hold a file in base64, and no more"

# file_data → a piece of the message
NO_FILES: dict[str, tuple[str, str]] = {
    **{
        f"the-url-{url[:28]!r}": (url, NOT_A_FILE_URL)
        for url in [
            *["", "a", encoded(PDF), "http://example.com/a.pdf", "file:///a.pdf", "data:"],
            *["data:text/plain,hello", "data:application/pdf;base64", "data:text/plain;utf-8,aGk="],
        ]
    },
    **{
        f"the-type-{kind!r}": (f"data:{kind};base64,aGVsbG8=", NOT_A_FILE_TYPE)
        for kind in [
            *["", "text", "text/", "image/png", "image/svg+xml", "audio/wav", "video/mp4"],
            *["application/octet-stream", "application/zip", "application/msword", "application/"],
            *["application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
            *["application/x-zip-compressed", "application/x-tar", "application/x-"],
            *["application/pdf2", "application/jsonx", "application/+", "text/a b", "x" * 100_000],
        ]
    },
    **{
        f"the-base64-{data!r}": (f"data:text/plain;base64,{data}", NOT_BASE64_OF_A_FILE)
        for data in ["", "=", "A", "AA", "AAA", "AA==AA==", "AA\nAA", "A-_A", "éAAA", "AA A"]
    },
    "an-empty-pdf": ("data:application/pdf;base64,", NOT_BASE64_OF_A_FILE),
    **{
        name: (data_url("application/pdf", raw), "says that it is a PDF, but its bytes are not")
        for name, raw in [
            ("text-as-a-pdf", b"hello"),
            ("a-picture-as-a-pdf", DRAWN["image/png"]),
            ("a-pdf-in-small-letters", PDF.lower()),
            ("a-pdf-far-inside", b"x" * 1020 + PDF),
        ]
    },
    **{
        name: (data_url("text/plain", raw), words)
        for name, raw, words in [
            ("white-space", b" \n\t", "holds no text"),
            ("nothing-but-a-mark", b"\xef\xbb\xbf", "holds no text"),
            ("a-picture-as-text", DRAWN["image/png"], "must be text in UTF-8, but byte 0 is wrong"),
            ("latin-1", "aé".encode("latin-1"), "must be text in UTF-8, but byte 1 is wrong"),
            ("utf-16", "hello".encode("utf-16"), "must be text in UTF-8, but byte 0 is wrong"),
            ("nul", b"a\0b", "contains a NUL character"),
            ("half-a-pair", b"\xed\xa0\x80", "must be text in UTF-8"),
        ]
    },
}


@pytest.mark.parametrize(("url", "fragment"), NO_FILES.values(), ids=NO_FILES)
def test_no_file(url: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(HI, user([image(LINK), file(url)]))
    error = caught.value
    param = "messages[1].content[1].file.file_data"
    assert (error.status, error.param, error.code) == (400, param, "invalid_value")
    assert fragment in error.message
    assert f"'{param}'" in error.message
    assert len(error.message) < 400


def test_a_picture_as_a_file_is_told_where_it_belongs() -> None:
    with pytest.raises(
        InvalidRequest, match="a picture belongs into a part of the type 'image_url'"
    ):
        ask(user([file(PNG_URL)]))


# -- how much of them ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "head", "part"),
    [("image/png", DRAWN["image/png"], as_string), ("application/pdf", PDF, file)],
    ids=["a-picture", "a-file"],
)
def test_as_many_bytes_as_may_be(media_type: str, head: bytes, part: Callable[[str], Json]) -> None:
    whole = head.ljust(MAX_BYTES, b"\0")
    (taken,) = held(ask(user([part(data_url(media_type, whole))])).turn)
    assert isinstance(taken, Image | Document)
    assert taken.data == encoded(whole)
    with pytest.raises(InvalidRequest) as caught:
        ask(user([part(data_url(media_type, whole + b"\0"))]))
    assert str(caught.value.param).startswith("messages[0].content[0].")
    assert f"of {MAX_BYTES + 1} bytes; at most {MAX_BYTES} are taken" in caught.value.message


def shown(count: int) -> Json:
    return user([image(LINK)] * count)


# messages with one picture or file less than too many, and the last one that is too many
FULL: dict[str, list[Json]] = {
    "in-one-message": [shown(MAX_PARTS)],
    "in-several-messages": [shown(40), YO, shown(60), HI],
    "in-results": [
        *[HI, calling("c1", "c2"), result("c1", [image(LINK)] * 40)],
        *[user([tool_result("c2", [image(LINK)] * 60)])],
    ],
    "of-all-kinds": [
        user([image(PNG_URL), file(data_url("text/plain", b"a"))] * 30),
        *[calling("c1"), result("c1", [image(LINK), image(PNG_URL)] * 20), HI],
    ],
}


@pytest.mark.parametrize("messages", FULL.values(), ids=FULL)
def test_as_many_as_may_be(messages: list[Json]) -> None:
    assert len(held(ask(*messages).turn)) == MAX_PARTS
    with pytest.raises(InvalidRequest) as caught:
        ask(*messages, shown(1))
    assert (caught.value.param, caught.value.code) == ("messages", "invalid_value")
    assert "up to 100 pictures and files are taken, but there are 101." in caught.value.message


def test_calls_and_words_are_no_pictures() -> None:
    turn = ask(*[HI, calling("c1"), result("c1"), YO] * 101, shown(MAX_PARTS)).turn
    assert len(held(turn)) == MAX_PARTS


def test_a_url_of_a_million_parameters_takes_no_memory() -> None:
    body = json.dumps({"messages": [user([image("data:" + ";" * 1_000_000)])]}).encode()
    tracemalloc.start()
    try:
        with pytest.raises(InvalidRequest, match="must begin with https"):
            decode(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(body)


# -- whatever comes ------------------------------------------------------------------------------


def wound(raw: bytes, cut: int, at: int, put: bytes) -> bytes:
    """The bytes with some replaced, and an end of them cut off."""
    cut, at = cut % (len(raw) + 1), at % (len(raw) + 1)
    return (raw[:at] + put + raw[at + len(put) :])[: len(raw) - cut]


wounded = st.builds(
    wound,
    st.sampled_from(list(DRAWN.values())),
    st.just(0) | st.integers(0, 10_000),
    st.integers(0, 40),
    st.binary(max_size=4),
)


@steady
@given(st.sampled_from([*FORMS, "image/jpg"]), wounded | st.binary(max_size=60))
@example("image/png", b"")
def test_any_bytes_are_a_picture_or_a_fault(claimed: str, raw: bytes) -> None:
    try:
        (taken,) = held(ask(user([as_string(data_url(claimed, raw))])).turn)
    except InvalidRequest as error:
        assert error.param == "messages[0].content[0].image_url"
    else:
        assert taken == Image(media_type=claimed.replace("jpg", "jpeg"), data=encoded(raw))


urls = st.one_of(
    st.text(max_size=20),
    st.builds("https://{}".format, st.text(max_size=12)),
    st.builds(
        "data:{};base64,{}".format,
        st.sampled_from([*FORMS, "text/plain", "application/pdf", ""]) | st.text(max_size=6),
        st.sampled_from([PNG, encoded(PDF), "YQ=="]) | st.text("Aa0+/=- ", max_size=9),
    ),
)


@steady
@given(urls)
def test_any_url_is_what_it_was_or_a_fault(url: str) -> None:
    for part, inside in ((as_object(url), "image_url.url"), (file(url), "file.file_data")):
        try:
            (taken,) = held(ask(user([part])).turn)
        except InvalidRequest as error:
            assert error.param == f"messages[0].content[0].{inside}"
            assert error.code == "invalid_value"
            continue
        match taken:
            case LinkedImage(url=link) | LinkedDocument(url=link):
                assert link == url
                assert link.startswith("https://")
            case Image(media_type=media_type, data=data):
                assert (media_type, data) == ("image/png", PNG)
            case Document(media_type="text/plain", data=text):
                assert text
                assert url.lower().startswith(("data:text/", "data:application/"))
            case Document(data=data):
                assert data == encoded(PDF)
