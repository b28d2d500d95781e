"""Strangers of a world, and whoever lets them in: drawn from a seed, also with codes that are wrong, used, or over."""

from __future__ import annotations

import random
import re
from functools import partial
from typing import TYPE_CHECKING

from greenroom.actors.model import SessionKey
from greenroom.supervisor.sandbox.happening import PEOPLE
from greenroom.supervisor.sandbox.people import Plan
from greenroom.supervisor.sandbox.world import Stranger

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.parts import Parts
    from greenroom.supervisor.sandbox.world import World

CODE = re.compile(r"pair approve (\S+)")
WRONG = "WRNG-CDE2"
SPANS_S = (10.0, 200.0, 1_000.0)
DEEDS = ("knock", "knock", "newest", "newest", "newest", "oldest", "wrong", "speak", "speak", "revoke")


def draw_strangers(world: World, dice: random.Random, parts: Parts) -> list[Plan]:
    """A third of all worlds have somebody whom nobody allowed."""
    plans, span_s = list[Plan](), dice.choice(SPANS_S)
    for n in range(1, dice.choice((0, 0, 0, 0, 1, 2)) + 1):
        stranger = meet(world, dice.choice(world.networks).name, n)
        for k in range(1, dice.randint(2, 10) + 1):
            deed, at = "knock" if k == 1 else dice.choice(DEEDS), dice.uniform(0.0, span_s)
            if parts.happens(f"s{n}.{k}"):
                plans.append(Plan(at, len(plans), partial(act, world, stranger, deed, f"s{n}.{k}")))
    return plans


def meet(world: World, platform: str, number: int = 1) -> Stranger:
    """Let a stranger come into the world."""
    stranger = Stranger(SessionKey(platform, "bot", f"stranger{number}"))
    world.strangers.append(stranger)
    return stranger


def act(world: World, stranger: Stranger, deed: str, name: str) -> None:
    """Let a stranger write, or whoever runs the service type a code or shut somebody out."""
    look(world, stranger)
    match deed:
        case "knock":
            knock(world, stranger, name)
        case "newest" | "oldest" | "wrong":
            codes = list(stranger.codes) or [WRONG]
            type_code(world, stranger, WRONG if deed == "wrong" else codes[-1 if deed == "newest" else 0])
        case "speak" if stranger.is_in and stranger.revoked is None:
            world.say(stranger.chat, f"u{name}", f"m{900 + len(world.said)} answer")
        case "revoke" if stranger.is_in:
            revoke(world, stranger)
        case _:
            pass


def knock(world: World, stranger: Stranger, name: str) -> None:
    """Write without being allowed. Who is in, or may be, does not knock: a revocation may have been lost on its way."""
    if stranger.typed:
        return
    world.faults["chat: a stranger writes"] += 1
    world.note(PEOPLE, f"{stranger.chat.chat} knocks", stranger.chat.platform)
    world.knocks.add(f"knock.{name}")
    world.network_of(stranger.chat).server.say(stranger.chat, f"knock.{name}", "let me in answer")


def look(world: World, stranger: Stranger) -> None:
    """Read the codes that the chat was shown."""
    for text in world.network_of(stranger.chat).server.texts(stranger.chat):
        for code in CODE.findall(text):
            stranger.codes.setdefault(code, world.wall_now)


def type_code(world: World, stranger: Stranger, code: str) -> None:
    """Type a code where a process lives, once what the stranger said before is dealt with."""
    server = world.network_of(stranger.chat).server
    if world.doorkeeper is None or server.waits(stranger.chat):
        return
    world.faults["operator: types a code"] += 1
    if code != WRONG:
        stranger.typed.add(code)
    again = code in stranger.spent  # Typed twice in one breath it is one approval, answered twice.
    world.doorkeeper.approve(code, partial(_hear, world, stranger, code, world.wall_now, again=again))


def _hear(
    world: World, stranger: Stranger, code: str, typed_at: float, answer: SessionKey | Exception, *, again: bool
) -> None:
    if isinstance(answer, Exception):
        return
    seen_at = stranger.codes.get(code)
    if answer != stranger.chat or seen_at is None:
        world.break_promise("a_code_lets_its_chat_in", f"{code} of {stranger.chat} let {answer} in")
    elif again:
        world.break_promise("a_code_works_once", f"{code} let {answer} in again")
    elif world.policy is not None and typed_at - seen_at >= world.policy.pairing_s and not world.was("clock"):
        world.break_promise("an_old_code_is_void", f"{code} let {answer} in after {typed_at - seen_at:.0f} s")
    stranger.spent.add(code)
    stranger.is_in, stranger.revoked = True, None


def revoke(world: World, stranger: Stranger) -> None:
    """Shut a stranger out again, once all that was said before is dealt with."""
    server = world.network_of(stranger.chat).server
    if world.doorkeeper is None or server.waits(stranger.chat):
        return
    stranger.revoked = False
    world.doorkeeper.revoke(stranger.chat, partial(_hear_revoked, stranger))


def _hear_revoked(stranger: Stranger, answer: SessionKey | Exception) -> None:
    if isinstance(answer, SessionKey):
        stranger.revoked, stranger.is_in = True, False
        stranger.typed.clear()
