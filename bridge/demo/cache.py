"""Prompt caching, simulated simply and honestly.

Every block with `cache_control` ends a prefix (model, tools, system, messages up to it). A prefix
seen before, also one that ended at an earlier marker, is read; what lies between it and the last
marker is written; the rest is plain input. Documented minimum sizes and lifetimes are left out.
"""

import hashlib
from collections import OrderedDict
from typing import Any

import attrs

from bridge.demo import tokens
from bridge.demo.canonical import blocks


@attrs.frozen(kw_only=True)
class InputUsage:
    """Tokens of a prompt; the three add up to all of it."""

    plain: int
    created: int = 0
    read: int = 0

    @property
    def total(self) -> int:
        """All input tokens."""
        return self.plain + self.created + self.read


@attrs.frozen
class _Step:
    """A prompt up to and with one block: digest, tokens so far, whether a marker stands here."""

    digest: bytes
    tokens: int
    marked: bool


@attrs.frozen
class Prompt:
    """A valid request's prompt, measured once."""

    _steps: tuple[_Step, ...] = attrs.field(repr=False)

    @property
    def tokens(self) -> int:
        """The length of the whole prompt, at least 1."""
        return max(1, self._steps[-1].tokens) if self._steps else 1

    @property
    def marked(self) -> tuple[_Step, ...]:
        """The steps up to and with the last cache marker; empty when there is none."""
        last = max((at for at, step in enumerate(self._steps) if step.marked), default=-1)
        return self._steps[: last + 1]


def measure(body: dict[str, Any]) -> Prompt:
    """Counts and digests the prompt of a request that the rules have let through."""
    return Prompt(tuple(_steps(body)))


@attrs.define(kw_only=True)
class PromptCache:
    """The prefixes seen, least recently used first, at most `limit` of them."""

    limit: int = 4_096
    _seen: OrderedDict[bytes, None] = attrs.field(factory=OrderedDict, init=False, repr=False)

    def use(self, prompt: Prompt) -> InputUsage:
        """What `prompt` costs now; its marked prefixes are remembered."""
        marked = prompt.marked
        if not marked:
            return InputUsage(plain=prompt.tokens)
        hit = next((step for step in reversed(marked) if step.digest in self._seen), None)
        read = hit.tokens if hit else 0
        for step in marked:
            if step.marked or step is hit:
                self._remember(step.digest)
        end = marked[-1].tokens
        return InputUsage(plain=prompt.tokens - end, created=end - read, read=read)

    def _remember(self, digest: bytes) -> None:
        self._seen[digest] = None
        self._seen.move_to_end(digest)
        while len(self._seen) > self.limit:
            self._seen.popitem(last=False)


def _steps(body: dict[str, Any]) -> list[_Step]:
    running = hashlib.sha256(tokens.compact(body.get("model")).encode("utf-8", "surrogatepass"))
    steps: list[_Step] = []
    total = 0
    for place, block in _prompt(body):
        bare = {key: value for key, value in block.items() if key != "cache_control"}
        marked = block.get("cache_control") is not None
        if bare.get("type") == "tool_result" and "content" in bare:
            inner = bare["content"]
            marked = marked or (isinstance(inner, list) and any(map(_is_marked, inner)))
            bare["content"] = blocks(inner)
        running.update(f"\0{place}\0{tokens.compact(bare)}".encode("utf-8", "surrogatepass"))
        total += tokens.of_block(bare)
        steps.append(_Step(running.digest(), total, marked))
    if steps and body.get("cache_control") is not None:
        steps[-1] = attrs.evolve(steps[-1], marked=True)
    return steps


def _is_marked(block: object) -> bool:
    return isinstance(block, dict) and block.get("cache_control") is not None


def _prompt(body: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every block of the prompt in the order it is cached, with the part it stands in."""
    found = [("tools", tool) for tool in body.get("tools") or []]
    found += [("system", block) for block in _parts(body.get("system"))]
    for message in body["messages"]:
        found += [(message["role"], block) for block in _parts(message.get("content"))]
    return found


def _parts(content: object) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []
