"""`leash.py PARENT COMMAND...` becomes a command that the kernel ends when the thread that started it ends (Linux).

A program of its own, since Python may run nothing safely between fork and exec in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CANNOT_RUN = 127
"""What a shell says, too, of a command that cannot be run."""


def main(parent: int, command: list[str]) -> int:
    """Become the command; only if that fails this returns."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # It ended before it could be said.
        return CANNOT_RUN
    for changed in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what it becomes would inherit that.
        signal.signal(changed, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
    return CANNOT_RUN


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
