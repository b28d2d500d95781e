"""A stream of any kind, cut anywhere, garbled anyhow: without a finish there is no answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.platforms.agents.openai.calls import calls_of
from greenroom.platforms.agents.openai.chat import ChatReader
from greenroom.platforms.agents.openai.reply import Reader, Reply, Usage, fields_in, list_in, text_in
from greenroom.platforms.agents.openai.responses import ENDS, ResponsesReader, error_in
from greenroom.platforms.agents.talk import Call

Piece = Mapping[str, Any]


def read(reader: Reader, pieces: Sequence[Piece]) -> tuple[str, Reply]:
    words = "".join(reader.take(piece) for piece in pieces)
    return words, reader.reply()


# -- chat ------------------------------------------------------------------------------------------------------------


def delta(finish: str | None = None, **fields: Any) -> Piece:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def call_part(index: int | None, args: Any = "", *, id: str | None = None, name: str | None = None) -> Piece:
    return delta(tool_calls=[{"index": index, "id": id, "function": {"name": name, "arguments": args}}])


CHAT = [
    delta(role="assistant", content=""),
    delta(reasoning_content="Let me "),
    delta(reasoning_content="think."),
    delta(content="One "),
    delta(content="moment."),
    call_part(0, id="c1", name="look"),
    call_part(0, '{"at":'),
    call_part(1, id="c2", name="hear"),
    call_part(0, '"x"}'),
    call_part(1, "{}"),
    delta("tool_calls"),
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
]


def test_a_stream_of_chunks_is_put_together() -> None:
    words, reply = read(ChatReader(), CHAT)
    assert words == reply.text == "One moment."
    assert reply.calls == (Call("c1", "look", '{"at":"x"}'), Call("c2", "hear", "{}"))
    assert (reply.finish, reply.usage) == ("tool_calls", Usage(7, 3))
    assert reply.wants_calls
    assert reply.reasoning == ("reasoning_content", "Let me think.")


def test_servers_that_number_every_call_alike_or_send_objects_are_understood() -> None:
    whole = [
        call_part(0, {"at": "x"}, id="c1", name="look"),
        call_part(0, "{}", id="c2", name="hear"),
        delta("stop", reasoning="Hm."),
    ]
    _, reply = read(ChatReader(), whole)
    assert reply.calls == (Call("c1", "look", '{"at": "x"}'), Call("c2", "hear", "{}"))
    assert reply.wants_calls
    assert reply.reasoning == ("reasoning", "Hm.")


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_calls_that_were_cut_short_are_not_wanted(finish: str) -> None:
    _, reply = read(ChatReader(), [call_part(0, '{"at":', id="c1", name="look"), delta(finish)])
    assert not reply.wants_calls


def test_arguments_that_are_no_json_do_not_go_back() -> None:
    kept = ({"type": "function_call", "call_id": "c1", "arguments": '{"at":'},)
    calls = calls_of(Reply(calls=(Call("c1", "look", '{"at":'), Call("c2", "look", '{"at":1}')), kept=kept))
    assert [call.args for call in calls.calls] == ["{}", '{"at":1}']
    assert calls.kept == ({"type": "function_call", "call_id": "c1", "arguments": "{}"},)


def test_an_id_that_is_no_text_is_none() -> None:
    item = {"type": "function_call", "call_id": [], "name": "look", "arguments": "{}"}
    _, reply = read(ResponsesReader(), [{"type": "response.output_item.done", "item": item}])
    assert calls_of(reply).calls == (Call("call_0", "look", "{}"),)


# -- responses -------------------------------------------------------------------------------------------------------

THOUGHT: Piece = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "xyz", "status": None}
MESSAGE = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "Hm."}]}
LOOK = {"type": "function_call", "id": "f", "call_id": "c1", "name": "look", "arguments": "{}", "status": "completed"}
OUTPUT = [THOUGHT, MESSAGE, LOOK]
END = {
    "type": "response.completed",
    "response": {"status": "completed", "output": OUTPUT, "usage": {"input_tokens": 7, "output_tokens": 3}},
}
RESPONSES: list[Piece] = [
    {"type": "response.created", "response": {"status": "in_progress", "output": []}},
    {"type": "response.output_item.done", "item": THOUGHT},
    {"type": "response.output_text.delta", "delta": "Hm."},
    {"type": "response.output_text.done", "text": "Hm."},
    {"type": "response.output_item.done", "item": MESSAGE},
    {"type": "response.function_call_arguments.delta", "delta": "{}"},
    {"type": "response.output_item.done", "item": LOOK},
    END,
]


@pytest.mark.parametrize("pieces", [RESPONSES, [END]], ids=["told as it comes", "told at the end"])
def test_a_stream_of_events_is_put_together(pieces: Sequence[Piece]) -> None:
    words, reply = read(ResponsesReader(), pieces)
    assert words == reply.text == "Hm."
    assert reply.calls == (Call("c1", "look", "{}"),)
    assert (reply.finish, reply.usage) == ("stop", Usage(7, 3))
    assert [item["type"] for item in reply.kept] == ["reasoning", "message", "function_call"]
    assert reply.kept[0] == {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "xyz"}
    assert reply.kept[2] == {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"}


def test_thoughts_that_only_the_server_knows_do_not_go_back() -> None:
    item = {"type": "response.output_item.done", "item": {**THOUGHT, "encrypted_content": None}}
    assert read(ResponsesReader(), [item, END])[1].kept == ()


@pytest.mark.parametrize("reason, finish", [("max_output_tokens", "length"), ("content_filter", "content_filter")])
def test_an_incomplete_answer_says_why(reason: str, finish: str) -> None:
    response = {"status": "incomplete", "incomplete_details": {"reason": reason}, "output": []}
    assert read(ResponsesReader(), [{"type": "response.incomplete", "response": response}])[1].finish == finish


@pytest.mark.parametrize(
    "piece",
    [{"type": "error", "message": "no"}, {"type": "response.failed", "response": {"error": {"message": "no"}}}],
)
def test_an_error_in_the_stream_is_found_and_never_makes_an_answer(piece: Piece) -> None:
    assert error_in(piece)["message"] == "no"
    assert not any(map(error_in, [*CHAT, *RESPONSES]))
    assert read(ResponsesReader(), [*RESPONSES[:3], piece])[1].finish is None


# -- any -------------------------------------------------------------------------------------------------------------

STREAMS: dict[str, tuple[Callable[[], Reader], Sequence[Piece], int]] = {
    "chat": (ChatReader, CHAT, 10),
    "responses": (ResponsesReader, RESPONSES, 7),
}
"""A reader, a whole stream, and the place of its finish."""


@pytest.mark.parametrize("api", STREAMS)
def test_a_stream_is_an_answer_from_its_finish_on_and_not_before(api: str) -> None:
    make, whole, finish = STREAMS[api]
    for cut in range(len(whole) + 1):
        _, reply = read(make(), whole[:cut])
        assert (reply.finish is not None) is (cut > finish)
        assert reply.wants_calls is (cut > finish)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def garbled(draw: st.DrawFn, whole: Sequence[Piece]) -> list[Piece]:
    """Pieces of a stream in any order and number, with any of their parts replaced."""
    pieces = draw(st.lists(st.sampled_from(list(whole)), max_size=15))
    return [_garble(draw, piece) if draw(st.booleans()) else piece for piece in pieces]


def _garble(draw: st.DrawFn, value: Any) -> Any:
    """Replace one part, however deep."""
    if isinstance(value, Mapping) and value and draw(st.booleans()):
        name = draw(st.sampled_from(sorted(value)))
        return {**value, name: _garble(draw, value[name])}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [_garble(draw, value[0]), *value[1:]]
    replaced = draw(json_values)
    return replaced if not isinstance(value, Mapping) or isinstance(replaced, Mapping) else {}


def finishes(piece: Piece) -> bool:
    """Whether a piece has words that may be a finish, anywhere."""
    choice = fields_in(next(iter(list_in(piece.get("choices"))), None))
    return bool(text_in(choice.get("finish_reason"))) or piece.get("type") in ENDS


@pytest.mark.parametrize("api", STREAMS)
@given(data=st.data())
def test_garbage_is_passed_over_and_never_makes_an_answer(api: str, data: st.DataObject) -> None:
    make, whole, _ = STREAMS[api]
    pieces = data.draw(garbled(whole))
    words, reply = read(make(), pieces)
    assert words == reply.text
    if not any(map(finishes, pieces)):
        assert reply.finish is None
    assert all(isinstance(part, str) for call in reply.calls for part in (call.id, call.name, call.args))
    calls_of(reply)
