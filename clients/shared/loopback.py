"""Keeps a suite's Python on this machine: any other address is refused and noted.

A pytest plugin; it works from its import on. The programs that tests start get it from
``sitecustomize.py``.
"""

import ipaddress
import os
import sys
from pathlib import Path
from typing import Any

_EVENTS = {"socket.connect": 1, "socket.sendto": 1, "socket.getaddrinfo": 0}


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event not in _EVENTS:
        return
    address = args[_EVENTS[event]]
    host = address[0] if isinstance(address, tuple) else address
    if event != "socket.getaddrinfo" and not isinstance(address, tuple):
        return  # a socket of the file system
    if not _is_here(host):
        with Path(os.environ["GUARD_LOG"]).open("a") as log:
            log.write(f"{host}\n")
        raise PermissionError(f"a test tried to reach {host}")


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


sys.addaudithook(_watch)
