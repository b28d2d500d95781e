"""How a chat with HTTP answers what went wrong: {"error": text}, and a status that says whether to come again."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from greenroom.actors.ports import BusyError, RefusedError
from greenroom.actors.session_key import InvalidKeyError
from greenroom.platforms.chats.web.codec import BadMessageError, TooLargeError

RETRY_AFTER_S = 1

COME_AGAIN = frozenset({503})
HUNG_UP = frozenset({408, 413})
"""What is still to come of the request is not read."""


def answer(status: int, text: str | None = None) -> ExceptionHandler:
    """Answer with this status, and with what the exception says if there is no `text`."""
    headers = {}
    if status in COME_AGAIN:
        headers["retry-after"] = str(RETRY_AFTER_S)
    if status in HUNG_UP:
        headers["connection"] = "close"

    async def respond(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": text or str(error)}, status, headers)

    return respond


async def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # Starlette promises it; its types do not.
        raise error
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


MISTAKES: Mapping[type[Exception], ExceptionHandler] = {
    HTTPException: _http,
    TooLargeError: answer(413),
    BadMessageError: answer(400),
    InvalidKeyError: answer(400),
    RefusedError: answer(403),
    TimeoutError: answer(408, "the request took too long to arrive"),
    ClientDisconnect: answer(400, "the request broke off"),
    BusyError: answer(503),
}
"""What can go wrong with any of them."""
