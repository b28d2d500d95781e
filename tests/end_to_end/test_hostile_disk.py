"""The real daemon on disks that are full, read-only, held by others, or lose the file: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
from pathlib import Path

import apsw
import httpx
import pytest
from tests.supervisor.cli.shell import Shell

from greenroom.supervisor.sandbox.storm_daemon import Daemon, free_port, living
from greenroom.supervisor.sandbox.storm_people import Person, watched

WAIT_S = 60.0
LOOK_S = 0.05
OFFERS_MAX = 400
"""Messages until a full disk must have been noticed: the journal's file has a little room left in it."""


def fill(disk: Path, *, but: int = 0) -> Path:
    """Leave so many bytes; the file that is to be removed again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            file.truncate(file.tell() - but)
            return ballast
    raise AssertionError("the disk has no end")


async def ready(client: httpx.AsyncClient, daemon: Daemon, status: int) -> str:
    """Ask until it answers with this status; its words."""
    async with asyncio.timeout(WAIT_S):
        while True:
            answer = await client.get(f"{daemon.address}/readyz")
            if answer.status_code == status:
                return answer.text
            await asyncio.sleep(LOOK_S)


async def offer_until_postponed(person: Person, client: httpx.AsyncClient) -> tuple[list[str], str, httpx.Response]:
    """Speak until a message is not acknowledged: those that were, the one that was not, and what was said to it."""
    acknowledged: list[str] = []
    for number in itertools.count():
        name = f"m{number}"
        answer = await person.offer(client, name, f"message #{number}#")
        if answer.status_code == 503:
            return acknowledged, name, answer
        assert answer.status_code == 202, answer.text
        acknowledged.append(name)
        assert number < OFFERS_MAX, "this disk is never full"
    raise AssertionError


def stored(database: Path) -> list[str]:
    """What is in the inbox, by the client's names."""
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    names = [name.rpartition("/")[2] for (name,) in db.execute("SELECT update_id FROM inbox ORDER BY id")]
    assert db.execute("SELECT count(*) FROM inbox WHERE generation IS NULL").get == 0
    assert db.execute("SELECT count(*) FROM runs WHERE open = 1").get == 0
    assert db.pragma("integrity_check") == "ok"
    db.close()
    return names


def answered(person: Person, names: list[str]) -> bool:
    """Whether the visible answers speak of each message."""
    said = "\n".join(person.answers)
    return all(f"#{name.removeprefix('m')}#" in said for name in names)


async def check_healed(daemon: Daemon, client: httpx.AsyncClient, person: Person, names: list[str]) -> None:
    """It is ready again by itself, says so to those who look, and each message was answered exactly once."""
    assert await ready(client, daemon, 200) == "ready\n"
    await person.until(lambda: answered(person, names) and person.notices[-1:] == [None], WAIT_S)
    said = "\n".join(person.answers)
    assert all(said.count(f"#{name.removeprefix('m')}#") == 1 for name in names)
    code = await daemon.stop()
    assert code == 0, "\n".join(daemon.said)
    assert stored(daemon.database) == names
    assert daemon.boots == 1
    assert not [line for line in daemon.said if "Traceback" in line]


async def test_a_disk_that_fills_up_in_a_conversation_costs_nothing_and_heals_without_a_restart(
    small_disk: Path,
) -> None:
    daemon = Daemon(small_disk, free_port())
    async with (
        living(daemon),
        httpx.AsyncClient(timeout=WAIT_S) as client,
        watched(Person(daemon.address, "oslo")) as person,
    ):
        ballast = fill(small_disk, but=400_000)
        kept, postponed, answer = await offer_until_postponed(person, client)
        assert kept, "the disk was not full from the start"
        assert answer.json() == {"error": "cannot save right now: the disk is full"}
        assert answer.headers["retry-after"]
        assert "the disk is full; retrying" in await ready(client, daemon, 503)
        await person.until(lambda: person.notices == ["cannot save right now: the disk is full"], WAIT_S)
        for name in (postponed, "m999"):  # At once now, and still not acknowledged.
            assert (await person.offer(client, name, "again")).status_code == 503
        code, status = await daemon.run("status")
        assert (code, "1" in status) == (0, True), status
        assert (await daemon.run("sessions"))[0] == 0
        ballast.unlink()
        await ready(client, daemon, 200)
        await person.say(client, postponed, f"message #{postponed.removeprefix('m')}#")
        await check_healed(daemon, client, person, [*kept, postponed])
    told = [line for line in daemon.said if "the disk is full; retrying" in line and '"greenroom.daemon"' in line]
    assert len(told) == 1, daemon.said


def test_a_disk_that_is_full_at_the_start_is_told_and_room_is_all_it_takes(shell: Shell, small_disk: Path) -> None:
    database = str(small_disk / "room.db")
    ballast = fill(small_disk)
    told = shell.run("up", "--db", database, code=1).stderr
    assert "No space left on device; free some space" in told
    os.truncate(ballast, ballast.stat().st_size - 200_000)  # Enough to begin, too little for a database.
    told = shell.run("up", "--db", database, code=1).stderr
    assert "room.db: the disk is full (" in told
    assert "retrying" not in told
    ballast.unlink()
    daemon = shell.up("--db", database)
    daemon.say("oslo", "hello")
    daemon.see("oslo", "echo: hello")
    assert "serving at" in daemon.said


def test_a_backup_that_finds_no_room_says_so_and_leaves_nothing_half(shell: Shell, small_disk: Path) -> None:
    database = str(shell.home / "room.db")
    daemon = shell.up("--db", database)
    daemon.say("oslo", "hello")
    ballast = fill(small_disk, but=100_000)
    told = shell.run("backup", "--db", database, str(small_disk / "copy.db"), code=1).stderr
    assert f"no backup was made: {small_disk}/copy.db: the disk is full" in told
    assert [path.name for path in small_disk.iterdir()] == [ballast.name]
    ballast.unlink()
    shell.run("backup", "--db", database, str(small_disk / "copy.db"))


def test_a_read_only_disk_is_told_by_every_command_and_keeps_what_it_holds(shell: Shell, small_disk: Path) -> None:
    database = str(small_disk / "room.db")
    assert "echo: hello" in shell.run("chat", "--db", database, said="hello\n").stdout
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for command in ("up", "chat"):
        told = shell.run(command, "--db", database, code=1).stderr
        assert "room.db: cannot be opened for writing: Read-only file system; name a writable place" in told
    assert "nothing runs on" in shell.run("stop", "--db", database, code=3).stderr
    assert "on a read-only file system; copy it with" in shell.run("status", "--db", database, code=1).stderr
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    texts = [row["text"] for row in shell.json("show", "1", "--db", database)["messages"]]
    assert texts == ["hello", "echo: hello"]


@pytest.mark.parametrize("place", ["/proc/room.db", "/dev/null/room.db"])
def test_a_place_where_nothing_can_be_made_is_told_and_nobody_is_blamed(shell: Shell, place: str) -> None:
    for command in ("up", "chat"):
        told = shell.run(command, "--db", place, code=1).stderr
        assert f"{place}: cannot be opened for writing: " in told
        assert "in use" not in told


async def test_a_database_held_by_another_process_for_a_while_is_waited_for(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, free_port())
    async with (
        living(daemon),
        httpx.AsyncClient(timeout=WAIT_S) as client,
        watched(Person(daemon.address, "oslo")) as person,
    ):
        await person.say(client, "m0", "message #0#")
        await person.until(lambda: answered(person, ["m0"]), WAIT_S)
        holding = apsw.Connection(str(daemon.database))
        holding.set_busy_timeout(int(WAIT_S * 1000))
        holding.execute("BEGIN IMMEDIATE")
        answer = await person.offer(client, "m1", "message #1#")
        assert (answer.status_code, answer.json()["error"]) == (
            503,
            "cannot save right now: another process holds the database",
        )
        assert "retrying (database is locked)" in await ready(client, daemon, 503)
        assert (await client.get(f"{daemon.address}/livez")).status_code == 200
        holding.execute("ROLLBACK")
        holding.close()
        await ready(client, daemon, 200)
        assert await person.say(client, "m1", "message #1#"), "what was offered meanwhile was stored, once"
        await check_healed(daemon, client, person, ["m0", "m1"])


async def test_a_database_that_vanishes_is_waited_for_and_goes_on_when_it_is_put_back(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, free_port())
    async with (
        living(daemon),
        httpx.AsyncClient(timeout=WAIT_S) as client,
        watched(Person(daemon.address, "oslo")) as person,
    ):
        await person.say(client, "m0", "message #0#")
        await person.until(lambda: answered(person, ["m0"]), WAIT_S)
        aside = daemon.database.rename(tmp_path / "aside.db")
        answer = await person.offer(client, "m1", "message #1#")
        assert (answer.status_code, answer.json()["error"]) == (
            503,
            "cannot save right now: the file was deleted, moved or replaced while in use",
        )
        assert "Put the same file back" in await ready(client, daemon, 503)
        assert not daemon.database.exists(), "no empty database takes the place of the one that is missed"
        aside.rename(daemon.database)
        await ready(client, daemon, 200)
        await person.say(client, "m1", "message #1#")
        await check_healed(daemon, client, person, ["m0", "m1"])
