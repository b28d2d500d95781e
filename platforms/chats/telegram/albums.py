"""Albums: Telegram tells of each item by itself. The items that follow each other in a chat are one message. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from telegram import Update

ALBUM_S = 1.0
"""How long to wait for one item more. They come together, but for those that one answer of Telegram has no room for."""

ALBUM_MAX = 10
"""Items of one album."""


class Bundle(Struct, frozen=True):
    """Updates that are taken as one: of one message, or the items of an album."""

    chat: int | None
    album: str | None
    first: int  # its place among all the updates
    last: int
    updates: tuple[Update, ...]


def bundle(updates: Sequence[Update]) -> tuple[Bundle, ...]:
    """Put together what belongs together; each has the place of its first update.

    The same updates are bundled alike when they come again. Only an item that was later than `ALBUM_S`, and that comes
    again together with the others after a crash, counts as part of what is stored.
    """
    bundles: list[Bundle] = []
    newest: dict[int | None, int] = {}  # by chat
    for place, update in enumerate(updates):
        chat = update.effective_chat.id if update.effective_chat is not None else None
        album = None if update.message is None else update.message.media_group_id
        number = newest.get(chat)
        before = None if number is None else bundles[number]
        if number is not None and before is not None and album is not None and _has_room(before, album):
            bundles[number] = Bundle(chat, album, before.first, place, (*before.updates, update))
        else:
            newest[chat] = len(bundles)
            bundles.append(Bundle(chat, album, place, place, (update,)))
    return tuple(bundles)


def _has_room(before: Bundle, album: str) -> bool:
    return before.album == album and len(before.updates) < ALBUM_MAX


def may_go_on(bundles: Sequence[Bundle], one: Bundle) -> bool:
    """Say whether one item more may come: nothing else was said in the chat since."""
    over = one.album is None or len(one.updates) >= ALBUM_MAX
    return not over and not any(each.chat == one.chat and each.first > one.last for each in bundles)


def done_upto(bundles: Sequence[Bundle], done: int) -> int:
    """How many updates may be forgotten of `done` that need not come again: an album only as a whole.

    Else what is left of it would come again after a crash, and be a message of its own.
    """
    for each in reversed(bundles):
        if each.first < done <= each.last:
            done = each.first
    return done
