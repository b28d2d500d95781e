"""Bugs that are planted in what an operator does to single deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from greenroom.actors import outbox
from greenroom.actors.facts import DeliveryMoved, DeliveryRevived
from greenroom.actors.hearsay import Hearsay
from greenroom.actors.model import DeliveryClass, DeliveryState
from greenroom.actors.outbox_words import Lane
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.storage.statements import STATEMENTS
from greenroom.supervisor.attachments import Attachments
from greenroom.supervisor.sandbox.letters import drop, resend
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    import apsw

    from greenroom.supervisor.sandbox.scenario import Scenario


def _as_if_new(real: Any) -> Any:
    def revived(db: apsw.Connection, fact: DeliveryRevived) -> None:
        real(db, fact)
        db.execute("UPDATE deliveries SET state = 'pending' WHERE key = ?", (fact.delivery.key,))

    return revived


def _whatever_it_was(real: Any) -> Any:
    def moved(db: apsw.Connection, fact: DeliveryMoved) -> None:
        real(db, fact)
        if fact.delivery.state is not DeliveryState.DEAD:
            sql = "UPDATE deliveries SET state = ? WHERE key = ? AND state = 'dead'"
            db.execute(sql, (fact.delivery.state, fact.delivery.key))

    return moved


def _an_answer_dies_in_doubt(room: Scenario, _: int) -> None:
    """It arrives, nobody hears so, and the next call is refused for ever; then an operator has it sent again."""
    room.platform_fails(PlatformFault.BREAKS_AFTER, PlatformFault.REFUSED)
    room.says("m1 answer")
    room.rest()
    resend(room.world, "1.1.answer")


def _an_answer_waits(room: Scenario, _: int) -> None:
    """The platform cannot be reached when an operator gives the answer up; later it can."""
    room.platform_fails(*[PlatformFault.NOT_SENT] * 3)
    room.says("m1 answer")
    room.advance(1)
    drop(room.world, "1.1.answer")


def _is_given_up_while_it_is_being_sent(room: Scenario) -> None:
    room.platform_fails(PlatformFault.HANGS_BEFORE)
    room.says("m1 answer")
    room.advance(1)
    drop(room.world, "1.1.answer")


def _an_answer_is_being_sent(room: Scenario, _: int) -> None:
    """The call that is under way when an operator gives the answer up comes to nothing; then the process dies."""
    _is_given_up_while_it_is_being_sent(room)
    room.advance(60)
    room.crash()


def given_up_and_wanted_back(room: Scenario, _: int) -> None:
    """The platform is away meanwhile, so that the answer waits for its turn."""
    room.advance(1)
    room.disconnects()
    room.says("m1 answer")
    room.advance(1)
    drop(room.world, "1.1.answer")
    room.advance(1)
    resend(room.world, "1.1.answer")
    room.advance(100)
    room.connects()


def _is_wanted_back_while_it_is_being_sent(room: Scenario, _: int) -> None:
    """The call that is under way when an operator gives the answer up, and changes their mind, comes to nothing."""
    _is_given_up_while_it_is_being_sent(room)
    room.advance(1)
    resend(room.world, "1.1.answer")
    room.advance(60)


def _and_stays_given_up(real: Any) -> Any:
    return lambda entry, moment: structs.replace(real(entry, moment), dropped=entry.dropped)


def _dies_while_it_is_read(room: Scenario, seed: int) -> None:
    """An answer dies while the outbox reads what is owed, because another one is wanted back."""
    room.platform_fails(PlatformFault.REFUSED, PlatformFault.REFUSED)
    room.says("m1 answer")
    room.rest()
    room.says("m2 answer")
    room.steps(seed % 100)
    resend(room.world, "1.1.answer")
    room.rest()


MUTANTS = (
    Mutant(
        "dead and sent all the same",
        "what was read as owed before it died comes back to life in the outbox",
        (Swap(Hearsay, "bury", lambda _: lambda *_: None),),
        frozenset({"a_dead_delivery_has_its_letter"}),
        story(_dies_while_it_is_read, platforms=(DeliveryClass.NATIVE_KEY,)),
    ),
    Mutant(
        "sent again as if it were new",
        "a dead letter that an operator has sent again counts as one that never left",
        (Swap(STATEMENTS, DeliveryRevived, _as_if_new),),
        frozenset({"nothing_is_shown_twice"}),
        story(_an_answer_dies_in_doubt, platforms=(DeliveryClass.NONE,)),
    ),
    Mutant(
        "sent again by the next process only",
        "an operator's order about a delivery is written, and the outbox that lives hears nothing of it",
        (Swap(Attachments, "revise", lambda _: lambda *_: None),),
        frozenset({"deliveries_come_to_an_end"}),
        story(_an_answer_dies_in_doubt, platforms=(DeliveryClass.NATIVE_KEY,)),
    ),
    Mutant(
        "given up and sent all the same",
        "what an operator gave up stays in the outbox that lives",
        (Swap(Attachments, "revise", lambda _: lambda *_: None),),
        frozenset({"what_was_given_up_is_not_sent"}),
        story(_an_answer_waits, platforms=(DeliveryClass.NATIVE_KEY,)),
    ),
    Mutant(
        "given up and brought back",
        "what becomes of a call is written over what an operator ordered meanwhile",
        (Swap(STATEMENTS, DeliveryMoved, _whatever_it_was),),
        frozenset({"what_was_given_up_stays_so", "what_was_given_up_is_not_sent", "deliveries_come_to_an_end"}),
        story(_an_answer_is_being_sent, platforms=(DeliveryClass.NATIVE_KEY,)),
    ),
    Mutant(
        "wanted back and left",
        "what an operator gave up and wanted back while it was being sent is left alone when that call has ended",
        (Swap(outbox, "_owed_again", _and_stays_given_up),),
        frozenset({"deliveries_come_to_an_end"}),
        story(_is_wanted_back_while_it_is_being_sent, platforms=(DeliveryClass.NATIVE_KEY,)),
    ),
    Mutant(
        "two turns for one chat",
        "a chat whose only answer is given up while it waits for its turn is forgotten, and queues once more",
        (Swap(Lane, "rests", lambda _: property(lambda self: not self.entries)),),
        frozenset({"what_is_visible_has_its_row", "what_is_delivered_is_visible", "nothing_is_shown_twice"}),
        story(given_up_and_wanted_back, platforms=(DeliveryClass.RECONCILE,)),
    ),
)
