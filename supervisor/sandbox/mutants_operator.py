"""Bugs that are planted in what becomes of the orders of whoever runs the service."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from greenroom.actors import commanding, session
from greenroom.actors.acts import ReportConcluded
from greenroom.actors.commands import Command
from greenroom.actors.events import Released
from greenroom.actors.facts import InboundSettled, SessionReleased
from greenroom.actors.keys import operator_key
from greenroom.actors.model import Role
from greenroom.actors.state import Interrupted
from greenroom.storage import reading
from greenroom.supervisor import operations, reception
from greenroom.supervisor.sandbox import stories_aside
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.operators import order
from greenroom.supervisor.sandbox.swap import Swap
from greenroom.supervisor.tree_actor import TreeActor
from greenroom.supervisor.tree_words import ReleaseWritten

if TYPE_CHECKING:
    from greenroom.actors.draft import Draft
    from greenroom.actors.model import SessionId, StoredInbound
    from greenroom.actors.store import Committed, Refused, Unfinished
    from greenroom.supervisor.sandbox.scenario import Scenario


def _as_the_agents_words(_: Any) -> Any:
    def send(draft: Draft, inbound: StoredInbound) -> None:
        draft.append(operator_key(inbound.id), Role.ASSISTANT, inbound.text, finish="stop")
        draft.say(f"command.{inbound.id}", inbound.text, reply_to=None)
        draft.write(InboundSettled(draft.id, inbound.id, draft.generation))
        draft.do(ReportConcluded())

    return send


def _named_anew(real: Any) -> Any:
    numbers = count(1)
    return lambda key, command, text, order_id: real(key, command, text, f"{order_id}.{next(numbers)}")


def _as_a_message(real: Any) -> Any:
    return lambda *row, **_ordered: real(*row, ordered=None)


def _in_memory_only(_: Any) -> Any:
    """The actor believes that somebody else has written it."""

    def release(draft: Draft) -> None:
        draft.quarantined = draft.suspended = False
        if isinstance(draft.phase, Interrupted):
            draft.move(replace(draft.phase, run=replace(draft.phase.run, attempt=0)))

    return release


def _past_its_actor(_: Any) -> Any:
    """The roof writes it, and the actor hears of it when that is on disk."""

    def give_back(tree: Any, session_id: SessionId) -> None:
        def written(answer: Committed | Refused) -> None:
            tree.hear(ReleaseWritten(session_id, answer))
            tree._tell_living(session_id, Released())  # noqa: SLF001 - it replaces a method

        fact = SessionReleased(session_id, tree.runtime.clock.now())
        tree._house.store.write((fact,), written)  # noqa: SLF001

    return give_back


def _by_its_life(_: Any) -> Any:
    def goes_on(tree: Any, item: Unfinished, _due: Any) -> bool:
        lives = item.session_id in tree._wards  # noqa: SLF001 - it replaces a method
        return lives and item.run is not None and item.run.epoch == tree._house.store.epoch  # noqa: SLF001

    return goes_on


def _orders(room: Scenario, _seed: int) -> None:
    """A person is being answered when an operator says something, twice; the process dies, and more is said."""
    chat = room.chat()
    room.says("m1 nap answer")
    room.advance(1)
    order(room.world, chat, Command.SEND, "x1")
    room.advance(1)
    order(room.world, chat, Command.SEND, "x1")
    room.advance(1)
    room.crash()
    order(room.world, chat, Command.SEND, "x2")
    room.stays_down(1)
    room.boot()


MUTANTS = (
    Mutant(
        "an operator's words conclude",
        "what an operator sends is written as the agent's answer, which covers what its user said",
        (Swap(commanding, "_send", _as_the_agents_words),),
        frozenset(
            {
                "what_an_operator_says_is_a_row_of_its_own",
                "answers_cover_what_they_claim",
                "work_is_concluded_once",
                "work_has_one_answer",
                "what_is_stored_is_answered",
                "kept_tails_are_true",
                "a_window_is_whole",
                "no_phantom_run",
            }
        ),
        story(_orders),
    ),
    Mutant(
        "an operator's words come again",
        "an order is named anew whenever it is given, so that one that is given again is another one",
        (Swap(operations, "order_inbound", _named_anew),),
        frozenset({"an_operators_order_is_kept", "what_an_operator_says_is_shown_once"}),
        story(_orders),
    ),
    Mutant(
        "an operator's words are a request",
        "what an operator sends is handed to the agent as its user's message",
        (
            Swap(reading, "stored_inbound", _as_a_message),
            Swap(reception, "stored_inbound", _as_a_message),
        ),
        frozenset(
            {
                "what_an_operator_says_is_a_row_of_its_own",
                "an_order_has_one_reply",
                "an_order_is_carried_out",
                "answers_cover_what_they_claim",
            }
        ),
        story(_orders),
    ),
    Mutant(
        "released past its actor",
        "a living session hears that it was given back when that is on disk, and forgets what came in between",
        (Swap(TreeActor, "_release", _past_its_actor), Swap(session, "release", _in_memory_only)),
        frozenset({"what_is_suspended_begins_nothing"}),
        story(stories_aside.is_suspended_while_it_is_given_back),
    ),
    Mutant(
        "whoever lives is at work",
        "the open run of a released session is taken for one that its living actor works at",
        (Swap(TreeActor, "_goes_on", _by_its_life),),
        frozenset({"what_is_stored_is_answered", "no_run_stays_open"}),
        story(stories_aside.is_given_back_in_the_same_life),
    ),
)
