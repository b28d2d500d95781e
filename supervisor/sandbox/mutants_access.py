"""Bugs of the field, planted at the door: in who may write, and in what keeps a platform away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from greenroom.actors.pairing_facts import ChatPaired
from greenroom.storage import statements
from greenroom.supervisor import access, admission
from greenroom.supervisor.platform_actor import PlatformActor
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.strangers import knock, look, meet, type_code
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    import apsw

    from greenroom.supervisor.sandbox.scenario import Scenario
    from greenroom.supervisor.sandbox.world import Stranger

DOOR = Policy(allow=("*:chat*",), strangers="pair", pairing_s=60.0)


def _lets_all_in(_: Any) -> Any:
    return lambda *_args: True


def _keeps_the_code(_: Any) -> Any:
    """Whoever knows the code is in; the row stays as it is but for the time."""

    def paired(db: apsw.Connection, fact: ChatPaired) -> None:
        db.execute("UPDATE pairings SET approved_at = ? WHERE chat = ?", (fact.at, fact.chat.chat))

    return paired


def _forgets_that_it_is_used(real: Any) -> Any:
    def approved(self: access.Access, found: Any, *args: Any) -> None:
        real(self, found, *args)
        self._pairings[found.chat] = found

    return approved


def _asks_no_clock(real: Any) -> Any:
    def find(pairings: Any, code: str, now: float) -> Any:
        return real([replace(each, expires_at=now + 1.0) for each in pairings], code, now)

    return find


def _in_memory_only(_: Any) -> Any:
    return lambda *_args: None


def _in_the_clear(_: Any) -> Any:
    return lambda code, _salt: code.upper().strip()


def _shown_a_code(room: Scenario) -> tuple[Stranger, str]:
    stranger = meet(room.world, room.chat().platform)
    knock(room.world, stranger, "1")
    room.advance(5)
    look(room.world, stranger)
    return stranger, next(iter(stranger.codes), "NONE-SHWN")


def _knocks(room: Scenario, _seed: int) -> None:
    _shown_a_code(room)


def _types_twice(room: Scenario, _seed: int) -> None:
    stranger, code = _shown_a_code(room)
    for _ in range(2):
        type_code(room.world, stranger, code)
        room.advance(5)


def _types_too_late(room: Scenario, _seed: int) -> None:
    stranger, code = _shown_a_code(room)
    room.advance(100)
    type_code(room.world, stranger, code)
    room.advance(5)


def _comes_back(room: Scenario, _seed: int) -> None:
    stranger, code = _shown_a_code(room)
    type_code(room.world, stranger, code)
    room.advance(5)
    room.restart()


def _never(_: Any) -> Any:
    return lambda *_args: None


def _has_a_wrong_token_for_a_while(room: Scenario, _seed: int) -> None:
    wire = room.wire()
    wire.misconfigured = "the token is wrong"
    room.world.networks[0].server.break_off(lambda: None)
    room.says("m1 answer")
    room.advance(100)
    wire.misconfigured = None


def _counts_nothing(_: Any) -> Any:
    return lambda _policy, left, _now: left


def _says_many_things(room: Scenario, _seed: int) -> None:
    for number in range(1, 9):
        room.says(f"m{number} answer", chat=1 + number % 3)


MUTANTS = (
    Mutant(
        "a flood comes in",
        "nobody counts what comes in",
        (Swap(admission, "_take_one", _counts_nothing),),
        frozenset({"no_flood_comes_in"}),
        story(_says_many_things, policy=Policy(burst=5, rate_per_s=0.5)),
    ),
    Mutant(
        "a wrong token is for ever",
        "a platform that only a person can cure is not tried again before the next start",
        (Swap(PlatformActor, "_again_in", _never),),
        frozenset({"what_was_said_is_stored_once"}),
        story(_has_a_wrong_token_for_a_while),
    ),
    Mutant(
        "a stranger starts a run",
        "whoever writes is let in",
        (Swap(access.Access, "allows", _lets_all_in),),
        frozenset({"strangers_start_nothing", "what_was_said_is_stored_once"}),
        story(_knocks, policy=DOOR),
    ),
    Mutant(
        "a code works twice",
        "that a code was used is known to nobody",
        (
            Swap(access.Access, "_approved", _forgets_that_it_is_used),
            Swap(statements.STATEMENTS, ChatPaired, _keeps_the_code),
        ),
        frozenset({"a_code_works_once"}),
        story(_types_twice, policy=DOOR),
    ),
    Mutant(
        "an expired code works",
        "nobody looks at the clock when a code is typed",
        (Swap(access, "find_code", _asks_no_clock), Swap(statements.STATEMENTS, ChatPaired, _keeps_the_code)),
        frozenset({"an_old_code_is_void"}),
        story(_types_too_late, policy=DOOR),
    ),
    Mutant(
        "let in until the restart",
        "who was let in is known to the process, and not to the disk",
        (Swap(statements.STATEMENTS, ChatPaired, _in_memory_only),),
        frozenset({"who_was_let_in_stays_in"}),
        story(_comes_back, policy=DOOR),
    ),
    Mutant(
        "codes in the clear",
        "the code itself is kept",
        (Swap(access, "hash_code", _in_the_clear),),
        frozenset({"no_code_is_on_disk"}),
        story(_knocks, policy=DOOR),
    ),
)
