"""Time that stands still until a test moves it."""

from attrs import define


@define
class Clock:
    """A clock; ``now`` is its time in seconds."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now
