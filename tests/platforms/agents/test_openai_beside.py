"""What a server wants back with calls: in the same attempt, in later turns, after a restart, and from no other server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.platforms.agents.model_stage import WEATHER, House, scripted, stream

from greenroom.actors.toolbox import BESIDE_MAX
from greenroom.platforms.agents.openai.beside import restore, write_beside
from greenroom.platforms.agents.openai.chat import DETAILS_MAX, MORE_MAX, ChatReader
from greenroom.platforms.agents.openai.reply import Reply
from greenroom.platforms.agents.talk import Call, Calls, Result

ROWS = "SELECT tool_calls FROM messages WHERE tool_calls IS NOT NULL"
REFUSED = (400, {"error": {"message": "The `reasoning_content` in the thinking mode must be passed back to the API."}})


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def calls(*cities: str, **more: Any) -> dict[str, Any]:
    made = [
        {"index": n, "id": f"id{n}", "function": {"name": "get_weather", "arguments": json.dumps({"city": city})}}
        | more
        for n, city in enumerate(cities)
    ]
    return delta("tool_calls", tool_calls=made)


ANSWER = stream(delta("stop", content="21 C."))


def called(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [message for message in request["messages"] if message.get("tool_calls")]


async def test_thoughts_that_led_to_calls_go_back_in_every_later_request(tmp_path: Path) -> None:
    thinking = [delta(reasoning_content=""), delta(reasoning_content="Two "), delta(reasoning_content="cities.")]
    async with scripted(stream(*thinking, calls("Oslo", "Rome")), ANSWER, ANSWER) as server:
        assert await House(tmp_path, server.url, WEATHER).says("Weather?") == "21 C."
        house = House(tmp_path, server.url, WEATHER)  # another process, which has heard no thoughts
        assert await house.says("And tomorrow?") == "21 C."
    for request in server.requests[1:]:
        assert [message["reasoning_content"] for message in called(request)] == ["Two cities."]
    assert str(house.rows(ROWS)).count("Two cities.") == 1
    assert house.rows("SELECT count(*) FROM messages WHERE text LIKE '%cities%'") == [(0,)]
    assert house.rows("SELECT count(*) FROM deliveries WHERE text LIKE '%cities%'") == [(0,)]


async def test_a_server_that_thought_nothing_gets_that_back_with_old_calls_too(tmp_path: Path) -> None:
    async with scripted(
        stream(calls("Oslo")), ANSWER, stream(delta(reasoning_content=""), calls("Rome")), ANSWER
    ) as it:
        house = House(tmp_path, it.url, WEATHER)
        async with house.open() as chat:
            await house.asks(chat, "Weather?")
            await house.asks(chat, "And in Rome?")
    assert [["reasoning_content" in message for message in called(each)] for each in it.requests] == [
        [],
        [False],
        [False],
        [True, True],
    ]
    assert [message["reasoning_content"] for message in called(it.requests[-1])] == ["", ""]


async def test_a_server_that_refuses_for_want_of_thoughts_is_asked_once_more_with_them(tmp_path: Path) -> None:
    async with scripted(stream(calls("Oslo")), ANSWER, REFUSED, ANSWER, ANSWER, REFUSED) as server:
        house = House(tmp_path, server.url, WEATHER)
        async with house.open() as chat:
            await house.asks(chat, "Weather?")
            assert await house.asks(chat, "And tomorrow?") == "21 C."
            assert await house.asks(chat, "And then?") == "21 C."
            assert "ModelRefusedError" in await house.asks(chat, "And if it has all, and refuses?")
    *_, before, after, then, _ = server.requests
    assert "reasoning_content" not in str(before)
    for request in (after, then):
        own = [message for message in request["messages"] if message["role"] == "assistant"]
        assert {message["reasoning_content"] for message in own} == {""}
        assert "reasoning_content" not in str([each for each in request["messages"] if each["role"] != "assistant"])


async def test_what_one_server_gave_another_is_not_given(tmp_path: Path) -> None:
    first = stream(delta(reasoning_content="Hm."), calls("Oslo", extra_content={"google": {"thought_signature": "s"}}))
    async with scripted(first, ANSWER) as one:
        await House(tmp_path, one.url, WEATHER).says("Weather?")
    async with scripted(ANSWER) as other:
        assert await House(tmp_path, other.url, WEATHER).says("And tomorrow?") == "21 C."
    (told,) = called(other.requests[0])
    assert set(told) == {"role", "content", "tool_calls"}
    assert set(told["tool_calls"][0]) == {"id", "type", "function"}


async def test_further_fields_of_a_call_go_back_with_it(tmp_path: Path) -> None:
    signed = {"google": {"thought_signature": "SIG"}}
    async with scripted(stream(calls("Oslo", extra_content=signed)), ANSWER, ANSWER) as server:
        await House(tmp_path, server.url, WEATHER).says("Weather?")
        await House(tmp_path, server.url, WEATHER).says("And tomorrow?")
    for request in server.requests[1:]:
        (message,) = called(request)
        assert [call["extra_content"] for call in message["tool_calls"]] == [signed]
        assert "reasoning_content" not in message


async def test_details_go_back_joined_and_with_the_ids_that_they_name(tmp_path: Path) -> None:
    told = [
        delta(reasoning="Hm", reasoning_details=[{"type": "reasoning.text", "index": 0, "text": "Let me "}]),
        delta(reasoning_details=[{"type": "reasoning.text", "index": 0, "text": "look.", "signature": "s"}]),
        delta(reasoning_details=[{"type": "reasoning.encrypted", "index": 0, "id": "id0", "data": "xyz"}]),
        calls("Oslo", "Rome"),
    ]
    async with scripted(stream(*told), ANSWER, ANSWER) as server:
        await House(tmp_path, server.url, WEATHER).says("Weather?")
        await House(tmp_path, server.url, WEATHER).says("And tomorrow?")
    for request in server.requests[1:]:
        (message,) = called(request)
        assert message["reasoning_details"] == [
            {"type": "reasoning.text", "index": 0, "text": "Let me look.", "signature": "s"},
            {"type": "reasoning.encrypted", "index": 0, "id": "id0", "data": "xyz"},
        ]
        results = [each["tool_call_id"] for each in request["messages"] if each["role"] == "tool"]
        assert [call["id"] for call in message["tool_calls"]] == results == ["id0", "id1"]


def test_too_much_is_not_kept_and_nothing_that_cannot_be_written() -> None:
    reader = ChatReader()
    reader.take(delta(reasoning_details=[{"type": "x", "data": "d" * DETAILS_MAX}], reasoning_content="\ud83d"))
    reader.take(calls("Oslo", "Rome", extra_content="m" * MORE_MAX))
    reply = reader.reply()
    assert reply.details == ()
    assert [call.more for call in reply.calls] == [{}, {}]
    assert reply.reasoning == ("reasoning_content", "\ufffd")
    reader = ChatReader()
    reader.take(calls("Oslo", extra_content={"half": "\ud83d", "none": 1.5}))
    assert [call.more for call in reader.reply().calls] == [{"extra_content": {"half": "\ufffd", "none": 1.5}}]


@given(
    thoughts=st.text(max_size=50) | st.integers(0, 200_000).map(lambda n: "\0" * n),
    kept=st.lists(st.booleans(), max_size=3),
)
def test_what_is_written_beside_calls_is_bounded_and_read_again(thoughts: str, kept: list[bool]) -> None:
    made = tuple(Call("same", "look", "{}", more={"n": n}) for n in range(len(kept)))
    details = ({"type": "x", "data": "y"},)
    reply = Reply(calls=made, reasoning=("reasoning_content", thoughts), details=details)
    rows = iter(kept)
    besides = write_beside(reply, "here", lambda _: next(rows))
    assert all(len(beside) <= BESIDE_MAX for beside in besides)
    recalled = tuple(Call(f"call_{n}_0", "look", "{}", beside) for n, beside in enumerate(besides))
    results = tuple(Result(call.id, "") for call in recalled)
    back, *outcomes = restore((Calls(recalled), *results), "here")
    assert isinstance(back, Calls)
    assert (back.reasoning is not None) is any(kept)
    assert [call.id for call in back.calls] == [each.id for each in outcomes if isinstance(each, Result)]
    assert len({call.id for call in back.calls}) == len(made)
    if len(thoughts) <= 50:
        assert back.reasoning == (("reasoning_content", thoughts.replace("\0", "")) if any(kept) else None)
        assert [call.more for call in back.calls] == [call.more for call in made]
        assert back.details == (details if any(kept) else ())
    elsewhere = restore((Calls(recalled), *results), "elsewhere")
    assert elsewhere == (Calls(tuple(Call(call.id, "look", "{}") for call in recalled)), *results)


@given(text=st.text(max_size=30))
def test_what_nobody_wrote_beside_a_call_is_nothing(text: str) -> None:
    assert restore((Calls((Call("1", "look", "{}", text),)),), "here") == (Calls((Call("1", "look", "{}"),)),)
