"""Who is looking at which chat, and the words that are visible but not stored yet. Belongs to one event loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from greenroom.actors.ports import Shown

PENDING_MAX = 64
"""Messages that may wait for one slow browser; a browser that falls further behind is sent away and comes again."""

STREAMS_MAX = 512
"""Browsers that may look at the same time."""

LIVE_MAX = 1024
"""Streaming messages whose words are remembered for browsers that open the chat meanwhile."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What everyone who looks should know for as long as it is true; None: nothing any more."""

    text: str | None = None


News = Shown | Notice


class CrowdedError(Exception):
    """More browsers than `STREAMS_MAX`."""


class Stream:
    """What one browser has still to be told. A newer text of a message replaces the older one that waits."""

    def __init__(self, leave: Callable[[Stream], None]) -> None:
        """Start with nothing to tell. `leave` takes the stream off its board."""
        self._leave = leave
        self._pending: dict[tuple[bool, str] | None, News] = {}
        self._wake = asyncio.Event()
        self.ended = asyncio.Event()
        self.overflowed = asyncio.Event()

    def push(self, news: News) -> None:
        """Let the browser know, soon."""
        self._pending[None if isinstance(news, Notice) else (news.mine, news.id)] = news
        if len(self._pending) > PENDING_MAX:
            self._pending.clear()
            self.overflowed.set()
            self.ended.set()
        self._wake.set()

    def end(self) -> None:
        """End the stream after what waits; the browser opens another."""
        self.ended.set()
        self._wake.set()

    async def take(self, beat_s: float) -> tuple[News, ...]:
        """Wait for news, at most `beat_s` seconds, and take all of it."""
        try:
            async with asyncio.timeout(beat_s):
                await self._wake.wait()
        except TimeoutError:
            return ()
        if not self.ended.is_set():
            self._wake.clear()
        taken = tuple(self._pending.values())
        self._pending.clear()
        return taken

    def leave(self) -> None:
        """Look away. Must follow `Board.join`; harmless when repeated."""
        self._leave(self)


class Board:
    """Hands what becomes visible in a chat to everyone who looks at it."""

    def __init__(self) -> None:
        """Start with nobody looking."""
        self._streams: dict[str, set[Stream]] = {}
        self._live: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._closed = False
        self.notice = Notice()

    def announce(self, notice: Notice) -> None:
        """Tell everyone who looks, in whatever chat; who comes later reads `notice`."""
        self.notice = notice
        for streams in self._streams.values():
            for stream in streams:
                stream.push(notice)

    def watched(self, chat: str) -> int:
        """Count the browsers that look at a chat."""
        return len(self._streams.get(chat, ()))

    def join(self, chat: str) -> Stream:
        """Begin to look. Raises CrowdedError. `Stream.leave` must follow."""
        if sum(map(len, self._streams.values())) >= STREAMS_MAX:
            raise CrowdedError
        stream = Stream(partial(self._leave, chat))
        if self._closed:
            stream.end()
        self._streams.setdefault(chat, set()).add(stream)
        return stream

    def _leave(self, chat: str, stream: Stream) -> None:
        streams = self._streams.get(chat, set())
        streams.discard(stream)
        if not streams:
            self._streams.pop(chat, None)

    def publish(self, chat: str, row: Shown) -> None:
        """Show a row to everyone who looks; remember its words while they may change."""
        self._live.pop((chat, row.id), None)
        if not row.mine and not row.final:
            self._live[(chat, row.id)] = row.text
            if len(self._live) > LIVE_MAX:
                self._live.popitem(last=False)
        for stream in tuple(self._streams.get(chat, ())):
            stream.push(row)

    def live(self, chat: str) -> Mapping[str, str]:
        """Read the words that stream in a chat now, by message id."""
        return {message_id: text for (where, message_id), text in self._live.items() if where == chat}

    def open(self) -> None:
        """Let streams live, after a `close`."""
        self._closed = False

    def close(self) -> None:
        """End all streams, and those to come."""
        self._closed = True
        for streams in self._streams.values():
            for stream in streams:
                stream.end()
