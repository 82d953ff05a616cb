"""What a query says, taken without trust."""

from collections.abc import Mapping

from bridge.dialects.policy import invalid


def limit_of(query: Mapping[str, str], *, default: int, most: int) -> int:
    """How many are asked for at most: ``limit``. Raises :class:`InvalidRequest`."""
    limit = query.get("limit", str(default))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= most):
        raise invalid(f"'limit' must be 1 to {most}, but it is {limit[:20]!r}.", "limit")
    return int(limit[:9])
