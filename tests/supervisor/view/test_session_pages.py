"""A session's page tells all that is kept of it, in words, and nothing that was said there is taken for more than text."""

import asyncio
import doctest
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.supervisor.view.view_stage import WAIT_S, Stage, viewing

from greenroom import Policy, Supervisor
from greenroom.actors.model import SessionId
from greenroom.supervisor.view import numbers
from greenroom.supervisor.view.session_pages import LAST

HOSTILE = "<script>alert('x')</script>&\"\x1b[2J"
SHOWN = "&lt;script&gt;alert("


async def busy(turn: Any) -> str:
    """Call a tool, answer, ask, fail or hang, as it is told; each with words that nobody should believe."""
    if "ask" in turn.text:
        return str(await turn.ask_user(f"Which? {HOSTILE}", choices=[HOSTILE, "no"]))
    if "boom" in turn.text:
        raise RuntimeError(f"boom {HOSTILE}")
    if "hold" in turn.text and turn.recovery_note is None:
        await asyncio.Event().wait()

    async def fetch(what: str, idempotency_key: str) -> str:
        assert idempotency_key
        return f"fetched {what}"

    await turn.tool(HOSTILE, {"what": HOSTILE}, policy="keyed", fn=fetch)
    return f"answer {HOSTILE}"


def again(page: str) -> str:
    found = re.search(r'hx-get="([^"]+)"', page)
    assert found is not None
    return found[1].replace("&amp;", "&")


async def test_a_session_at_work_tells_its_timers_and_one_at_rest_has_none(tmp_path: Path) -> None:
    async with viewing(tmp_path, busy) as stage:
        await stage.room.accept(chat="web:me:1", id="1", text="hold")
        await stage.hears("run opened")
        page = await stage.see("/sessions/1")
        assert "the chat is told how long it works already" in page
        assert "the run is given up, unless its agent gives a sign of life" in page
        assert await stage.room.timers(SessionId(999)) == {}
        await stage.room.suspend(chat="web:me:1")  # Else the drain waits for it.
        await stage.hears("session suspended")


async def test_all_that_belongs_to_a_session_stands_there_as_text(tmp_path: Path) -> None:
    async with viewing(tmp_path, busy) as stage:
        await stage.say("web:me:1", HOSTILE)
        page = await stage.see("/sessions/1")
        assert HOSTILE not in page
        assert "<script>" not in page
        assert page.count(SHOWN) >= 6  # The message, the call, its result and the answer, and rows of three tables.
        assert "keyed" in page
        assert "answered" in page
        assert "No resume decision was ever needed" in page
        drawn = await stage.visitor.browser.get("/sessions/1/runs/1/chart.svg")
        ET.fromstring(drawn.text)
        assert "<script" not in drawn.text
        assert "sandbox" in drawn.headers["content-security-policy"]
        assert "script-src" not in drawn.headers["content-security-policy"]
        run = await stage.see("/sessions/1/runs/1")
        assert "<script>" not in run
        assert "answer to be delivered" in run


async def test_a_question_and_a_failure_stay_text_too(tmp_path: Path) -> None:
    async with viewing(tmp_path, busy) as stage:
        await stage.room.accept(chat="web:me:1", id="a", text="ask me")
        await stage.say("web:me:2", "boom")
        seen = asyncio.get_running_loop().create_task(_until(stage, "/sessions/1", "(open)"))
        page = await asyncio.wait_for(seen, WAIT_S)
        assert SHOWN in page
        for each in (page, await stage.see("/sessions/2"), await stage.see("/"), await stage.see("/sessions/1/runs/1")):
            assert "<script>" not in each


async def _until(stage: Stage, path: str, words: str) -> str:
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ring() -> None:
        loop.call_soon_threadsafe(heard.set)

    leave = stage.visitor.desk.feed.listen(ring)
    try:
        while words not in (page := await stage.see(path)):
            await heard.wait()
            heard.clear()
        return page
    finally:
        leave()


async def test_why_it_was_resumed_is_told_with_its_rule_and_all_that_was_asked(tmp_path: Path) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def hold(_: Any) -> str:
        loop.call_soon_threadsafe(begun.set)
        await asyncio.Event().wait()
        return ""

    async with Supervisor(tmp_path / "room.db", agent=hold, policy=Policy(drain_s=0.0)) as room:
        await room.accept(chat="web:me:1", id="a", text="hold on")
        await asyncio.wait_for(begun.wait(), WAIT_S)
    async with viewing(tmp_path, busy) as stage:
        page = await asyncio.wait_for(_until(stage, "/sessions/1", "NOT_CONNECTED"), WAIT_S)
        assert re.search(
            r"<b>wait: row \d+, NOT_CONNECTED</b>: its platform is not connected; it is decided again", page
        )
        assert re.search(r"<dt>its platform is connected</dt><dd>no</dd>", page)
        for words in ("seconds since the last progress", "how the transcript ends"):
            assert f"<dt>{words}</dt>" in page
        assert "decided: wait" in await stage.see("/sessions/1/runs/1")


async def test_a_long_transcript_is_read_from_its_end_page_by_page(tmp_path: Path) -> None:
    async def many(turn: Any) -> str:
        await turn.transcript.append_many(
            [{"role": "assistant", "text": f"note {n}", "key": f"n{n}"} for n in range(LAST + 5)]
        )
        return "done"

    async with viewing(tmp_path, many) as stage:
        await stage.say("web:me:1", "hello")
        page = await stage.see("/sessions/1")
        assert "done" in page
        assert "note 3<" not in page
        older = re.search(r'href="([^"]+)#transcript">Older rows', page)
        assert older is not None
        rest = await stage.see(older[1].replace("&amp;", "&"))
        assert "note 3<" in rest
        assert "Older rows" not in rest


async def test_news_of_another_session_are_none_of_this_ones(stage: Stage) -> None:
    await stage.say("web:me:1", "hello")
    page = await stage.see("/sessions/1")
    await stage.say("web:me:2", "hello")
    stage.visitor.clock[0] += 2.0
    news = await stage.visitor.browser.get(again(page), headers={"hx-request": "true"})
    # What came in names its chat before it has a session: that may be this one's.
    assert news.status_code in {200, 204}
    page = news.text if news.status_code == 200 else page
    await stage.room.suspend(chat="web:me:1")
    await stage.hears("session suspended")
    stage.visitor.clock[0] += 2.0
    assert "suspended" in await stage.see(again(page), **{"hx-request": "true"})


@pytest.mark.parametrize(
    "path", ["/sessions/99", "/sessions/99/live", "/sessions/1/runs/9", "/sessions/1/runs/9/chart.svg"]
)
async def test_what_was_never_there_is_said(stage: Stage, path: str) -> None:
    await stage.say("web:me:1", "hello")
    await stage.see(path, status=404)


async def test_numbers_beyond_any_row_are_no_sessions(stage: Stage) -> None:
    assert doctest.testmod(numbers).failed == 0
    await stage.say("web:me:1", "hello")
    for number in (0, 2**62, 10**40, "9" * 5000, "²", "-1"):
        await stage.see(f"/sessions/{number}", status=404)
    for before in ("x", "-1", str(10**40), "9" * 5000):
        assert "hello" in await stage.see(f"/sessions/1?before={before}")
