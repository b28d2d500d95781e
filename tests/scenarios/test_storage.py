"""What is written stays written, once and in order, whatever the disk does: S150 to S165."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from tests.scenarios.stage import causes, lock, said
from tests.storage.store_house import House, inbound, opened
from tests.storage.store_house import said as row

from greenroom import Policy, Supervisor
from greenroom.actors.facts import Fact
from greenroom.actors.lines import trouble_line
from greenroom.actors.ports import Turn
from greenroom.actors.session_actor import SessionActor
from greenroom.actors.store import Committed
from greenroom.storage.filesystem import Verdict, judge_filesystem
from greenroom.storage.search import index_path, search
from greenroom.storage.trouble import TroubleKind
from greenroom.supervisor.sandbox.life import PATH
from greenroom.supervisor.sandbox.scenario import FaultKind, Scenario

WAIT_S = 20.0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "bot.db")
    yield house
    house.close()


def count(path: Path, table: str) -> int:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return next(iter(db.execute(f"SELECT count(*) FROM {table}")))[0]  # type: ignore[no-any-return]
    finally:
        db.close()


@pytest.mark.parametrize("nth", range(1, 9))
def test_s150_a_flush_that_meets_a_locked_database_is_exact(nth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """S150. Wherever the lock is met, the retried group leaves neither a gap nor a duplicate."""
    with Scenario() as room:
        met = lock(monkeypatch, nth=nth)
        room.says("m1 pure pure answer")
        room.rest()
        assert met == [nth, nth + 1]
        rows = room.transcript()
        assert [each.seq for each in rows] == list(range(1, 7))
        assert [each.role for each in rows] == ["user", *["assistant", "tool"] * 2, "assistant"]
        assert room.broken() == []


def test_s151_what_is_written_from_three_exits_is_there_once(house: House) -> None:
    """S151."""
    epoch = house.store.epoch
    house.write(inbound(), opened(epoch))
    facts: tuple[Fact, ...] = tuple(row(epoch, seq) for seq in range(1, 4))
    answers = [house.offer(*facts) for _ in range(3)]
    assert all(isinstance(answer.wait(1)[0], Committed) for answer in answers)
    assert count(house.path, "messages") == 3


def test_s154_a_failed_turn_has_its_user_row_once() -> None:
    """S154."""
    with Scenario() as room:
        room.says("m1 fail")
        room.rest()
        room.restart()
        room.rest()
        assert said(room) == ["m1 fail"]


def test_s154_an_agent_that_writes_its_own_rows_cannot_write_its_users_a_second_time() -> None:
    """S154. A neighbour: whoever flushes the whole turn, user's row included, is told that it is there."""

    async def agent(turn: Turn) -> str:
        await turn.transcript.append_many([{"role": "user", "text": turn.text, "key": "u"}])
        return "never"

    with Scenario(agent) as room:
        room.says("Tell me")
        room.rest()
        assert said(room) == ["Tell me"]
        assert room.runs()[-1].ending == "failed"


def test_s156_while_another_process_holds_the_lock_no_chat_is_frozen_and_no_message_lost(tmp_path: Path) -> None:
    """S156. Who waits for the commit waits; nobody else does, and all of it is stored when the lock is let go."""
    path = tmp_path / "bot.db"
    with Supervisor(path, agent=lambda rows: f"about {rows[-1].text}") as room:
        receipt = room.accept(chat="host:me:1", id="u1", text="one", timeout_s=WAIT_S)
        room.answer(receipt, timeout_s=WAIT_S)
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        for id_ in ("u2", "u3", "u2"):
            with pytest.raises(TimeoutError):
                room.accept(chat="host:me:2", id=id_, text=id_, timeout_s=0.05)
        other.execute("ROLLBACK")
        other.close()
        receipts = [room.accept(chat="host:me:2", id=id_, text=id_, timeout_s=WAIT_S) for id_ in ("u2", "u3")]
        assert all(receipt.repeated for receipt in receipts)
        assert "about" in room.answer(receipts[1], timeout_s=WAIT_S)
    assert count(path, "inbox") == 3


def test_s157_a_database_that_stands_still_does_not_stop_the_loops(tmp_path: Path) -> None:
    """S157. The disk has a thread of its own: an agent's heartbeat goes on while a commit waits."""
    path, beats, go_on = tmp_path / "bot.db", threading.Semaphore(0), threading.Event()

    async def agent(_: Turn) -> str:
        while not go_on.is_set():
            beats.release()
            await asyncio.sleep(0)
        return "done"

    with Supervisor(path, agent=agent) as room:
        first = room.accept(chat="host:me:1", id="u1", text="Go", timeout_s=WAIT_S)
        assert beats.acquire(timeout=WAIT_S)
        other = apsw.Connection(str(path))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TimeoutError):
            room.accept(chat="host:me:2", id="u2", text="Stored later", timeout_s=0.2)
        for _ in range(100):
            assert beats.acquire(timeout=WAIT_S)
        other.execute("ROLLBACK")
        other.close()
        go_on.set()
        assert room.answer(first, timeout_s=WAIT_S) == "done"
        again = room.accept(chat="host:me:2", id="u2", text="Stored later", timeout_s=WAIT_S)
        assert again.repeated
        assert room.answer(again, timeout_s=WAIT_S) == "done"


def ask(path: Path, *texts: str) -> None:
    with Supervisor(path, agent=lambda rows: f"about {rows[-1].text}") as room:
        for text in texts:
            receipt = room.accept(chat="host:me:1", id=text, text=text, timeout_s=WAIT_S)
            room.answer(receipt, timeout_s=WAIT_S)


def wait_for_index(path: Path) -> None:
    """Let the indexer of a new process catch up with everything."""
    supervisor = Supervisor(path, agent=lambda _: "")
    with supervisor:
        assert supervisor.store is not None
        indexer = supervisor.store._aides.indexer
        assert indexer is not None
        assert indexer.wait_for(count(path, "messages"), timeout_s=WAIT_S)


def test_s159_a_broken_search_index_stops_nothing_and_is_made_anew(tmp_path: Path) -> None:
    """S159."""
    path = tmp_path / "bot.db"
    ask(path, "herring")
    wait_for_index(path)
    Path(index_path(str(path))).write_bytes(b"no index" * 1000)
    ask(path, "mackerel")
    wait_for_index(path)
    assert {found.text for found in search(str(path), "herring", 10)} == {"herring", "about herring"}
    assert len(search(str(path), "mackerel", 10)) == 2


def is_kept_aside(room: Scenario) -> bool:
    """Whether the message that cannot be stored is still with its platform."""
    return [each.update_id for each in room.world.networks[0].server.unacknowledged()] == ["u2"]


def test_s160_a_harmed_file_is_not_written_to_and_what_was_said_is_kept_aside() -> None:
    """S160. What is not stored is not acknowledged: the platform keeps it until the file is whole again."""
    with Scenario() as room:
        room.says("m1 answer")
        room.rest()
        room.drain()
        whole = room.world.disk.read_file(PATH)
        room.world.disk.write_file(PATH, whole[:8192] + b"\xa5" * (len(whole) - 8192))
        assert "doctor --repair" in str(room.boot().over)
        room.says("m2 answer")
        room.advance(5)
        assert is_kept_aside(room)
        room.crash()
        room.world.disk.write_file(PATH, whole)
        room.boot()
        room.rest()
        assert room.visible() == ["answer <m1>", "answer <m2>"]


def test_s160_a_log_that_is_deleted_under_its_writer_is_told_and_waited_for() -> None:
    """S160. An orderly end moved all that was said before into the file; what a log alone holds is lost with it."""
    with Scenario() as room:
        room.says("m1 answer")
        room.rest()
        room.drain()
        room.boot()
        room.rest()
        room.world.disk.vanish(PATH + "-wal")
        room.says("m2 answer")
        room.advance(5)
        assert room.life is not None
        assert [trouble.kind for trouble in room.life.troubles if trouble] == [TroubleKind.VANISHED]
        assert is_kept_aside(room)
        room.restart()
        room.rest()
        assert room.visible() == ["answer <m1>", "answer <m2>"]


@pytest.mark.parametrize(
    "kind, verdict",
    [("nfs4", Verdict.UNFIT), ("virtiofs", Verdict.DOUBTFUL), ("zfs", Verdict.DOUBTFUL), ("ext4", Verdict.FIT)],
)
def test_s162_a_file_system_that_cannot_hold_the_database_is_refused_or_warned_of(kind: str, verdict: Verdict) -> None:
    """S162."""
    judged = judge_filesystem(kind, "/data")
    assert judged.verdict is verdict
    assert bool(judged.why) is (verdict is not Verdict.FIT)


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_s163_a_disk_that_fills_up_in_a_turn_is_told_waited_for_and_leaves_no_half_turn(nth: int) -> None:
    """S163. The host is told, and who waits reads it; nothing of the turn is on disk by halves."""
    with Scenario() as room:
        room.says("m1 once nap answer")
        room.advance(0.2)
        room.disk_fails(FaultKind.FULL, "write", nth=nth, times=None)
        room.advance(60)
        assert room.life is not None
        told = room.life.troubles[-1]
        assert told is not None
        assert "full" in told.brief
        assert room.visible() == [trouble_line("cannot save right now: the disk is full")]  # where the answer will come
        assert room.broken(at_rest=False) == []
        room.disk_heals()
        room.rest()
        assert room.life.troubles[-1] is None
        assert room.visible() == ["answer <m1>"]
        assert (room.effects("once"), causes(room)) == (1, ["inbound"])
        assert room.broken() == []


def test_s164_a_message_is_found_once(tmp_path: Path) -> None:
    """S164."""
    path = tmp_path / "bot.db"
    ask(path, "sturgeon", "herring")
    ask(path, "mackerel")
    wait_for_index(path)
    wait_for_index(path)
    found = search(str(path), "sturgeon", 10)
    assert sorted(each.text for each in found) == ["about sturgeon", "sturgeon"]
    assert count(path, "messages") == 6


def test_s165_sessions_that_rest_are_not_in_memory() -> None:
    """S165. Neither an actor nor a transcript of them stays."""
    with Scenario(chats=165, policy=Policy(idle_s=60.0)) as room:
        for chat in range(1, 166):
            room.says(f"m{chat} answer", chat)
        room.advance(30)
        assert room.life is not None
        assert len(_sessions(room)) == 165
        room.advance(120)
        assert _sessions(room) == []
        room.says("m200 answer", 7)
        room.rest()
        assert room.visible(7) == ["answer <m7>", "answer <m200>"]


def _sessions(room: Scenario) -> list[object]:
    assert room.life is not None
    actors = [mailbox.actor for mailbox in room.life.runtime.living.values()]
    return [actor for actor in actors if isinstance(actor, SessionActor)]
