"""What the daemon says when it starts."""

import pytest

from greenroom.actors.model import Epoch
from greenroom.actors.why import ADVICE, REPORTED, RULES
from greenroom.storage.boots import Boot, BootEnding
from greenroom.supervisor.connections import Connection
from greenroom.supervisor.daemon.boot_report import (
    Found,
    Outcome,
    describe_connections,
    describe_recovery,
    is_settled,
)

KILLED = Boot(Epoch(3), 0.0, None, BootEnding.UNCLEAN, None, 42, "1")
STOPPED = Boot(Epoch(3), 0.0, 9.0, BootEnding.CLEAN, "shutdown", 42, "1")


def test_every_rule_of_the_table_has_its_words() -> None:
    assert set(REPORTED) == set(ADVICE) == set(RULES)


REPORTS = {
    "new": (Found(None), ["a new store: nothing to recover"]),
    "nothing": (Found(STOPPED), ["boot 3 ended in order (shutdown)", "nothing was open"]),
    "killed": (
        Found(
            KILLED,
            (
                Outcome("a", "STALE", "restart_interrupted"),
                Outcome("b", "RESUME", "restart_interrupted"),
                Outcome("c", "ANSWERED"),
                Outcome("d", "RESUME", "shutdown_timeout"),
            ),
        ),
        [
            "boot 3 (pid 42) did not end in order",
            (
                "4 sessions had open work: 1 resumed (restart_interrupted), 1 resumed (shutdown_timeout), "
                "1 already answered, 1 stale, left alone"
            ),
            "  resumed (restart_interrupted): b",
            "  resumed (shutdown_timeout): d",
            "  already answered: c",
            "  stale, left alone: a",
        ],
    ),
    "waiting": (
        Found(KILLED, (), inbound_waiting=1, deliveries_owed=2),
        [
            "boot 3 (pid 42) did not end in order",
            "1 stored message not yet handed to a run: answered now",
            "2 stored answers not confirmed as sent: tried now",
        ],
    ),
}


@pytest.mark.parametrize("case", REPORTS)
def test_a_boot_says_what_it_found_and_why(case: str) -> None:
    found, lines = REPORTS[case]
    assert describe_recovery(found) == lines


def test_many_sessions_are_counted_and_few_are_named() -> None:
    found = Found(KILLED, tuple(Outcome(f"s{n}", "STALE") for n in range(10)))
    assert describe_recovery(found)[-1] == "  stale, left alone: s0, s1, s2 and 7 more"


def test_a_report_is_settled_once_nothing_waits_for_its_platform() -> None:
    assert is_settled(Found(KILLED, (Outcome("a", "RESUME"),)), ())
    assert not is_settled(Found(KILLED, (Outcome("a", "RESUME"), Outcome("b", "NOT_CONNECTED"))), ())


def test_a_report_waits_until_each_platform_had_its_chance() -> None:
    known = [Connection("a", "me", 0.0, connected=True), Connection("b", "me", 0.0, why_not="the token is wrong")]
    assert is_settled(Found(None), known)
    assert not is_settled(Found(None), [*known, Connection("c", "me", 0.0)])
    assert describe_connections([*known, Connection("c", "me", 0.0)]) == [
        "platform a:me is connected",
        "platform b:me is not connected: the token is wrong",
        "platform c:me is still connecting",
    ]
