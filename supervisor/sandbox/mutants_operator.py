"""Bugs that are planted in what becomes of the orders of whoever runs the service."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from greenroom.actors import commanding
from greenroom.actors.acts import ReportConcluded
from greenroom.actors.commands import Command
from greenroom.actors.facts import InboundSettled
from greenroom.actors.keys import operator_key
from greenroom.actors.model import Role
from greenroom.storage import reading
from greenroom.supervisor import operations, reception
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.operators import order
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    from greenroom.actors.draft import Draft
    from greenroom.actors.model import StoredInbound
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
)
