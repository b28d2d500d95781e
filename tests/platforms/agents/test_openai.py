"""A model behind OpenAI's API, in a real supervisor: its server breaks in all its ways, and judges how we bear that."""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from llmock.scenarios import Fail, Match, Reply, ToolCall
from llmock.simulation import estimate_tokens
from tests.platforms.agents.model_stage import CITY, WEATHER, House

from greenroom import Policy
from greenroom.actors.model import Attachment, ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.openai.calls import name_tools
from greenroom.platforms.agents.tools.tool import Tool

APIS = pytest.mark.parametrize("api", ["chat", "responses"])
PARTIAL = "SELECT text FROM messages WHERE key LIKE 'partial.%'"
FINAL = "SELECT text, finish FROM messages WHERE role = 'assistant' AND answers_upto IS NOT NULL"


def conversation(llmock: LLMock, n: int = -1) -> list[Any]:
    """What a request gave the model."""
    body = llmock.requests[n].body
    given: list[Any] = body["messages"] if "messages" in body else body["input"]
    return given


@APIS
async def test_words_are_the_answer_and_what_they_cost_is_stored(llmock: LLMock, tmp_path: Path, api: str) -> None:
    llmock.reply("Hello, my dear friend!")
    house = House(tmp_path, llmock.base_url(), api=api, system="Be nice.", price_in=1_000_000, price_out=2_000_000)
    assert await house.says("Good morning, model.") == "Hello, my dear friend!"
    assert house.rows(FINAL) == [("Hello, my dear friend!", "stop")]
    read = estimate_tokens("Be nice.", "Good morning, model.")
    written = estimate_tokens("Hello, my dear friend!")
    ((calls, tokens, cost),) = house.rows("SELECT model_calls, tokens, cost FROM runs")
    assert (calls, tokens, cost) == (1, read + written, read + 2 * written)
    llmock.assert_resilient(strict=True)


@APIS
async def test_tools_are_called_beside_each_other_and_their_results_come_back(
    llmock: LLMock, tmp_path: Path, api: str
) -> None:
    two = tuple(ToolCall("get_weather", {"city": city}) for city in ("Oslo", "Rome"))
    llmock.add(Reply(text="Let me look.", tool_calls=two)).reply("Both have 21 C.")
    house = House(tmp_path, llmock.base_url(), WEATHER, api=api)
    assert await house.says("How is the weather?") == "Let me look.\n\nBoth have 21 C."
    told = str(conversation(llmock))
    assert told.index("21 C in Oslo") < told.index("21 C in Rome")
    assert len(llmock.requests) == 2
    llmock.assert_resilient(strict=True)


@APIS
async def test_the_next_request_has_the_whole_conversation(llmock: LLMock, tmp_path: Path, api: str) -> None:
    llmock.call_tool("get_weather", {"city": "Oslo"}).reply("It has 21 C.").reply("You are welcome.")
    house = House(tmp_path, llmock.base_url(), WEATHER, api=api)
    async with house.open() as chat:
        await house.asks(chat, "How is Oslo?")
        assert await house.asks(chat, "Thanks.") == "You are welcome."
    given = str(conversation(llmock))
    places = [
        given.index(part) for part in ("How is Oslo?", '"city":"Oslo"', "21 C in Oslo", "It has 21 C.", "Thanks.")
    ]
    assert places == sorted(places)


FAULTS: dict[str, Callable[[LLMock, int], LLMock]] = {
    "cut off": lambda llmock, times: llmock.truncate(after_chunks=4, times=times),
    "dropped": lambda llmock, times: llmock.disconnect(after_chunks=4, times=times),
    "garbled": lambda llmock, times: llmock.corrupt(after_chunks=4, times=times),
}


@APIS
@pytest.mark.parametrize("fault", FAULTS)
async def test_an_answer_that_breaks_off_is_asked_for_again_and_said_once(
    llmock: LLMock, tmp_path: Path, api: str, fault: str
) -> None:
    FAULTS[fault](llmock.reply("One two three four five six.", times=2), 1)
    house = House(tmp_path, llmock.base_url(), api=api)
    assert await house.says("Count!") == "One two three four five six."
    assert len(llmock.requests) == 2
    llmock.assert_resilient(strict=fault != "garbled")  # It may have sent all before we hang up: then it saw no retry.


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_breaks_off_for_good_is_no_answer(llmock: LLMock, tmp_path: Path, fault: str) -> None:
    FAULTS[fault](llmock.reply("One two three four five six.", times=3), 3)
    house = House(tmp_path, llmock.base_url())
    assert "(Incomplete: the agent's text was cut short (it broke off)" in await house.says("Count!")
    assert house.rows(FINAL) == []
    ((said,),) = house.rows(PARTIAL)
    assert "One two three four".startswith(said)


async def test_a_stream_that_stands_still_is_given_up_and_asked_for_again(llmock: LLMock, tmp_path: Path) -> None:
    llmock.reply("One two three four.", times=2).stall(after_chunks=3, seconds=30)
    assert await House(tmp_path, llmock.base_url(), timeout_s=0.5).says("Count!") == "One two three four."
    llmock.assert_resilient(strict=True)


async def test_what_is_said_meanwhile_steers_the_next_step(llmock: LLMock, tmp_path: Path) -> None:
    begun = threading.Event()
    steered = threading.Event()

    async def look(turn: Turn) -> str:
        begun.set()
        await turn.in_thread(steered.wait, 20)
        return "seen"

    looking = Tool("look", "Looks.", {"type": "object"}, ToolPolicy.PURE, look)
    llmock.call_tool("look").reply("Green it is.")
    house = House(tmp_path, llmock.base_url(), looking, policy=Policy(busy="steer"))
    async with house.open() as chat:
        receipt = await chat.says("Paint it red!", "red")
        await asyncio.to_thread(begun.wait, 20)
        await chat.says("No, green!", "green")
        steered.set()
        assert await chat.answer(receipt) == "Green it is."
    assert [each["role"] for each in conversation(llmock)] == ["user", "assistant", "tool", "user"]
    assert len(llmock.requests) == 2


async def test_a_stream_that_broke_after_its_finish_is_an_answer(llmock: LLMock, tmp_path: Path) -> None:
    llmock.reply("One two.").truncate(after_chunks=4)
    assert await House(tmp_path, llmock.base_url()).says("Count!") == "One two."


@APIS
async def test_an_answer_that_is_too_long_for_its_model_is_incomplete(llmock: LLMock, tmp_path: Path, api: str) -> None:
    llmock.add(Reply(text="A long", finish_reason="length"))
    house = House(tmp_path, llmock.base_url(), api=api)
    assert (await house.says("Tell!")).startswith("(Incomplete: the agent's text was cut short (length)")
    assert house.rows(FINAL) == []
    assert house.rows(PARTIAL) == [("A long",)]


async def test_calls_of_an_answer_that_was_filtered_are_not_made(llmock: LLMock, tmp_path: Path) -> None:
    llmock.add(
        Reply(text="Hm", tool_calls=(ToolCall("get_weather", {"city": "Oslo"}),), finish_reason="content_filter")
    )
    house = House(tmp_path, llmock.base_url(), WEATHER)
    assert "(content_filter)" in await house.says("How is Oslo?")
    assert house.rows("SELECT count(*) FROM tool_calls") == [(0,)]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_hiccup_is_tried_again_at_once_as_the_server_says(llmock: LLMock, tmp_path: Path, status: int) -> None:
    llmock.fail(status, retry_after=0.2).reply("Here.")
    assert await House(tmp_path, llmock.base_url()).says("Well?") == "Here."
    llmock.assert_resilient(strict=True)


async def test_what_takes_longer_is_put_off_on_disk_for_as_long_as_the_server_says(
    llmock: LLMock, tmp_path: Path
) -> None:
    llmock.fail(429, retry_after=700.0)
    shown = await House(tmp_path, llmock.base_url(), policy=Policy(provider_max_s=600.0)).says("Well?")
    assert "could not go on: the model's provider answers 429" in shown
    assert len(llmock.requests) == 1
    llmock.assert_resilient()


async def test_work_that_was_put_off_goes_on_by_itself(llmock: LLMock, tmp_path: Path) -> None:
    llmock.fail(503).reply("Here I am.")
    policy = Policy(provider_backoff_s=0.1, provider_max_s=60.0)
    house = House(tmp_path, llmock.base_url(), retries=0, policy=policy)
    assert await house.says("Well?") == "Here I am."
    assert house.rows("SELECT count(*), count(DISTINCT work) FROM runs") == [(2, 1)]


async def test_a_model_that_cannot_be_reached_gives_way_to_the_next(llmock: LLMock, tmp_path: Path) -> None:
    llmock.add(Fail(503, times=None, match=Match(model="m1")), Fail(404, times=None, match=Match(model="m2")))
    llmock.reply("It is me.")
    house = House(tmp_path, llmock.base_url(), fallbacks=("m2", "m3"), retries=0)
    assert await house.says("Who is there?") == "It is me."
    assert [each.model for each in llmock.requests] == ["m1", "m2", "m3"]


@pytest.mark.parametrize("status", [400, 401, 403, 422])
async def test_what_is_refused_is_not_asked_again(llmock: LLMock, tmp_path: Path, status: int) -> None:
    llmock.fail(status, times=None)
    shown = await House(tmp_path, llmock.base_url()).says("Well?")
    assert shown.startswith("(The agent failed: ModelRefusedError")
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


async def test_no_server_is_told_and_the_message_is_kept(tmp_path: Path) -> None:
    shown = await House(tmp_path, "http://127.0.0.1:9/v1", retries=0).says("Well?")
    assert shown.startswith("(The agent could not go on: the model's provider cannot be reached")


async def test_a_conversation_that_is_too_long_is_made_shorter(llmock: LLMock, tmp_path: Path) -> None:
    async def read(_: Turn) -> str:
        return "word " * 4000

    reading = Tool("read", "Reads.", {"type": "object"}, ToolPolicy.PURE, read)
    llmock.call_tool("read").reply("Done.", times=None)
    llmock.limits(context_window=2_000)
    house = House(tmp_path, llmock.base_url(), reading)
    assert await house.says("Read it!") == "Done."
    assert [each.status for each in llmock.requests] == [200, 400, 400, 200]
    assert "characters are not kept" in str(conversation(llmock))
    llmock.assert_resilient()


async def test_what_a_model_takes_is_never_exceeded_if_it_is_known(llmock: LLMock, tmp_path: Path) -> None:
    async def read(_: Turn) -> str:
        return "word " * 4000

    reading = Tool("read", "Reads.", {"type": "object"}, ToolPolicy.PURE, read)
    llmock.call_tool("read").call_tool("read").reply("Done.")
    llmock.limits(context_window=2_000)
    house = House(tmp_path, llmock.base_url(), reading, context_tokens=2_000)
    assert await house.says("Read it!") == "Done."
    assert [each.status for each in llmock.requests] == [200, 200, 200]


@pytest.mark.parametrize("kind, told", [("unknown_tool", "There is no tool"), ("malformed_arguments", "was not made")])
@APIS
async def test_a_call_that_cannot_be_made_is_told_to_the_model(
    llmock: LLMock, tmp_path: Path, api: str, kind: str, told: str
) -> None:
    llmock.call_tool("get_weather", {"city": "Oslo"}).break_tool_call(kind)
    llmock.call_tool("get_weather", {"city": "Oslo"}).reply("21 C.")
    house = House(tmp_path, llmock.base_url(), WEATHER, api=api)
    assert await house.says("How is Oslo?") == "21 C."
    assert told in str(conversation(llmock))
    assert house.rows("SELECT count(*) FROM tool_calls") == [(1,)]


async def test_a_model_that_has_lost_its_way_is_left(llmock: LLMock, tmp_path: Path) -> None:
    llmock.reply("Hm.", times=None).break_tool_call("unknown_tool", times=None)
    house = House(tmp_path, llmock.base_url(), WEATHER)
    assert "(it called what cannot be called)" in await house.says("How is Oslo?")
    assert len(llmock.requests) == 5


async def test_a_budget_ends_what_would_go_on_and_not_what_is_there(llmock: LLMock, tmp_path: Path) -> None:
    llmock.call_tool("get_weather", {"city": "Oslo"}, times=2).reply("Never.")
    house = House(tmp_path, llmock.base_url(), WEATHER, policy=Policy(model_calls_max=1))
    assert "model" in await house.says("How is Oslo?")
    assert len(llmock.requests) == 2
    llmock.reset().reply("One call is enough.")
    assert await house.says("And now?") == "One call is enough."


@APIS
async def test_the_model_may_ask_the_user(llmock: LLMock, tmp_path: Path, api: str) -> None:
    llmock.call_tool("ask_user", {"question": "Which one?", "choices": ["a", "b"]}, text="Hm.").reply("So it is b.")
    house = House(tmp_path, llmock.base_url(), api=api, ask_user=True)
    async with house.open() as chat:
        receipt = await chat.says("Choose!", "choose")
        await chat.until_shown("Hm.\n\nWhich one?")
        await chat.says("b", "chosen")
        assert await chat.answer(receipt) == "So it is b."
    assert "'b'" in str(conversation(llmock)[-1])


async def test_a_model_hears_that_its_question_is_too_long_and_the_person_sees_nothing_of_it(
    llmock: LLMock, tmp_path: Path
) -> None:
    llmock.call_tool("ask_user", {"question": "x" * 30_000}).reply("Never mind.")
    assert await House(tmp_path, llmock.base_url(), ask_user=True).says("Ask!") == "Never mind."
    assert "The user was not asked: turn.ask_user: 30,000 characters" in str(conversation(llmock)[-1])


async def test_images_are_shown_by_reference_and_from_beside_the_database_only(llmock: LLMock, tmp_path: Path) -> None:
    folder = tmp_path / "house"
    (folder / "attachments").mkdir(parents=True)
    (folder / "attachments" / "cat.png").write_bytes(b"a cat")
    (folder / "large.png").write_bytes(b"x" * 1001)
    (tmp_path / "secret.png").write_bytes(b"secret")
    llmock.reply("A cat.")
    house = House(folder, llmock.base_url(), image_bytes_max=1000)
    places = ["https://pictures.example/dog.png", str(folder / "attachments" / "cat.png"), "large.png", "../secret.png"]
    files = [
        *(Attachment(place, "image/png", name=place[-7:]) for place in places),
        Attachment("a.pdf", "application/pdf"),
    ]
    assert await house.says("What is this?", *files) == "A cat."
    words, *images = conversation(llmock)[-1]["content"]
    assert [each["image_url"]["url"] for each in images] == [
        "https://pictures.example/dog.png",
        f"data:image/png;base64,{base64.b64encode(b'a cat').decode()}",
    ]
    assert words["text"].splitlines() == [
        "What is this?",
        "[attached: rge.png, image/png, large.png]",
        "[attached: ret.png, image/png, ../secret.png]",
        "[attached: application/pdf, a.pdf]",
    ]


async def test_a_key_that_is_changed_holds_from_the_next_request_and_is_never_logged(
    llmock: LLMock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = tmp_path / "key"
    key.write_text("first-key-of-all")
    llmock.limits(rpm=1)  # of each key
    llmock.reply("Once.").reply("Twice.")
    house = House(tmp_path, llmock.base_url(), key=f"file:{key}")
    async with house.open() as chat:
        assert await house.asks(chat, "Say!") == "Once."
        key.write_text("second-key-of-all")
        assert await house.asks(chat, "Say!") == "Twice."
    llmock.reset().fail(401, message="Incorrect API key provided: second-key-of-all")
    await house.says("And now?")
    assert "Incorrect API key provided: ***" in caplog.text
    assert "key-of-all" not in caplog.text


async def test_more_fields_are_given_as_they_are(llmock: LLMock, tmp_path: Path) -> None:
    llmock.reply("Yes.")
    house = House(tmp_path, llmock.base_url(), temperature=0, answer_tokens=100, effort="low", extra={"top_k": 7})
    await house.says("Well?")
    body = llmock.last_request.body
    assert {name: body[name] for name in ("temperature", "max_tokens", "reasoning_effort", "top_k")} == {
        "temperature": 0,
        "max_tokens": 100,
        "reasoning_effort": "low",
        "top_k": 7,
    }


def test_names_of_tools_are_made_fit_for_the_api() -> None:
    async def nothing(_: Turn) -> str:
        return ""

    tools = [
        Tool(name, "", CITY, ToolPolicy.PURE, nothing) for name in ("files.read", "files read", "x" * 80, "x" * 90)
    ]
    assert list(name_tools(tools)) == ["files_read", "files_read_2", "x" * 64, f"{'x' * 62}_2"]
