"""Numbers of rows as addresses say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request

DIGITS_MAX = 18
"""No row has more, and SQLite takes few more."""


def read_number(written: str) -> int | None:
    """Read a number; None where there is none that a row could have.

    >>> read_number("12"), read_number("-1"), read_number("²"), read_number("9" * 5000)
    (12, None, None, None)
    """
    return int(written) if written.isascii() and written.isdecimal() and len(written) <= DIGITS_MAX else None


def number_in(request: Request, name: str) -> int:
    """Read a part of the path. Raises HTTPException: nothing is there under any other name."""
    if (number := read_number(request.path_params[name])) is None:
        raise HTTPException(404, "there is no such page")
    return number
