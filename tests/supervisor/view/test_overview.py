"""The first page: how many stand where, what is looked for, and what makes it tell itself anew."""

import itertools
import re

import pytest
from tests.supervisor.view.view_stage import Stage, Visitor

from greenroom.supervisor.view.overview import ROWS
from greenroom.supervisor.view.reading import STANDS_S

HOSTILE = "<script>alert(1)</script>"


def numbers(page: str) -> list[int]:
    """The sessions on a page, in its order."""
    return [int(found) for found in re.findall(r'<tr id="s(\d+)">', page)]


def again(page: str) -> str:
    found = re.search(r'hx-get="([^"]+)"', page)
    assert found is not None
    return found[1].replace("&amp;", "&")


async def test_all_sessions_stand_there_with_what_is_known_of_each(stage: Stage) -> None:
    await stage.say("web:me:oslo", "hello")
    await stage.say("slack:team:bergen:7", "hello")
    page = await stage.see("/")
    assert numbers(page) == [2, 1]
    assert "team / bergen / 7" in page
    assert "the agent concluded" in page
    assert "<b>2</b> all" in page
    assert "<b>0</b> quarantined" in page


async def test_a_chat_is_found_by_state_platform_and_part_of_its_name(stage: Stage) -> None:
    await stage.say("web:me:oslo", "hello")
    await stage.say("slack:team:bergen", "hello")
    await stage.room.suspend(chat="web:me:oslo")
    await stage.hears("session suspended")
    for asked, found in (
        ("state=suspended", [1]),
        ("state=quarantined", []),
        ("state=nonsense", [2, 1]),
        ("platform=slack", [2]),
        ("q=OSL", [1]),
        ("q=2", [2]),
        ("q=%ED%A0%80", []),
        ("before=2", [1]),
        ("before=x&before=-1", [2, 1]),
        ("q=%27%22%3E&platform=%3Cb%3E", []),
    ):
        assert numbers(await stage.see(f"/?{asked}")) == found, asked


async def test_pages_lead_on_to_older_ones_with_what_was_asked_for(stage: Stage) -> None:
    for n in range(ROWS + 3):
        await stage.room.accept(chat=f"web:me:chat{n}", id=f"m{n}", text="hello")
    page = await stage.see("/?platform=web")
    assert len(numbers(page)) == ROWS
    older = re.search(r'href="([^"]+)" rel="next"', page)
    assert older is not None
    rest = await stage.see(older[1].replace("&amp;", "&"))
    assert numbers(rest) == [3, 2, 1]
    assert 'rel="next"' not in rest
    assert 'href="/?platform=web">Newest' in rest


async def test_whatever_a_chat_is_called_stays_text(stage: Stage) -> None:
    await stage.say(f"web:me:{HOSTILE}", "hello")
    for asked in ("/", f"/?q={HOSTILE}", f"/?platform={HOSTILE}", f"/?state={HOSTILE}"):
        page = await stage.see(asked)
        assert HOSTILE not in page
    assert "&lt;script&gt;" in await stage.see("/")


async def test_who_asks_again_hears_of_news_and_else_of_nothing_and_the_database_is_left_alone(stage: Stage) -> None:
    await stage.say("web:me:oslo", "hello")
    page = await stage.see("/")
    poll = await stage.visitor.browser.get(again(page), headers={"hx-request": "true"})
    assert (poll.status_code, poll.content) == (204, b"")
    await stage.say("web:me:bergen", "hello")
    stage.visitor.clock[0] += 2.0
    news = await stage.see(again(page), **{"hx-request": "true"})
    assert numbers(news) == [2, 1]
    assert "<html" not in news
    assert again(news) != again(page)


async def test_who_is_signed_out_is_led_away_by_the_next_look(stage: Stage) -> None:
    stage.visitor.browser.cookies.clear()
    poll = await stage.visitor.browser.get("/sessions/live", headers={"hx-request": "true"})
    assert (poll.status_code, poll.headers["hx-redirect"]) == (401, "/sign-in")


async def test_many_who_look_cost_one_look_at_the_database(stage: Stage) -> None:
    await stage.say("web:me:oslo", "hello")
    asked = itertools.count(1)

    async def look(within_s: float) -> int:
        return await stage.visitor.desk.reading.answer("counted", lambda _: next(asked), within_s=within_s)

    assert [await look(0.0) for _ in range(3)] == [1, 1, 1]
    await stage.say("web:me:oslo", "again")
    stage.visitor.clock[0] += 0.5
    assert await look(1.0) == 1
    assert await look(0.0) == 2
    stage.visitor.clock[0] += STANDS_S
    assert await look(0.0) == 3


async def test_while_there_is_no_database_it_says_so_and_heals(visitor: Visitor) -> None:
    await visitor.sign_in()
    assert "there is no database here" in await visitor.see("/", status=503)


@pytest.mark.parametrize("path", ["/sessions/", "/nothing", "/sessions/live/x"])
async def test_what_is_not_there_is_said_in_words(stage: Stage, path: str) -> None:
    assert "There is no such page" in await stage.see(path, status=404)
