"""How much may go on at once."""

from attrs import frozen


@frozen(kw_only=True)
class Limits:
    """How much may go on at once, in turns and processes; times are in seconds.

    ``max_process_memory`` is in bytes. See :class:`bridge.settings.Settings` for each of them.
    """

    max_concurrent: int
    max_queue: int
    max_timeout: float
    pool_size: int
    max_live: int
    process_idle: float
    tool_wait: float
    max_process_memory: int
