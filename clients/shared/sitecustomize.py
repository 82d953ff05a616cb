"""Python reads this as it starts: the programs that a suite starts are guarded like the suite."""

import loopback  # noqa: F401 - it works from its import on
