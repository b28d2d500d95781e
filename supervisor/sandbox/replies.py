"""How persons answer what an agent asks: by words or by a button, at once, late, twice, or a question of long ago."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from greenroom.actors.lines import OVER_LINE

if TYPE_CHECKING:
    from greenroom.actors.model import SessionKey
    from greenroom.platforms.fakes.chat_server import ChatMessage
    from greenroom.supervisor.sandbox.world import World

PRESSES = 0.7
"""How many answers are presses, where there are buttons."""


class Replies:
    """Everybody's in one world."""

    def __init__(self, world: World, rng: random.Random) -> None:
        """Answer nothing yet."""
        self._world = world
        self._rng = rng

    def reply(self, chat: SessionKey) -> bool:
        """Answer the newest question of a chat, or that one is over; True if there was one that had no answer yet."""
        world, asks = self._world, self._asks(chat)
        if not asks or (chat.platform, asks[-1].id) in world.replied:
            return False
        world.replied.update((chat.platform, each.id) for each in asks)
        newest = asks[-1]
        number = len(world.said) + 1
        text = f"r{number}"
        may_grant = "- yes" in newest.text or (newest.choices is not None and "yes" in newest.choices.texts)
        if may_grant:
            text = self._rng.choice(("yes", "no", text))
            world.granted[str(chat)] += text == "yes"
        elif newest.choices is not None or "- left" in newest.text:
            text = self._rng.choice(("left", "right", text))
        if newest.choices is not None and text in newest.choices.texts and self._rng.random() < PRESSES:
            world.press(chat, newest.id, f"v{number}", text)
        else:
            world.say(chat, f"v{number}", text)
        return True

    def press_again(self, chat: SessionKey) -> None:
        """Press a button of a question that was answered before, if there is one. It grants nothing."""
        world = self._world
        old = [it for it in self._asks(chat) if it.choices is not None and (chat.platform, it.id) in world.replied]
        if old:
            chosen = self._rng.choice(old)
            world.faults["chat: a button of an old question is pressed"] += 1
            texts = chosen.choices.texts if chosen.choices is not None else ()
            world.press(chat, chosen.id, f"v{len(world.said) + 1}", self._rng.choice(texts))

    def _asks(self, chat: SessionKey) -> list[ChatMessage]:
        server = self._world.network_of(chat).server
        said = (server.message(f"m{n}") for n in range(1, server.posts + 1))
        shown = [each for each in said if each.chat == chat]  # Who read a question can answer when it was removed.
        return [it for it in shown if "back?" in it.text or "- yes" in it.text or it.choices or _says_over(it.text)]


def _says_over(text: str) -> bool:
    """Whether this is the line that asks for words instead of a press, or the last part of it.

    >>> _says_over("Write to me if you want something else.)"), _says_over(" "), _says_over("Write to me")
    (True, False, False)
    """
    return OVER_LINE in text or (text.strip() != "" and OVER_LINE.endswith(text.strip()))
