"""A promise that is broken is seen: bugs are planted from outside, and a few seeds find each."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from greenroom.actors import entry, session_actor, toolbox
from greenroom.actors.model import Snapshot
from greenroom.actors.session import open_session
from greenroom.actors.tools import Call, InDoubt, decide_tool
from greenroom.storage import sqlite, writer
from greenroom.supervisor import recovery, resume
from greenroom.supervisor.consequences import decision_facts
from greenroom.supervisor.sandbox.simulator import migrated, simulate

SEEDS = 300

Patch = Callable[[pytest.MonkeyPatch], None]


def sync_is_off(patch: pytest.MonkeyPatch) -> None:
    migrated()
    whole = sqlite.open_writer
    patch.setattr(writer, "open_writer", lambda *args, **words: whole(*args, **{**words, "synchronous": "NORMAL"}))


def the_queue_is_in_memory_only(patch: pytest.MonkeyPatch) -> None:
    whole = open_session

    def forgetful(snapshot: Snapshot) -> Any:
        return whole(replace(snapshot, waiting=()))

    patch.setattr(session_actor, "open_session", forgetful)


def decisions_are_not_stored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovery, "decision_facts", lambda *args, **words: decision_facts(*args, **words)[1:])


def a_once_tool_is_called_again(patch: pytest.MonkeyPatch) -> None:
    def careless(*args: Any) -> Any:
        decided = decide_tool(*args)
        return Call() if isinstance(decided, InDoubt) else decided

    patch.setattr(toolbox, "decide_tool", careless)


def old_work_wakes(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(resume, "TABLE", tuple(row for row in resume.TABLE if row.rule != "STALE"))


def repeats_are_not_marked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(entry, "REPEAT_MARK", "")


PLANTED: dict[Patch, str] = {
    sync_is_off: "nothing_acknowledged_is_lost",
    the_queue_is_in_memory_only: "what_is_stored_is_answered",
    decisions_are_not_stored: "every_open_run_is_decided",
    a_once_tool_is_called_again: "once_is_once",
    old_work_wakes: "old_work_does_not_wake",
    repeats_are_not_marked: "nothing_is_shown_twice",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    for seed in range(SEEDS):
        if PLANTED[plant] in {violation.invariant for violation in simulate(seed).violations}:
            return
    pytest.fail(f"{plant.__name__} is not found in {SEEDS} seeds")
