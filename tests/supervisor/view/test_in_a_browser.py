"""The live view in a real browser: it tells itself anew, obeys a keyboard, needs no scripts to be read, and asks nobody else."""

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from tests.platforms.test_web_page import FLAGS
from tests.supervisor.view.view_stage import TOKEN, Stage, viewing

from greenroom.platforms.chats.web.server import ListeningPort, serving
from greenroom.supervisor.view.app import make_app

CHROMIUM = shutil.which("chromium")
PATIENCE_MS = 30_000

SCREENSHOTS = os.environ.get("TEST_SCREENSHOTS")
"""A folder for pictures of what a person sees, for those who want to look."""

SIZES = {"desk": (1280, 800), "phone": (390, 844)}
PATHS = ["/", "/sessions/1", "/sessions/1/runs/1", "/sessions/1/order/send", "/drain", "/feed", "/letters", "/platforms",
         "/storage", "/restarts"]  # fmt: skip

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium"),
    pytest.mark.xdist_group("browser"),
]


async def hold_or_echo(turn: Any) -> str:
    if "hold" in turn.text:
        await asyncio.Event().wait()
    return f"echo: {turn.text} " + "and so on, " * 40


@contextlib.asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Stage, str, Browser]]:
    """A room, the address of its live view, and a browser."""
    port = ListeningPort("127.0.0.1", 0)
    listening = port.take()
    async with (
        viewing(folder, hold_or_echo, time.monotonic) as stage,
        serving(make_app(stage.visitor.desk), listening),
        async_playwright() as playwright,
    ):
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield stage, port.url, chromium
        await chromium.close()


async def open_page(chromium: Browser, troubles: list[str], url: str, **more: Any) -> Page:
    """A page of a browser of its own; what it complains of, and whom else it asks, are troubles."""
    page = await (await chromium.new_context(**more)).new_page()
    page.set_default_timeout(PATIENCE_MS)

    def look(request: Any) -> None:
        if not request.url.startswith((url, "data:")):
            troubles.append(f"asked {request.url}")

    def hear(message: Any) -> None:
        if message.type in {"error", "warning"} and "401" not in message.text:  # A wrong token is answered so.
            troubles.append(message.text)

    page.on("request", look)
    page.on("console", hear)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    return page


async def sign_in(page: Page, url: str) -> None:
    await page.goto(url)
    await page.get_by_label("Token").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Sessions")).to_be_visible(timeout=PATIENCE_MS)


async def test_a_person_signs_in_watches_and_stops_a_run_by_keyboard(tmp_path: Path) -> None:
    troubles: list[str] = []
    async with served(tmp_path) as (stage, url, chromium):
        page = await open_page(chromium, troubles, url)
        await page.goto(url)
        await page.get_by_label("Token").fill("no such token at all")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("This is not the token.", timeout=PATIENCE_MS)
        await sign_in(page, url)
        await expect(page.get_by_text("There are no sessions yet")).to_be_visible()
        await stage.room.accept(chat="web:me:<b>hold</b>", id="a", text="hold on")
        await expect(page.get_by_role("link", name="me / <b>hold</b>")).to_be_visible(timeout=PATIENCE_MS)
        await page.goto(f"{url}/sessions/1")
        await expect(page.locator("h1 .state")).to_have_text("running", timeout=PATIENCE_MS)
        await page.get_by_role("button", name="Stop").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Stop: session 1?")).to_be_visible()
        await page.get_by_role("button", name="Stop").press("Enter")
        await expect(page.get_by_role("status")).to_contain_text("Stop: ", timeout=PATIENCE_MS)
        await expect(page.locator("h1 .state")).to_have_text("owing", timeout=PATIENCE_MS)

        await stage.say("web:me:<b>hold</b>", "a long answer, please")
        long = page.locator("#deliveries ~ .wide details").first
        await expect(long).to_be_attached(timeout=PATIENCE_MS)
        await long.locator("summary").click()
        await stage.room.suspend(chat="web:me:<b>hold</b>")
        await expect(page.locator("h1 .state")).to_have_text("suspended", timeout=PATIENCE_MS)
        assert await long.get_attribute("open") is not None, (
            "what was opened stays open when the page tells itself anew"
        )

        stage.visitor.desk.sign_ins.sign_out((await page.context.cookies())[0]["value"])
        await expect(page.get_by_label("Token")).to_be_visible(timeout=PATIENCE_MS)
    assert troubles == []


@pytest.mark.slow
async def test_every_page_is_read_without_scripts_in_dark_and_light_and_on_a_phone(tmp_path: Path) -> None:
    troubles: list[str] = []
    async with served(tmp_path) as (stage, url, chromium):
        await stage.say(
            "web:me:a-name-that-is-rather-long-and-has-no-place-to-break-in-a-narrow-window-at-all", "hello"
        )
        for size, (width, height) in SIZES.items():
            scheme = "dark" if size == "desk" else "light"
            view = {"width": width, "height": height}
            page = await open_page(
                chromium, troubles, url, viewport=view, color_scheme=scheme, java_script_enabled=False
            )
            await sign_in(page, url)
            for path in PATHS:
                await page.goto(f"{url}{path}")
                assert await page.locator("h1").count() == 1
                main = await page.locator("main").bounding_box()
                assert main is not None
                assert main["width"] <= width, f"{path} is wider than the window"
                if SCREENSHOTS:
                    name = path.strip("/").replace("/", "-") or "sessions"
                    await page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{size}.png", full_page=True)
            unnamed = page.locator("input:not([type=hidden]):not([id]):not(label input)")
            assert await unnamed.count() == 0, "each field has a label"
    assert troubles == []
