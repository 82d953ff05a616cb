"""Figures of turns: what is known of one that has ended, and what several add up to."""

from typing import Any

from attrs import define, field, frozen

from bridge.core.events import Usage


@frozen(kw_only=True)
class Ended:
    """What is known of a turn when it has ended, however it did.

    ``model`` is empty where none had begun to answer, ``cancelled`` means that the client left.
    ``first_token`` is the time from the arrival of its request to the first of the answer or of the
    reasoning, in seconds; None if nothing came.
    """

    model: str = ""
    usage: Usage = field(factory=Usage)
    failed: bool = False
    cancelled: bool = False
    first_token: float | None = None


@define
class Waits:
    """So many times, in seconds."""

    count: int = 0
    total: float = 0.0
    longest: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def render(self) -> dict[str, float | int | None]:
        """In milliseconds."""
        return {
            "count": self.count,
            "mean": round(self.total / self.count * 1000, 1) if self.count else None,
            "longest": round(self.longest * 1000, 1) if self.count else None,
        }


@define
class Tally:
    """Figures of some turns.

    ``failed`` ended with an error, ``cancelled`` when the client left. ``usage`` counts what is
    known of those too. ``cost`` is in US dollars, as Claude Code tells it; it does not tell that of
    ``requests - priced`` of them: failed, cancelled or cut off ones, and those still to be told.
    """

    requests: int = 0
    failed: int = 0
    cancelled: int = 0
    usage: Usage = field(factory=Usage)
    cost: float = 0.0
    priced: int = 0
    first_token: Waits = field(factory=Waits)

    def add(self, ended: Ended) -> None:
        """One more turn."""
        self.requests += 1
        self.failed += ended.failed
        self.cancelled += ended.cancelled
        self.usage += ended.usage
        if ended.first_token is not None:
            self.first_token.add(ended.first_token)

    def render(self) -> dict[str, Any]:
        """As ``GET /v1/usage`` shows it; ``input_tokens`` are those that no cache was used for."""
        usage = self.usage
        return {
            "requests": self.requests,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "input_tokens": usage.input_tokens,
            "cache_read_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "output_tokens": usage.output_tokens,
            "cost_usd": round(self.cost, 6),
            "priced_requests": self.priced,
            "first_token_ms": self.first_token.render(),
        }


def rendered(tallies: dict[str, Tally]) -> dict[str, Any]:
    """Each of them, by its name."""
    return {name: tally.render() for name, tally in tallies.items()}
