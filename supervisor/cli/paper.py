"""How the CLI writes: tables for people, JSON for programs, and never anyone's control characters."""

import dataclasses
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Record = Struct | DataclassInstance

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
_KIB = 1024


def print_json(value: "Record | Sequence[Record]") -> None:
    """Print one JSON value; `printed_by.py` has the type of each. Records become objects with their fields as keys."""
    print(json.dumps(as_plain(value), ensure_ascii=not _speaks_utf8(), indent=2 if sys.stdout.isatty() else None))


def as_plain(value: Any) -> Any:
    """Turn records into what JSON can say."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Struct):
        return {name: as_plain(field) for name, field in structs.asdict(value).items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = [as_plain(item) for item in value]
        return sorted(items) if isinstance(value, set | frozenset) else items
    return str(value) if isinstance(value, Path) else value


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under headings: fitted to a terminal, whole and plain into a pipe."""
    cells = [[clean(str(cell), lines=False) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich_table(headings, cells)
        return
    lines = [list(headings), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_rich_table(headings: Sequence[str], cells: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - only a terminal needs it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*headings, box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)


def clean(text: str, *, lines: bool = True) -> str:
    r"""Make foreign words harmless to a terminal: control characters are written out, newlines kept if `lines`.

    >>> clean("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(char if char.isprintable() or (lines and char in "\n\t") else _written_out(char) for char in text)


def _written_out(char: str) -> str:
    if char == "\n":
        return "⏎" if _speaks_utf8() else "\\n"
    return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"  # noqa: PLR2004 - a byte


def shorten(text: str, limit: int) -> str:
    """Cut a text to `limit` characters, and show that it was cut."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def say_time(at: float | None) -> str:
    """A moment in the operator's own time zone."""
    if at is None:
        return "-"
    try:
        return datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return f"{at:g} s"


def say_age(at: float | None) -> str:
    """How long ago a moment was."""
    return "-" if at is None else f"{say_duration(time.time() - at)} ago"


def say_duration(seconds: float) -> str:
    """A length of time, in the two units that matter at most."""
    whole = max(0, round(seconds))
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def say_bytes(count: int) -> str:
    """A size, in the unit that fits."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < _KIB:
            break
        size, unit = size / _KIB, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def count(number: int, noun: str) -> str:
    """A number and its noun.

    >>> count(1, "run"), count(3, "run")
    ('1 run', '3 runs')
    """
    if number == 1:
        return f"1 {noun}"
    ending = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {ending}"


def complain(message: str) -> None:
    """Say on stderr what went wrong."""
    print(f"greenroom: {clean(message)}", file=sys.stderr)


def _speaks_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
