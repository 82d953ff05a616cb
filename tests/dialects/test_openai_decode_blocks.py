"""Anthropic's own blocks in OpenAI's messages: calls and results as Zed sends them, and reasoning."""

import json
from typing import Any

import pytest
from openai_bodies import (
    HI,
    YO,
    ask,
    assistant,
    calling,
    function,
    legacy,
    redacted,
    refusal,
    result,
    rows,
    text,
    thinking,
    tool_result,
    tool_use,
    user,
)

from bridge.core.errors import InvalidRequest
from bridge.dialects.openai_chat import decode

SAID, ANSWERED = ("user", "hi"), ("assistant", "yo")
CALL_1, CALL_2 = (("call", id_, "look", {"a": 1}) for id_ in ("c1", "c2"))
DONE_1, DONE_2 = (("result", id_, "done") for id_ in ("c1", "c2"))
HM, SECRET = ("thinking", "hm", "sig"), ("redacted", "secret")
LINK = "https://example.com/a.png"
USE_1 = assistant([tool_use("c1")])
USES = assistant([tool_use("c1"), tool_use("c2")])


def thinking_before(message: dict[str, Any], *blocks: Any) -> dict[str, Any]:
    """As LiteLLM sends reasoning back."""
    return {**message, "thinking_blocks": list(blocks)}


# messages → the conversation
TAKEN: dict[str, tuple[list[Any], list[tuple[Any, ...]]]] = {
    # -- what is read ----------------------------------------------------------------------------
    "a-picture-a-document-and-something-found": (
        [
            user(
                [
                    {"type": "image", "source": {"type": "url", "url": LINK}},
                    {
                        "type": "document",
                        "source": {"type": "content", "content": [text("a")]},
                        "title": "t",
                        "citations": {"enabled": True},
                    },
                    {"type": "search_result", "source": "s", "title": "t", "content": [text("b")]},
                ]
            )
        ],
        [("user", ("link", LINK), ("passages", ("a",), "t", "cited"), ("found", "s", "t", "b"))],
    ),
    # -- calls and results -----------------------------------------------------------------------
    "a-call-and-its-result": (
        [HI, USE_1, user([tool_result("c1")])],
        [SAID, ("assistant", CALL_1), ("user", DONE_1)],
    ),
    "words-before-the-call": (
        [HI, assistant([text("I look."), tool_use("c1")]), user([tool_result("c1")])],
        [SAID, ("assistant", "I look.", CALL_1), ("user", DONE_1)],
    ),
    "words-after-the-call": (
        [HI, assistant([tool_use("c1"), text("I look.")]), user([tool_result("c1")])],
        [SAID, ("assistant", CALL_1, "I look."), ("user", DONE_1)],
    ),
    "two-in-one-message": (
        [HI, USES, user([tool_result("c1"), tool_result("c2")])],
        [SAID, ("assistant", CALL_1, CALL_2), ("user", DONE_1, DONE_2)],
    ),
    "two-in-another-order": (
        [HI, USES, user([tool_result("c2"), tool_result("c1")])],
        [SAID, ("assistant", CALL_1, CALL_2), ("user", DONE_2, DONE_1)],
    ),
    "two-in-messages-of-their-own": (
        [HI, USES, user([tool_result("c1")]), user([tool_result("c2")])],
        [SAID, ("assistant", CALL_1, CALL_2), ("user", DONE_1), ("user", DONE_2)],
    ),
    "results-come-before-words": (
        [HI, USE_1, user([text("see:"), tool_result("c1"), text("so?")])],
        [SAID, ("assistant", CALL_1), ("user", DONE_1, "see:", "so?")],
    ),
    "results-come-before-pictures": (
        [
            *[HI, USE_1],
            user([{"type": "image_url", "image_url": {"url": LINK}}, tool_result("c1")]),
        ],
        [SAID, ("assistant", CALL_1), ("user", DONE_1, ("link", LINK))],
    ),
    "empty-words-beside-a-result": (
        [HI, USE_1, user([text(" "), text(None), tool_result("c1"), text("")])],
        [SAID, ("assistant", CALL_1), ("user", DONE_1)],
    ),
    "the-last-words-come-after-all-results": (
        [HI, USES, user([tool_result("c2")]), user([tool_result("c1"), text("so?")])],
        [SAID, ("assistant", CALL_1, CALL_2), ("user", DONE_2), ("user", DONE_1, "so?")],
    ),
    "a-result-in-parts": (
        [HI, USE_1, user([tool_result("c1", [text("a"), text(""), text("b")])])],
        [SAID, ("assistant", CALL_1), ("user", ("result", "c1", "a", "b"))],
    ),
    "results-of-nothing": (
        [
            *[HI, USES],
            user([tool_result("c1", None), {"type": "tool_result", "tool_use_id": "c2"}]),
        ],
        [SAID, ("assistant", CALL_1, CALL_2), ("user", ("result", "c1"), ("result", "c2"))],
    ),
    "a-failure": (
        [
            HI,
            USES,
            user([tool_result("c1", "no", is_error=True), tool_result("c2", is_error=None)]),
        ],
        [SAID, ("assistant", CALL_1, CALL_2), ("user", ("error", "c1", "no"), DONE_2)],
    ),
    "a-call-without-arguments": (
        [
            HI,
            assistant([{"type": "tool_use", "id": "c1", "name": "look", "input": {}}]),
            user([tool_result("c1")]),
        ],
        [SAID, ("assistant", ("call", "c1", "look", {})), ("user", DONE_1)],
    ),
    # -- both forms ------------------------------------------------------------------------------
    "a-block-answers-a-tool-call": (
        [HI, calling("c1"), user([tool_result("c1")])],
        [SAID, ("assistant", CALL_1), ("user", DONE_1)],
    ),
    "a-tool-message-answers-a-block": (
        [HI, USE_1, result("c1")],
        [SAID, ("assistant", CALL_1), ("user", DONE_1)],
    ),
    "a-function-message-answers-a-block": (
        [HI, USE_1, function()],
        [SAID, ("assistant", CALL_1), ("user", DONE_1)],
    ),
    "calls-of-both-forms": (
        [
            HI,
            {**calling("c2"), "content": [tool_use("c1")]},
            result("c2"),
            user([tool_result("c1")]),
        ],
        [SAID, ("assistant", CALL_1, CALL_2), ("user", DONE_2), ("user", DONE_1)],
    ),
    "calls-of-all-forms": (
        [
            HI,
            {**calling("c2"), **legacy("find"), "content": [tool_use("c1")]},
            function("find"),
            result("c1"),
            result("c2"),
        ],
        [
            SAID,
            ("assistant", CALL_1, CALL_2, ("call", "call_legacy_1", "find", {"a": 1})),
            ("user", ("result", "call_legacy_1", "done")),
            ("user", DONE_1),
            ("user", DONE_2),
        ],
    ),
    "an-id-of-an-earlier-block": (
        [HI, USE_1, user([tool_result("c1")]), USE_1, user([tool_result("c1"), text("so?")])],
        [
            SAID,
            ("assistant", CALL_1),
            ("user", DONE_1),
            ("assistant", CALL_1),
            ("user", DONE_1, "so?"),
        ],
    ),
    # -- reasoning -------------------------------------------------------------------------------
    "thinking-before-words": (
        [HI, assistant([thinking(), text("yo")]), HI],
        [SAID, ("assistant", HM, "yo"), SAID],
    ),
    "redacted-thinking": (
        [HI, assistant([thinking(), redacted(), text("yo")]), HI],
        [SAID, ("assistant", HM, SECRET, "yo"), SAID],
    ),
    "thinking-between-the-parts": (
        [
            HI,
            assistant([text("a"), thinking(), tool_use("c1"), redacted(), refusal("no")]),
            result("c1"),
        ],
        [SAID, ("assistant", "a", HM, CALL_1, SECRET, "no"), ("user", DONE_1)],
    ),
    "thinking-without-words": (
        [HI, assistant([thinking("", "sig"), text("yo")]), HI],
        [SAID, ("assistant", ("thinking", "", "sig"), "yo"), SAID],
    ),
    "blocks-before-a-string": (
        [HI, thinking_before(YO, thinking(), redacted()), HI],
        [SAID, ("assistant", HM, SECRET, "yo"), SAID],
    ),
    "blocks-before-calls": (
        [HI, thinking_before(calling("c1"), thinking()), result("c1")],
        [SAID, ("assistant", HM, CALL_1), ("user", DONE_1)],
    ),
    "blocks-before-a-refusal": (
        [HI, thinking_before({"role": "assistant", "refusal": "no"}, thinking()), HI],
        [SAID, ("assistant", HM, "no"), SAID],
    ),
    "blocks-beside-content-with-thinking": (  # the same is not said twice
        [HI, thinking_before(assistant([redacted(), text("yo")]), thinking()), HI],
        [SAID, ("assistant", SECRET, "yo"), SAID],
    ),
    "no-blocks": (
        [HI, thinking_before(YO), {**YO, "thinking_blocks": None}, HI],
        [SAID, ANSWERED, ANSWERED, SAID],
    ),
    # -- reasoning alone says nothing ------------------------------------------------------------
    "nothing-but-thinking": ([HI, assistant([thinking(), redacted()]), HI], [SAID, SAID]),
    "nothing-but-thinking-and-white-space": (
        [HI, assistant([thinking(), text(" \n"), refusal("")]), HI],
        [SAID, SAID],
    ),
    "nothing-but-blocks": ([HI, thinking_before(assistant(None), thinking()), HI], [SAID, SAID]),
    "nothing-but-thinking-at-the-end": ([HI, assistant([thinking()])], [SAID]),
    "nothing-but-thinking-first": ([assistant([thinking()]), HI], [SAID]),
}


@pytest.mark.parametrize(("messages", "conversation"), TAKEN.values(), ids=TAKEN)
def test_a_conversation(messages: list[Any], conversation: list[tuple[Any, ...]]) -> None:
    assert rows(ask(*messages).turn) == conversation


INPUT = "messages[1].content[0].input"
NO_RESULT = "missing_tool_result"

# messages → param, code, a piece of the message
REFUSED: dict[str, tuple[list[Any], str, str, str]] = {
    # -- ids -------------------------------------------------------------------------------------
    "a-result-of-another-call": (
        [HI, USE_1, user([text("a"), tool_result("c2")])],
        "messages[2].content[1].tool_use_id",
        "invalid_value",
        "'c2' answers no call",
    ),
    "a-result-without-a-call": (
        [user([tool_result("c1")])],
        "messages[0].content[0].tool_use_id",
        "invalid_value",
        "'c1' answers no call",
    ),
    "a-result-twice": (
        [HI, USE_1, user([tool_result("c1"), tool_result("c1")])],
        "messages[2].content[1].tool_use_id",
        "invalid_value",
        "'c1' has a result already",
    ),
    "a-result-in-both-forms": (
        [HI, USE_1, result("c1"), user([tool_result("c1")])],
        "messages[3].content[0].tool_use_id",
        "invalid_value",
        "'c1' has a result already",
    ),
    "a-result-of-an-earlier-call": (
        [HI, USE_1, result("c1"), YO, user([tool_result("c1")])],
        "messages[4].content[0].tool_use_id",
        "invalid_value",
        "'c1' answers no call",
    ),
    "an-id-twice": (
        [HI, assistant([tool_use("c1"), text("a"), tool_use("c1")]), result("c1")],
        "messages[1].content[2].id",
        "invalid_value",
        "'c1' is used twice",
    ),
    "an-id-in-both-forms": (
        [HI, {**calling("c2", "c1"), "content": [tool_use("c1")]}, result("c1")],
        "messages[1].tool_calls[1].id",
        "invalid_value",
        "'c1' is used twice",
    ),
    # -- missing results -------------------------------------------------------------------------
    "no-result": ([HI, USE_1], "messages[1]", NO_RESULT, "before it: c1."),
    "words-instead-of-the-result": (
        [HI, USE_1, user([text("so?")])],
        "messages[2]",
        NO_RESULT,
        "before it: c1.",
    ),
    "a-string-instead-of-the-result": ([HI, USE_1, HI], "messages[2]", NO_RESULT, "c1"),
    "one-of-two-results": (
        [HI, USES, user([tool_result("c2")])],
        "messages[2]",
        NO_RESULT,
        "before it: c1.",
    ),
    "one-of-two-results-beside-words": (
        [HI, USES, user([tool_result("c2"), text("so?")]), user([tool_result("c1")])],
        "messages[2]",
        NO_RESULT,
        "before it: c1.",
    ),
    "one-form-of-two": (
        [HI, {**calling("c2"), "content": [tool_use("c1")]}, result("c2"), HI],
        "messages[3]",
        NO_RESULT,
        "before it: c1.",
    ),
    # -- who may hold them -----------------------------------------------------------------------
    "a-call-of-the-user": (
        [user([tool_use("c1")])],
        "messages[0].content[0].type",
        "unsupported_parameter",
        "'tool_use'. Known are 'text', 'image_url', 'file', 'image', 'document', 'search_result', 'tool_result'.",
    ),
    "a-result-of-the-assistant": (
        [HI, assistant([tool_result("c1")]), HI],
        "messages[1].content[0].type",
        "unsupported_parameter",
        "'tool_result'. Known are",
    ),
    "a-result-in-a-result": (
        [HI, USE_1, user([tool_result("c1", [tool_result("c1")])])],
        "messages[2].content[0].content[0].type",
        "unsupported_parameter",
        "'tool_result'. Known are 'text', 'image_url', 'file', 'image', 'document', 'search_result'.",
    ),
    "thinking-of-the-user": (
        [user([thinking()])],
        "messages[0].content[0].type",
        "unsupported_parameter",
        "'thinking'",
    ),
    "words-among-thinking-blocks": (
        [HI, thinking_before(YO, thinking(), text("a")), HI],
        "messages[1].thinking_blocks[1].type",
        "unsupported_parameter",
        "'text'. Known are 'thinking', 'redacted_thinking'.",
    ),
    # -- their fields ----------------------------------------------------------------------------
    **{
        f"a-{block['type']}-without-its-{name}": (
            messages,
            f"{path}.{name}",
            "missing_required_parameter",
            "is missing",
        )
        for block, name in [
            *[(tool_use("c1"), name) for name in ("id", "name", "input")],
            *[(thinking(), name) for name in ("thinking", "signature")],
            (redacted(), "data"),
            (tool_result("c1"), "tool_use_id"),
        ]
        for broken in [{key: block[key] for key in block if key != name}]
        for messages, path in [
            ([HI, USE_1, user([broken])], "messages[2].content[0]")
            if block["type"] == "tool_result"
            else ([HI, assistant([broken]), HI], "messages[1].content[0]")
        ]
    },
    "arguments-as-a-string": (
        [HI, assistant([tool_use("c1", arguments='{"a": 1}')]), result("c1")],
        INPUT,
        "invalid_type",
        "expected an object, but got a string",
    ),
    "arguments-null": (
        [HI, assistant([{**tool_use("c1"), "input": None}]), result("c1")],
        INPUT,
        "invalid_type",
        "got null",
    ),
    "arguments-with-half-a-pair": (
        [HI, assistant([tool_use("c1", arguments={"a": "\ud800"})]), result("c1")],
        INPUT,
        "invalid_value",
        "surrogate pair",
    ),
    "an-id-is-a-number": (
        [HI, assistant([tool_use(1)])],
        "messages[1].content[0].id",
        "invalid_type",
        "expected a string",
    ),
    "a-result's-id-is-a-number": (
        [HI, USE_1, user([tool_result(1)])],
        "messages[2].content[0].tool_use_id",
        "invalid_type",
        "expected a string",
    ),
    "a-result-is-a-number": (
        [HI, USE_1, user([tool_result("c1", 5)])],
        "messages[2].content[0].content",
        "invalid_type",
        "expected a string or an array of content parts, but got an integer",
    ),
    "a-failure-is-a-number": (
        [HI, USE_1, user([tool_result("c1", is_error=1)])],
        "messages[2].content[0].is_error",
        "invalid_type",
        "expected a boolean",
    ),
    "nul-in-a-signature": (
        [HI, assistant([thinking(signature="\0")]), HI],
        "messages[1].content[0].signature",
        "invalid_value",
        "NUL",
    ),
    "a-signature-null": (
        [HI, thinking_before(YO, thinking(signature=None)), HI],
        "messages[1].thinking_blocks[0].signature",
        "invalid_type",
        "got null",
    ),
    "thinking-blocks-a-string": (
        [HI, {**YO, "thinking_blocks": "hm"}, HI],
        "messages[1].thinking_blocks",
        "invalid_type",
        "expected an array",
    ),
}


@pytest.mark.parametrize(("messages", "param", "code", "fragment"), REFUSED.values(), ids=REFUSED)
def test_a_fault_names_its_place(messages: list[Any], param: str, code: str, fragment: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(json.dumps({"messages": messages}).encode())
    error = caught.value
    assert (error.status, error.param, error.code) == (400, param, code)
    assert fragment in error.message


# messages to a session whose last answer called → the conversation
IN_A_SESSION: dict[str, tuple[list[Any], list[tuple[Any, ...]]]] = {
    "a-result": ([user([tool_result("c1")])], [("user", DONE_1)]),
    "results-and-words": (
        [user([text("so?"), tool_result("c1"), tool_result("c2")])],
        [("user", DONE_1, DONE_2, "so?")],
    ),
    "both-forms": ([result("c1"), user([tool_result("c2")])], [("user", DONE_1), ("user", DONE_2)]),
}


@pytest.mark.parametrize(("messages", "wanted"), IN_A_SESSION.values(), ids=IN_A_SESSION)
def test_results_in_a_session(messages: list[Any], wanted: list[tuple[Any, ...]]) -> None:
    assert rows(ask(*messages, session_id="s").turn) == wanted


# messages to a session → param, a piece of the message
REFUSED_IN_A_SESSION: dict[str, tuple[list[Any], str, str]] = {
    "twice": (
        [user([tool_result("c1"), tool_result("c1")])],
        "messages[0].content[1].tool_use_id",
        "already",
    ),
    "without-an-id": (
        [user([tool_result("")])],
        "messages[0].content[0].tool_use_id",
        "'' answers no call",
    ),
    "after-an-answer": (
        [HI, YO, user([tool_result("c1")])],
        "messages[2].content[0].tool_use_id",
        "answers no call",
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
