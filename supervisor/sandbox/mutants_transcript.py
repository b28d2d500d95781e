"""Bugs of the field, planted in how agents write their own transcripts, and in what they are given of them."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from greenroom.actors import recalling, session, writing
from greenroom.actors.agent_rows import AgentRow
from greenroom.actors.keys import own_row_key
from greenroom.actors.model import Role
from greenroom.actors.recalling import Recall
from greenroom.actors.session_actor import SessionActor
from greenroom.actors.turn import LiveTurn
from greenroom.actors.window import without_cut_results
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    from greenroom.actors.draft import Draft
    from greenroom.actors.model import Message
    from greenroom.supervisor.sandbox.scenario import Scenario


def _by_position(real: Any) -> Any:
    number = count()
    return lambda key: f"{real(key)}.{next(number)}"


def _goes_on(_: Any) -> Any:
    """The row is an answer, but nobody takes note of it."""

    def conclude(draft: Draft, phase: Any, row: AgentRow) -> None:
        draft.append(own_row_key(row.key), row.role, row.text, finish=row.finish)
        draft.stamp(phase.run)

    return conclude


async def _says_on(_turn: LiveTurn, _count: int) -> None:
    pass


def _slips(told: Scenario, _: int) -> None:
    told.says("m1 say slip say answer")


def _takes_any_words(_: Any) -> Any:
    return property(lambda row: row.role is Role.ASSISTANT and bool(row.text))


def _cuts(_: Any) -> Any:
    return tuple


def _forgets_who_waits(_: Any) -> Any:
    async def complete(_self: Recall, summary: Message | None, window: tuple[Message, ...]) -> tuple[Message, ...]:
        return (*((summary,) if summary is not None else ()), *without_cut_results(window))

    return complete


def _dies_while_it_writes(room: Scenario, seed: int) -> None:
    """The process dies at some point of a run that writes rows, and the same work begins again."""
    room.says("m1 write:each nap write:all answer")
    room.steps(20 + seed)
    room.crash()
    room.boot()


def _writes_its_answer(room: Scenario, _seed: int) -> None:
    room.says("m1 write:all written")


def _writes_an_interim_row(room: Scenario, _seed: int) -> None:
    room.says("m1 write:each answer")


def _works_long(room: Scenario, _seed: int) -> None:
    """One piece of work that has more rows than the window."""
    room.says("m1 write:all pure pure answer")


def _adds_to_its_answer(room: Scenario, seed: int) -> None:
    room.says(f"m{seed} adding")
    room.advance(0.5)
    room.says("m900 answer")


def _waits_for_each(real: Any) -> Any:
    def forget(self: SessionActor, generation: Any) -> bool:
        real(self, generation)
        return True

    return forget


def _loses_who_lingers(real: Any) -> Any:
    def start(self: SessionActor, act: Any) -> None:
        real(self, act)
        self._late = None

    return start


def _stops_while_one_lingers(room: Scenario, _: int) -> None:
    """An agent has concluded, and goes on for a moment; the next message waits for its end, and is stopped."""
    room.says("m1 adding")
    room.advance(0.5)
    room.says("m2 answer")
    room.until(lambda: room.rows("SELECT 1 FROM runs WHERE generation = 2"))
    room.says("/stop")
    room.advance(20)


MUTANTS = (
    Mutant(
        "a flush counts by position",
        "rows are told apart by when they are flushed, and not by their key: a retry appends them again",
        (Swap(writing, "own_row_key", _by_position),),
        frozenset({"a_row_is_written_once", "what_was_written_is_kept", "written_rows_have_no_gap"}),
        story(_dies_while_it_writes),
    ),
    Mutant(
        "backfill although there is an answer",
        "the agent wrote its answer itself, and what it returns is appended once more",
        (
            Swap(writing, "conclude_by_row", _goes_on),
            Swap(LiveTurn, "concluded", lambda _: property(lambda _turn: False)),
        ),
        frozenset({"work_has_one_answer"}),
        story(_writes_its_answer),
    ),
    Mutant(
        "what comes after the answer is lost",
        "the run was concluded by a row of the agent: what it says after that is late, and nobody sees it",
        (Swap(session, "add_after", lambda _: lambda *_args: None),),
        frozenset({"what_is_added_is_shown"}),
        story(_adds_to_its_answer),
    ),
    Mutant(
        "what was taken back is said",
        "words of a model that broke off stay in the answer that it gives when it is asked again",
        (Swap(LiveTurn, "unsay", lambda _: _says_on),),
        frozenset({"what_is_taken_back_is_gone"}),
        story(_slips),
    ),
    Mutant(
        "an afterthought outlives /stop",
        "an agent that has concluded goes on beside the run that waits for it, and what it adds is shown after a stop",
        (
            Swap(SessionActor, "_start_run", _loses_who_lingers),
            Swap(SessionActor, "_forget_run", _waits_for_each),
            Swap(writing, "_may_add", lambda _: lambda draft: not draft.succeeded),
        ),
        frozenset({"what_is_stopped_stays_so"}),
        story(_stops_while_one_lingers),
    ),
    Mutant(
        "an interim row taken for the answer",
        "any words of the agent count as its answer: the final text is not backfilled",
        (Swap(AgentRow, "concludes", _takes_any_words),),
        frozenset({"an_answer_concludes"}),
        story(_writes_an_interim_row),
    ),
    Mutant(
        "a window cuts calls from results",
        "the window begins with the result of a call that it leaves out",
        (Swap(recalling, "without_cut_results", _cuts),),
        frozenset({"a_window_is_whole"}),
        story(_works_long, policy=Policy(transcript_window=1)),
    ),
    Mutant(
        "a window forgets who waits",
        "the message that is to be answered is older than the window, and the agent does not see it",
        (Swap(Recall, "_complete", _forgets_who_waits),),
        frozenset({"a_window_is_whole", "no_phantom_run"}),
        story(_works_long, policy=Policy(transcript_window=1)),
    ),
)
