"""What persons do, drawn from a seed: they write, also while the process is down or twice, and answer what they see."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from greenroom.actors.commands import USES
from greenroom.actors.model import Attachment, Change
from greenroom.supervisor.sandbox.agents import CUTS, ENDINGS, STEPS, TOOLS
from greenroom.supervisor.sandbox.faults import Mix
from greenroom.supervisor.sandbox.parts import Parts, split_dice
from greenroom.supervisor.sandbox.replies import Replies
from greenroom.supervisor.sandbox.world import World

if TYPE_CHECKING:
    from greenroom.actors.model import Inbound, SessionKey


ROUNDING_S = 1e-6
"""A moment of the world may be reached by less than what is lost when times are added."""

CUT = 0.15
"""How many calls of tools are cut off by the end of the process."""
GLANCES_MAX = 4
"""How often persons look by themselves, and not when all is quiet."""

CHANGED = 0.15
"""How many messages their writer edits or deletes."""
ORDERS = (*(f"/{command}" for command in USES), "/stop", "/new", "/suspend", "/resume", "/queue ", "/steer ")
"""What people order; with a blank at its end a message follows."""

ATTACH_EVERY = 3
"""With every so-manieth message something comes."""


@dataclass(slots=True, order=True)
class Plan:
    """Something that a person does at a moment of the world."""

    at: float
    number: int
    do: Callable[[], object] = field(compare=False)


class People:
    """Everybody who writes in one world."""

    def __init__(self, world: World, rng: random.Random, mix: Mix, parts: Parts) -> None:
        """Draw what will be said, and when."""
        self._world = world
        self._rng = rng
        self._parts = parts
        self._orders = count(1)
        self._plans: list[Plan] = []
        self._replies = Replies(world, split_dice(rng))
        self._draw(mix)
        self._draw_glances()
        for network in world.networks:
            network.server.mix_up = self._mix_up

    def join(self, plans: list[Plan]) -> None:
        """Let somebody else do something in this world, too."""
        self._plans = sorted([*self._plans, *plans])

    @property
    def next_at(self) -> float | None:
        """When somebody does something next; None: nobody plans anything."""
        return self._plans[0].at if self._plans else None

    def act(self) -> None:
        """Do what is due."""
        while self._plans and self._plans[0].at <= self._world.now + ROUNDING_S:
            self._plans.pop(0).do()

    def reply(self) -> bool:
        """Answer the newest question in each chat; True if there was one that had no answer yet."""
        replies = [self._replies.reply(chat) for network in self._world.networks for chat in network.chats]
        return any(replies)

    def _draw(self, mix: Mix) -> None:
        rng = self._rng
        chats = [chat for network in self._world.networks for chat in network.chats]
        rate_s = rng.choice((2.0, 20.0, 200.0)) / mix.messages_max
        at = 0.0
        for n in range(1, rng.randint(1, mix.messages_max) + 1):
            chat, words = rng.choice(chats), self._draw_words()
            at += rng.expovariate(1.0) * rate_s
            again_s = rng.choice((0.0, 1.0, 30.0, 400.0)) if rng.random() < mix.duplicate else None
            changing = split_dice(rng)
            if not self._parts.happens(f"m{n}"):
                continue
            kept = (it for k, it in enumerate(words, 1) if it == "answer" or self._parts.happens(f"m{n}.{k}"))
            text = " ".join((f"m{n}", *kept))
            attached = (Attachment(f"/var/spool/{n}.png", "image/png", n, f"{n}.png"),) if n % ATTACH_EVERY == 0 else ()
            self._plan(at, chat, f"u{n}", text, attached)
            self._draw_change(changing, at, n, text)
            if again_s is not None and self._parts.happens(f"m{n}.again"):
                self._plan(at + again_s, chat, f"u{n}", text, attached)
        self._draw_orders(split_dice(rng), chats, rate_s * mix.messages_max)
        self._plans.sort()

    def _draw_glances(self) -> None:
        """Now and then somebody looks, and answers what is asked, or presses a button of long ago."""
        rng = self._rng
        chats = [chat for network in self._world.networks for chat in network.chats]
        for n in range(1, rng.randint(0, GLANCES_MAX) + 1):
            chat, at, again = rng.choice(chats), rng.expovariate(1.0) * 40.0, rng.random() < 0.4
            if self._parts.happens(f"glance{n}"):
                act = self._replies.press_again if again else self._replies.reply
                self._plans.append(Plan(at, len(self._plans), partial(act, chat)))
        self._plans.sort()

    def _draw_change(self, dice: random.Random, at: float, n: int, text: str) -> None:
        """Some people think better of what they wrote."""
        change = dice.choice((Change.EDIT, Change.EDIT, Change.DELETE)) if dice.random() < CHANGED else None
        if change is None or not self._parts.happens(f"m{n}.change"):
            return
        words = f"{text.split(maxsplit=1)[0]} edited answer" if change is Change.EDIT else ""

        def do() -> None:
            if f"u{n}" in self._world.said:
                self._world.faults[f"chat: a message is changed ({change.value})"] += 1
                self._world.change(f"c{n}", f"u{n}", change, words)

        self._plans.append(Plan(at + dice.choice((0.0, 0.3, 2.0, 60.0)), len(self._plans), do))

    def _draw_orders(self, dice: random.Random, chats: list[SessionKey], span_s: float) -> None:
        """Half of all worlds have people who give orders, at any moment, and some of them twice."""
        for n in range(1, dice.choice((0, 0, 0, 1, 2, 4, 6)) + 1):
            chat, order, at = dice.choice(chats), dice.choice(ORDERS), dice.uniform(0.0, 1.5) * span_s
            again_s = dice.choice((None, None, 0.0, 30.0))
            text = order if order[-1] != " " else f"{order}q{n} answer"
            if self._parts.happens(f"o{n}"):
                self._plan(at, chat, f"o{n}", text, ())
                if again_s is not None and self._parts.happens(f"o{n}.again"):
                    self._plan(at + again_s, chat, f"o{n}", text, ())

    def _draw_words(self) -> list[str]:
        rng = self._rng
        steps = [self._draw_step() for _ in range(rng.choice((0, 0, 1, 2, 3)))]
        if rng.random() < 0.04:
            steps.insert(rng.randint(0, len(steps)), "kill")
        return [*steps, rng.choice(ENDINGS) if rng.random() < 0.3 else "answer"]

    def _draw_step(self) -> str:
        step = self._rng.choice(STEPS)
        return f"{step}:{self._rng.choice(CUTS)}" if step in TOOLS and self._rng.random() < CUT else step

    def _mix_up(self, updates: list[Inbound]) -> None:
        if len(updates) < 2 or self._world.calm or self._rng.random() >= 0.2:
            return
        order = split_dice(self._rng)
        if self._parts.happens(f"order{next(self._orders)}"):
            self._world.faults["chat: updates come in another order"] += 1
            order.shuffle(updates)

    def _plan(
        self, at: float, chat: SessionKey, update_id: str, text: str, attachments: tuple[Attachment, ...]
    ) -> None:
        def say() -> None:
            if update_id in self._world.said:
                self._world.faults["chat: an update comes again"] += 1
            if self._world.runtime is None:
                self._world.faults["chat: written while the process is down"] += 1
            self._world.say(chat, update_id, text, attachments)

        self._plans.append(Plan(at, len(self._plans), say))
