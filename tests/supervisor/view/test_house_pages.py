"""The house as a whole: the feed, letters, platforms, storage, restarts, and the last hour drawn."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.supervisor.view.view_stage import NOW, WAIT_S, Stage, Visitor, at_the_door

from greenroom.actors.facts import Fact, RunClosed, SessionSuspended
from greenroom.actors.model import DeliveryClass, Ending, Generation, SessionId, SessionKey
from greenroom.actors.store import GroupCommitted
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import FakePlatform, Fault
from greenroom.supervisor.view.hour import MINUTES, Hour

NAMES = ["feed", "letters", "platforms", "storage", "restarts"]


def cells(page: str, name: str) -> list[str]:
    """What the row of this name says, cell by cell."""
    row = page.split(f'<th scope="row">{name}</th>')[1].partition("</tr>")[0]
    return [re.sub("<[^>]*>", "", cell).strip() for cell in re.findall("<td.*?</td>", row, re.DOTALL)]


def again(page: str) -> str:
    found = re.search(r'hx-get="([^"]+)"', page)
    assert found is not None
    return found[1].replace("&amp;", "&")


@pytest.mark.parametrize("name", NAMES)
async def test_each_page_is_there_whole_and_in_part(stage: Stage, name: str) -> None:
    await stage.say("web:me:<script>", "secret words")
    page = await stage.see(f"/{name}")
    assert f'href="/{name}" aria-current="page"' in page
    assert "secret words" not in page
    assert "<script>" not in page
    part = await stage.see(f"/{name}/live", **{"hx-request": "true"})
    assert "<html" not in part
    assert part.strip().startswith("<div id=")


async def test_the_feed_tells_what_was_committed_and_nothing_new_costs_nothing(stage: Stage) -> None:
    await stage.say("web:me:1", "hello")
    page = await stage.see("/feed")
    assert "run closed: answered" in page
    assert 'href="/sessions/1"' in page
    poll = await stage.visitor.browser.get(again(page), headers={"hx-request": "true"})
    assert poll.status_code == 204
    await stage.room.suspend(chat="web:me:1")
    await stage.hears("session suspended")
    assert "session suspended" in await stage.see(again(page), **{"hx-request": "true"})


async def test_the_feed_needs_no_database(tmp_path: Path) -> None:
    async with at_the_door(tmp_path / "nowhere.db") as visitor:
        await visitor.sign_in()
        visitor.desk.feed.hear(group(SessionSuspended(SessionId(3), 1.0)))
        assert "session suspended" in await visitor.see("/feed")


async def test_platforms_say_whether_it_is_ready_and_what_its_actors_wait_for(stage: Stage) -> None:
    page = await stage.see("/platforms")
    assert "Messages are stored and answered." in page
    assert "StorageActor" in page
    stage.visitor.problem.append("the disk is <full>")
    assert "Not ready: the disk is &lt;full&gt;" in await stage.see("/platforms")


async def test_platforms_say_when_a_message_was_acknowledged_last_and_how_long_they_want_to_be_left_alone(
    stage: Stage,
) -> None:
    server = FakeChatServer()
    platform = FakePlatform(server, DeliveryClass.EDIT_ANCHOR, name="telegram")
    stage.room.attach(platform)
    assert cells(await stage.see("/platforms"), "telegram:bot")[3:6] == ["-", "0", "none"]
    platform.faults.append(Fault.RETRY_LATER)
    server.say(SessionKey("telegram", "bot", "1"), "u1", "hello")
    await stage.hears("run closed")
    async with asyncio.timeout(WAIT_S):
        while "asked to wait" not in (page := await stage.see("/platforms")):  # noqa: ASYNC110 - no bell rings
            await asyncio.sleep(0.01)
    *_, acknowledged, owed, _limit, _against = cells(page, "telegram:bot")
    assert acknowledged != "-"
    assert owed == "1"


async def test_storage_shows_its_sizes_and_the_last_hour(stage: Stage) -> None:
    await stage.say("web:me:1", "hello")
    stage.visitor.desk.hour.hear(GroupCommitted((), NOW, took_s=0.25, requests=3))
    page = await stage.see("/storage")
    assert "Free on its disk" in page
    assert page.count("<svg") == 6
    assert "at most 250.0 ms" in page


async def test_restarts_tell_how_each_life_ended(stage: Stage) -> None:
    assert "lives" in await stage.see("/restarts")


@pytest.mark.parametrize("name", NAMES)
async def test_none_of_it_is_for_who_is_not_signed_in(visitor: Visitor, name: str) -> None:
    for path in (f"/{name}", f"/{name}/live"):
        assert (await visitor.browser.get(path)).status_code == 401


def group(*facts: Fact, at: float = NOW, took_s: float = 0.01, requests: int = 1) -> GroupCommitted:
    return GroupCommitted(facts, at, took_s, requests)


def closed(*endings: Ending) -> Sequence[Fact]:
    return [RunClosed(SessionId(1), Generation(1), ending, NOW) for ending in endings]


def test_an_hour_has_all_its_minutes_also_those_in_which_nothing_happened() -> None:
    hour = Hour()
    hour.hear(group(*closed(Ending.ANSWERED, Ending.FAILED), at=NOW - 120, took_s=0.2, requests=4))
    hour.hear(group(at=NOW - 120, took_s=0.4, requests=2))
    hour.hear(group(at=NOW))
    minutes = hour.minutes(NOW)
    assert len(minutes) == MINUTES
    assert [minute.commits for minute in minutes[-3:]] == [2, 0, 1]
    then = minutes[-3]
    assert (then.answered, then.ended, then.group) == (1, 1, 3.0)
    assert (round(then.mean_ms), then.slowest_s) == (300, 0.4)
    assert (minutes[0].mean_ms, minutes[0].group) == (0.0, 0.0)


def test_what_is_older_than_an_hour_is_forgotten_and_a_clock_set_back_loses_nothing() -> None:
    hour = Hour()
    for n in range(MINUTES + 30):
        hour.hear(group(at=NOW + 60 * n))
    hour.hear(group(at=NOW))
    minutes = hour.minutes(NOW + 60 * (MINUTES + 29))
    assert [minute.commits for minute in minutes] == [1] * (MINUTES - 1) + [2]
