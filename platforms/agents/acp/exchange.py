"""What an agent says to one prompt: heard as it comes, taken by the run that waits for it."""

from __future__ import annotations

import asyncio
from typing import Any

from acp import schema

CANCELLED = schema.RequestPermissionResponse(outcome=schema.DeniedOutcome(outcome="cancelled"))
"""What every request is answered with that nobody else answers."""


class Request:
    """A permission that the agent waits for."""

    def __init__(self, call: schema.ToolCallUpdate, options: list[schema.PermissionOption]) -> None:
        """Nobody has decided yet."""
        self.call, self.options = call, options
        self._answer: asyncio.Future[schema.RequestPermissionResponse] = asyncio.get_running_loop().create_future()

    async def answered(self) -> schema.RequestPermissionResponse:
        """Wait until somebody has."""
        return await self._answer

    def choose(self, option_id: str) -> None:
        """Answer with one of the options."""
        self._settle(
            schema.RequestPermissionResponse(outcome=schema.AllowedOutcome(outcome="selected", option_id=option_id))
        )

    def cancel(self) -> None:
        """Answer with none; harmless when it was answered."""
        self._settle(CANCELLED)

    def _settle(self, answer: schema.RequestPermissionResponse) -> None:
        if not self._answer.done():
            self._answer.set_result(answer)


class Exchange:
    """One prompt. What comes after it was closed is not heard, and allowed nothing."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._heard: asyncio.Queue[Any] = asyncio.Queue()
        self._open: list[Request] = []
        self._closed = False

    def hear(self, heard: Any) -> None:
        """Take an update, a request, or what ends it: None, or an exception for whoever waits."""
        if not self._closed:
            self._heard.put_nowait(heard)

    async def next(self) -> Any:
        """What came next; None: the prompt has its answer. Raises what somebody let it hear."""
        heard = await self._heard.get()
        if isinstance(heard, BaseException):
            raise heard
        return heard

    async def put(self, request: Request) -> schema.RequestPermissionResponse:
        """Wait for whoever takes a request to answer it."""
        if self._closed:
            return CANCELLED
        self._open.append(request)
        self.hear(request)
        return await request.answered()

    def close(self) -> None:
        """Hear no more; what is still asked is cancelled."""
        self._closed = True
        for request in self._open:
            request.cancel()
