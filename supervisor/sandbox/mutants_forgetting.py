"""Bugs that are planted in how conversations are forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenroom.actors.model import DeliveryClass, SessionId
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.storage import erasing
from greenroom.supervisor.attachments import Attachments
from greenroom.supervisor.sandbox.forgetting import forget
from greenroom.supervisor.sandbox.invariants import Violation, check
from greenroom.supervisor.sandbox.invariants_forgetting import FORGETTING_AFTER_BOOT
from greenroom.supervisor.sandbox.mutant import Mutant, Trial
from greenroom.supervisor.sandbox.scenario import Scenario
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    import apsw


def _story(tell: Callable[[Scenario], None]) -> Trial:
    """Tell a story in which a chat is forgotten, and look for what is left: other promises miss what is gone."""

    def live(seed: int) -> tuple[Violation, ...]:
        with Scenario(seed=seed + 1, platforms=(DeliveryClass.NATIVE_KEY,)) as room:
            tell(room)
            room.rest()

            def look(db: apsw.Connection) -> list[Violation]:
                return check(FORGETTING_AFTER_BOOT, db, room.world)

            seen = [Violation(*mistake.split(": ", 1)) for mistake in room.world.mistakes]
            assert room.life is not None  # noqa: S101 - it lives to the end of the story
            return (*seen, *(room.life.look(look) or ()))

    return live


def _an_agent_works(room: Scenario) -> None:
    """An agent streams words while its chat is forgotten."""
    room.says("m1 say nap nap nap answer")
    room.advance(1)
    forget(room.world, SessionId(1))


def _an_answer_is_owed(room: Scenario) -> None:
    """The platform cannot be reached while its chat is forgotten; later it can."""
    room.platform_fails(*[PlatformFault.NOT_SENT] * 4)
    room.says("m1 answer")
    room.advance(1)
    forget(room.world, SessionId(1))


def _without_the_inbox(real: Any) -> Any:
    return tuple(sql for sql in real if "inbox" not in sql)


MUTANTS = (
    Mutant(
        "forgotten while it works",
        "the rows of a conversation are deleted under the agent that works in it",
        (Swap(erasing, "_AT_WORK", lambda _: "SELECT 0, 0 WHERE ?1"),),
        frozenset({"what_was_given_up_is_not_sent", "what_is_forgotten_has_no_row", "a_window_is_whole"}),
        _story(_an_agent_works),
    ),
    Mutant(
        "forgotten and sent all the same",
        "the outbox that lives is not told that a conversation is forgotten",
        (Swap(Attachments, "revise", lambda _: lambda *_: None),),
        frozenset({"what_was_given_up_is_not_sent"}),
        _story(_an_answer_is_owed),
    ),
    Mutant(
        "forgotten but for what was said",
        "a table that names no parent is left out when a conversation is forgotten",
        (Swap(erasing, "_DELETES", _without_the_inbox),),
        frozenset({"what_is_forgotten_has_no_row"}),
        _story(_an_answer_is_owed),
    ),
)
