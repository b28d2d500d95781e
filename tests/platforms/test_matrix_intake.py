"""Events on their way to the door: in order in a room, rooms beside each other, and the position behind them."""

import asyncio
from pathlib import Path

import pytest

from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.matrix import intake as module
from greenroom.platforms.chats.matrix.device import Device, Keepsakes, Position
from greenroom.platforms.chats.matrix.intake import Intake
from greenroom.platforms.chats.matrix.own import OwnMessages, Recent


class Taker:
    """Takes what it is let to; keeps positions in a list."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.kept: list[str] = []
        self.held = {"slow": asyncio.Event()}
        self.news = asyncio.Condition()
        self.intake: Intake[str] = Intake(self.take, self.keep)

    async def take(self, room: str, item: str) -> None:
        if room in self.held:
            await self.held[room].wait()
        if item == "bad":
            raise ValueError("not to be read")
        await self._tell(self.taken, item)

    async def keep(self, position: str) -> None:
        await self._tell(self.kept, position)

    async def until(self, *, taken: int = 0, kept: str = "") -> None:
        async with asyncio.timeout(20), self.news:
            await self.news.wait_for(lambda: len(self.taken) >= taken and (not kept or kept in self.kept))

    async def _tell(self, where: list[str], what: str) -> None:
        async with self.news:
            where.append(what)
            self.news.notify_all()


async def test_a_room_keeps_its_order_and_waits_for_no_other() -> None:
    taker = Taker()
    await taker.intake.add("p1", {"slow": ["s1", "s2"], "fast": ["f1"]})
    await taker.intake.add("p2", {"fast": ["f2"]})
    await taker.until(taken=2)
    assert taker.taken == ["f1", "f2"]
    taker.held["slow"].set()
    await taker.until(taken=4)
    assert taker.taken[2:] == ["s1", "s2"]


async def test_a_position_is_kept_once_everything_up_to_it_is_taken() -> None:
    taker = Taker()
    await taker.intake.add("p1", {"fast": ["f1"]})
    await taker.until(kept="p1")
    await taker.intake.add("p2", {"slow": ["s1"]})
    await taker.intake.add("p3", {"fast": ["f2"]})
    await taker.until(taken=2)
    assert taker.kept == ["p1"]
    taker.held["slow"].set()
    await taker.until(kept="p3")
    assert taker.kept[-1] == "p3"


async def test_an_answer_without_events_moves_the_position_too() -> None:
    taker = Taker()
    await taker.intake.add("p1", {"room": []})
    await taker.until(kept="p1")


async def test_what_cannot_be_taken_is_told_and_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    taker = Taker()
    await taker.intake.add("p1", {"fast": ["bad", "f1"]})
    await taker.until(taken=1, kept="p1")
    assert "is left out" in caplog.text


async def test_what_was_not_taken_is_behind_no_position_when_it_is_closed() -> None:
    taker = Taker()
    await taker.intake.add("p1", {"slow": ["s1"]})
    await taker.intake.close()
    assert (taker.taken, taker.kept) == ([], [])


async def test_with_too_much_outstanding_nothing_more_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OUTSTANDING_MAX", 2)
    taker = Taker()
    adding = asyncio.create_task(taker.intake.add("p1", {"slow": ["s1", "s2", "s3"]}))
    done, _ = await asyncio.wait({adding}, timeout=0.05)
    assert not done
    taker.held["slow"].set()
    await asyncio.wait_for(adding, 20)


async def test_a_position_that_cannot_be_written_stays_where_it_was(caplog: pytest.LogCaptureFixture) -> None:
    tried = asyncio.Event()

    async def fails(_: str) -> None:
        tried.set()
        raise OSError("no space left on device")

    taker = Taker()
    intake: Intake[str] = Intake(taker.take, fails)
    await intake.add("p1", {"fast": ["f1"]})
    await asyncio.wait_for(tried.wait(), 20)
    await taker.until(taken=1)
    await intake.close()
    assert "cannot be kept" in caplog.text


def test_a_device_is_named_on_disk_before_it_signs_in_and_belongs_to_its_user(tmp_path: Path) -> None:
    first = Keepsakes(tmp_path, "a/b").device("https://x", "@bot:x")
    assert Keepsakes(tmp_path, "a/b").device("https://x", "@bot:x") == first
    assert Keepsakes(tmp_path, "a/b").device("https://x", "@other:x").device != first.device
    assert {path.name for path in tmp_path.iterdir()} == {"matrix-a%2Fb.device.json"}


def test_a_file_that_is_none_of_ours_reads_as_nothing_and_it_is_said_what_follows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keepsakes = Keepsakes(tmp_path, "me")
    (tmp_path / "matrix-me.sync.json").write_text("{")
    (tmp_path / "matrix-me.device.json").write_text("[]")
    assert keepsakes.position("https://x", "@bot:x") is None
    assert "only what is said from now on is heard" in caplog.text
    assert isinstance(keepsakes.device("https://x", "@bot:x"), Device)
    assert "a new device signs in" in caplog.text
    keepsakes.advance(Position("https://x", "@bot:x", "s1", {"k": "$1"}))
    assert keepsakes.position("https://x", "@bot:x") == Position("https://x", "@bot:x", "s1", {"k": "$1"})
    assert keepsakes.position("https://y", "@bot:x") is None


def test_the_newest_of_our_messages_are_remembered() -> None:
    own = OwnMessages()
    own.posted("!r", "$1", "k1")
    own.posted("!r", "$2", "k1")
    own.removed("!r", "$1")
    own.removed("!r", "$other")
    own.posted("!r", "$1")
    assert own.under("k1") == "$1"
    assert [own.is_there("!r", each) for each in ("$1", "$2", "$other")] == [False, True, None]
    next_life = OwnMessages()
    next_life.recall(own.latest())
    assert (next_life.under("k1"), next_life.is_there("!r", "$1")) == ("$1", None)
    recent: Recent[str, int] = Recent(2)
    for number, key in enumerate("abc"):
        recent.put(key, number)
    assert (recent.get("a"), recent.get("c"), recent.newest(1)) == (None, 2, {"c": 2})


def test_what_is_told_in_another_room_says_nothing_of_a_message_of_ours() -> None:
    own = OwnMessages()
    own.posted("!r", "$1", "k1")
    own.removed("!other", "$1")
    assert (own.is_there("!r", "$1"), own.is_there("!other", "$1")) == (True, None)


def test_a_wait_doubles_up_to_its_limit_and_begins_anew() -> None:
    backoff = Backoff(1.0, 5.0, chance=lambda: 1.0)
    assert [backoff.next_s() for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    backoff.succeeded()
    assert backoff.next_s() == 1.0
