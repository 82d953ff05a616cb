"""What the model answers, before it becomes bytes: blocks, why it stopped, and how long it is."""

from typing import Any, Literal

import attrs

from bridge.demo import tokens
from bridge.demo.parsing import read_object
from bridge.demo.signature import sign

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]

Block = dict[str, Any]


@attrs.frozen(kw_only=True)
class Reply:
    """Content blocks (text, thinking with its signature, tool_use) and the reason they end.

    The `input` of a tool_use is an object, or the text that is streamed for one, as it is. `omits`
    says that the text of thinking is not sent; its tokens count all the same.
    """

    blocks: tuple[Block, ...]
    stop_reason: StopReason = "end_turn"
    stop_sequence: str | None = None
    omits: bool = False

    @property
    def sent(self) -> tuple[Block, ...]:
        """The blocks as the client sees them."""
        return tuple(
            {**block, "thinking": ""} if self.omits and block["type"] == "thinking" else block
            for block in self.blocks
        )

    @property
    def output_tokens(self) -> int:
        """The tokens of all blocks; an answer without any still costs one, as the API's do."""
        return max(1, sum(map(size, self.blocks)))

    @property
    def thinking_tokens(self) -> int:
        """How many of them are thinking."""
        return sum(size(block) for block in self.blocks if "thinking" in block["type"])


REFUSED = Reply(
    blocks=({"type": "text", "text": "I can't help with that."},), stop_reason="refusal"
)
EMPTY = Reply(blocks=())


def text(said: str) -> Block:
    """A text block."""
    return {"type": "text", "text": said}


def cited(said: str, citation: Block) -> Block:
    """A text block that says where its words are from."""
    return {"type": "text", "text": said, "citations": [citation]}


def thinking(thought: str) -> Block:
    """A thinking block with the demo's signature."""
    return {"type": "thinking", "thinking": thought, "signature": sign(thought)}


def redacted() -> Block:
    """A thinking block that nobody can read."""
    return {"type": "redacted_thinking", "data": sign("redacted")}


def raw(block: Block) -> str:
    """What the deltas of a block add up to: its text, its thinking, or its input as JSON."""
    if block["type"] == "tool_use":
        given = block["input"]
        return given if isinstance(given, str) else tokens.compact(given)
    found: str = block.get(block["type"], "")
    return found


def size(block: Block) -> int:
    """How many tokens a block costs; a redacted one, which has no deltas, those of its data."""
    return tokens.count(block["data"] if block["type"] == "redacted_thinking" else raw(block))


def whole(block: Block) -> Block:
    """A block as one that is not streamed: the input of a call is an object, {} for broken text."""
    given = block.get("input")
    if not isinstance(given, str):
        return block
    try:
        value, end = read_object(given)
    except ValueError:
        value, end = {}, len(given)
    return {**block, "input": {} if given[end:].strip() else value}


def deltas(block: Block) -> list[str]:
    """The pieces a block is streamed in."""
    return tokens.pieces(raw(block))


def stopped(reply: Reply, sequences: list[str]) -> Reply:
    """`reply` up to the first of `sequences` that its text holds, which is not part of it."""
    kept: list[Block] = []
    for block in reply.blocks:
        said = block["text"] if block["type"] == "text" else ""
        hits = [(at, s) for s in sequences if s and (at := said.find(s)) >= 0]
        if hits:
            at, sequence = min(hits, key=lambda hit: hit[0])
            kept += [text(said[:at])] if at else []
            return Reply(blocks=tuple(kept), stop_reason="stop_sequence", stop_sequence=sequence)
        kept.append(block)
    return reply


def limited(reply: Reply, max_tokens: int) -> Reply:
    """`reply` within `max_tokens`; its last block may end in the middle, be it a call's input."""
    left = max_tokens
    kept: list[Block] = []
    for block in reply.blocks:
        if size(block) > left:
            if shorter := _shortened(block, tokens.cut(raw(block), left)):
                kept.append(shorter)
            return _out_of_tokens(reply, kept)
        kept.append(block)
        left -= size(block)
    return reply


def cut(reply: Reply, after: int) -> Reply:
    """`reply` as if its tokens ran out after `after` deltas."""
    left = after
    kept: list[Block] = []
    for block, sent in zip(reply.blocks, reply.sent, strict=True):
        found = deltas(sent)
        if len(found) > left:
            if shorter := _shortened(block, "".join(found[:left])):
                kept.append(shorter)
            break
        kept.append(block)
        left -= len(found)
    return _out_of_tokens(reply, kept)


def _out_of_tokens(reply: Reply, kept: list[Block]) -> Reply:
    return attrs.evolve(reply, blocks=tuple(kept), stop_reason="max_tokens", stop_sequence=None)


def _shortened(block: Block, said: str) -> Block | None:
    if not said:
        return None
    if block["type"] == "tool_use":
        return {**block, "input": said}
    return {**block, "text": said} if block["type"] == "text" else thinking(said)
