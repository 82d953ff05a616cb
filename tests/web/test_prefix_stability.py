"""What is sent to the model begins with what was sent before: the prompt cache is the user's money.

Random conversations, in sessions and without, whose processes are killed now and then: each request
must begin with the one before, in the canonical form (without cache markers, a string as one block
of text).
"""

import asyncio
import base64
import contextlib
import io
import itertools
import os
import random
import signal
from typing import Any

import pytest
from attrs import define, field
from PIL import Image
from serving import Running, new_id, running

STEPS = 5
WORDS = ("", "think", "\u00e4\u2028\u00f6", "  two  ", "<b>&amp;</b>\n")
MODELS = ("claude-sonnet-4-5", "claude-opus-5-5")
FUNCTION = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
    },
}


def picture(width: int) -> dict[str, Any]:
    """A picture; of those that are wider than 2,000 pixels Claude Code makes smaller ones."""
    made = io.BytesIO()
    Image.new("RGB", (width, 20), (width % 256, 90, 200)).save(made, "PNG")
    data = base64.b64encode(made.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def text_file(text: str) -> dict[str, Any]:
    data = base64.b64encode(text.encode()).decode()
    return {
        "type": "file",
        "file": {"file_data": f"data:text/plain;base64,{data}", "filename": "notes.txt"},
    }


@define
class Talk:
    """A conversation of a client that holds its history itself, or leaves it to a session."""

    server: Running
    random: random.Random
    named: bool
    fields: dict[str, Any] = field(factory=dict)
    history: list[dict[str, Any]] = field(factory=list)
    nonces: list[str] = field(factory=list)
    asked: int = 0

    def __attrs_post_init__(self) -> None:
        self.fields = {"model": self.random.choice(MODELS), "stream": self.random.random() < 0.5}
        if self.random.random() < 0.6:
            self.fields["tools"] = [FUNCTION]
        if self.named:
            self.fields["session_id"] = new_id()
        if self.random.random() < 0.7:
            self.history.append({"role": "system", "content": f"Prompt {self.random.random()}."})

    async def run(self) -> None:
        for _ in range(STEPS):
            await self.step()
            if self.random.random() < 0.25:
                self.kill_one()

    async def step(self) -> None:
        """One turn, with the results of the calls that it makes."""
        new: list[dict[str, Any]] = [{"role": "user", "content": self.content()}]
        if not self.named and self.random.random() < 0.2:
            new.insert(0, {"role": "system", "content": f"From now on {self.random.random()}."})
        while new:
            first = not any(message["role"] == "assistant" for message in self.history)
            sent = new if self.named and not first else [*self.history, *new]
            answer = await self.server.ask(sent, **self.fields, **self.parameters())
            assert answer.whole, answer.data
            self.asked += 1
            message = {k: v for k, v in answer.message.items() if k != "reasoning_content"}
            self.history += [*new, message]
            new = [
                {"role": "tool", "tool_call_id": call["id"], "content": self.said()}
                for call in message.get("tool_calls", ())
            ]

    def said(self) -> str:
        """Words with a nonce: all requests of a conversation hold its first one, and no other's."""
        self.nonces.append(f"n{self.random.getrandbits(60):015x}")
        return f"{self.nonces[-1]} {self.random.choice(WORDS)}"

    def content(self) -> Any:
        pick, words = self.random.random(), self.said()
        if "tools" in self.fields and pick < 0.4:
            calls = self.random.randint(1, 2)
            return words + "".join(f'[[call look_up {{"what": "{n}"}}]]' for n in range(calls))
        if pick < 0.55:
            parts = [{"type": "text", "text": words}, picture(self.random.choice((9, 2_400)))]
            self.random.shuffle(parts)
            return parts
        if pick < 0.65:
            return [
                {"type": "text", "text": words},
                text_file(words),
                {"type": "text", "text": "?"},
            ]
        return words

    def parameters(self) -> dict[str, Any]:
        """What may differ from turn to turn."""
        return self.random.choice(
            ({}, {}, {"reasoning_effort": "low"}, {"reasoning_effort": "high"}, {"stop": ["QQQ"]})
        )

    def kill_one(self) -> None:
        processes = self.server.engine.processes()
        if idle := [*processes["idle"], *processes["waiting"]]:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.random.choice(idle), signal.SIGKILL)


@pytest.mark.parametrize("seed", [3])
async def test_each_request_begins_with_the_one_before(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - conversations, not secrets
    async with running(max_live=4, max_concurrent=2) as server:
        talks = [
            Talk(server=server, random=random.Random(chance.random()), named=n % 2 == 0)  # noqa: S311
            for n in range(4)
        ]
        await asyncio.gather(*(talk.run() for talk in talks))
        log = server.seen()
        processes = len(set(server.processes()))
    assert processes > len(talks), "some conversations went on in another process"
    compared = 0
    for talk in talks:
        requests = [request for request in log if talk.nonces[0] in str(request["messages"])]
        assert len(requests) == talk.asked
        for before, after in itertools.pairwise(requests):
            assert after["system"] == before["system"]
            assert after["tools"] == before["tools"]
            assert after["messages"][: len(before["messages"])] == before["messages"]
            assert len(after["messages"]) > len(before["messages"])
            compared += 1
    assert compared >= (STEPS - 1) * len(talks)
