"""What whoever runs the service may do through a room, in two faces: for hosts with an asyncio loop, and without."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING

from greenroom.actors.commands import Command
from greenroom.actors.model import Message, MessageKind, SessionKey
from greenroom.actors.ports import RefusedError
from greenroom.supervisor.answers import Waiter, text_of
from greenroom.supervisor.erasing import Forgot
from greenroom.supervisor.faces import key_of, or_raise
from greenroom.supervisor.lettering import AsyncLettering, BlockingLettering
from greenroom.supervisor.reception import called_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from greenroom.actors.model import Receipt, SessionId
    from greenroom.actors.ports import BusyError
    from greenroom.supervisor.answers import NoAnswer
    from greenroom.supervisor.core import Core


class AsyncOperating(AsyncLettering):
    """Orders of whoever runs the service. Each returns what its chat was told of it, once that is on disk.

    Each raises RefusedError with the reason why nothing came of it, and nobody else is told; BusyError (not now); and
    SupervisorFailedError when this process will not carry it out: the next one does.
    """

    _core: Core

    async def release(self, session_id: SessionId) -> None:
        """Give a session back that was set aside (quarantined or suspended): its work is decided again, as at a start.

        Returns when that is on disk. Raises RefusedError (there is no such session) and BusyError (not now).
        """
        if (error := await called_back(partial(self._core.operations.release, session_id))) is not None:
            raise error

    async def forget(self, session_id: SessionId, *, whole_chat: bool = False) -> Forgot:
        """Forget a session, or all that its chat ever had: every row, and the bytes. What works there is stopped first.

        Raises RefusedError (there is none) and BusyError (not now).
        """
        done: Forgot | Exception = await called_back(
            partial(self._core.erasing.forget, session_id, whole_chat=whole_chat)
        )
        return or_raise(done)

    async def cancel(self, *, chat: str | SessionKey, id: str | None = None) -> str:
        """End what runs in a chat's session, here and in the background; nothing resumes it. What waits comes next."""
        return await self.order(Command.STOP, chat=chat, id=id)

    async def suspend(self, *, chat: str | SessionKey, id: str | None = None) -> str:
        """Interrupt a chat's session, and begin nothing until it is resumed. `id` names the order: once is once."""
        return await self.order(Command.SUSPEND, chat=chat, id=id)

    async def resume(self, *, chat: str | SessionKey, id: str | None = None) -> str:
        """Lift a suspension, and go on with what was interrupted."""
        return await self.order(Command.RESUME, chat=chat, id=id)

    async def retry(self, *, chat: str | SessionKey, id: str | None = None) -> str:
        """Run the last request of a chat again."""
        return await self.order(Command.RETRY, chat=chat, id=id)

    async def send(self, *, chat: str | SessionKey, text: str, id: str | None = None) -> str:
        """Say something in a chat, once. Its agent reads of it, and it answers nothing."""
        return await self.order(Command.SEND, chat=chat, text=text, id=id)

    async def order(self, command: Command, *, chat: str | SessionKey, text: str = "", id: str | None = None) -> str:
        """Order any of these, or whatever else a person may order by a message."""
        order = partial(self._core.operations.order, key_of(chat), command, text=text, order_id=id)
        receipt: Receipt | Exception = await called_back(order)
        waiters: list[Waiter] = []

        def call(then: Callable[[Message | NoAnswer], None]) -> None:
            waiters.append(Waiter(or_raise(receipt), then, ordered=True))
            self._core.await_answer(waiters[0])

        try:
            return _outcome(await called_back(call))
        finally:
            for waiter in waiters:
                self._core.forget_waiter(waiter)


class BlockingOperating(BlockingLettering):
    """See `AsyncOperating`. Each raises TimeoutError, too: what it ordered may still be carried out."""

    _core: Core

    def release(self, session_id: SessionId, *, timeout_s: float | None = None) -> None:
        """See `AsyncOperating.release`."""
        future: Future[BusyError | RefusedError | None] = Future()
        self._core.operations.release(session_id, future.set_result)
        if (error := future.result(timeout_s)) is not None:
            raise error

    def forget(self, session_id: SessionId, *, whole_chat: bool = False, timeout_s: float | None = None) -> Forgot:
        """See `AsyncOperating.forget`."""
        future: Future[Forgot | Exception] = Future()
        self._core.erasing.forget(session_id, future.set_result, whole_chat=whole_chat)
        return or_raise(future.result(timeout_s))

    def cancel(self, *, chat: str | SessionKey, id: str | None = None, timeout_s: float | None = None) -> str:
        """See `AsyncOperating.cancel`."""
        return self.order(Command.STOP, chat=chat, id=id, timeout_s=timeout_s)

    def suspend(self, *, chat: str | SessionKey, id: str | None = None, timeout_s: float | None = None) -> str:
        """See `AsyncOperating.suspend`."""
        return self.order(Command.SUSPEND, chat=chat, id=id, timeout_s=timeout_s)

    def resume(self, *, chat: str | SessionKey, id: str | None = None, timeout_s: float | None = None) -> str:
        """See `AsyncOperating.resume`."""
        return self.order(Command.RESUME, chat=chat, id=id, timeout_s=timeout_s)

    def retry(self, *, chat: str | SessionKey, id: str | None = None, timeout_s: float | None = None) -> str:
        """See `AsyncOperating.retry`."""
        return self.order(Command.RETRY, chat=chat, id=id, timeout_s=timeout_s)

    def send(self, *, chat: str | SessionKey, text: str, id: str | None = None, timeout_s: float | None = None) -> str:
        """See `AsyncOperating.send`."""
        return self.order(Command.SEND, chat=chat, text=text, id=id, timeout_s=timeout_s)

    def order(
        self,
        command: Command,
        *,
        chat: str | SessionKey,
        text: str = "",
        id: str | None = None,
        timeout_s: float | None = None,
    ) -> str:
        """See `AsyncOperating.order`."""
        stored: Future[Receipt | Exception] = Future()
        self._core.operations.order(key_of(chat), command, stored.set_result, text=text, order_id=id)
        told: Future[Message | NoAnswer] = Future()
        waiter = Waiter(or_raise(stored.result(timeout_s)), told.set_result, ordered=True)
        self._core.await_answer(waiter)
        try:
            return _outcome(told.result(timeout_s))
        finally:
            self._core.forget_waiter(waiter)


def _outcome(answer: Message | NoAnswer) -> str:
    text = text_of(answer)
    if isinstance(answer, Message) and answer.kind is MessageKind.FAILED:
        raise RefusedError(text)
    return text
