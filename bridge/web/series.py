"""Figures over time: how much was used in each minute, hour and day that is not long past."""

from typing import Any

from attrs import define, field

from bridge.web.errors import rfc3339
from bridge.web.tally import Tally, rendered

STEPS = {60: 180, 3_600: 168, 86_400: 90}
"""How long a bucket is, in seconds, and how many are kept of that length, the current one
included."""


@define
class Series:
    """Buckets of each length, the oldest first; only those in which something happened.

    They begin at full minutes, hours and days of UTC.
    """

    _buckets: dict[int, dict[int, dict[str, Tally]]] = field(
        factory=lambda: {step: {} for step in STEPS}, init=False
    )

    def tallies(self, now: float, model: str) -> list[Tally]:
        """Where a turn belongs that is counted ``now``, in seconds since 1970."""
        found = []
        for step, buckets in self._buckets.items():
            start = int(now // step) * step
            if start not in buckets:
                buckets[start] = {}
                for old in [other for other in buckets if other < beginning(step, now)]:
                    del buckets[old]
            bucket = buckets[start]
            if model not in bucket:
                bucket[model] = Tally()
            found.append(bucket[model])
        return found

    def render(self, step: int, now: float) -> list[dict[str, Any]]:
        """The buckets of a length that are not too old."""
        return [
            {"start": rfc3339(start), "by_model": rendered(bucket)}
            for start, bucket in self._buckets[step].items()
            if start >= beginning(step, now)
        ]


def beginning(step: int, now: float) -> int:
    """When the first bucket of this length begins that is not too old."""
    return (int(now // step) - STEPS[step] + 1) * step
