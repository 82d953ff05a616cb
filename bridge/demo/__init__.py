"""A loopback Messages API with a deterministic model: for `bridge --demo` and for every test.

Faults and answers can be asked for in words, as `[[fail 529]]`: see `bridge.demo.directives`.
"""

from bridge.demo.canonical import canonical
from bridge.demo.faults import Fault
from bridge.demo.received import Received
from bridge.demo.upstream import DemoUpstream

__all__ = ["DemoUpstream", "Fault", "Received", "canonical"]
