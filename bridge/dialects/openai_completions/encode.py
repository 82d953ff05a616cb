"""Events → ``text_completion`` frames; completions → one document."""

from collections.abc import Sequence
from typing import Any

from attrs import define, field

from bridge.core.events import (
    BlockKind,
    Event,
    FinishReason,
    TextDelta,
    TurnFailed,
    TurnFinished,
    TurnStarted,
    Usage,
    UsageReported,
)
from bridge.core.fold import Completion
from bridge.dialects.openai.frames import DONE, frame, render_error, render_usage
from bridge.dialects.openai.frames import FINISH_REASONS as CHAT_REASONS
from bridge.dialects.openai_completions.decode import CompletionRequest

FINISH_REASONS = {**CHAT_REASONS, FinishReason.TOOL_CALLS: "stop"}


def render(
    asked: CompletionRequest,
    completions: Sequence[Completion],
    *,
    completion_id: str,
    created: int,
) -> dict[str, Any]:
    """A whole ``text_completion``, a choice for each prompt; ``created`` is in s since 1970."""
    prompts = asked.prompts if asked.echo else ("",) * len(completions)
    return {
        "id": completion_id,
        "object": "text_completion",
        "created": created,
        "model": completions[0].model,
        "choices": [
            _choice(index, prompt + whole.text_of(BlockKind.TEXT), FINISH_REASONS[whole.reason])
            for index, (prompt, whole) in enumerate(zip(prompts, completions, strict=True))
        ],
        "usage": render_usage(sum((whole.usage for whole in completions), Usage())),
    }


def _choice(index: int, text: str, finish_reason: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": finish_reason}


@define(kw_only=True)
class ChunkEncoder:
    """Encodes the events of all turns to frames, each turn's in their order.

    Of each choice comes one chunk for a delta, then its finish reason; after the last of them the
    usage of all, if it was asked for, and ``[DONE]``. After an error there is no ``[DONE]``.
    """

    asked: CompletionRequest
    completion_id: str
    created: int
    _model: str = field(default="", init=False)
    _usage: Usage = field(factory=Usage, init=False)
    _finished: int = field(default=0, init=False)

    def encode(self, event: Event, choice: int) -> bytes:
        """The frames of an event of that choice; none for most of them."""
        match event:
            case TextDelta(text=text):
                return self._chunk(_choice(choice, text, None))
            case TurnStarted(model=model):
                self._model = self._model or model
                prompt = self.asked.prompts[choice] if self.asked.echo else ""
                return self._chunk(_choice(choice, prompt, None)) if prompt else b""
            case UsageReported(usage=usage):
                self._usage += usage
                return b""
            case TurnFinished(reason=reason):
                return self._chunk(_choice(choice, "", FINISH_REASONS[reason])) + self._end()
            case TurnFailed(error=error):
                return frame(render_error(error))
            case _:
                return b""

    def _end(self) -> bytes:
        self._finished += 1
        if self._finished < len(self.asked.turns):
            return b""
        usage = render_usage(self._usage)
        last = frame(self._envelope([], usage)) if self.asked.include_usage else b""
        return last + DONE

    def _chunk(self, choice: dict[str, Any]) -> bytes:
        return frame(self._envelope([choice], None))

    def _envelope(self, choices: list[Any], usage: dict[str, Any] | None) -> dict[str, Any]:
        envelope = {
            "id": self.completion_id,
            "object": "text_completion",
            "created": self.created,
            "model": self._model,
            "choices": choices,
        }
        return {**envelope, "usage": usage} if self.asked.include_usage else envelope
