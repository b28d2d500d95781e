import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest
from tests.platforms.discord_people import until
from tests.platforms.stage import Stage

from greenroom.actors.model import Change, Inbound, SessionKey
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.platforms.chats.discord import reading
from greenroom.platforms.chats.discord.progress import Progress
from greenroom.platforms.chats.discord.reading import PAGE, QUEUE_MAX, TAKEN_MAX, Heard, Past, Reading, Taken

KEY = SessionKey("discord", "me", "7")


def heard(number: int, text: str = "") -> Heard:
    return Heard(Inbound(KEY, str(number), text or f"said {number}"), number)


class Past7:
    """The history of channel 7."""

    def __init__(self) -> None:
        self.messages: list[int] = []
        self.not_for_us: set[int] = set()
        self.errors: list[Exception] = []
        self.asked: list[int] = []

    async def fetch(self, channel: int, after: int) -> AsyncIterator[Past]:
        self.asked.append(after)
        if self.errors:
            raise self.errors.pop(0)
        for number in [each for each in sorted(self.messages) if each > after][:PAGE]:
            yield Past(number, None if number in self.not_for_us else heard(number))


class House:
    """A reading with all that it needs, inside a task group."""

    def __init__(self, folder: Path, group: asyncio.TaskGroup) -> None:
        self.stage, self.past = Stage(), Past7()
        self.progress = Progress(folder / "discord-me.json")
        self.taken = Taken()
        self.reading = Reading(self.stage, self.progress, self.past.fetch, group, self.taken)

    @property
    def ids(self) -> list[str]:
        return [inbound.update_id for inbound in self.stage.accepted]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "ASK_AGAIN_S", 0.001)


async def test_what_is_heard_is_taken_in_order_and_then_settled(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        for number in (5, 6, 9):
            house.reading.hear(7, heard(number))
        assert house.progress.upto == 4
    assert house.ids == ["5", "6", "9"]
    assert [house.taken.key(number) for number in (5, 7)] == [KEY, None]
    assert house.progress.upto == 9
    assert house.past.asked == []


async def test_the_past_comes_before_what_was_heard_since_and_nothing_twice(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.progress.begin(3)
        house.past.messages = [2, 4, 5, 6]
        house.past.not_for_us = {5}
        house.reading.hold()
        house.reading.hear(7, heard(6))
        house.reading.hear(7, heard(8))
        await asyncio.sleep(0)
        assert house.ids == []
        house.reading.catch_up(7, 3)
        house.reading.go_on()
    assert house.ids == ["4", "6", "8"]
    assert house.progress.upto == 8


async def test_what_is_told_at_first_is_heard_although_our_clock_is_ahead(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.progress.begin(100)
        house.reading.hold()
        for number in (5, 6):
            house.past.messages.append(number)
            house.reading.hear(7, heard(number))
        house.reading.go_on()
    assert house.ids == ["5", "6"]


async def test_until_it_is_known_what_was_missed_nothing_counts_as_heard(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.progress.begin(3)
        house.reading.hold()
        house.progress.heard(90)
        assert house.progress.upto == 3
        house.reading.go_on()
        assert house.progress.upto == 90


async def test_a_long_past_is_read_page_by_page(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.past.messages = list(range(1, 2 * PAGE + 51))
        house.reading.catch_up(7, 0)
    assert house.ids == [str(number) for number in range(1, 2 * PAGE + 51)]
    assert house.past.asked == [0, PAGE, 2 * PAGE]


async def test_a_past_that_may_not_be_read_is_left_and_the_present_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.past.errors = [discord.Forbidden(_Answer(403), "Missing Access")]  # type: ignore[arg-type]
        house.reading.catch_up(7, 0)
        house.reading.hear(7, heard(5))
    assert house.ids == ["5"]
    assert "cannot be read" in caplog.text


async def test_a_past_that_cannot_be_read_now_is_read_again(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.past.errors = [discord.DiscordServerError(_Answer(503), "down"), ConnectionResetError("cut")]  # type: ignore[arg-type]
        house.past.messages = [4]
        house.reading.catch_up(7, 3)
        house.reading.hear(7, heard(5))
    assert house.ids == ["4", "5"]


async def test_what_cannot_be_stored_waits_and_other_channels_do_not(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.stage.open_for_business = BusyError("the disk is full")
        house.reading.hear(7, heard(5))
        house.reading.hear(7, heard(6))
        await asyncio.sleep(0.01)
        assert house.progress.upto == 4
        house.stage.open_for_business = None
        house.reading.hear(8, heard(7))
    assert sorted(house.ids) == ["5", "6", "7"]
    assert house.ids.index("5") < house.ids.index("6")


async def test_what_is_too_much_to_keep_is_read_from_the_past(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.stage.open_for_business = BusyError("the disk is full")
        many = range(1, QUEUE_MAX + 50)
        house.past.messages = list(many)
        for number in many:
            house.reading.hear(7, heard(number))
        await asyncio.sleep(0)
        house.stage.open_for_business = None
    assert house.ids == [str(number) for number in many]
    assert house.past.asked


async def test_what_is_refused_is_passed_over(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.stage.open_for_business = RefusedError("not allowed")
        house.reading.hear(7, heard(5))
    assert (house.taken.key(5), house.progress.upto) == (None, 5)


async def test_an_edit_is_told_once_and_only_of_what_the_door_had_before(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        await house.stage.accept(heard(5).inbound)
        for _ in range(2):
            for number in (5, 6):
                edit = Inbound(KEY, f"{number}-1", "corrected", reply_to=str(number), change=Change.EDIT)
                house.reading.hear(7, Heard(Inbound(KEY, str(number), "corrected"), edit=edit))
    assert house.ids == ["5", "5-1", "6"]


def test_what_was_taken_long_ago_is_forgotten() -> None:
    taken = Taken()
    for number in range(TAKEN_MAX + 1):
        taken.add(heard(number).inbound)
    assert [taken.key(number) for number in (0, 1, TAKEN_MAX)] == [None, KEY, KEY]


async def test_a_direct_chat_is_on_disk_before_its_first_message_is_taken(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        house = House(tmp_path, group)
        house.stage.open_for_business = BusyError("the disk is full")
        house.reading.hear(7, Heard(Inbound(KEY, "5", "hello"), 5, direct=True))
        await until((tmp_path / "discord-me.json").exists)
        remembered = Progress(tmp_path / "discord-me.json")
        assert (tuple(remembered.direct), remembered.upto) == ((7,), 4)
        house.stage.open_for_business = None


class _Answer:
    """As much of an HTTP answer as an exception of the library needs."""

    def __init__(self, status: int) -> None:
        self.status, self.reason = status, ""
