"""The scripted agent: it does what messages say. A message is an id and directives, such as `m3 say once answer`.

`once:before` and `once:after` let the process be killed before or after the tool's effect.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from greenroom.actors.model import Message, MessageKind, Role, ToolPolicy
from greenroom.actors.ports import (
    BudgetExceededError,
    Conclusion,
    ProviderError,
    QuestionTimedOutError,
    QuestionUndeliveredError,
    ToolFailedError,
    ToolInDoubtError,
    Turn,
)
from greenroom.actors.simulation import WALL
from greenroom.supervisor.sandbox.agents_background import PROCESS_STEPS, use_process
from greenroom.supervisor.sandbox.happening import AGENT
from greenroom.supervisor.sandbox.scribe import (
    WAYS,
    WRITTEN_ENDINGS,
    what_a_window_lacks,
    write_ending,
    write_step,
)

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.world import World

BASIC = ("answer", "fail", "exit", "base", "nothing", "hang", "broken", "wrongtype", "long", "stubborn", "loop")
ENDINGS = (*BASIC, *WRITTEN_ENDINGS)
TOOLS = ("pure", "keyed", "once", "ask")
CUTS = ("before", "after")
WRITINGS = tuple(f"write:{way}" for way in WAYS)
ASKS = ("question", "pick", "hurried")
WORKS = ("say", "slip", "progress", "refusing", "nap", "doze", "thread", "outage", "listen", "spend")
STEPS = (*PROCESS_STEPS, *TOOLS, *TOOLS, *WRITINGS, *ASKS, *WORKS)
SLIP = "slip"
"""Words with this in them are taken back."""

HASTE_S = 30.0
"""How long an answer is waited for by who is in a hurry (`hurried`)."""
QUEUE_S = 1_000.0
"""How long a session that was found fresh may wait until it is resumed."""

OPEN_RUN = "SELECT 1 FROM runs JOIN sessions ON sessions.id = runs.session_id WHERE open = 1 AND sessions.key = ?"

KILLS_MAX = 4
"""How often a message may end the process (`kill`): more than a session may be attempted."""

OUTAGES_MAX = 5
"""How often a message may find the model's provider down (`outage`): more than a session may be attempted."""


class AgentGone(BaseException):
    """What no library should raise."""


class ScriptedAgent:
    """An `Agent`. Reads from the transcript what is unanswered, as an agent with a memory of its own would not."""

    def __init__(self, world: World, *, fresh_s: float = 0.0) -> None:
        """Tell the world what is done in it. `fresh_s` is the policy's; 0: never too old."""
        self._world = world
        self._fresh_s = fresh_s
        self._live: dict[str, list[Turn]] = {}

    async def __call__(self, turn: Turn) -> str | Conclusion | None:
        """Follow the scripts of all unanswered messages, oldest first."""
        key = str(turn.session)
        self._world.runs += 1
        live = self._live.setdefault(key, [])
        if live:  # Also one that was told to stop and has not.
            self._world.break_promise("one_run_at_a_time", f"a second agent runs in {key}")
        live.append(turn)
        self._world.note(key, f"begins, attempt {turn.attempt}, new {turn.text!r}", AGENT)
        if self._world.is_late(self._world.drained_at):
            self._world.break_promise("a_drain_begins_nothing", f"an agent begins in {key}")
        self._works(key)
        try:
            answer = await self._follow(turn)
            self._world.note(AGENT, f"ends with {answer!r}", key)
            return answer
        finally:
            live.remove(turn)
            if not live:
                self._world.resting[key] = self._world.now

    def _works(self, key: str) -> None:
        self._world.resting.pop(key, None)
        self._world.begun[key] = self._world.now

    async def _follow(self, turn: Turn) -> str | Conclusion | None:
        rows = await self._read(turn)
        self._watch_wake(turn, rows)
        unanswered = read_unanswered(rows)
        if is_asking(rows):
            self._world.break_promise("a_question_waits_for_its_person", f"{turn.session} was resumed")
        if not unanswered and is_told_of_processes(rows):
            return " ".join(("heard of", *(f"({row.key})" for row in turn.news)))
        if not unanswered:
            await asyncio.sleep(1)  # A run that was ended meanwhile is cancelled here.
            while not self._is_open(turn):  # noqa: ASYNC110 - a file on a disk tells nobody of its news
                await asyncio.sleep(5)  # Or later: its session has not heard from a slow disk that it wrote the end.
            self._world.break_promise("no_phantom_run", f"a run of {turn.session} has nothing to answer")
        for row in unanswered:
            name, *directives = words_of(row)
            for n, directive in enumerate(directives):
                if directive in ENDINGS:
                    return await self._end(turn, directive)
                await self._do(turn, f"{name}.{n}", directive)
        return await self._answer(turn)

    def _is_open(self, turn: Turn) -> bool:
        """Whether a run of this chat is under way on disk, as far as that can be read."""
        look = self._world.look
        return look is not None and bool(look(lambda db: db.execute(OPEN_RUN, (str(turn.session),)).fetchall()))

    def _watch_wake(self, turn: Turn, rows: Sequence[Message]) -> None:
        """What has not moved for longer than the policy allows does not wake by itself.

        A message that was handed to a run moved, also if that run died before its agent's first step.
        """
        world, key = self._world, str(turn.session)
        handed_at = max(
            (row.at - WALL for row in rows if row.role is Role.USER or row.kind is MessageKind.PROCESS), default=0.0
        )
        idle_s = world.now - max(handed_at, world.moved.get(key, world.now))
        excused = any(kind.startswith(("clock", "host")) for kind in world.faults) or any(
            str(chat) == key and text.startswith(("/resume", "/retry")) for chat, text in world.said.values()
        )  # The clock was set, or somebody asked for it.
        if turn.recovery_note is not None and 0 < self._fresh_s < idle_s - QUEUE_S and not excused:
            world.break_promise("old_work_does_not_wake", f"{key} was woken after {idle_s:.0f} s")
        if turn.recovery_note is None:
            world.moved[key] = world.now

    async def _do(self, turn: Turn, step: str, directive: str) -> None:
        name = step.split(".", maxsplit=1)[0]
        self._world.moved[str(turn.session)] = self._world.now
        directive, _, cut = directive.partition(":")
        match directive:
            case "say" | "slip" | "progress" | "listen" | "spend":
                await self._speak(turn, name, directive)
            case "pure" | "keyed" | "once" | "ask":
                await self._tool(turn, step, ToolPolicy(directive), cut)
            case "write":
                await write_step(turn, self._world, step, cut)
            case "refusing":
                await self._failing_tool(turn, step)
            case "question" | "pick" | "hurried":
                await self._ask_as(turn, step, directive)
            case "nap":
                await asyncio.sleep(3)
            case "doze":
                await asyncio.sleep(100)
            case "thread":
                await turn.in_thread(lambda: None)
            case "kill" if self._may_kill(name):
                self._world.kill("agent: kills the process")
                await asyncio.sleep(1)  # Nothing goes on after that.
            case "process":
                await use_process(self._world, turn, step, cut)
            case "outage":
                self._fail_to_reach(step, name)
            case _:
                pass

    async def _speak(self, turn: Turn, name: str, directive: str) -> None:
        match directive:
            case "say":
                await turn.say(f"({name} words) ")
            case "slip":
                await turn.say(f"({name} {SLIP}) ")
                await asyncio.sleep(1)
                await turn.unsay(len(f"({name} {SLIP}) "))
            case "progress":
                await turn.progress(f"{name} goes on")
            case "spend":
                await turn.spent(calls=1, tokens=100, cost=0.25)
            case _:
                await self._listen(turn)

    @staticmethod
    async def _loop(turn: Turn) -> str:
        """Do the same for ever, whoever says that it is enough."""
        while True:
            await asyncio.sleep(0.1)
            with suppress(BudgetExceededError):
                await turn.tool("look", {}, policy="pure", fn=lambda: "nothing")

    async def _listen(self, turn: Turn) -> None:
        """Look whether the person steers; what they say is followed, but for its end: this run has one of its own."""
        for row in await turn.steered():
            name, *directives = words_of(row)
            for n, directive in enumerate(directives):
                if directive not in ENDINGS and directive != "listen":
                    await self._do(turn, f"{name}.{n}", directive)

    def _fail_to_reach(self, step: str, name: str) -> None:
        """The model's provider is down, for a while; sometimes it says for how long."""
        if self._world.outages[name] < OUTAGES_MAX and not self._world.calm:
            self._world.outages[name] += 1
            self._world.fault("agent: provider down")
            raise ProviderError("the model is overloaded", retry_after_s=20.0 if step.endswith("1") else None)

    def _may_kill(self, name: str, most: int = KILLS_MAX) -> bool:
        """Whether this may end the process once more; counts it."""
        if self._world.kills[name] >= most or self._world.calm:
            return False
        self._world.kills[name] += 1
        return True

    async def _ask_as(self, turn: Turn, step: str, directive: str) -> None:
        prompt, choices = f"{step} asks back?", () if directive == "question" else ("left", "right")
        if directive != "hurried":
            await self._ask(turn, prompt, choices)
            return
        try:
            await self._ask(turn, prompt, choices, HASTE_S)
        except (QuestionTimedOutError, QuestionUndeliveredError) as error:
            await turn.say(f"({type(error).__name__}) ")

    async def _ask(
        self, turn: Turn, prompt: str, choices: tuple[str, ...] = (), timeout_s: float | None = None
    ) -> None:
        """While somebody is asked nobody works."""
        key = str(turn.session)
        self._world.resting[key] = self._world.begun[key] = self._world.now
        try:
            await turn.ask_user(prompt, choices, timeout_s)
        finally:
            self._works(key)

    async def _tool(self, turn: Turn, name: str, policy: ToolPolicy, cut: str) -> None:
        world, effect = self._world, (str(turn.session), policy.value, name)

        def act(message: str, idempotency_key: str) -> str:
            keys = world.keys.setdefault(effect, set())
            if policy is not ToolPolicy.KEYED or idempotency_key not in keys:
                world.effects[effect] += 1
            keys.add(idempotency_key)
            world.note(AGENT, f"tool {policy.value}({message}) takes effect for {turn.session}")
            if effect in world.done and not world.retries[effect[0]]:
                world.break_promise("a_stored_result_is_not_asked_for_again", f"{policy.value}({name}) was called")
            return f"done {world.effects[effect]}"

        async def act_slowly(message: str, idempotency_key: str) -> str:
            await asyncio.sleep(0.5)
            await self._cut(cut, "before", name)
            result = act(message, idempotency_key)
            await self._cut(cut, "after", name)
            await asyncio.sleep(0.5)
            return result

        try:
            await turn.tool(policy.value, {"message": name}, policy=policy, fn=act_slowly)
        except ToolInDoubtError:
            await turn.say(f"({name} {policy.value} in doubt) ")
        else:
            world.done.add(effect)

    async def _cut(self, wanted: str, moment: str, name: str) -> None:
        """End the process, once for each call, if this is the moment that was asked for."""
        if wanted == moment and self._may_kill(f"{name} {moment}", most=1):
            self._world.kill(f"agent: killed {moment} a tool's effect")
            await asyncio.sleep(1)  # Nothing goes on after that.

    async def _failing_tool(self, turn: Turn, name: str) -> None:
        def refuse(message: str) -> str:
            raise ValueError(f"{message} is refused")

        try:
            await turn.tool("refusing", {"message": name}, policy="once", fn=refuse)
        except (ValueError, ToolFailedError, ToolInDoubtError) as error:
            await turn.say(f"({type(error).__name__}) ")

    async def _read(self, turn: Turn) -> Sequence[Message]:
        rows = await turn.messages()
        if lack := what_a_window_lacks(turn, rows):
            await asyncio.sleep(0.1)  # Who was stopped while it read hears of that now: nobody waits for it any more.
            self._world.break_promise("a_window_is_whole", f"{turn.session} is not shown {lack}")
        return rows

    async def _answer(self, turn: Turn) -> str:
        """Name all that the answer covers; what was said while the agent asked is in the transcript by now."""
        return answer_for([words_of(row)[0] for row in read_unanswered(await self._read(turn))])

    async def _end(self, turn: Turn, directive: str) -> str | Conclusion | None:
        endings: dict[str, Callable[[], Coroutine[Any, Any, str | Conclusion | None]]] = {
            "hang": self._hang,
            "loop": lambda: self._loop(turn),
            "stubborn": lambda: self._be_stubborn(turn),
        }
        if directive in endings:
            return await endings[directive]()
        match directive:
            case "fail":
                raise RuntimeError("the model is not there")
            case "exit":
                sys.exit(3)
            case "base":
                raise AgentGone
            case "nothing":
                return None
            case "broken":
                return Conclusion("half a sen", finish=None)
            case "written" | "lingering" | "stumbling" | "adding" | "interim":
                return await write_ending(turn, self._world, directive, await self._answer(turn))
            case "wrongtype":
                return 42  # type: ignore[return-value]  # what foreign code does
            case "long":
                return await self._answer(turn) + "\n\n" + "and so on, line by line.\n" * 8
            case _:
                return await self._answer(turn)

    async def _hang(self) -> None:
        await asyncio.Event().wait()

    async def _be_stubborn(self, turn: Turn) -> str:
        """Take no notice of being stopped, and come late with what was thought before."""
        answer = await self._answer(turn)
        try:
            await asyncio.sleep(40)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
        return answer


def read_unanswered(rows: Sequence[Message]) -> list[Message]:
    """The user's rows that no concluding row covers, oldest first."""
    upto = max((row.answers_upto for row in rows if row.answers_upto is not None), default=0)
    return [row for row in rows if row.role is Role.USER and row.seq > upto]


def words_of(row: Message) -> list[str]:
    """A message's words; one without any is called as its first attachment is."""
    return row.text.split() or [row.attachments[0].name or "unnamed"]


def is_told_of_processes(rows: Sequence[Message]) -> bool:
    """Whether a background process told something since the last concluding row."""
    since = max((row.seq for row in rows if row.answers_upto is not None), default=0)
    return any(row.kind is MessageKind.PROCESS and row.seq > since for row in rows)


def is_asking(rows: Sequence[Message]) -> bool:
    """Whether the transcript ends in a question."""
    said = [row for row in rows if row.kind is not MessageKind.RECOVERY_NOTE]
    return bool(said) and said[-1].kind is MessageKind.QUESTION


def answer_for(names: Sequence[str]) -> str:
    """The answer that covers these messages.

    >>> answer_for(["m1", "r2"])
    'answer <m1> <r2>'
    """
    return " ".join(("answer", *(f"<{name}>" for name in names)))
