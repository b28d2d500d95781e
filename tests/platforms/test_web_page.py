"""The page in a real browser: Debian's chromium, driven by playwright, against the real server."""

import shutil
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, Page, Route, async_playwright, expect
from tests.platforms.stage import Stage, running

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import BusyError, Choices, Outgoing, RefusedError, Shown
from greenroom.platforms.chats.web import WebChat

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]

KITCHEN = SessionKey("web", "local", "kitchen")


@pytest.fixture
async def browser() -> AsyncIterator[BrowserContext]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = await chromium.new_context(viewport={"width": 900, "height": 700})
        yield context
        await chromium.close()


async def visit(browser: BrowserContext, chat: WebChat, name: str = "kitchen") -> Page:
    page = await browser.new_page()
    await page.goto(f"{chat.address}#{name}")
    await expect(page.locator("#link")).to_have_attribute("data-state", "open")
    return page


async def write(page: Page, text: str) -> None:
    await page.get_by_label("Your message").fill(text)
    await page.keyboard.press("Enter")


def port_of(chat: WebChat) -> int:
    port = urlsplit(chat.address).port
    assert port is not None
    return port


async def test_a_person_writes_and_sees_the_answer_come_in_place(stage: Stage, browser: BrowserContext) -> None:
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        page = await visit(browser, chat)
        await write(page, "hello")
        await expect(page.locator("article.mine .state")).to_have_text("✓ saved")
        await chat.send(Outgoing(KITCHEN, "d1", "..."))
        answer = page.locator("article.theirs")
        await expect(answer.get_by_label("working")).to_be_visible()
        await chat.edit(KITCHEN, "d1", "Hi")
        await expect(answer.locator(".body")).to_have_text("Hi")
        stage.stored(KITCHEN, "d1", "Hi there!")
        await chat.edit(KITCHEN, "d1", "Hi there!")
        await expect(answer).to_have_attribute("aria-busy", "false")
        await expect(answer.locator(".body")).to_have_text("Hi there!")
        await expect(answer).to_have_count(1)


async def test_what_was_written_while_the_server_was_away_is_sent_once_when_it_is_back(
    stage: Stage, browser: BrowserContext
) -> None:
    first = WebChat(stage, port=0)
    async with running(first, stage):
        page = await visit(browser, first)
        await write(page, "before")
        await stage.until_accepted(1)
    await expect(page.locator("#link-text")).to_have_text("reconnecting…")
    await write(page, "while it was away")
    await expect(page.locator("article.unsent")).to_have_count(1)
    await expect(page.locator("#trouble")).to_contain_text("kept in this browser")
    stage.stored(KITCHEN, "d1", "answered meanwhile")
    async with running(WebChat(stage, port=port_of(first)), stage):
        await stage.until_accepted(2)
        await expect(page.locator("article.unsent")).to_have_count(0)
        await expect(page.locator("#trouble")).to_be_hidden()
        await expect(page.locator("article .body")).to_have_text(["before", "answered meanwhile", "while it was away"])
    assert [inbound.text for inbound in stage.accepted] == ["before", "while it was away"]


async def test_a_page_shows_the_conversations_before_and_where_the_new_one_begins(
    stage: Stage, browser: BrowserContext
) -> None:
    said = [("1", True, False), ("A new conversation begins.", False, False), ("2", True, True), ("re 2", False, False)]
    stage.rows[KITCHEN] = [
        Shown(f"{n}", mine=mine, text=text, at=float(n), begins=begins) for n, (text, mine, begins) in enumerate(said)
    ]
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        page = await visit(browser, chat)
        await expect(page.locator("article .body")).to_have_text([text for text, *_ in said])
        mark = page.get_by_role("separator", name="New conversation")
        await expect(mark).to_have_count(1)
        await expect(page.locator(".beginning + article .body")).to_have_text("2")
        await write(page, "3")
        await stage.until_accepted(1)
        await page.reload()
        await expect(mark).to_have_count(1)
        await expect(page.locator("article")).to_have_count(5)


async def test_a_notice_stands_on_the_page_for_as_long_as_it_is_true(stage: Stage, browser: BrowserContext) -> None:
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        page = await visit(browser, chat)
        chat.announce("cannot save right now: the disk is full")
        await expect(page.locator("#trouble")).to_have_text(
            "The server cannot save right now: the disk is full. "
            "Your messages are kept in this browser, and sent again by themselves."
        )
        await page.reload()
        await expect(page.locator("#trouble")).to_contain_text("the disk is full")
        chat.announce(None)
        await expect(page.locator("#trouble")).to_be_hidden()


async def test_an_unsent_message_survives_a_reload_and_a_refusal_to_store(
    stage: Stage, browser: BrowserContext
) -> None:
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        page = await visit(browser, chat)
        stage.open_for_business = BusyError("the disk is full")
        await write(page, "keep me")
        await expect(page.locator("#trouble")).to_contain_text("the disk is full")
        await page.reload()
        await expect(page.locator("article.unsent .body")).to_have_text("keep me")
        stage.open_for_business = None
        await expect(page.locator("article.mine .state")).to_have_text("✓ saved", timeout=20_000)
    assert len(stage.accepted) == 1


async def test_a_lost_acknowledgement_makes_no_second_message(stage: Stage, browser: BrowserContext) -> None:
    chat = WebChat(stage, port=0)
    lost = 0

    async with running(chat, stage):
        page = await visit(browser, chat)

        async def lose_one(route: Route) -> None:
            nonlocal lost
            lost += 1
            if lost == 1:
                await route.fetch()
                await route.abort()
            else:
                await route.continue_()

        await page.route("**/messages", lose_one)
        await write(page, "once")
        await write(page, "twice")
        await stage.until_accepted(2)
        await expect(page.locator("article.unsent")).to_have_count(0)
        await expect(page.locator("article.mine .body")).to_have_text(["once", "twice"])
    assert [inbound.text for inbound in stage.accepted] == ["once", "twice"]


async def test_a_message_that_is_refused_says_why_and_holds_up_nothing(stage: Stage, browser: BrowserContext) -> None:
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        page = await visit(browser, chat)
        stage.open_for_business = RefusedError("pair this chat first")
        await write(page, "no")
        await expect(page.locator("article.refused .state")).to_have_text("not sent: pair this chat first")
        stage.open_for_business = None
        await write(page, "yes")
        await stage.until_accepted(1)
        await expect(page.locator("article.mine").last.locator(".state")).to_have_text("✓ saved")


async def test_two_windows_show_one_conversation(stage: Stage, browser: BrowserContext) -> None:
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        one, two = await visit(browser, chat), await visit(browser, chat)
        await write(one, "from one")
        await expect(two.locator("article.mine .body")).to_have_text("from one")
        await write(two, "from two")
        await expect(one.locator("article.mine .body")).to_have_text(["from one", "from two"])
        await expect(two.locator("article.mine .body")).to_have_text(["from one", "from two"])


async def test_nothing_that_anyone_writes_becomes_markup(stage: Stage, browser: BrowserContext) -> None:
    nasty = '<img src=x onerror=alert(1)> **<b>bold</b>** `<i>` javascript:alert(1) http://x.example/"onclick="y\n```\n</code><script>1'
    stage.stored(KITCHEN, "d1", nasty)
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        page = await visit(browser, chat)
        await write(page, nasty)
        await expect(page.locator("article.mine .body")).to_have_text(nasty)
        body = page.locator("article.theirs .body")
        await expect(body.locator("strong")).to_have_text("<b>bold</b>")
        await expect(body.locator("pre code")).to_have_text("</code><script>1")
        await expect(body.locator("a")).to_have_attribute("href", "http://x.example/")
        assert await page.locator("article :is(img, script, b, i, [onclick])").count() == 0


async def test_lines_drafts_and_the_chats_name_are_kept(stage: Stage, browser: BrowserContext) -> None:
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        page = await browser.new_page()
        await page.goto(chat.address)
        await expect(page.locator("#link")).to_have_attribute("data-state", "open")
        named = urlsplit(page.url).fragment
        assert len(named) >= 16
        await page.keyboard.type("one")
        await page.keyboard.press("Shift+Enter")
        await page.keyboard.type("two")
        await page.goto("about:blank")
        await page.goto(chat.address)
        assert urlsplit(page.url).fragment == named
        await expect(page.get_by_label("Your message")).to_have_value("one\ntwo")
        await page.get_by_role("button", name="Send").click()
        await stage.until_accepted(1)
        await page.get_by_role("link", name="New chat").click()
        await expect(page.get_by_role("heading", name="Say something.")).to_be_visible()
        assert urlsplit(page.url).fragment != named
    assert [(inbound.key.chat, inbound.text) for inbound in stage.accepted] == [(named, "one\ntwo")]


async def test_the_page_asks_nobody_but_its_own_server_and_complains_of_nothing(
    stage: Stage, browser: BrowserContext
) -> None:
    chat = WebChat(stage, port=0)
    asked: list[str] = []
    complaints: list[str] = []
    browser.on("request", lambda request: asked.append(urlsplit(request.url).netloc))
    browser.on("console", lambda line: complaints.append(line.text))
    browser.on("weberror", lambda error: complaints.append(str(error.error)))
    async with running(chat, stage):
        page = await visit(browser, chat)
        await write(page, "hello")
        await stage.until_accepted(1)
        await expect(page.locator("article.mine .state")).to_have_text("✓ saved")
        assert set(asked) == {urlsplit(chat.address).netloc}
        assert complaints == []


async def test_it_fits_a_phone(stage: Stage, browser: BrowserContext) -> None:
    stage.stored(KITCHEN, "d1", "word " * 200 + "w" * 500 + "\n```\n" + "c" * 500 + "\n```")
    chat = WebChat(stage, port=0)
    async with running(chat, stage):
        page = await visit(browser, chat)
        await page.set_viewport_size({"width": 360, "height": 640})
        await expect(page.locator("article.theirs .code")).to_have_count(1)
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        assert await page.evaluate("document.getElementById('scroll').scrollWidth") <= 360
        await expect(page.get_by_role("button", name="Send")).to_be_in_viewport()


async def test_the_choices_of_a_question_are_buttons_until_something_is_said(
    stage: Stage, browser: BrowserContext
) -> None:
    chat = WebChat(stage, port=0)
    choices = Choices("1.1.answer", ("yes", "no"))
    async with running(chat, stage):
        page, other = await visit(browser, chat), await visit(browser, chat)
        await write(page, "deploy it")
        await chat.send(Outgoing(KITCHEN, "d1", "..."))
        stage.stored(KITCHEN, "d1", "Deploy it?", choices)
        await chat.edit(KITCHEN, "d1", "Deploy it?", choices)
        answers = page.get_by_role("group", name="Answers")
        await expect(answers.get_by_role("button")).to_have_text(["yes", "no"])
        await expect(page.get_by_text("- yes")).to_have_count(0)
        await page.get_by_label("Your message").press("Shift+Tab")  # By the keyboard alone.
        await expect(answers.get_by_role("button", name="no")).to_be_focused()
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("article.mine .body")).to_have_text(["deploy it", "yes"])
        await expect(page.get_by_label("Your message")).to_be_focused()
        for seen in (page, other):
            await expect(seen.get_by_role("button", name="yes")).to_be_disabled()
            await expect(seen.get_by_role("button", name="no")).to_be_disabled()
            await expect(seen.locator("button.chosen")).to_have_text("yes")
        await page.reload()
        await expect(page.get_by_role("button", name="yes")).to_be_disabled()
        assert [(said.text, said.answers) for said in stage.accepted] == [("deploy it", None), ("yes", "1.1.answer")]
