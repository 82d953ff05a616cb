"""``messages`` → the system prompt and the conversation, or a fault that names its place."""

import json
from typing import Any

import pytest
from openai_bodies import (
    HI,
    YO,
    ask,
    assistant,
    body,
    calling,
    developer,
    function,
    image,
    legacy,
    refusal,
    result,
    rows,
    system,
    text,
    thinking,
    user,
)

from bridge.core.conversation import ToolCall
from bridge.core.errors import InvalidRequest
from bridge.dialects.openai_chat import decode

CALL_1 = ("call", "c1", "look", {"a": 1})
CALL_2 = ("call", "c2", "look", {"a": 1})
SAID = ("user", "hi")
LINK = "https://example.com/a.png?b=c#d"

# messages → the system prompt's texts, the conversation
TAKEN: dict[str, tuple[list[Any], list[str], list[tuple[Any, ...]]]] = {
    "a-string": ([user("hi")], [], [("user", "hi")]),
    "text-is-not-trimmed": ([user("  hi\n")], [], [("user", "  hi\n")]),
    "a-part": ([user([text("hi")])], [], [("user", "hi")]),
    "parts-stay-apart": ([user([text("a"), text("b")])], [], [("user", "a", "b")]),
    "empty-parts-are-left-out": (
        [user([text(""), text("a"), text(" \n")])],
        [],
        [("user", "a")],
    ),
    "unknown-fields-of-a-part": (
        [user([{**text("a"), "cache_control": {"type": "ephemeral"}}])],
        [],
        [("user", "a")],
    ),
    "names-are-taken": (
        [{**HI, "name": "ann"}, {**YO, "name": None}, HI],
        [],
        [SAID, ("assistant", "yo"), SAID],
    ),
    "a-dialogue": ([HI, YO, user("so")], [], [SAID, ("assistant", "yo"), ("user", "so")]),
    # -- system ----------------------------------------------------------------------------------
    "system": ([system("be brief"), HI], ["be brief"], [SAID]),
    "developer": ([developer("be brief"), HI], ["be brief"], [SAID]),
    "several-system-messages-in-order": (
        [system("a"), developer("b"), system([text("c"), text("d")]), HI],
        ["a", "b", "c", "d"],
        [SAID],
    ),
    "an-empty-system-message": ([system(""), system([]), system([text("")]), HI], [], [SAID]),
    "a-later-system-message-keeps-its-place": (
        [system("a"), HI, system("b"), YO, developer([text("c"), text("")]), HI],
        ["a"],
        [SAID, ("system", "b"), ("assistant", "yo"), ("system", "c"), SAID],
    ),
    "a-later-system-message-may-be-last": (
        [HI, YO, system("now answer")],
        [],
        [SAID, ("assistant", "yo"), ("system", "now answer")],
    ),
    "a-later-system-message-that-is-empty": ([HI, system(" "), HI], [], [SAID, SAID]),
    # -- doubled and empty messages --------------------------------------------------------------
    "doubled-user-messages": ([HI, HI], [], [SAID, SAID]),
    "doubled-assistant-messages": (
        [HI, YO, YO, HI],
        [],
        [SAID, ("assistant", "yo"), ("assistant", "yo"), SAID],
    ),
    "doubled-messages-of-every-role": (
        [system("a"), system("a"), HI, user("so"), system("b"), developer("b"), YO, YO, HI],
        ["a", "a"],
        [
            *[SAID, ("user", "so"), ("system", "b"), ("system", "b")],
            *[("assistant", "yo"), ("assistant", "yo"), SAID],
        ],
    ),
    "an-empty-user-message": ([user(""), HI, user([]), user(" \t\n")], [], [SAID]),
    # -- null ------------------------------------------------------------------------------------
    "null-of-the-system": ([system(None), developer(None), HI, system(None)], [], [SAID]),
    "null-of-the-user": ([user(None), HI, user(None)], [], [SAID]),
    "null-of-the-assistant": ([HI, assistant(None), HI], [], [SAID, SAID]),
    "null-of-a-tool": (
        [HI, calling("c1"), result("c1", None)],
        [],
        [SAID, ("assistant", CALL_1), ("user", ("result", "c1"))],
    ),
    "null-of-a-function": (
        [HI, legacy(), function(content=None)],
        [],
        [
            SAID,
            ("assistant", ("call", "call_legacy_1", "look", {"a": 1})),
            ("user", ("result", "call_legacy_1")),
        ],
    ),
    "null-as-the-text-of-parts": (
        [
            *[system([text(None), text("a")]), user([text(None), text("hi")])],
            *[assistant([text(None), text("yo")]), calling("c1"), result("c1", [text(None)])],
        ],
        ["a"],
        [SAID, ("assistant", "yo"), ("assistant", CALL_1), ("user", ("result", "c1"))],
    ),
    "an-empty-assistant-message": (
        [HI, assistant(""), assistant(None), assistant([]), {"role": "assistant"}, HI],
        [],
        [SAID, SAID],
    ),
    "an-empty-assistant-message-first": ([assistant(""), HI], [], [SAID]),
    # an answer that came out empty is sent back by chat interfaces
    "an-empty-assistant-message-last": ([HI, assistant("")], [], [SAID]),
    # -- assistant -------------------------------------------------------------------------------
    "assistant-parts": (
        [HI, assistant([text("a"), text(""), text("b")]), HI],
        [],
        [SAID, ("assistant", "a", "b"), SAID],
    ),
    "a-refusal-field": (
        [HI, {"role": "assistant", "refusal": "I can't"}, HI],
        [],
        [SAID, ("assistant", "I can't"), SAID],
    ),
    "a-refusal-beside-words": (
        [HI, {"role": "assistant", "content": "Well:", "refusal": "I can't"}, HI],
        [],
        [SAID, ("assistant", "Well:", "I can't"), SAID],
    ),
    "a-refusal-part": (
        [HI, assistant([text("Well:"), refusal("I can't"), refusal("")]), HI],
        [],
        [SAID, ("assistant", "Well:", "I can't"), SAID],
    ),
    "an-answer-as-we-send-it": (
        [
            HI,
            {"role": "assistant", "content": "yo", "refusal": None, "reasoning_content": "hm"},
            HI,
        ],
        [],
        [SAID, ("assistant", "yo"), SAID],
    ),
    "an-answer-as-the-sdk-dumps-it": (
        [
            HI,
            {
                "role": "assistant",
                "content": "yo",
                "refusal": None,
                "annotations": None,
                "audio": None,
                "function_call": None,
                "tool_calls": None,
            },
            HI,
        ],
        [],
        [SAID, ("assistant", "yo"), SAID],
    ),
    # -- tool calls ------------------------------------------------------------------------------
    "a-call": (
        [HI, calling("c1"), result("c1")],
        [],
        [SAID, ("assistant", CALL_1), ("user", ("result", "c1", "done"))],
    ),
    "words-before-a-call": (
        [HI, calling("c1", content="I look."), result("c1"), HI],
        [],
        [SAID, ("assistant", "I look.", CALL_1), ("user", ("result", "c1", "done")), SAID],
    ),
    "empty-words-before-a-call": (
        [HI, calling("c1", content=""), result("c1")],
        [],
        [SAID, ("assistant", CALL_1), ("user", ("result", "c1", "done"))],
    ),
    "results-in-the-order-of-the-calls": (
        [HI, calling("c1", "c2"), result("c1", "one"), result("c2", "two")],
        [],
        [
            SAID,
            ("assistant", CALL_1, CALL_2),
            ("user", ("result", "c1", "one")),
            ("user", ("result", "c2", "two")),
        ],
    ),
    "results-in-another-order": (
        [HI, calling("c1", "c2"), result("c2", "two"), result("c1", "one")],
        [],
        [
            SAID,
            ("assistant", CALL_1, CALL_2),
            ("user", ("result", "c2", "two")),
            ("user", ("result", "c1", "one")),
        ],
    ),
    "calls-after-calls": (
        [HI, calling("c1"), result("c1"), calling("c2"), result("c2"), YO, HI],
        [],
        [
            SAID,
            ("assistant", CALL_1),
            ("user", ("result", "c1", "done")),
            ("assistant", CALL_2),
            ("user", ("result", "c2", "done")),
            ("assistant", "yo"),
            SAID,
        ],
    ),
    "a-call-without-a-type": (
        [
            HI,
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": '{"a":1}'}}],
            },
            result("c1"),
        ],
        [],
        [SAID, ("assistant", CALL_1), ("user", ("result", "c1", "done"))],
    ),
    "no-calls": (
        [HI, {**YO, "tool_calls": []}, {**YO, "tool_calls": None, "function_call": None}, HI],
        [],
        [SAID, ("assistant", "yo"), ("assistant", "yo"), SAID],
    ),
    "empty-arguments": (
        [HI, calling("c1", arguments=""), result("c1")],
        [],
        [SAID, ("assistant", ("call", "c1", "look", {})), ("user", ("result", "c1", "done"))],
    ),
    "blank-arguments": (
        [HI, calling("c1", arguments=" \n"), result("c1")],
        [],
        [SAID, ("assistant", ("call", "c1", "look", {})), ("user", ("result", "c1", "done"))],
    ),
    "arguments-are-decoded": (
        [HI, calling("c1", arguments='{"é": ["\\ud83d\\ude00", 1.5, null, {}]}'), result("c1")],
        [],
        [
            SAID,
            ("assistant", ("call", "c1", "look", {"é": ["\U0001f600", 1.5, None, {}]})),
            ("user", ("result", "c1", "done")),
        ],
    ),
    "a-result-in-parts": (
        [HI, calling("c1"), result("c1", [text("a"), text(""), text("b")])],
        [],
        [SAID, ("assistant", CALL_1), ("user", ("result", "c1", "a", "b"))],
    ),
    "an-empty-result-is-a-result": (
        [HI, calling("c1"), result("c1", "")],
        [],
        [SAID, ("assistant", CALL_1), ("user", ("result", "c1"))],
    ),
    "a-result-without-parts": (
        [HI, calling("c1"), result("c1", [])],
        [],
        [SAID, ("assistant", CALL_1), ("user", ("result", "c1"))],
    ),
    "a-result-that-tells-of-a-failure": (
        [HI, calling("c1"), {**result("c1", "no such file"), "is_error": True}],
        [],
        [SAID, ("assistant", CALL_1), ("user", ("error", "c1", "no such file"))],
    ),
    "a-result-that-tells-of-none": (
        [
            HI,
            calling("c1", "c2"),
            {**result("c1"), "is_error": False},
            {**result("c2"), "is_error": None},
        ],
        [],
        [
            SAID,
            ("assistant", CALL_1, CALL_2),
            ("user", ("result", "c1", "done")),
            ("user", ("result", "c2", "done")),
        ],
    ),
    "the-ids-of-earlier-calls-may-come-again": (
        [HI, calling("c1"), result("c1"), calling("c1"), result("c1", "again")],
        [],
        [
            SAID,
            ("assistant", CALL_1),
            ("user", ("result", "c1", "done")),
            ("assistant", CALL_1),
            ("user", ("result", "c1", "again")),
        ],
    ),
    # -- the older form --------------------------------------------------------------------------
    "a-function-call": (
        [HI, legacy(), function()],
        [],
        [
            SAID,
            ("assistant", ("call", "call_legacy_1", "look", {"a": 1})),
            ("user", ("result", "call_legacy_1", "done")),
        ],
    ),
    "function-calls-get-ids-of-their-own": (
        [HI, legacy(arguments=""), function(content=None), legacy("find"), function("find")],
        [],
        [
            SAID,
            ("assistant", ("call", "call_legacy_1", "look", {})),
            ("user", ("result", "call_legacy_1")),
            ("assistant", ("call", "call_legacy_2", "find", {"a": 1})),
            ("user", ("result", "call_legacy_2", "done")),
        ],
    ),
    "a-client's-id-that-looks-like-ours": (
        [
            HI,
            {**calling("call_legacy_1"), **legacy("find")},
            result("call_legacy_1", "one"),
            function("find", "two"),
        ],
        [],
        [
            SAID,
            (
                "assistant",
                ("call", "call_legacy_1", "look", {"a": 1}),
                ("call", "call_legacy_2", "find", {"a": 1}),
            ),
            ("user", ("result", "call_legacy_1", "one")),
            ("user", ("result", "call_legacy_2", "two")),
        ],
    ),
    "a-function-message-answers-a-tool-call": (
        [HI, calling("c1"), function()],
        [],
        [SAID, ("assistant", CALL_1), ("user", ("result", "c1", "done"))],
    ),
    "function-messages-answer-calls-of-one-name-in-order": (
        [HI, calling("c1", "c2"), function(content="one"), function(content="two")],
        [],
        [
            SAID,
            ("assistant", CALL_1, CALL_2),
            ("user", ("result", "c1", "one")),
            ("user", ("result", "c2", "two")),
        ],
    ),
}


@pytest.mark.parametrize(("messages", "prompt", "conversation"), TAKEN.values(), ids=TAKEN)
def test_a_conversation(
    messages: list[Any], prompt: list[str], conversation: list[tuple[Any, ...]]
) -> None:
    turn = ask(*messages).turn
    assert list(turn.system) == prompt
    assert rows(turn) == conversation


TWICE = calling("c1", "c1")
IMAGE = image(LINK)


ARGUMENTS = "messages[1].tool_calls[0].function.arguments"

# messages → param, code, a piece of the message
REFUSED: dict[str, tuple[Any, str, str, str]] = {
    # -- the list --------------------------------------------------------------------------------
    "empty": ([], "messages", "empty_array", "at least one message"),
    "null": (None, "messages", "invalid_type", "expected an array, but got null"),
    "a-string": ("abc", "messages", "invalid_type", "expected an array, but got a string"),
    "an-object": ({"0": HI}, "messages", "invalid_type", "expected an array, but got an object"),
    "a-message-is-a-string": (["hi"], "messages[0]", "invalid_type", "expected an object"),
    "a-message-is-null": ([HI, None], "messages[1]", "invalid_type", "expected an object"),
    "a-message-is-a-list": ([[HI]], "messages[0]", "invalid_type", "but got an array"),
    # -- roles -----------------------------------------------------------------------------------
    "no-role": ([{"content": "hi"}], "messages[0].role", "missing_required_parameter", "missing"),
    "role-null": ([{**HI, "role": None}], "messages[0].role", "invalid_type", "got null"),
    "role-a-list": ([{**HI, "role": ["user"]}], "messages[0].role", "invalid_type", "an array"),
    "an-unknown-role": (
        [HI, {**HI, "role": "bot"}],
        "messages[1].role",
        "invalid_value",
        "'bot'. Known are 'system', 'developer', 'user', 'assistant', 'tool', 'function'",
    ),
    "a-role-in-capitals": ([{**HI, "role": "User"}], "messages[0].role", "invalid_value", "'User'"),
    "a-role-with-nul": ([{**HI, "role": "us\0er"}], "messages[0].role", "invalid_value", "NUL"),
    # -- content ---------------------------------------------------------------------------------
    "no-content": (
        [{"role": "user"}],
        "messages[0].content",
        "missing_required_parameter",
        "missing",
    ),
    "no-content-of-the-system": (
        [{"role": "system"}, HI],
        "messages[0].content",
        "missing_required_parameter",
        "missing",
    ),
    "content-a-number": (
        [user(5)],
        "messages[0].content",
        "invalid_type",
        "expected a string or an array of content parts, but got an integer",
    ),
    "content-a-boolean": ([user(True)], "messages[0].content", "invalid_type", "a boolean"),
    "content-a-part": ([user(text("hi"))], "messages[0].content", "invalid_type", "an object"),
    "content-a-number-of-the-assistant": (
        [HI, assistant(5), HI],
        "messages[1].content",
        "invalid_type",
        "an integer",
    ),
    "a-part-is-a-string": ([user(["hi"])], "messages[0].content[0]", "invalid_type", "an object"),
    "a-part-is-null": (
        [user([text("a"), None])],
        "messages[0].content[1]",
        "invalid_type",
        "got null",
    ),
    "a-part-without-a-type": (
        [user([{"text": "hi"}])],
        "messages[0].content[0].type",
        "missing_required_parameter",
        "missing",
    ),
    "a-part-without-its-text": (
        [user([{"type": "text"}])],
        "messages[0].content[0].text",
        "missing_required_parameter",
        "missing",
    ),
    "a-part-with-a-number": (
        [user([text(5)])],
        "messages[0].content[0].text",
        "invalid_type",
        "a string",
    ),
    "input-audio": (
        [
            user(
                [
                    text("hear"),
                    {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
                ]
            )
        ],
        "messages[0].content[1].type",
        "unsupported_parameter",
        "'input_audio'. Known are 'text', 'image_url', 'file', 'image', 'document', 'search_result', 'tool_result'.",
    ),
    "input-audio-of-a-tool": (
        [HI, calling("c1"), result("c1", [{"type": "input_audio", "input_audio": {}}])],
        "messages[2].content[0].type",
        "unsupported_parameter",
        "'input_audio'. Known are 'text', 'image_url', 'file', 'image', 'document', 'search_result'.",
    ),
    "a-picture-in-anthropic's-form-without-tls": (
        [user([{"type": "image", "source": {"type": "url", "url": "http://a/b"}}])],
        "messages[0].content[0].source.url",
        "invalid_value",
        "https://",
    ),
    "spoken-words-of-the-assistant": (
        [HI, {**YO, "audio": {"id": "audio_1"}}, HI],
        "messages[1].audio",
        "unsupported_parameter",
        "keeps no spoken answers",
    ),
    "nothing-but-spoken-words": (
        [HI, {"role": "assistant", "audio": {"id": "audio_1"}}, HI],
        "messages[1].audio",
        "unsupported_parameter",
        "keeps no spoken answers",
    ),
    "spoken-words-a-string": (
        [HI, {**YO, "audio": "audio_1"}, HI],
        "messages[1].audio",
        "invalid_type",
        "expected an object",
    ),
    "an-image-of-the-system": (
        [system([IMAGE]), HI],
        "messages[0].content[0].type",
        "unsupported_parameter",
        "can hold text alone: 'image_url'. Known are 'text'.",
    ),
    "a-file-of-a-later-system": (
        [HI, developer([text("a"), {"type": "file", "file": {}}])],
        "messages[1].content[1].type",
        "unsupported_parameter",
        "can hold text alone: 'file'",
    ),
    "is-error-a-number": (
        [HI, calling("c1"), {**result("c1"), "is_error": 1}],
        "messages[2].is_error",
        "invalid_type",
        "expected a boolean",
    ),
    "is-error-a-word": (
        [HI, calling("c1"), {**result("c1"), "is_error": "true"}],
        "messages[2].is_error",
        "invalid_type",
        "expected a boolean",
    ),
    "a-failure-with-an-image": (
        [HI, calling("c1"), {**result("c1", [IMAGE]), "is_error": True}],
        "messages[2].content",
        "invalid_value",
        "nothing but text",
    ),
    "an-image-of-the-assistant": (
        [HI, assistant([IMAGE]), HI],
        "messages[1].content[0].type",
        "unsupported_parameter",
        "'image_url'. Known are 'text', 'refusal', 'tool_use', 'thinking', 'redacted_thinking'.",
    ),
    "a-refusal-of-the-user": (
        [user([refusal("no")])],
        "messages[0].content[0].type",
        "unsupported_parameter",
        "'refusal'",
    ),
    "a-refusal-part-without-words": (
        [HI, assistant([{"type": "refusal", "text": "no"}]), HI],
        "messages[1].content[0].refusal",
        "missing_required_parameter",
        "missing",
    ),
    "refusal-a-number": (
        [HI, {**YO, "refusal": 5}, HI],
        "messages[1].refusal",
        "invalid_type",
        "a string",
    ),
    "nul": ([user("a\0b")], "messages[0].content", "invalid_value", "NUL"),
    "nul-in-a-part": (
        [user([text("a"), text("\0")])],
        "messages[0].content[1].text",
        "invalid_value",
        "NUL",
    ),
    "nul-in-the-system-prompt": (
        [system("\0"), HI],
        "messages[0].content",
        "invalid_value",
        "NUL",
    ),
    "half-a-surrogate-pair": (
        [user("ok \ud83d")],
        "messages[0].content",
        "invalid_value",
        "at character 3",
    ),
    "the-other-half": (
        [HI, assistant([text("\ude00")]), HI],
        "messages[1].content[0].text",
        "invalid_value",
        "surrogate pair",
    ),
    # -- who speaks when -------------------------------------------------------------------------
    "only-a-system-message": ([system("be brief")], "messages", "invalid_value", "of the user"),
    "only-null": ([user(None)], "messages", "invalid_value", "says something"),
    "only-thoughts-before-the-user": (
        [assistant([thinking()]), user(None)],
        "messages",
        "invalid_value",
        "says something",
    ),
    "only-empty-messages": (
        [user(""), assistant("")],
        "messages",
        "invalid_value",
        "says something",
    ),
    "the-assistant-first": (
        [YO, HI],
        "messages",
        "invalid_value",
        "before the first one of the assistant",
    ),
    "the-assistant-first-after-the-system": (
        [system("a"), YO, HI],
        "messages",
        "invalid_value",
        "before the first one",
    ),
    "the-assistant-first-after-an-empty-message": (
        [user(" "), YO, HI],
        "messages",
        "invalid_value",
        "before the first one",
    ),
    "prefill": ([HI, YO], "messages[1]", "invalid_value", "prefill"),
    "prefill-after-the-system": (
        [system("a"), HI, YO, HI, YO],
        "messages[4]",
        "invalid_value",
        "prefill",
    ),
    "prefill-with-a-refusal": (
        [HI, {"role": "assistant", "refusal": "no"}],
        "messages[1]",
        "invalid_value",
        "prefill",
    ),
    "prefill-and-an-empty-message": (
        [HI, YO, user("")],
        "messages[2]",
        "invalid_value",
        "prefill",
    ),
    # -- calls and their results -----------------------------------------------------------------
    "a-call-without-a-result": (
        [HI, calling("c1")],
        "messages[1]",
        "missing_tool_result",
        "c1",
    ),
    "a-user-message-before-the-result": (
        [HI, calling("c1"), HI, result("c1")],
        "messages[2]",
        "missing_tool_result",
        "c1",
    ),
    "an-empty-user-message-before-the-result": (
        [HI, calling("c1"), user(""), result("c1")],
        "messages[2]",
        "missing_tool_result",
        "c1",
    ),
    "a-system-message-before-the-result": (
        [HI, calling("c1"), system("x"), result("c1")],
        "messages[2]",
        "missing_tool_result",
        "c1",
    ),
    "an-assistant-message-before-the-result": (
        [HI, calling("c1"), YO, result("c1")],
        "messages[2]",
        "missing_tool_result",
        "c1",
    ),
    "one-of-two-results": (
        [HI, calling("c1", "c2"), result("c2"), HI],
        "messages[3]",
        "missing_tool_result",
        "before it: c1.",
    ),
    "one-of-two-results-at-the-end": (
        [HI, calling("c1", "c2"), result("c1")],
        "messages[2]",
        "missing_tool_result",
        "before it: c2.",
    ),
    "none-of-two-results": (
        [HI, calling("c1", "c2"), HI],
        "messages[2]",
        "missing_tool_result",
        "c1, c2",
    ),
    "a-function-call-without-a-result": (
        [HI, legacy(), HI],
        "messages[2]",
        "missing_tool_result",
        "call_legacy_1",
    ),
    "a-result-without-a-call": (
        [HI, result("c1")],
        "messages[1].tool_call_id",
        "invalid_value",
        "'c1' answers no call",
    ),
    "a-result-first": (
        [result("c1"), HI],
        "messages[0].tool_call_id",
        "invalid_value",
        "answers no call",
    ),
    "a-result-of-another-call": (
        [HI, calling("c1"), result("c2")],
        "messages[2].tool_call_id",
        "invalid_value",
        "'c2'",
    ),
    "a-result-twice": (
        [HI, calling("c1"), result("c1"), result("c1")],
        "messages[3].tool_call_id",
        "invalid_value",
        "'c1' has a result already",
    ),
    "a-result-twice-with-words-between": (
        [HI, calling("c1"), result("c1"), HI, result("c1")],
        "messages[4].tool_call_id",
        "invalid_value",
        "'c1' has a result already",
    ),
    "a-result-after-that-of-the-function": (
        [HI, calling("c1"), function(), result("c1")],
        "messages[3].tool_call_id",
        "invalid_value",
        "'c1' has a result already",
    ),
    "a-result-of-an-earlier-call": (
        [HI, calling("c1"), result("c1"), calling("c2"), result("c1")],
        "messages[4].tool_call_id",
        "invalid_value",
        "'c1' answers no call",
    ),
    "an-id-twice": (
        [HI, TWICE, result("c1")],
        "messages[1].tool_calls[1].id",
        "invalid_value",
        "used twice",
    ),
    "a-function-message-without-a-call": (
        [HI, function()],
        "messages[1].name",
        "invalid_value",
        "'look' answers no call",
    ),
    "a-function-message-of-another-name": (
        [HI, legacy("find"), function("look")],
        "messages[2].name",
        "invalid_value",
        "'look'",
    ),
    "a-function-message-twice": (
        [HI, legacy(), function(), function()],
        "messages[3].name",
        "invalid_value",
        "'look'",
    ),
    # -- their fields ----------------------------------------------------------------------------
    "tool-calls-an-object": (
        [HI, {**YO, "tool_calls": {}}],
        "messages[1].tool_calls",
        "invalid_type",
        "an array",
    ),
    "tool-calls-a-string": (
        [HI, {**YO, "tool_calls": "c1"}],
        "messages[1].tool_calls",
        "invalid_type",
        "an array",
    ),
    "a-call-is-null": (
        [HI, {**YO, "tool_calls": [None]}],
        "messages[1].tool_calls[0]",
        "invalid_type",
        "expected an object",
    ),
    "a-call-without-an-id": (
        [HI, {**YO, "tool_calls": [{"function": {}}]}],
        "messages[1].tool_calls[0].id",
        "missing_required_parameter",
        "missing",
    ),
    "a-call-without-a-function": (
        [HI, {**YO, "tool_calls": [{"id": "c1", "type": "custom", "custom": {}}]}],
        "messages[1].tool_calls[0].function",
        "missing_required_parameter",
        "missing",
    ),
    "a-call-without-a-name": (
        [HI, {**YO, "tool_calls": [{"id": "c1", "function": {"arguments": ""}}]}],
        "messages[1].tool_calls[0].function.name",
        "missing_required_parameter",
        "missing",
    ),
    "an-id-is-a-number": (
        [HI, calling("c1", 7)],
        "messages[1].tool_calls[1].id",  # type: ignore[arg-type]
        "invalid_type",
        "expected a string",
    ),
    "an-id-with-nul": (
        [HI, calling("c\0")],
        "messages[1].tool_calls[0].id",
        "invalid_value",
        "NUL",
    ),
    "arguments-an-object": (
        [HI, calling("c1", arguments={})],
        ARGUMENTS,
        "invalid_type",
        "expected a string",
    ),
    "arguments-null": (
        [HI, calling("c1", arguments=None)],
        ARGUMENTS,
        "invalid_type",
        "got null",
    ),
    "arguments-no-json": (
        [HI, calling("c1", arguments="{a:1}")],
        ARGUMENTS,
        "invalid_value",
        "must be a string that holds a JSON object",
    ),
    "arguments-no-object": (
        [HI, calling("c1", arguments="[1]")],
        ARGUMENTS,
        "invalid_value",
        "it is an array",
    ),
    "arguments-nan": (
        [HI, calling("c1", arguments='{"a": NaN}')],
        ARGUMENTS,
        "invalid_value",
        "NaN",
    ),
    "arguments-beyond-float": (
        [HI, calling("c1", arguments='{"a": [-1e999]}')],
        ARGUMENTS,
        "invalid_value",
        "JSON object",
    ),
    "arguments-with-5000-digits": (
        [HI, calling("c1", arguments='{"a": ' + "9" * 5000 + "}")],
        ARGUMENTS,
        "invalid_value",
        "thousands of digits",
    ),
    "arguments-too-deep": (
        [HI, calling("c1", arguments='{"a":' * 101 + "1" + "}" * 101)],
        ARGUMENTS,
        "invalid_value",
        "100 levels",
    ),
    "arguments-much-too-deep": (
        [HI, calling("c1", arguments="[" * 100_000)],
        ARGUMENTS,
        "invalid_value",
        "100 levels",
    ),
    "the-arguments-of-the-second-call": (
        [
            HI,
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c1", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "c2", "function": {"name": "f", "arguments": "x"}},
                ],
            },
        ],
        "messages[1].tool_calls[1].function.arguments",
        "invalid_value",
        "JSON object",
    ),
    "function-call-a-string": (
        [HI, {**YO, "function_call": "look"}],
        "messages[1].function_call",
        "invalid_type",
        "expected an object",
    ),
    "function-call-arguments": (
        [HI, legacy(arguments="null")],
        "messages[1].function_call.arguments",
        "invalid_value",
        "it is null",
    ),
    "function-message-without-a-name": (
        [HI, legacy(), {"role": "function", "content": "x"}],
        "messages[2].name",
        "missing_required_parameter",
        "missing",
    ),
    "function-message-without-content": (
        [HI, legacy(), {"role": "function", "name": "look"}],
        "messages[2].content",
        "missing_required_parameter",
        "missing",
    ),
    "function-message-in-parts": (
        [HI, legacy(), function(content=[text("a")])],
        "messages[2].content",
        "invalid_type",
        "expected a string",
    ),
    "a-result-without-an-id": (
        [HI, calling("c1"), {"role": "tool", "content": "x"}],
        "messages[2].tool_call_id",
        "missing_required_parameter",
        "missing",
    ),
    "a-result-with-a-number": (
        [HI, calling("c1"), result(1)],
        "messages[2].tool_call_id",
        "invalid_type",
        "a string",
    ),
    "a-result-without-content": (
        [HI, calling("c1"), {"role": "tool", "tool_call_id": "c1"}],
        "messages[2].content",
        "missing_required_parameter",
        "missing",
    ),
    "a-result-that-is-an-object": (
        [HI, calling("c1"), result("c1", {"a": 1})],
        "messages[2].content",
        "invalid_type",
        "expected a string or an array of content parts, but got an object",
    ),
}


@pytest.mark.parametrize(("messages", "param", "code", "fragment"), REFUSED.values(), ids=REFUSED)
def test_a_fault_names_its_place(messages: Any, param: str, code: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(json.dumps({"messages": messages}).encode())
    error = caught.value
    assert (error.status, error.param, error.code) == (400, param, code)
    assert fragment in error.message


# what a session's own calls may be answered with → the conversation
IN_A_SESSION: dict[str, tuple[list[Any], list[tuple[Any, ...]]]] = {
    "a-result": ([result("c1")], [("user", ("result", "c1", "done"))]),
    "results": (
        [{**result("c1"), "is_error": True}, result("c2", [IMAGE])],
        [("user", ("error", "c1", "done")), ("user", ("result", "c2", ("link", LINK)))],
    ),
    "a-result-and-words": ([result("c1"), HI], [("user", ("result", "c1", "done")), SAID]),
    "a-function": ([function()], [("user", ("result of", "look", "done"))]),
    "a-function-with-nothing-to-say": (
        [function(content=None)],
        [("user", ("result of", "look"))],
    ),
    "functions-of-one-name": (
        [function(content="one"), function(content="two")],
        [("user", ("result of", "look", "one")), ("user", ("result of", "look", "two"))],
    ),
    "a-function-whose-call-is-there": (
        [HI, legacy(), function()],
        [
            SAID,
            ("assistant", ("call", "call_legacy_1", "look", {"a": 1})),
            ("user", ("result", "call_legacy_1", "done")),
        ],
    ),
}


@pytest.mark.parametrize(("messages", "wanted"), IN_A_SESSION.values(), ids=IN_A_SESSION)
def test_results_in_a_session(messages: list[Any], wanted: list[tuple[Any, ...]]) -> None:
    assert rows(ask(*messages, session_id="s").turn) == wanted
    assert rows(decode(body(*messages), session="s").turn) == wanted


# messages to a session → param, a piece of the message
REFUSED_IN_A_SESSION: dict[str, tuple[list[Any], str, str]] = {
    "a-result-twice": ([result("c1"), result("c1")], "messages[1].tool_call_id", "already"),
    "a-result-twice-with-words-between": (
        [result("c1"), HI, result("c1")],
        "messages[2].tool_call_id",
        "already",
    ),
    "a-result-without-an-id": ([result("")], "messages[0].tool_call_id", "'' answers no call"),
    "a-result-after-an-answer": ([HI, YO, result("c1")], "messages[2].tool_call_id", "no call"),
    "a-function-after-an-answer": ([HI, YO, function()], "messages[2].name", "no call"),
    "a-function-of-another-name": (
        [HI, legacy("find"), function()],
        "messages[2].name",
        "'look' answers no call",
    ),
}


@pytest.mark.parametrize(
    ("messages", "param", "fragment"), REFUSED_IN_A_SESSION.values(), ids=REFUSED_IN_A_SESSION
)
def test_a_fault_in_a_session(messages: list[Any], param: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        ask(*messages, session_id="s")
    assert (caught.value.param, caught.value.code) == (param, "invalid_value")
    assert fragment in caught.value.message


@pytest.mark.parametrize(
    "message", [user("x"), system("x"), assistant("x")], ids=lambda m: m["role"]
)
def test_five_megabytes_of_words(message: dict[str, Any]) -> None:
    long = "x\u00e9\n" * 1_250_000
    turn = decode(json.dumps({"messages": [HI, {**message, "content": long}, HI]}).encode()).turn
    assert rows(turn) == [SAID, (message["role"], long), SAID]


def test_many_messages() -> None:
    turn = ask(*[HI, calling("c1"), result("c1"), YO] * 2_000, HI).turn
    assert len(turn.messages) == 8_001


def test_decoding_remembers_nothing() -> None:
    asked = body(HI, legacy(), function(), calling("c1"), result("c1"))
    assert decode(asked) == decode(asked)


def test_half_a_surrogate_pair_in_a_models_arguments_comes_back_mended() -> None:
    """The model wrote it, so the client can't be told to remove it."""
    said = calling("c1", arguments='{"a": {"b": "\\ud83d!"}, "\\ude00": "\\ud83d\\ude42"}')
    turn = decode(body(HI, said, result("c1"))).turn
    (call,) = turn.messages[1].parts
    assert isinstance(call, ToolCall)
    assert call.arguments == {"a": {"b": "\ufffd!"}, "\ufffd": "\U0001f642"}
