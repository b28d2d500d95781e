"""Reading times that others wrote: hosts, older versions and clocks that jumped. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

AHEAD_MAX_S = 86_400.0
"""A time further ahead than this was not set by a clock that was merely put back: it is no time at all."""

_SCALES = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))  # from nano-, micro- and milliseconds


def read_zone(name: str) -> tzinfo | None:
    """Find a time zone by its name; empty: None, which is how the host's clock is set. Raises for unknown ones."""
    return ZoneInfo(name) if name else None


def read_time(value: object, *, now: float) -> float | None:
    """Read UTC epoch seconds out of what stands where a time should; None for what cannot be one.

    Seconds, milliseconds, microseconds and nanoseconds are told apart by size, numbers may be text, and ISO 8601 is
    read as UTC where it names no zone. A time up to a day ahead of `now` is `now`.

    >>> read_time(1_700_000_000_000, now=1_800_000_000.0)
    1700000000.0
    >>> read_time("2023-11-14T22:13:20Z", now=1_800_000_000.0)
    1700000000.0
    """
    seconds = _read_text(value) if isinstance(value, str) else _read_number(value)
    if seconds is None or seconds > now + AHEAD_MAX_S:
        return None
    return min(seconds, now)


def _read_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e20:  # noqa: PLR2004 - sane
        return None
    divisor = next((by for least, by in _SCALES if value >= least), 1.0)
    return value / divisor


def _read_text(value: str) -> float | None:
    try:
        return _read_number(float(value))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return _read_number((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
