"""Runs the program in its arguments so that it dies with the process that started it (Linux).

Started as ``python -I -S launcher.py PARENT_PID PROGRAM ARGUMENT…``; it becomes the program. The
kernel then kills that program when the server is gone, SIGKILL included. A program that merely
saw its standard input end would first make one more call to the model.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Tie this process to its parent, then become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above: nothing will tell us any more
        os._exit(1)
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
