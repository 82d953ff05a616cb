"""What the model thinks, signed, and sent back."""

from typing import Any

import anthropic
import pytest
from asking import CLOCK, MODEL, NEWEST, asked, assistant, calls, result, said, user

BUDGET: Any = {"type": "enabled", "budget_tokens": 2000}
ADAPTIVE: Any = {"type": "adaptive", "display": "summarized"}
WAYS = [(MODEL, BUDGET), (NEWEST, ADAPTIVE), ("claude-sonnet-5-5", ADAPTIVE)]


def kinds(message: Any) -> list[str]:
    return [block.type for block in message.content]


@pytest.mark.parametrize(("model", "thinking"), WAYS)
def test_a_thought(client: anthropic.Anthropic, model: str, thinking: Any) -> None:
    message = client.messages.create(
        model=model,
        max_tokens=4000,
        thinking=thinking,
        messages=[user("[[think two and two]] [[say four]]")],
    )
    assert kinds(message) == ["thinking", "text"]
    assert message.content[0].thinking == "two and two"
    assert message.content[0].signature
    assert said(message) == "four"
    details = message.usage.output_tokens_details
    assert details is not None
    assert details.thinking_tokens == 3
    assert message.usage.output_tokens == 4


@pytest.mark.parametrize(("model", "thinking"), WAYS)
def test_a_streamed_thought(client: anthropic.Anthropic, model: str, thinking: Any) -> None:
    with client.messages.stream(
        model=model,
        max_tokens=4000,
        thinking=thinking,
        messages=[user("[[think two and two]] [[say four]]")],
    ) as stream:
        events = list(stream)
        final = stream.get_final_message()
    deltas = [event.delta.type for event in events if event.type == "content_block_delta"]
    assert deltas == [*["thinking_delta"] * 3, "signature_delta", "text_delta"]
    assert [event.snapshot for event in events if event.type == "thinking"][-1] == "two and two"
    (signed,) = [event.signature for event in events if event.type == "signature"]
    assert final.content[0].signature == signed
    assert kinds(final) == ["thinking", "text"]


@pytest.mark.parametrize(("model", "thinking"), WAYS)
def test_a_thought_is_sent_back(client: anthropic.Anthropic, model: str, thinking: Any) -> None:
    sent: Any = {"model": model, "max_tokens": 4000, "thinking": thinking, "tools": [CLOCK]}
    messages = [user(f"[[think what time]] {asked('now')}")]
    first = client.messages.create(messages=messages, **sent)
    assert kinds(first) == ["thinking", "tool_use"]
    (call,) = calls(first)
    messages += [assistant(first.content), user([result(call, "[[think ah]] [[say noon]]")])]
    second = client.messages.create(messages=messages, **sent)
    assert said(second) == "noon"
    messages += [assistant(second.content), user("My name is Ada.")]
    third = client.messages.create(messages=messages, **sent)
    messages += [assistant(third.content), user("What is my name?")]
    assert "Your name is Ada." in said(client.messages.create(messages=messages, **sent))


def test_a_thought_that_was_tampered_with(client: anthropic.Anthropic) -> None:
    """The API refuses it; Claude Code then asks again without it, and so does the bridge."""
    thought = {"type": "thinking", "thinking": "what time", "signature": "bm90IG1pbmU="}
    call = {"type": "tool_use", "id": "toolu_made_up", "name": "now", "input": {}}
    told = {"type": "tool_result", "tool_use_id": "toolu_made_up", "content": "noon"}
    message = client.messages.create(
        model=MODEL,
        max_tokens=4000,
        thinking=BUDGET,
        tools=[CLOCK],
        messages=[user("hi"), assistant([thought, call]), user([told])],
    )
    assert "noon" in said(message)


@pytest.mark.parametrize(("model", "thinking"), WAYS)
def test_a_redacted_thought(client: anthropic.Anthropic, model: str, thinking: Any) -> None:
    sent: Any = {"model": model, "max_tokens": 4000, "thinking": thinking}
    messages = [user("My name is Ada. [[redacted]]")]
    with client.messages.stream(messages=messages, **sent) as stream:
        first = stream.get_final_message()
    assert kinds(first) == ["redacted_thinking", "text"]
    assert first.content[0].data
    messages += [assistant(first.content), user("What is my name?")]
    assert "Your name is Ada." in said(client.messages.create(messages=messages, **sent))


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        (NEWEST, {"type": "adaptive", "display": "omitted"}),
        (NEWEST, {"type": "adaptive"}),  # the newest models show nothing unless told
        (MODEL, {**BUDGET, "display": "omitted"}),
    ],
)
def test_a_thought_that_is_left_out(client: anthropic.Anthropic, model: str, thinking: Any) -> None:
    message = client.messages.create(
        model=model,
        max_tokens=4000,
        thinking=thinking,
        messages=[user("[[think a secret]] [[say done]]")],
    )
    assert kinds(message) == ["thinking", "text"]
    assert message.content[0].thinking == ""
    assert message.content[0].signature


def test_no_thought(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model=MODEL,
        max_tokens=4000,
        thinking={"type": "disabled"},
        messages=[user("[[think a secret]] [[say done]]")],
    )
    assert kinds(message) == ["text"]


def test_without_a_word_about_it(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model=MODEL, max_tokens=4000, messages=[user("[[think a secret]] [[say done]]")]
    )
    assert kinds(message) == ["text"]  # as the API has it for models before 5


def test_between_tools(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model="claude-sonnet-5-5",
        max_tokens=4000,
        thinking={"type": "between_tools"},
        messages=[user("[[say at once]]")],
    )
    assert kinds(message) == ["text"]


@pytest.mark.parametrize("effort", ["low", "high"])
def test_an_effort(client: anthropic.Anthropic, effort: Any) -> None:
    message = client.messages.create(
        model=NEWEST,
        max_tokens=4000,
        output_config={"effort": effort},
        messages=[user("[[say with care]]")],
    )
    assert said(message) == "with care"


@pytest.mark.parametrize(
    ("model", "fields", "words"),
    [
        (MODEL, {"thinking": {"type": "enabled", "budget_tokens": 4000}}, "budget_tokens"),
        (MODEL, {"thinking": {"type": "enabled", "budget_tokens": 10}}, "budget_tokens"),
        (MODEL, {"thinking": {"type": "adaptive"}}, "adaptive|thinking"),
        (NEWEST, {"thinking": BUDGET}, "thinking"),
        (NEWEST, {"thinking": {"type": "disabled"}}, "thinking"),
        (MODEL, {"thinking": {"type": "sometimes"}}, "thinking"),
        (NEWEST, {"output_config": {"effort": "enormous"}}, "effort"),
    ],
)
def test_what_a_model_does_not_take(
    client: anthropic.Anthropic, model: str, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=words):
        client.messages.create(model=model, max_tokens=3000, messages=[user("hi")], **fields)
