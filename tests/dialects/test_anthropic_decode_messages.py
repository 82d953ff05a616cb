"""``messages`` and ``system`` → the conversation, or a fault that names its place."""

import json
from typing import Any

import pytest
from anthropic_bodies import (
    HI,
    PICTURE,
    PLACES,
    PRINTED,
    YO,
    Json,
    ask,
    assistant,
    base64,
    body,
    calling,
    document,
    image,
    plain,
    redacted,
    result,
    results,
    system,
    text,
    thinking,
    url,
    use,
    user,
    whole,
)
from openai_bodies import rows
from openai_media import DRAWN, PDF, claimed_png, encoded

from bridge.core.errors import InvalidRequest, UnsupportedParameter
from bridge.dialects.anthropic_messages import decode, decode_count

SAID, ANSWERED = ("user", "hi"), ("assistant", "yo")
CALLED = ("assistant", ("call", "c1", "look", {"a": 1}))
BOTH = ("assistant", ("call", "c1", "look", {"a": 1}), ("call", "c2", "look", {"a": 1}))
GIVEN = ("result", "c1", "done")
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}

WITHOUT_EFFECT = {
    "messages[].content[].citations",
    "messages[].content[].cache_control",
    "messages[].content[].content[].cache_control",
    "messages[].content[].source.content[].cache_control",
    "messages[].content[].content[].source.content[].cache_control",
}

TAKEN: dict[str, tuple[list[Any], list[tuple[Any, ...]]]] = {
    "a-string": ([user("hi")], [SAID]),
    "text-is-not-trimmed": ([user("  hi\n")], [("user", "  hi\n")]),
    "a-block": ([user([text("hi")])], [SAID]),
    "blocks-stay-apart": ([user([text("a"), text("b")])], [("user", "a", "b")]),
    "cache-control": ([user([text("hi", **CACHED)])], [SAID]),
    "citations-of-another-answer": (
        [HI, assistant([text("yo", citations=[{"type": "page_location"}])]), HI],
        [SAID, ANSWERED, SAID],
    ),
    "a-dialogue": ([HI, YO, user("so")], [SAID, ANSWERED, ("user", "so")]),
    "sides-that-speak-twice": ([HI, HI, YO, YO, HI], [SAID, SAID, ANSWERED, ANSWERED, SAID]),
    # -- roles -----------------------------------------------------------------------------------
    "a-system-message": ([HI, system("be brief")], [SAID, ("system", "be brief")]),
    "a-system-message-first": ([system("a"), HI], [("system", "a"), SAID]),
    "a-system-message-of-blocks": (
        [HI, YO, system([text("a", **CACHED), text(" "), text("b")]), HI],
        [SAID, ANSWERED, ("system", "a", "b"), SAID],
    ),
    "an-empty-system-message": ([HI, system(""), system([]), HI], [SAID, SAID]),
    # -- the assistant ---------------------------------------------------------------------------
    "an-empty-text-in-an-answer": (
        [HI, assistant([text(""), text("yo"), text("\n")]), HI],
        [SAID, ANSWERED, SAID],
    ),
    "an-empty-answer": ([HI, assistant(""), assistant([]), HI, assistant("")], [SAID, SAID]),
    "reasoning": (
        [HI, assistant([thinking(), redacted(), text("yo")]), HI],
        [SAID, ("assistant", ("thinking", "hm", "sig"), ("redacted", "secret"), "yo"), SAID],
    ),
    "reasoning-whose-words-are-left-out": (
        [HI, assistant([thinking(""), text("yo")]), HI],
        [SAID, ("assistant", ("thinking", "", "sig"), "yo"), SAID],
    ),
    "reasoning-between-calls": (
        [HI, assistant([use("c1"), thinking(), use("c2")]), results("c1", "c2")],
        [
            SAID,
            ("assistant", BOTH[1], ("thinking", "hm", "sig"), BOTH[2]),
            ("user", GIVEN, ("result", "c2", "done")),
        ],
    ),
    "reasoning-that-nothing-came-of": (
        [HI, assistant([thinking(), text(" ")]), HI, assistant([redacted()])],
        [SAID, SAID],
    ),
    # -- calls and results -----------------------------------------------------------------------
    "a-call": (
        [HI, calling("c1"), results("c1"), YO, HI],
        [SAID, CALLED, ("user", GIVEN), ANSWERED, SAID],
    ),
    "a-call-beside-words": (
        [HI, assistant([text("I look."), use("c1", arguments={}, caller={"type": "direct"})]), results("c1")],
        [SAID, ("assistant", "I look.", ("call", "c1", "look", {})), ("user", GIVEN)],
    ),
    "a-call-of-an-odd-name": (
        [HI, assistant([use("c1", "a b.c")]), results("c1")],
        [SAID, ("assistant", ("call", "c1", "a b.c", {"a": 1})), ("user", GIVEN)],
    ),
    "results-in-another-order": (
        [HI, calling("c1", "c2"), results("c2", "c1")],
        [SAID, BOTH, ("user", ("result", "c2", "done"), GIVEN)],
    ),
    "results-in-messages-of-their-own": (
        [HI, calling("c1", "c2"), results("c2"), results("c1")],
        [SAID, BOTH, ("user", ("result", "c2", "done")), ("user", GIVEN)],
    ),
    "words-before-a-result-come-after-it": (
        [HI, calling("c1"), user([text("so"), result("c1"), image(url("https://a/b"))])],
        [SAID, CALLED, ("user", GIVEN, "so", ("link", "https://a/b"))],
    ),
    "an-id-again-in-a-later-answer": (
        [HI, calling("c1"), results("c1"), calling("c1"), results("c1")],
        [SAID, CALLED, ("user", GIVEN), CALLED, ("user", GIVEN)],
    ),
    "a-failure": (
        [HI, calling("c1"), user([result("c1", is_error=True)])],
        [SAID, CALLED, ("user", ("error", "c1", "done"))],
    ),
    "no-failure": (
        [HI, calling("c1"), user([result("c1", is_error=None)])],
        [SAID, CALLED, ("user", GIVEN)],
    ),
    "results-of-nothing": (
        [
            *[HI, calling("c1", "c2", "c3", "c4")],
            user([result("c1", ""), result("c2", None), result("c3", [text("")]), {k: v for k, v in result("c4").items() if k != "content"}]),
        ],
        [
            SAID,
            ("assistant", *(("call", f"c{n}", "look", {"a": 1}) for n in range(1, 5))),
            ("user", *(("result", f"c{n}") for n in range(1, 5))),
        ],
    ),
    "a-result-of-blocks": (
        [HI, calling("c1"), user([result("c1", [text("a"), text(" "), image(url("https://a/b")), document(plain("x"))])])],
        [SAID, CALLED, ("user", ("result", "c1", "a", " ", ("link", "https://a/b"), ("file", "text/plain", "x", None)))],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "expected"), TAKEN.values(), ids=TAKEN)
def test_messages_are_taken(messages: list[Any], expected: list[tuple[Any, ...]]) -> None:
    asked = ask(*messages)
    assert rows(asked.turn) == expected
    assert set(asked.ignored) <= WITHOUT_EFFECT
    counted = decode_count(json.dumps({"messages": messages}).encode())
    assert counted.turn.messages == asked.turn.messages


SYSTEMS: dict[str, tuple[Any, list[str]]] = {
    "none": (None, []),
    "a-string": ("be brief", ["be brief"]),
    "not-trimmed": (" be brief\n", [" be brief\n"]),
    "empty": ("", []),
    "white-space": (" \n", []),
    "no-blocks": ([], []),
    "blocks": ([text("a", **CACHED), text(""), text("b")], ["a", "b"]),
}


@pytest.mark.parametrize(("told", "texts"), SYSTEMS.values(), ids=SYSTEMS)
def test_the_system_prompt(told: Any, texts: list[str]) -> None:
    assert list(ask(HI, system=told).turn.system) == texts


# -- pictures and documents ----------------------------------------------------------------------

NAMED = {"title": "A title", "context": "From a friend."}


def found(content: list[Json], title: str = "t", **fields: Any) -> Json:
    return {
        "type": "search_result",
        "source": "https://a/b",
        "title": title,
        "content": content,
        **fields,
    }


SHOWN: dict[str, tuple[Json, tuple[Any, ...]]] = {
    **{
        kind: (image(base64(kind, encoded(raw))), (kind, encoded(raw)))
        for kind, raw in DRAWN.items()
    },
    "a-linked-picture": (image(url("https://a/b.png?c#d")), ("link", "https://a/b.png?c#d")),
    "a-cached-picture": (image(PICTURE, **CACHED), ("image/png", PICTURE["data"])),
    "a-pdf": (document(PRINTED), ("file", "application/pdf", encoded(PDF), None)),
    "a-named-pdf": (
        document(PRINTED, **NAMED),
        ("file", "application/pdf", encoded(PDF), *NAMED.values()),
    ),
    "a-linked-pdf": (document(url("https://a/b")), ("linked file", "https://a/b", None)),
    "a-named-linked-pdf": (
        document(url("https://a/b"), **NAMED),
        ("linked file", "https://a/b", *NAMED.values()),
    ),
    "text": (document(plain(" é\n")), ("file", "text/plain", " é\n", None)),
    "named-text": (
        document(plain("x"), **NAMED),
        ("file", "text/plain", "x", *NAMED.values()),
    ),
    "text-without-its-type": (
        document({"type": "text", "data": "x"}),
        ("file", "text/plain", "x", None),
    ),
    "no-name": (
        document(plain("x"), title="", context=None, citations=None, **CACHED),
        ("file", "text/plain", "x", None),
    ),
    "citations": (
        document(plain("x"), citations={"enabled": True}, **NAMED),
        ("file", "text/plain", "x", *NAMED.values(), "cited"),
    ),
    "citations-of-a-linked-pdf": (
        document(url("https://a/b"), citations={"enabled": True}),
        ("linked file", "https://a/b", None, "cited"),
    ),
    "pieces": (
        document(
            {"type": "content", "content": [text("a", **CACHED), image(PICTURE)]},
            citations={"enabled": True},
        ),
        ("passages", ("a", ("image/png", PICTURE["data"])), None, "cited"),
    ),
    "one-piece": (
        document({"type": "content", "content": "a"}, title="t"),
        ("passages", ("a",), "t"),
    ),
    "something-found": (
        found([text("a"), text("b")], citations={"enabled": True}, **CACHED),
        ("found", "https://a/b", "t", "a", "b", "cited"),
    ),
    "something-found-and-not-cited": (
        found([text("a")]),
        ("found", "https://a/b", "t", "a"),
    ),
    "no-citations": (
        document(plain("x"), citations={"enabled": False}),
        ("file", "text/plain", "x", None),
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("block", "expected"), SHOWN.values(), ids=SHOWN)
def test_what_is_shown(block: Json, expected: tuple[Any, ...], place: str) -> None:
    put, _ = PLACES[place]
    asked = ask(*put(block))
    held = [part for row in rows(asked.turn) for part in row[1:]]
    assert expected in held or any(expected in part for part in held if part[0] == "result")
    assert set(asked.ignored) <= WITHOUT_EFFECT


# the block → where in it the fault is, its code, what is said of it
NOT_SHOWN: dict[str, tuple[Json, str, str, str]] = {
    "a-picture-without-source": ({"type": "image"}, ".source", "missing_required_parameter", "missing"),
    "a-source-as-a-string": (image("https://a/b"), ".source", "invalid_type", "an object"),
    "a-source-without-type": (image({"url": "https://a/b"}), ".source.type", "missing_required_parameter", "missing"),
    "a-picture-as-text": (image(plain("x")), ".source.type", "unsupported_parameter", "'text'"),
    "a-document-of-documents": (document({"type": "content", "content": [document(PRINTED)]}), ".source.content[0].type", "unsupported_parameter", "'document'"),
    "a-document-of-nothing": (document({"type": "content", "content": []}), ".source.content", "invalid_value", "empty"),
    "a-document-of-white-space": (document({"type": "content", "content": [text(" ")]}), ".source.content[0].text", "invalid_value", "white space"),
    "a-document-of-a-broken-picture": (document({"type": "content", "content": [image(base64("image/png", "AAAA"))]}), ".source.content[0].source.data", "invalid_value", "picture"),
    "something-found-that-says-nothing": (found([]), ".content", "invalid_value", "empty"),
    "something-found-without-a-title": (found([text("x")], title=" "), ".title", "invalid_value", "white space"),
    "a-picture-that-was-found": (found([image(PICTURE)]), ".content[0].type", "unsupported_parameter", "'image'"),
    "citations-as-a-word": (document(plain("x"), citations={"enabled": "yes"}), ".citations.enabled", "invalid_type", "a boolean"),
    "a-picture-of-another-type": (image(base64("image/bmp", "AAAA")), ".source.data", "invalid_value", "image/bmp"),
    "a-pdf-as-a-picture": (image(PRINTED), ".source.data", "invalid_value", "application/pdf"),
    "another-picture-than-it-says": (image(base64("image/gif", PICTURE["data"])), ".source.data", "invalid_value", "PNG"),
    "a-picture-that-is-not-base64": (image(base64("image/png", "äöü")), ".source.data", "invalid_value", "base64"),
    "a-data-url-as-base64": (image(base64("image/png", "data:image/png;base64,AA==")), ".source.data", "invalid_value", "base64"),
    "a-picture-of-no-bytes": (image(base64("image/png", "")), ".source.data", "invalid_value", "base64"),
    "a-picture-too-large": (image(base64("image/png", encoded(claimed_png(9_000, 1)))), ".source.data", "invalid_value", "9000x1"),
    "a-number-as-data": (image(base64("image/png", 5)), ".source.data", "invalid_type", "a string"),
    "a-type-left-out": (image({"type": "base64", "data": "AA=="}), ".source.media_type", "missing_required_parameter", "missing"),
    "a-link-without-tls": (image(url("http://a/b")), ".source.url", "invalid_value", "https://"),
    "a-link-to-a-file": (document(url("file:///etc/passwd")), ".source.url", "invalid_value", "https://"),
    "a-file-id": (image({"type": "file", "file_id": "file_1"}), ".source", "unsupported_parameter", "keeps no files"),
    "a-file-id-of-a-document": (document({"type": "file", "file_id": "file_1"}), ".source", "unsupported_parameter", "keeps no files"),
    "a-picture-as-a-document": (document(PICTURE), ".source.media_type", "invalid_value", "'image/png'"),
    "text-in-base64": (document(base64("text/plain", "AA==")), ".source.media_type", "invalid_value", "application/pdf"),
    "html-as-text": (document(plain("x", "text/html")), ".source.media_type", "invalid_value", "'text/plain'"),
    "bytes-that-are-no-pdf": (document(base64("application/pdf", "AAAA")), ".source.data", "invalid_value", "PDF"),
    "text-that-says-nothing": (document(plain(" \n")), ".source.data", "invalid_value", "white space"),
    "a-title-that-is-a-number": (document(plain("x"), title=5), ".title", "invalid_type", "a string"),
    "a-context-that-is-a-list": (document(plain("x"), context=[]), ".context", "invalid_type", "a string"),
    **{
        kind: ({"type": kind}, ".type", "unsupported_parameter", f"'{kind}'")
        for kind in ("tool_reference", "container_upload", "image_url", "tool_use", "thinking", "")
    },
    "a-block-without-type": ({"text": "x"}, ".type", "missing_required_parameter", "missing"),
    "a-type-that-is-a-number": ({"type": 5}, ".type", "invalid_type", "a string"),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("block", "where", "code", "told"), NOT_SHOWN.values(), ids=NOT_SHOWN)
def test_what_is_not_shown(block: Json, where: str, code: str, told: str, place: str) -> None:
    put, path = PLACES[place]
    refused(whole(*put(block)), path + where, code, told)


def refused(request: Json, param: str, code: str, told: str = "") -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(json.dumps(request).encode())
    assert (caught.value.param, caught.value.code) == (param, code)
    assert param in caught.value.message
    assert told in caught.value.message


@pytest.mark.parametrize(
    "place", ["alone", "in-a-result"], ids=["in-messages", "in-results-as-well"]
)
def test_a_hundred_pictures_are_taken_and_no_more(place: str) -> None:
    some = [image(url("https://a/b"))] * 49 + [document(plain("x"))]
    put = [user(some), YO] + (
        [user(some)] if place == "alone" else [HI, calling("c1"), user([result("c1", some)])]
    )
    ask(*put)
    with pytest.raises(InvalidRequest, match="there are 101") as caught:
        ask(*put, user([image({"type": "file", "file_id": "counted before it is looked at"})]))
    assert caught.value.param == "messages"


# -- what is not to be had -----------------------------------------------------------------------

LATER = [HI, YO, HI]
FAULTY: dict[str, tuple[Any, str, str]] = {
    # messages → the place of the fault, its code
    "no-messages": ([], "messages", "empty_array"),
    "a-string": ("hi", "messages", "invalid_type"),
    "an-object": (HI, "messages", "invalid_type"),
    "null": (None, "messages", "invalid_type"),
    "a-message-as-a-string": (["hi"], "messages[0]", "invalid_type"),
    "no-role": ([{"content": "hi"}], "messages[0].role", "missing_required_parameter"),
    "another-role": ([HI, {"role": "tool", "content": "x"}], "messages[1].role", "invalid_value"),
    "no-content": ([{"role": "user"}], "messages[0].content", "missing_required_parameter"),
    **{
        f"{name}-as-content": ([HI, user(content)], "messages[1].content", "invalid_type")
        for name, content in {"null": None, "a-number": 5, "a-block": text("hi"), "true": True}.items()
    },
    "null-of-the-assistant": ([HI, assistant(None), HI], "messages[1].content", "invalid_type"),
    "null-of-the-system": ([system(None), HI], "messages[0].content", "invalid_type"),
    "a-string-as-a-block": ([user(["hi"])], "messages[0].content[0]", "invalid_type"),
    "a-number-as-text": ([user([text(5)])], "messages[0].content[0].text", "invalid_type"),
    "null-as-text": ([user([text(None)])], "messages[0].content[0].text", "invalid_type"),
    "a-text-left-out": ([user([{"type": "text"}])], "messages[0].content[0].text", "missing_required_parameter"),
    "a-nul": ([HI, user("a\0b")], "messages[1].content", "invalid_value"),
    "half-of-a-pair": ([user([text("\ud800")])], "messages[0].content[0].text", "invalid_value"),
    "an-empty-string": ([HI, user("")], "messages[1].content", "invalid_value"),
    "white-space": ([user(" \n\t")], "messages[0].content", "invalid_value"),
    "an-empty-text": ([user([text("a"), text("")])], "messages[0].content[1].text", "invalid_value"),
    "no-blocks": ([HI, user([])], "messages[1].content", "invalid_value"),
    "a-picture-of-the-assistant": ([HI, assistant([image(PICTURE)]), HI], "messages[1].content[0].type", "unsupported_parameter"),
    "a-result-of-the-assistant": ([HI, assistant([result("c1")]), HI], "messages[1].content[0].type", "unsupported_parameter"),
    **{
        f"{kind}-in-an-answer": ([HI, assistant([{"type": kind}]), HI], "messages[1].content[0].type", "unsupported_parameter")
        for kind in ("server_tool_use", "web_search_tool_result", "code_execution_tool_result", "mcp_tool_use", "compaction")
    },
    "a-picture-of-the-system": ([system([image(PICTURE)]), HI], "messages[0].content[0].type", "unsupported_parameter"),
    "a-signature-left-out": ([HI, assistant([{"type": "thinking", "thinking": "hm"}]), HI], "messages[1].content[0].signature", "missing_required_parameter"),
    "data-that-are-a-number": ([HI, assistant([redacted(5)]), HI], "messages[1].content[0].data", "invalid_type"),
    # -- order -----------------------------------------------------------------------------------
    "the-assistant-first": ([YO, HI], "messages[0]", "invalid_value"),
    "nothing-that-says-anything": ([assistant(""), system("")], "messages[0]", "invalid_value"),
    "the-assistant-last": ([HI, YO], "messages[1]", "invalid_value"),
    "an-answer-begun-for-the-model": ([*LATER, assistant([text("{")])], "messages[3]", "invalid_value"),
    # -- calls and results -----------------------------------------------------------------------
    "arguments-as-a-string": ([HI, assistant([use("c1", arguments="{}")]), results("c1")], "messages[1].content[0].input", "invalid_type"),
    "arguments-that-are-null": ([HI, assistant([{**use("c1"), "input": None}]), results("c1")], "messages[1].content[0].input", "invalid_type"),
    "a-number-as-an-id": ([HI, assistant([use(1)]), results("c1")], "messages[1].content[0].id", "invalid_type"),
    "a-name-left-out": ([HI, assistant([{"type": "tool_use", "id": "c1", "input": {}}]), HI], "messages[1].content[0].name", "missing_required_parameter"),
    "an-id-twice-in-an-answer": ([HI, calling("c1", "c1"), results("c1")], "messages[1].content[1].id", "invalid_value"),
    "an-id-twice-in-two-answers": ([HI, calling("c1"), calling("c1"), results("c1")], "messages[2]", "missing_tool_result"),
    "no-result-at-the-end": ([HI, calling("c1")], "messages[1]", "missing_tool_result"),
    "no-result-before-words": ([HI, calling("c1"), HI], "messages[2]", "missing_tool_result"),
    "no-result-before-blocks": ([HI, calling("c1"), user([text("so")])], "messages[2]", "missing_tool_result"),
    "no-result-before-the-system": ([HI, calling("c1"), system("so"), results("c1")], "messages[2]", "missing_tool_result"),
    "no-result-before-an-answer": ([HI, calling("c1"), YO, HI], "messages[2]", "missing_tool_result"),
    "a-result-too-few": ([HI, calling("c1", "c2"), user([result("c1"), text("so")])], "messages[2]", "missing_tool_result"),
    "a-result-too-few-at-the-end": ([HI, calling("c1", "c2"), results("c2")], "messages[2]", "missing_tool_result"),
    "a-result-twice": ([HI, calling("c1"), results("c1", "c1")], "messages[2].content[1].tool_use_id", "invalid_value"),
    "a-result-twice-in-two-messages": ([HI, calling("c1"), results("c1"), results("c1")], "messages[3].content[0].tool_use_id", "invalid_value"),
    "a-result-of-no-call": ([user([text("a"), result("c1")])], "messages[0].content[1].tool_use_id", "invalid_value"),
    "a-result-of-another-call": ([HI, calling("c1"), results("c2")], "messages[2].content[0].tool_use_id", "invalid_value"),
    "a-result-too-late": ([HI, calling("c1"), results("c1"), YO, results("c1")], "messages[4].content[0].tool_use_id", "invalid_value"),
    "a-result-without-an-id": ([HI, calling("c1"), user([{"type": "tool_result", "content": "x"}])], "messages[2].content[0].tool_use_id", "missing_required_parameter"),
    "a-result-that-is-a-number": ([HI, calling("c1"), user([result("c1", 5)])], "messages[2].content[0].content", "invalid_type"),
    "a-result-that-is-an-object": ([HI, calling("c1"), user([result("c1", {"a": 1})])], "messages[2].content[0].content", "invalid_type"),
    "a-failure-in-words": ([HI, calling("c1"), user([result("c1", is_error="true")])], "messages[2].content[0].is_error", "invalid_type"),
    "a-failure-with-a-picture": ([HI, calling("c1"), user([result("c1", [text("no"), image(PICTURE)], is_error=True)])], "messages[2].content[0].content", "invalid_value"),
    "a-result-in-a-result": ([HI, calling("c1"), user([result("c1", [result("c1")])])], "messages[2].content[0].content[0].type", "unsupported_parameter"),
}  # fmt: skip


@pytest.mark.parametrize(("messages", "param", "code"), FAULTY.values(), ids=FAULTY)
def test_messages_are_refused(messages: Any, param: str, code: str) -> None:
    request = {"max_tokens": 1, "messages": messages}
    refused(request, param, code)
    with pytest.raises(InvalidRequest) as caught:
        decode_count(json.dumps({"messages": messages}).encode())
    assert (caught.value.param, caught.value.code) == (param, code)


def test_the_calls_without_a_result_are_named() -> None:
    with pytest.raises(InvalidRequest, match="c1, c3"):
        ask(HI, calling("c1", "c2", "c3"), results("c2"))


SYSTEM_FAULTS: dict[str, tuple[Any, str, str]] = {
    "a-number": (5, "system", "invalid_type"),
    "an-object": (text("a"), "system", "invalid_type"),
    "a-string-in-a-list": (["a"], "system[0]", "invalid_type"),
    "a-picture": ([image(PICTURE)], "system[0].type", "unsupported_parameter"),
    "a-text-left-out": ([text("a"), {"type": "text"}], "system[1].text", "missing_required_parameter"),
    "a-nul": ("a\0", "system", "invalid_value"),
}  # fmt: skip


@pytest.mark.parametrize(("told", "param", "code"), SYSTEM_FAULTS.values(), ids=SYSTEM_FAULTS)
def test_a_system_prompt_is_refused(told: Any, param: str, code: str) -> None:
    refused(whole(HI, system=told), param, code)


# -- sessions ------------------------------------------------------------------------------------

CONTINUED: dict[str, tuple[list[Any], list[tuple[Any, ...]]]] = {
    "a-result-of-the-sessions-call": ([results("c9")], [("user", ("result", "c9", "done"))]),
    "results-and-words": (
        [user([text("so"), result("c9")])],
        [("user", ("result", "c9", "done"), "so")],
    ),
    "an-answer-first": ([YO, HI], [ANSWERED, SAID]),
    "words": ([HI], [SAID]),
}


@pytest.mark.parametrize(("messages", "expected"), CONTINUED.values(), ids=CONTINUED)
def test_a_session_is_gone_on_with(messages: list[Any], expected: list[tuple[Any, ...]]) -> None:
    by_header = decode(body(*messages), session="s").turn
    by_body = ask(*messages, session_id="s").turn
    assert rows(by_header) == rows(by_body) == expected
    assert by_header.session == by_body.session == "s"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([results("c9", "c9")], "messages[0].content[1].tool_use_id"),
        ([results("")], "messages[0].content[0].tool_use_id"),
        ([YO, results("c9")], "messages[1].content[0].tool_use_id"),
        ([HI, YO], "messages[1]"),
    ],
)
def test_not_everything_goes_on_with_a_session(messages: list[Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body(*messages), session="s")
    assert caught.value.param == param


def test_a_request_is_of_one_session() -> None:
    assert decode(body(HI, session_id="s"), session="s").turn.session == "s"
    with pytest.raises(InvalidRequest) as caught:
        decode(body(HI, session_id="other"), session="s")
    assert caught.value.param == "session_id"


def test_an_unsupported_source_is_told_as_such() -> None:
    with pytest.raises(UnsupportedParameter):
        ask(user([image({"type": "file", "file_id": "f"})]))
