"""Plain functions as agents: `async def agent(turn)`, or `def agent(messages) -> str` for those who need no more."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from greenroom.actors.model import Message
from greenroom.actors.ports import Agent, Conclusion, Turn

SyncAgent = Callable[[Sequence[Message]], str | Conclusion | None]


class NotAnAgentError(TypeError):
    """The object given as agent cannot be called as one. The message says what to write instead."""


def as_agent(given: Any) -> Agent:
    """Make an `Agent` of an async function, an object with an async `__call__`, or a plain function of messages.

    A plain function runs in a worker thread, so that it may block. Raises NotAnAgentError.
    """
    if not callable(given) or isinstance(given, type):
        msg = f"agent: must be `async def agent(turn)` or `def agent(messages) -> str`, got {given!r:.80}"
        raise NotAnAgentError(msg)
    call = given if inspect.isroutine(given) else given.__call__  # type: ignore[operator]
    _check_takes_one(given, call)
    if inspect.iscoroutinefunction(call):
        return call  # type: ignore[no-any-return]  # checked just now
    return _in_thread(given)


def _in_thread(plain: SyncAgent) -> Agent:
    async def agent(turn: Turn) -> str | Conclusion | None:
        messages = await turn.messages()
        answer: Any = await turn.in_thread(plain, messages)
        text: str | Conclusion | None = await answer if isinstance(answer, Awaitable) else answer
        return text

    return agent


def _check_takes_one(given: object, call: Callable[..., Any]) -> None:
    try:
        inspect.signature(call).bind(object())
    except (TypeError, ValueError) as error:
        msg = f"agent: {given!r:.80} must take exactly one argument, the turn (async) or the messages ({error})"
        raise NotAnAgentError(msg) from None
