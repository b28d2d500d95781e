"""One turn, the same in every cell: a message, the model, a tool with an effect, the model, the answer.

It is cut off at a `Moment`, the process starts again, and what the person sees is judged from outside: from the chat,
from the effects that were counted, and from the transcript.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, assert_never

from greenroom.actors.entry import REPEAT_MARK
from greenroom.actors.model import DeliveryClass, ToolPolicy
from greenroom.actors.ports import ToolInDoubtError
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.platforms.fakes.platform import Seen
from greenroom.storage.faulty_disk import FaultKind, Loss
from greenroom.supervisor.sandbox.matrix import TOOL_POINTS, Outcome, Point, Run
from greenroom.supervisor.sandbox.scenario import Scenario

if TYPE_CHECKING:
    from greenroom.actors.ports import Turn

WORDS = "The order "
"""How the answer begins: visible while it grows, where a platform can edit."""

TOKEN = "<m1>"  # noqa: S105 - marks the answer, and only a whole one
ASKS_AGAIN = "Run it again?"


class OneTurn:
    """The agent, and the receiver of its tool's effect."""

    def __init__(self, policy: ToolPolicy) -> None:
        """The tool's policy is what row D is about."""
        self.policy = policy
        self.effects: list[str] = []  # the idempotency key of each

    async def __call__(self, turn: Turn) -> str:
        """Ask the model, call the tool, ask the model, answer."""
        await asyncio.sleep(0.2)
        try:
            result = await turn.tool("pay", {"order": 7}, policy=self.policy, fn=self._pay)
        except ToolInDoubtError:
            result = "in doubt"
        await asyncio.sleep(0.2)
        await turn.say(WORDS)
        await asyncio.sleep(2)
        return f"is {result} {TOKEN}"

    async def _pay(self, order: int, idempotency_key: str) -> str:
        await asyncio.sleep(0.3)
        self.effects.append(idempotency_key)
        await asyncio.sleep(0.3)
        return f"paid {order}"

    @property
    def counted(self) -> int:
        """How many effects there are for a receiver that keeps the policy's rule: one key is one effect."""
        return len(set(self.effects) if self.policy is ToolPolicy.KEYED else self.effects)


@dataclass(frozen=True, slots=True)
class Killed:
    """After so many steps of the house. A `loss` other than NOTHING: the power failed."""

    steps: int
    loss: Loss = Loss.NOTHING

    def __str__(self) -> str:
        """Say how to do it again."""
        return f"killed after step {self.steps}, {self.loss.value}"


@dataclass(frozen=True, slots=True)
class CutInWriting:
    """In the middle of the disk's nth operation since the message came."""

    operation: int
    loss: Loss

    def __str__(self) -> str:
        """Say how to do it again."""
        return f"cut at disk operation {self.operation}, {self.loss.value}"


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """The platform shows a text, the whole answer or what stands for it at first, and its reply never comes."""

    fault: PlatformFault
    text: str

    def __str__(self) -> str:
        """Say how to do it again."""
        return f"{self.text!r} sent, then: {self.fault.value}"


Moment = Killed | CutInWriting | AnswerLost


class Story:
    """One turn on one kind of platform, from the message to its judgement."""

    def __init__(self, platform: DeliveryClass, policy: ToolPolicy, seed: int = 1) -> None:
        """The seed decides what a scheduler would, and what a power cut loses."""
        self.platform = platform
        self.agent = OneTurn(policy)
        self.room = Scenario(self.agent, platforms=[platform], seed=seed)

    def measure(self) -> tuple[list[Point], int]:
        """Run the turn undisturbed: where each step of it stands, and the disk operations it takes."""
        with self.room as room:
            before = room.world.disk.operations
            room.says("m1")
            points = [self.classify()]
            while room.steps(1):
                points.append(self.classify())
            return points, room.world.disk.operations - before

    def tell(self, moment: Moment) -> Run | None:
        """Run the turn with its accident, to its end; None if it ended before that."""
        with self.room as room:
            room.says("m1")
            point = self._strike(moment)
            if point is None:
                return None
            room.rest()
            if self._is_asked():
                room.says("no")
                room.rest()
            return Run(point, self.platform, self.judge(), str(moment))

    def _strike(self, moment: Moment) -> Point | None:
        room, loss = self.room, Loss.NOTHING
        match moment:
            case Killed(steps, loss):
                if room.steps(steps) < steps:
                    return None
            case CutInWriting(operation, loss):
                room.disk_fails(FaultKind.CUT, nth=operation)
                room.rest()
                if room.life is None or room.life.lives():
                    return None
            case AnswerLost(fault, text):
                room.world.choose = partial(self._lose, fault, text)
                return Point.H
            case _:
                assert_never(moment)
        room.crash(loss)
        point = self.classify()
        room.stays_down(1)
        room.boot()
        return point

    def _lose(self, fault: PlatformFault, text: str, seen: Seen) -> PlatformFault | None:
        if text not in seen.text:
            return None
        self.room.world.choose = lambda _: None
        return fault

    # -- where it stands, and what came of it ----------------------------------------------------------------------

    def classify(self) -> Point:
        """How far the turn has come, by what is outside and what is on disk. Total; later points first."""
        room, texts = self.room, self.room.visible()
        inbound = room.inbox()
        if any(row.answers_upto is not None for row in room.transcript()):
            if any(row.kind == "answer" and row.state == "delivered" for row in room.deliveries()):
                return Point.I
            return Point.H if any(TOKEN in text for text in texts) else Point.G
        if any(WORDS.strip() in text for text in texts):
            return Point.F
        calls = room.of_session("tool_calls")
        if self.agent.effects and not calls:
            return TOOL_POINTS[self.agent.policy]
        if calls:
            return Point.E if calls[-1].result is not None else TOOL_POINTS[self.agent.policy]
        if not inbound:
            return Point.A
        server = room.world.networks[0].server
        return Point.C if inbound[0].update_id in server.acknowledged else Point.B

    def judge(self) -> Outcome:
        """What the person has now that all is quiet."""
        texts = self.room.visible()
        answers = [text for text in texts if TOKEN in text]
        torn = [text for text in texts if WORDS.strip() in text and TOKEN not in text]
        rows = [row for row in self.room.transcript() if row.answers_upto is not None and TOKEN in row.text]
        if not answers or not rows or not (self.agent.effects or "in doubt" in answers[0] or self._is_asked()):
            return Outcome.LOST
        repeated = self.agent.policy is not ToolPolicy.PURE and self.agent.counted > 1
        if torn or repeated or len(rows) > 1:
            return Outcome.DOUBLED
        if len(answers) > 1:
            marked = all(text.startswith(REPEAT_MARK) for text in answers[1:])
            return Outcome.DECLARED if marked and self.platform is DeliveryClass.NONE else Outcome.DOUBLED
        if self._is_asked():
            return Outcome.ASKED
        return Outcome.IN_DOUBT if "in doubt" in answers[0] else Outcome.ONCE

    def _is_asked(self) -> bool:
        return any(ASKS_AGAIN in text for text in self.room.visible())
