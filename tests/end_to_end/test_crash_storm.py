"""The promise on the real daemon: SIGKILL at any moment, and every message is answered exactly once, in order."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from pathlib import Path

import apsw
import httpx
import pytest
from tests.end_to_end.daemon import Daemon, Person, free_port, living

CHATS = 20
MESSAGES = 200
KILLS = 30
REDELIVERED_EVERY = 7
NOTED_EVERY = 5

NUMBER = re.compile(r"#(\d+)#")


def text_of(number: int) -> str:
    """Every fifth message asks for the `once` tool."""
    return f"note #{number}#" if number % NOTED_EVERY == 0 else f"message #{number}#"


def numbers_in(texts: list[str]) -> list[int]:
    """All message numbers that these texts speak of, one for each paragraph."""
    return [int(found.group(1)) for text in texts for found in map(NUMBER.search, text.split("\n\n")) if found]


async def send(person: Person, numbers: list[int], rng: random.Random) -> None:
    """One person's messages, one after the other, some of them twice; sometimes before the last one is answered."""
    async with httpx.AsyncClient(timeout=5.0) as client:
        for number in numbers:
            await person.say(client, f"m{number}", text_of(number))
            if number % REDELIVERED_EVERY == 0:
                assert await person.say(client, f"m{number}", text_of(number)), "a redelivery is recognised"
            await asyncio.sleep(rng.random() * 1.5)


async def storm(daemon: Daemon, rng: random.Random, sending: asyncio.Future[list[None]]) -> int:
    """Kill the daemon at random moments until all is sent and it died often enough."""
    kills = 0
    while kills < KILLS or not sending.done():
        await asyncio.sleep(rng.random() ** 2 * 1.5)
        await daemon.kill()
        kills += 1
        await daemon.start()
    return kills


@pytest.mark.timeout(420)
async def test_two_hundred_messages_through_thirty_kills_are_each_answered_once(tmp_path: Path) -> None:
    rng = random.Random(20)
    # Safe mode and the attempt limit are for real crash loops; thirty kills in a minute are one, and meant.
    limits = "[policy]\nunclean_boots_max = 1000\nattempts_max = 1000\n"
    daemon = Daemon(tmp_path, free_port(), extra=limits)
    chats = {f"chat{n}": [number for number in range(MESSAGES) if number % CHATS == n] for n in range(CHATS)}
    async with living(daemon):
        people = {chat: Person(daemon.address, chat) for chat in chats}
        watching = [asyncio.create_task(person.watch()) for person in people.values()]
        sending = asyncio.gather(*(send(people[chat], numbers, rng) for chat, numbers in chats.items()))
        kills = await storm(daemon, rng, sending)
        await sending
        for chat, person in people.items():
            await person.until(lambda p=person, c=chat: set(numbers_in(p.answers)) >= set(chats[c]), 120.0)
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        explained = await check_explained(daemon)
        assert await daemon.stop() == 0
    assert kills >= KILLS
    for chat, person in people.items():
        answered = numbers_in(person.answers)
        assert answered == sorted(answered), f"{chat} is out of order: {answered}"
        assert answered == chats[chat], f"{chat}: each message once, and nothing unasked"
    check_rows(daemon.database, people)
    check_ledger(tmp_path / "ledger.txt", [text for person in people.values() for text in person.answers])
    assert explained > 0, "a storm that interrupts nothing proves nothing"


def check_rows(database: Path, people: dict[str, Person]) -> None:
    """What was visible is what is stored: the concluding rows of each transcript, and the deliveries."""
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    for chat, person in people.items():
        key = f"web:local:{chat}"
        stored = [
            text
            for (text,) in db.execute(
                "SELECT m.text FROM messages m JOIN sessions s ON s.id = m.session_id"
                " WHERE s.key = ? AND m.answers_upto IS NOT NULL ORDER BY m.seq",
                (key,),
            )
        ]
        assert numbers_in(stored) == numbers_in(person.answers), chat
        owed = db.execute(
            "SELECT count(*) FROM deliveries d JOIN sessions s ON s.id = d.session_id"
            " WHERE s.key = ? AND d.state <> 'delivered'",
            (key,),
        ).get
        assert owed == 0, f"{chat} is still owed {owed} deliveries"
        seqs = [seq for (seq,) in db.execute(
            "SELECT m.seq FROM messages m JOIN sessions s ON s.id = m.session_id WHERE s.key = ? ORDER BY m.seq", (key,)
        )]  # fmt: skip
        assert seqs == list(range(1, len(seqs) + 1)), f"{chat} has a gap in its transcript"
    assert db.execute("SELECT count(*) FROM inbox").get == MESSAGES
    assert db.execute("SELECT count(*) FROM runs WHERE open = 1").get == 0
    assert db.pragma("integrity_check") == "ok"
    db.close()


def check_ledger(ledger: Path, answers: list[str]) -> None:
    """No line twice; a line that is missing was told to be in doubt."""
    lines = Counter(int(found.group(1)) for found in map(NUMBER.search, ledger.read_text().splitlines()) if found)
    assert [number for number, count in lines.items() if count > 1] == []
    for number in range(0, MESSAGES, NOTED_EVERY):
        told = [part for text in answers for part in text.split("\n\n") if f"#{number}#" in part]
        assert len(told) == 1
        assert number in lines or told[0].startswith("In doubt"), told


async def check_explained(daemon: Daemon) -> int:
    """`explain` names a rule for each run that was resumed."""
    code, listed = await daemon.run("sessions", "--json", "--limit", "100")
    assert code == 0, listed
    resumes = 0
    db = apsw.Connection(str(daemon.database), flags=apsw.SQLITE_OPEN_READONLY)
    resumed = {row[0]: row[1] for row in db.execute(
        "SELECT session_id, count(*) FROM runs WHERE cause = 'resume' GROUP BY session_id"
    )}  # fmt: skip
    db.close()
    for session_id, count in resumed.items():
        code, out = await daemon.run("explain", str(session_id), "--json")
        assert code == 0, out
        decisions = json.loads(out)["decisions"]
        assert all(each["rule"] for each in decisions)
        assert sum(each["rule"] == "RESUME" for each in decisions) >= count
        resumes += count
    return resumes
