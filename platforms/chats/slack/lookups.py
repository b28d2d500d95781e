"""What must be asked of Slack before a message can be understood: who people are, and which threads are ours."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from greenroom.actors.ports import BusyError
from greenroom.platforms.chats.slack.codec import Me
from greenroom.platforms.chats.slack.troubles import of_call, read_answer

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

KNOWN_MAX = 2_000
"""Users whose names, and threads whose members, are remembered."""

THREAD_READ_MAX = 200
"""So many messages of a thread, from its beginning, are read to learn whether we take part."""

HOPELESS = {
    "channel_not_found",
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "not_in_channel",
    "thread_not_found",
}
"""Asking again tells no more."""

logger = logging.getLogger("greenroom.platform.slack")


class Lookups:
    """Belongs to one connected account. Asks once, and remembers."""

    def __init__(self, web: AsyncWebClient, me: Me) -> None:
        """Begin with nothing known."""
        self._web, self._me = web, me
        self._names: OrderedDict[str, str] = OrderedDict()
        self._threads: OrderedDict[tuple[str, str], bool] = OrderedDict()

    async def names(self, users: Iterable[str]) -> Mapping[str, str]:
        """Find the names of users; whom Slack does not name is left out, and goes by the id."""
        found: dict[str, str] = {}
        for user in users:
            name = self._names.get(user) or await self._ask_name(user)
            if name is not None:
                found[user] = name
                _remember(self._names, user, name)
        return found

    async def _ask_name(self, user: str) -> str | None:
        if user == self._me.user or user.startswith("B"):
            return None
        try:
            answer = await self._web.users_info(user=user)
            told = answer["user"]
            profile = told.get("profile", {})
            return str(profile.get("display_name") or profile.get("real_name") or told.get("name") or user)
        except Exception as error:  # Invariant: what a person says is taken in, also if Slack does not say who it is.
            logger.info("slack does not name a user: %s", of_call(error))
            return user if isinstance(error, SlackApiError) and read_answer(error.response)[1] in HOPELESS else None

    def takes_part(self, channel: str, thread: str) -> None:
        """Note that we write in this thread."""
        _remember(self._threads, (channel, thread), value=True)

    async def follows(self, channel: str, thread: str) -> bool:
        """Whether we have written in this thread, or began it. Raises BusyError if Slack cannot say that now."""
        known = self._threads.get((channel, thread))
        if known is None:
            known = await self._ask_thread(channel, thread)
            _remember(self._threads, (channel, thread), known)
        return known

    async def _ask_thread(self, channel: str, thread: str) -> bool:
        try:
            answer = await self._web.conversations_replies(channel=channel, ts=thread, limit=THREAD_READ_MAX)
        except Exception as error:  # Invariant: what cannot be judged now is not acknowledged.
            if isinstance(error, SlackApiError) and read_answer(error.response)[1] in HOPELESS:
                logger.warning("slack: threads of %s cannot be read: %s", channel, of_call(error))
                return False
            raise BusyError(f"slack does not show the thread: {of_call(error)}") from None
        return any(line.get("user") == self._me.user for line in answer["messages"])


def _remember(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > KNOWN_MAX:
        known.popitem(last=False)
