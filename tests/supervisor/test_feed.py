"""The feed: what is on disk is told, once and in order, and never what anybody said."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

import pytest

from greenroom import Supervisor, Turn
from greenroom.actors.facts import Fact, RunClosed, RunProgressed, SessionSuspended
from greenroom.actors.model import Ending, Generation, SessionId, Tail
from greenroom.actors.store import GroupCommitted
from greenroom.supervisor.feed import Feed

SECRET = "the sword is under the bed"


def group(*facts: Fact) -> GroupCommitted:
    return GroupCommitted(facts, at=7.0, took_s=0.001, requests=len(facts))


def suspended(number: int) -> SessionSuspended:
    return SessionSuspended(SessionId(number), 1.0)


async def test_what_becomes_true_is_told_in_order_and_without_anybodys_words(tmp_path: Path) -> None:
    async def agent(turn: Turn) -> str:
        return f"{turn.text}, I know"

    feed = Feed()
    async with Supervisor(tmp_path / "bot.db", agent=agent, on_committed=feed.hear) as room:
        receipt = await room.accept(chat="hosted:me:1", id="u1", text=SECRET)
        async with asyncio.timeout(20):
            await room.answer(receipt)
    told = feed.since(0)
    assert [entry.number for entry in told] == list(range(1, feed.last + 1))
    words = [entry.what for entry in told]
    places = [words.index(each) for each in ("inbound stored: u1", "run opened: inbound", "run closed: answered")]
    assert places == sorted(places)
    assert told[0].chat == "hosted:me:1"
    assert {entry.session for entry in told if entry.what.startswith("run ")} == {1}
    assert SECRET not in str(told)


def test_a_watcher_is_told_that_there_is_news_and_reads_it_by_number() -> None:
    feed, rang = Feed(), threading.Event()
    leave = feed.listen(rang.set)
    feed.hear(group(suspended(1), suspended(2)))
    assert rang.is_set()
    assert [entry.session for entry in feed.since(0)] == [1, 2]
    assert [entry.session for entry in feed.since(1)] == [2]
    assert feed.since(feed.last) == ()
    rang.clear()
    leave()
    feed.hear(group(suspended(3)))
    assert not rang.is_set()


def test_only_the_last_entries_are_kept_and_whoever_was_away_gets_those() -> None:
    feed = Feed(entries_max=3)
    for number in range(10):
        feed.hear(group(suspended(number)))
    assert [entry.number for entry in feed.since(0)] == [8, 9, 10]
    assert [entry.number for entry in feed.since(9)] == [10]
    assert feed.since(99) == ()


def test_bookkeeping_is_no_news() -> None:
    feed = Feed()
    rang = threading.Event()
    feed.listen(rang.set)
    feed.hear(group(RunProgressed(SessionId(1), Generation(1), 1.0, Tail(), 1)))
    assert not rang.is_set()
    feed.hear(group(RunClosed(SessionId(1), Generation(1), Ending.ANSWERED, 1.0)))
    assert rang.is_set()


def test_a_watcher_that_fails_costs_its_neighbours_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("no")

    feed, rang = Feed(), threading.Event()
    feed.listen(fail)
    feed.listen(rang.set)
    with caplog.at_level(logging.ERROR):
        feed.hear(group(suspended(1)))
    assert rang.is_set()
    assert "a watcher of the feed failed" in caplog.text
