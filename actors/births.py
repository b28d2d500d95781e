"""What the kernel says of a process, so that a number that was used again is never taken for who had it before."""

from __future__ import annotations

from pathlib import Path


def read_birth(pid: int) -> str | None:
    """When the kernel started a process, in its own ticks; None where it does not say (no such process, no /proc)."""
    stat = _read_stat(pid)
    return None if stat is None else stat[19]


def is_alive(pid: int, born: str | None) -> bool:
    """Whether that very process still runs; False where nobody can say. One that only waits to be buried does not."""
    stat = _read_stat(pid)
    return stat is not None and born is not None and stat[0] not in "ZX" and stat[19] == born


def _read_stat(pid: int) -> list[str] | None:
    """The fields of its line from the state on."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return line.rpartition(")")[2].split()
