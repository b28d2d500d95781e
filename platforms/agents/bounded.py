"""What foreign HTTP servers answer, as far as it is taken: what goes beyond is an error, and takes no memory.

An answer that is no stream is taken as it is sent: packed it could grow in our hands, so it is not to be packed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import httpx2

BODY_BYTES_MAX = 4 * 1024 * 1024
"""Of an answer that is no stream."""

LINE_BYTES_MAX = 16 * 1024 * 1024
"""Of one line of a stream."""

EVENTS = "text/event-stream"
UNPACKED = {"accept-encoding": "identity"}
"""To be sent with each request."""


class TooMuchError(httpx2.StreamError):
    """A server says more than anybody wants to hear."""


Hook = Callable[[httpx2.Response], Awaitable[None]]


def bounding(*, stream_bytes_max: int | None = None) -> Hook:
    """Make a client's hook for responses. `stream_bytes_max`: bytes of one whole stream; None: they may go on."""
    return partial(_bound, stream_bytes_max)


async def _bound(stream_bytes_max: int | None, response: httpx2.Response) -> None:
    stream = response.stream
    if not isinstance(stream, httpx2.AsyncByteStream):
        return  # It is here already.
    if response.headers.get("content-type", "").partition(";")[0].strip().lower() == EVENTS:
        response.stream = _Bounded(stream, LINE_BYTES_MAX, stream_bytes_max)
        return
    if (packed := response.headers.get("content-encoding", "identity")) != "identity":
        msg = f"the answer is packed as {packed[:40]}, which was not asked for"
        raise TooMuchError(msg)
    response.stream = _Bounded(stream, BODY_BYTES_MAX, BODY_BYTES_MAX)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, line_bytes_max: int, bytes_max: int | None) -> None:
        self._stream, self._line_bytes_max, self._bytes_max = stream, line_bytes_max, bytes_max

    async def __aiter__(self) -> AsyncIterator[bytes]:
        line = whole = 0
        async for chunk in self._stream:
            ends = chunk.rfind(b"\n") + 1
            line = len(chunk) - ends if ends else line + len(chunk)
            whole += len(chunk)
            if self._bytes_max is not None and whole > self._bytes_max:
                msg = f"the answer has more than {self._bytes_max:,} bytes"
                raise TooMuchError(msg)
            if line > self._line_bytes_max:
                msg = f"the answer has a line of more than {self._line_bytes_max:,} bytes"
                raise TooMuchError(msg)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
