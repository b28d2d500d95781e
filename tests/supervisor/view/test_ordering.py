"""Orders from the live view: asked for, proved, carried out once, told, and logged with who gave them."""

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from tests.supervisor.view.view_stage import WAIT_S, Stage, viewing

from greenroom.supervisor.drain import Intent
from greenroom.supervisor.view.offers import OF_SESSIONS


async def order(stage: Stage, path: str, **fields: str) -> str:
    """Fill in the form of an order as a browser does; the page that it leads to."""
    form = await stage.see(path)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.split("<article", 1)[1]))
    sent = await stage.visitor.browser.post(path.partition("?")[0], data={**hidden, **fields})
    assert sent.status_code == 303, sent.text
    return await stage.see(sent.headers["location"])


def told(page: str) -> list[str]:
    return re.findall(r'<p class="told" role="status">([^<]*)</p>', page)


class Holding:
    """An agent that holds on until its run is ended, and says that it began."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    async def __call__(self, turn: Any) -> str:
        if "hold" in turn.text:
            self.loop.call_soon_threadsafe(self.begun.set)
            await asyncio.Event().wait()
        return f"echo: {turn.text}"


async def test_a_run_is_stopped_once_however_often_the_form_is_sent(tmp_path: Path) -> None:
    agent = Holding()
    async with viewing(tmp_path, agent) as stage:
        await stage.room.accept(chat="web:me:1", id="a", text="hold on")
        await asyncio.wait_for(agent.begun.wait(), WAIT_S)
        assert "/sessions/1/order/stop" in await stage.see("/sessions/1")
        form = {"proof": stage.visitor.proof, "name": "one-order"}
        answers = [await stage.visitor.browser.post("/sessions/1/order/stop", data=form) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [303, 303]
        page = await stage.see("/sessions/1")
        assert [line.startswith("Stop: ") for line in told(page)] == [True, True]
        assert "nothing was done" not in told(page)[0]
        assert 'class="state owing"' in page  # Its platform is not there to take the answer.
        assert told(await stage.see("/sessions/1")) == []
        assert page.count("<b>stop") == 0
        assert "/sessions/1/order/stop" not in page


async def test_a_session_is_suspended_resumed_retried_and_spoken_in(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "greenroom.view")
    await stage.say("web:me:1", "hello")
    page = await order(stage, "/sessions/1/order/suspend")
    assert 'class="state suspended"' in page
    assert "/sessions/1/order/resume" in page
    page = await order(stage, "/sessions/1/order/release")
    assert told(page) == ["Release: done"]
    assert 'class="state owing"' in page
    page = await order(stage, "/sessions/1/order/send", text="<b>maintenance</b> at nine")
    assert "&lt;b&gt;maintenance&lt;/b&gt; at nine" in page
    page = await order(stage, "/sessions/1/order/retry")
    assert page.count("echo: hello") >= 2
    given = [record.getMessage() for record in caplog.records if " orders: " in record.getMessage()]
    assert given[0].endswith("orders: suspend of session 1 (web:me:1)")
    assert len(given) == 4
    assert all("127.0.0.1" in line for line in given)
    assert not any("maintenance" in record.getMessage() for record in caplog.records)


async def test_what_comes_to_nothing_is_told_with_the_reason(stage: Stage) -> None:
    await stage.say("web:me:1", "hello")
    page = await order(stage, "/sessions/1/order/resume")
    assert told(page)[0].startswith("Resume: nothing was done: ")
    page = await order(stage, "/sessions/1/order/stop")
    assert told(page)[0].startswith("Stop: ")


@pytest.mark.parametrize("text", ["   ", "x" * 100_001])
async def test_a_message_without_words_or_longer_than_the_policy_allows_is_not_sent(stage: Stage, text: str) -> None:
    await stage.say("web:me:1", "hello")
    form = {"proof": stage.visitor.proof, "name": "n", "text": text}
    answer = await stage.visitor.browser.post("/sessions/1/order/send", data=form)
    assert answer.status_code == 400
    assert f"Write what is to be said: at most 100,000 characters, not {len(text.strip()):,}." in answer.text


async def test_a_message_as_long_as_the_policy_allows_is_sent_in_every_script(stage: Stage) -> None:
    await stage.say("web:me:1", "hello")
    form = {"proof": stage.visitor.proof, "name": "n", "text": "\N{GRINNING FACE}" * 100_000}
    assert (await stage.visitor.browser.post("/sessions/1/order/send", data=form)).status_code == 303


async def test_a_name_that_is_too_long_is_refused_and_not_cut_to_the_name_of_another_order(stage: Stage) -> None:
    await stage.say("web:me:1", "hello")
    for name in ("n" * 100, "n" * 300):
        form = {"proof": stage.visitor.proof, "name": name, "text": "x" * 50_000}
        assert (await stage.visitor.browser.post("/sessions/1/order/send", data=form)).status_code == 303
    first, second = told(await stage.see("/sessions/1"))
    assert first == f"Send a message: {'x' * 50_000}"
    assert "nothing was done: the order&#39;s id must be printable" in second


@pytest.mark.parametrize("path", ["/sessions/1/order/stop", "/sessions/1/order/send", "/letters/order/drop", "/drain"])
async def test_without_the_proof_of_the_sign_in_nothing_is_ordered(stage: Stage, path: str) -> None:
    await stage.say("web:me:1", "hello")
    for form in ({"name": "n"}, {"proof": "made up", "name": "n"}):
        answer = await stage.visitor.browser.post(path, data={**form, "intent": "shutdown", "text": "hi"})
        assert answer.status_code == 403
    hostile = {"origin": "http://evil.example"}
    form = {"proof": stage.visitor.proof, "intent": "shutdown", "text": "hi"}
    assert (await stage.visitor.browser.post(path, data=form, headers=hostile)).status_code == 403
    assert not stage.orders.stop.is_set()
    assert "hi" not in told(await stage.see("/sessions/1"))


async def test_a_look_orders_nothing(stage: Stage) -> None:
    await stage.say("web:me:1", "hello")
    for word in OF_SESSIONS:
        page = await stage.see(f"/sessions/1/order/{word}")
        assert 'method="post"' in page
    assert "<h1>Drain" in await stage.see("/drain")
    assert not stage.orders.stop.is_set()
    assert 'class="state owing"' in await stage.see("/sessions/1")


@pytest.mark.parametrize(
    "path", ["/sessions/1/order/erase", "/sessions/9/order/stop", "/letters/order/resend?delivery=none"]
)
async def test_what_cannot_be_ordered_is_said(stage: Stage, path: str) -> None:
    await stage.say("web:me:1", "hello")
    await stage.see(path, status=404)


async def test_a_delivery_that_is_owed_is_given_up_and_sent_again(stage: Stage) -> None:
    await stage.say("web:me:1", "hello")
    found = re.search(r'<tr id="delivery-([^"]+)">', await stage.see("/sessions/1"))
    assert found is not None
    key = found[1]
    assert "echo: hello" in await stage.see(f"/letters/order/drop?delivery={key}")
    page = await order(stage, f"/letters/order/drop?delivery={key}")
    assert told(page) == ["Give up: done"]
    assert "given up by an operator" in await stage.see("/sessions/1")
    assert told(await order(stage, f"/letters/order/resend?delivery={key}")) == ["Send again: done"]
    page = await stage.see("/letters")
    assert '<span class="state waiting">unknown</span>' in page
    assert f'href="/letters/order/drop?delivery={key}"' in page


@pytest.mark.parametrize("intent", list(Intent))
async def test_a_drain_is_ordered_with_its_reason(stage: Stage, intent: Intent) -> None:
    refused = await stage.visitor.browser.post("/drain", data={"proof": stage.visitor.proof})
    assert refused.status_code == 400
    form = {"proof": stage.visitor.proof, "intent": intent.value}
    assert (await stage.visitor.browser.post("/drain", data=form)).status_code == 303
    assert stage.orders.stop.is_set()
    assert stage.orders.intent is intent
