"""What was said while nothing listened, for longer than Slack tries again: read from the histories of chats."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from greenroom.actors.ports import BusyError
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.handing import insist
from greenroom.platforms.chats.slack.heard import Heard
from greenroom.platforms.chats.slack.lookups import HOPELESS
from greenroom.platforms.chats.slack.troubles import of_call, read_answer

GAP_S = 60.0
"""A shorter silence is left to Slack, which tries again after a minute, and after five."""

OVERLAP_S = 60.0
"""So much of what was heard is read again: two clocks are never the same."""

PAGE = 200
PAGES_MAX = 20
KINDS = "public_channel,private_channel,mpim,im"

Call = Callable[..., Awaitable[Any]]

logger = logging.getLogger("greenroom.platform.slack")


class Backfill:
    """One round after each gap, once for each chat, and before anything newer of the chat is taken.

    Needs the scopes channels:read, groups:read, mpim:read and im:read; without them a chat's turn comes when somebody
    writes there again.
    """

    def __init__(self, web: AsyncWebClient, heard: Heard, *, back_s: float) -> None:
        """`back_s` is how far back is read at most; 0: not at all."""
        self._web, self._heard, self._back_s = web, heard, back_s
        self._since: float | None = None
        self._read: set[str] = set()

    def begin(self) -> float | None:
        """Something listens again: since when nothing did, if a round is due."""
        upto, now = self._heard.upto, self._heard.now()
        if upto is None or not self._back_s or now - upto < GAP_S:
            return None
        self._since, self._read = max(upto - OVERLAP_S, now - self._back_s), set()
        logger.info("reading what was said in the last %.0f minutes, when nothing listened", (now - upto) / 60)
        return self._since

    def is_due(self, channel: str) -> bool:
        """Whether a chat's history must be read before anything newer is taken."""
        return self._since is not None and channel not in self._read

    def done(self, channel: str) -> None:
        """All that a chat's history holds is taken."""
        self._read.add(channel)

    async def missed(self, channel: str) -> Sequence[Mapping[str, Any]]:
        """Read a chat's messages since the gap began, oldest first, as events. Raises BusyError if not now.

        A thread is read if it began at most `back_s` before the gap.
        """
        since = self._since or 0.0
        found: dict[str, Mapping[str, Any]] = {}
        for line in await self._pages(self._web.conversations_history, channel=channel, oldest=since - self._back_s):
            found[line["ts"]] = line
            if float(line.get("latest_reply") or 0) > since:
                replies = await self._pages(
                    self._web.conversations_replies, channel=channel, ts=line["ts"], oldest=since
                )
                found |= {reply["ts"]: reply for reply in replies if reply["ts"] != line["ts"]}
        told = sorted((line for ts, line in found.items() if float(ts) > since), key=lambda line: str(line["ts"]))
        return [{**line, "type": "message", "channel": channel} for line in told]

    async def sweep(self, since: float, catch_up: Callable[[str], Awaitable[None]]) -> None:
        """Read the histories of all chats, one after the other. What is read is owed until then."""

        async def once() -> None:
            for channel in await self._channels():
                await catch_up(channel)

        with self._heard.owing(since):
            await insist(once, Backoff(), "what was missed")

    async def _channels(self) -> Sequence[str]:
        found = await self._pages(self._web.users_conversations, key="channels", types=KINDS, exclude_archived=True)
        return [channel["id"] for channel in found]

    async def _pages(self, call: Call, key: str = "messages", **what: Any) -> list[Mapping[str, Any]]:
        """Read all pages. What Slack will not show is nothing; raises BusyError if it is only not now."""
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        if "oldest" in what:
            what["oldest"] = f"{max(what['oldest'], 0.0):.6f}"
        for _ in range(PAGES_MAX):
            try:
                page = await call(limit=PAGE, cursor=cursor, **what)
            except Exception as error:  # Invariant: what cannot be read now is read later, and is not forgotten.
                if isinstance(error, SlackApiError) and read_answer(error.response)[1] in HOPELESS:
                    logger.warning("slack does not show what was missed (%s): %s", key, of_call(error))
                    return found
                raise BusyError(f"slack does not show what was missed: {of_call(error)}") from None
            found += page[key]
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found
