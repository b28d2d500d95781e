"""A person, a browser, the real daemon: an answer on the page, through kill -9 and a restart, without a reload."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect
from tests.platforms.test_web_page import FLAGS

from greenroom.supervisor.sandbox.storm_daemon import Daemon, free_port, living

CHROMIUM = shutil.which("chromium")

SCREENSHOTS = os.environ.get("TEST_SCREENSHOTS")
"""A folder for pictures of what the person sees, for those who want to look."""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]

ANSWERED_MS = 30_000


async def picture(page: Page, name: str) -> None:
    """Keep what is on the screen, if somebody asked for it."""
    if SCREENSHOTS:
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


async def test_a_count_interrupted_by_sigkill_goes_on_by_itself_in_the_open_page(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, free_port())
    async with living(daemon), async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await (await chromium.new_context(viewport={"width": 900, "height": 700})).new_page()
        await page.goto(daemon.address)
        await page.get_by_label("Your message").fill("hello")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Say help to see what I can do").or_(page.get_by_text("Hello!"))).to_be_visible()
        await picture(page, "1-answered")
        await page.get_by_label("Your message").fill("count to 12")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("1 2 3")).to_be_visible(timeout=ANSWERED_MS)
        await daemon.kill()
        await expect(page.locator("#link")).not_to_have_attribute("data-state", "open", timeout=ANSWERED_MS)
        await picture(page, "2-killed")
        await page.get_by_label("Your message").fill("still there?")
        await page.keyboard.press("Enter")
        await daemon.start()
        await expect(page.get_by_text("11 12")).to_be_visible(timeout=ANSWERED_MS)
        await expect(page.get_by_text("You said: still there?")).to_be_visible(timeout=ANSWERED_MS)
        await picture(page, "3-gone-on")
        assert await page.get_by_text("11 12").count() == 1
        assert await page.get_by_text("You said: still there?").count() == 1
        await chromium.close()
        assert await daemon.stop() == 0


async def test_a_question_waits_with_its_buttons_through_sigkill_and_a_press_answers_it_once(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, free_port())
    async with living(daemon), async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await (await chromium.new_context(viewport={"width": 900, "height": 700})).new_page()
        await page.goto(daemon.address)
        await page.get_by_label("Your message").fill("deploy the shop")
        await page.keyboard.press("Enter")
        yes, no = (page.get_by_role("button", name=name, exact=True) for name in ("yes", "no"))
        await expect(yes).to_be_enabled(timeout=ANSWERED_MS)
        await picture(page, "4-asked")
        await daemon.kill()
        await daemon.start()
        await expect(page.locator("#link")).to_have_attribute("data-state", "open", timeout=ANSWERED_MS)
        await yes.click()
        await expect(page.get_by_text("Deployed the shop.")).to_be_visible(timeout=ANSWERED_MS)
        await expect(yes).to_be_disabled()
        await expect(no).to_be_disabled()
        await picture(page, "5-pressed")
        assert await page.get_by_text("Deployed the shop.").count() == 1
        await chromium.close()
        assert await daemon.stop() == 0
