"""Plain functions as agents: `async def agent(turn)`, or `def agent(messages) -> str` for those who need no more.

Either may be a generator: what it yields is streamed, as by `turn.say`.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from types import GeneratorType
from typing import Any

from greenroom.actors.ports import Agent, Conclusion, Turn

SyncAgent = Callable[..., str | Conclusion | None]

OF_THE_TURN = ("session", "new", "text", "attempt", "recovery_note", "news")
"""What a plain function may ask for by a parameter of that name; see `Turn`."""


class NotAnAgentError(TypeError):
    """The object given as agent cannot be called as one. The message says what to write instead."""


def as_agent(given: Any) -> Agent:
    """Make an `Agent` of an async function, an object with an async `__call__`, or a plain function of messages.

    A plain function runs in a worker thread, so that it may block. What it needs to know besides the transcript it
    names: of `OF_THE_TURN`, each parameter is given to it. What a generator returns is the rest of its answer; an
    async one is given the turn. Raises NotAnAgentError.
    """
    if not callable(given) or isinstance(given, type):
        msg = f"agent: must be `async def agent(turn)` or `def agent(messages) -> str`, got {given!r:.80}"
        raise NotAnAgentError(msg)
    call = given if inspect.isroutine(given) else given.__call__
    if inspect.iscoroutinefunction(call):
        _check_takes(given, call, ())
        return call
    if inspect.isasyncgenfunction(call):
        _check_takes(given, call, ())
        return _streaming(call)
    wanted = _read_wanted(call)
    _check_takes(given, call, wanted)
    return _in_thread(given, wanted)


def closing_of(given: Any) -> Callable[[], Awaitable[None]] | None:
    """Find how an agent ends what it keeps open: its `async def close(self)`, if it has one."""
    close = getattr(given, "close", None)
    return close if inspect.iscoroutinefunction(close) else None


def _in_thread(plain: SyncAgent, wanted: tuple[str, ...]) -> Agent:
    async def agent(turn: Turn) -> str | Conclusion | None:
        messages = await turn.messages()
        given = {name: getattr(turn, name) for name in wanted}
        answer: Any = await turn.in_thread(partial(plain, messages, **given))
        if isinstance(answer, GeneratorType):
            answer = await _stream(turn, answer)
        text: str | Conclusion | None = await answer if isinstance(answer, Awaitable) else answer
        return text

    return agent


def _streaming(words_of: Callable[[Turn], AsyncGenerator[str]]) -> Agent:
    async def agent(turn: Turn) -> None:
        async with aclosing(words_of(turn)) as words:
            async for text in words:
                await turn.say(text)

    return agent


async def _stream(turn: Turn, words: GeneratorType[Any, Any, Any]) -> Any:
    """Take one text after the other, each in a worker thread; returns what the generator returned.

    One that is stopped is closed there, too, unless it is busy: then that is done with its last step.
    """
    over = object()
    returned: list[Any] = []

    def take() -> Any:
        try:
            return next(words)
        except StopIteration as end:
            returned.append(end.value)
            return over

    try:
        while (text := await turn.in_thread(take)) is not over:
            await turn.say(text)
    finally:
        if not words.gi_running:
            await turn.in_thread(words.close)
    return returned.pop()


def _read_wanted(call: Callable[..., Any]) -> tuple[str, ...]:
    try:
        _, *others = inspect.signature(call).parameters
    except (TypeError, ValueError):
        return ()
    return tuple(name for name in others if name in OF_THE_TURN)


def _check_takes(given: object, call: Callable[..., Any], wanted: tuple[str, ...]) -> None:
    try:
        inspect.signature(call).bind(object(), **dict.fromkeys(wanted))
    except (TypeError, ValueError) as error:
        msg = f"agent: {given!r:.80} must take one argument, the turn (async) or the messages ({error})"
        raise NotAnAgentError(msg) from None
