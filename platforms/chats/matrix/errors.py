"""What a request's failure means for what was to be sent. Pure."""

from __future__ import annotations

from aiohttp import ClientConnectorError, ConnectionTimeoutError
from mautrix.errors import MatrixConnectionError, MatrixRequestError, MMissingToken, MUnknownToken, MUserDeactivated

from greenroom.actors.ports import NotSentError, RetryLaterError, SendRefusedError

SIGNED_OUT = (MUnknownToken, MMissingToken, MUserDeactivated)
"""What a home server answers to a device that it does not know any more."""

_SERVER_ERRORS = 500
_REQUEST_TIMEOUT = 408


def read_failure(error: Exception) -> Exception:
    """Translate to the errors of the port. What may have had its effect is a TimeoutError, or stays what it is."""
    match error:
        case NotSentError() | RetryLaterError() | SendRefusedError():
            return error
        case _ if isinstance(error, SIGNED_OUT):
            return NotSentError(f"the home server does not know this device any more: {describe(error)}")
        case MatrixRequestError() if not _may_pass(error):
            return SendRefusedError(describe(error))
        case MatrixConnectionError() if isinstance(error.__cause__, ClientConnectorError | ConnectionTimeoutError):
            return NotSentError(f"the home server cannot be reached: {error}")
        case MatrixConnectionError() | TimeoutError():
            return TimeoutError(f"the home server did not answer: {describe(error)}")
        case _:
            return error


def is_passing(error: Exception) -> bool:
    """Whether the same request may work later, without anybody's doing."""
    if isinstance(error, MatrixRequestError):
        return _may_pass(error)
    return isinstance(error, MatrixConnectionError | OSError | RetryLaterError)


def describe(error: Exception) -> str:
    """Put it into words. No request's address or header is in them."""
    if isinstance(error, MatrixRequestError):
        return f"{error.http_status} {error.errcode or ''} {error.message or ''}".strip()[:300]
    return f"{type(error).__name__}: {error}"


def _may_pass(error: MatrixRequestError) -> bool:
    return error.http_status >= _SERVER_ERRORS or error.http_status == _REQUEST_TIMEOUT
