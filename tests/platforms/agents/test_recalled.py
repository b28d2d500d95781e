"""What a transcript says to a model, and how it is made to fit."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.lines import CUT_RESULT
from greenroom.actors.model import Attachment, Generation, Message, MessageKind, Role, Seq, ToolCall, ToolPolicy
from greenroom.platforms.agents.openai.chat import write_messages
from greenroom.platforms.agents.openai.responses import write_input
from greenroom.platforms.agents.recalled import NO_RESULT, NOTE, read_rows
from greenroom.platforms.agents.talk import (
    LEFT_OUT,
    Call,
    Calls,
    Item,
    Result,
    Speaker,
    Words,
    shorten,
    tokens_of,
)


class Rows:
    """A transcript being written."""

    def __init__(self) -> None:
        self.all: list[Message] = []

    def add(self, role: Role, text: str, **more: Any) -> None:
        seq = Seq(len(self.all) + 1)
        self.all.append(Message(seq, Generation(1), f"row{seq}", role, text, float(seq), **more))

    def user(self, text: str, **more: Any) -> None:
        self.add(Role.USER, text, **more)

    def note(self, text: str, kind: MessageKind) -> None:
        self.add(Role.SYSTEM, text, kind=kind)

    def call(self, key: str, name: str = "look", args: str = "{}", **more: Any) -> None:
        self.add(Role.ASSISTANT, "", tool_calls=(ToolCall(key, name, args, ToolPolicy.PURE),), **more)

    def result(self, key: str, text: str) -> None:
        self.add(Role.TOOL, text, tool_key=key)


def test_results_stand_right_after_the_calls_that_were_made_at_once() -> None:
    rows = Rows()
    rows.user("Weather?")
    rows.call("a", args='{"city":"Oslo"}')
    rows.call("b", args='{"city":"Rome"}')
    rows.result("b", '"21 C"')
    rows.result("a", '{"c":3}')
    rows.call("c")
    rows.result("c", "OSError: no")
    rows.add(Role.ASSISTANT, "Warm.", finish="stop")
    assert read_rows(rows.all) == (
        Words(Speaker.USER, "Weather?"),
        Calls((Call("call_2_0", "look", '{"city":"Oslo"}'), Call("call_3_0", "look", '{"city":"Rome"}'))),
        Result("call_2_0", '{"c":3}'),
        Result("call_3_0", "21 C"),
        Calls((Call("call_6_0", "look", "{}"),)),
        Result("call_6_0", "OSError: no"),
        Words(Speaker.ASSISTANT, "Warm."),
    )


def test_a_call_that_was_interrupted_and_made_again_has_a_result_each() -> None:
    rows = Rows()
    rows.user("Pay.")
    rows.call("a", "pay")
    rows.result("a", CUT_RESULT)
    rows.note(f"{NOTE} You were interrupted.", MessageKind.RECOVERY_NOTE)
    rows.call("a", "pay")
    rows.result("a", '"paid"')
    made = [item for item in read_rows(rows.all) if isinstance(item, Result)]
    assert made == [Result("call_2_0", CUT_RESULT), Result("call_5_0", "paid")]


def test_a_question_between_a_call_and_its_result_parts_no_pair() -> None:
    rows = Rows()
    rows.user("Delete both.")
    rows.call("a", "delete")
    rows.add(Role.ASSISTANT, "May I?", kind=MessageKind.QUESTION)
    rows.user("yes")
    rows.result("a", '"gone"')
    rows.call("b", "delete")
    kinds = [type(item).__name__ for item in read_rows(rows.all)]
    assert kinds == ["Words", "Calls", "Result", "Words", "Words", "Calls", "Result"]
    assert read_rows(rows.all)[-1] == Result("call_6_0", NO_RESULT)


def test_notes_are_never_the_users_words() -> None:
    rows = Rows()
    rows.note("Once upon a time.", MessageKind.SUMMARY)
    rows.user("Make it.")
    rows.note("(The agent failed.)", MessageKind.FAILED)
    rows.note(f"{NOTE} The process is over.", MessageKind.PROCESS)
    (item,) = read_rows(rows.all)
    assert isinstance(item, Words)
    assert item.text.split("\n\n") == [
        f"{NOTE} What was said before, in short:\nOnce upon a time.",
        "Make it.",
        f"{NOTE} (The agent failed.)",
        f"{NOTE} The process is over.",
    ]


def test_of_several_interruptions_in_a_row_the_last_is_told() -> None:
    rows = Rows()
    rows.user("Make it.")
    rows.note(f"{NOTE} Down.", MessageKind.RECOVERY_NOTE)
    rows.note(f"{NOTE} Down again.", MessageKind.RECOVERY_NOTE)
    assert read_rows(rows.all) == (Words(Speaker.USER, f"Make it.\n\n{NOTE} Down again."),)


def test_who_says_more_is_named_if_others_spoke_before() -> None:
    rows = Rows()
    rows.user("Red!", author="Ann")
    rows.user("No, green!", author="Bob")
    assert read_rows(rows.all[1:], before=rows.all[:1]) == (Words(Speaker.USER, "Bob: No, green!"),)


def test_people_in_a_group_are_named_and_files_that_are_not_shown_are_told_of() -> None:
    rows = Rows()
    rows.user("Look!", author="Ann", attachments=(Attachment("/a.png", "image/png"), Attachment("/b.png", "image/png")))
    rows.user("Nice.", author="Bob")
    (item,) = read_rows(rows.all, {"/a.png": "data:image/png;base64,YQ=="})
    assert item == Words(
        Speaker.USER, "Ann: Look!\n[attached: image/png, /b.png]\n\nBob: Nice.", ("data:image/png;base64,YQ==",)
    )


ITEMS: list[Item] = [
    Words(Speaker.USER, "Hi", ("https://x/y.png",)),
    Calls((Call("1", "look", "{}"),), "Well.", ("reasoning_content", "thinking")),
    Result("1", "seen"),
    Words(Speaker.ASSISTANT, "Done."),
]


def test_a_conversation_as_messages() -> None:
    assert write_messages(ITEMS, "Be nice.") == [
        {"role": "system", "content": "Be nice."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}],
        },
        {
            "role": "assistant",
            "content": "Well.",
            "reasoning_content": "thinking",
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "seen"},
        {"role": "assistant", "content": "Done."},
    ]


def test_a_conversation_as_input_items() -> None:
    assert write_input(ITEMS) == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Hi"},
                {"type": "input_image", "image_url": "https://x/y.png", "detail": "auto"},
            ],
        },
        {"role": "assistant", "content": "Well."},
        {"type": "function_call", "call_id": "1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "seen"},
        {"role": "assistant", "content": "Done."},
    ]


def test_what_the_responses_api_wants_back_goes_back_as_it_came() -> None:
    kept = ({"type": "reasoning", "id": "r", "encrypted_content": "x"}, {"type": "function_call", "call_id": "1"})
    assert write_input([Calls((Call("1", "look", "{}"),), "Well.", kept=kept)]) == list(kept)


def test_old_results_are_left_out_before_the_last_ones_are_cut() -> None:
    one = (Calls((Call("1", "look", "{}"),)), Result("1", "a" * 4000))
    two = (Calls((Call("2", "look", "{}"),)), Result("2", "b" * 4000))
    items = (Words(Speaker.USER, "Hi"), *one, *two)
    assert shorten(items, 100_000) == items
    assert shorten(items, 1_200) == (items[0], one[0], Result("1", LEFT_OUT), *two)
    small = shorten(items, 500)
    assert small[:4] == (items[0], one[0], Result("1", LEFT_OUT), two[0])
    assert sum(map(tokens_of, small)) <= 500


steps = st.lists(
    st.one_of(
        st.tuples(st.just("user"), st.text(max_size=5)),
        st.tuples(st.just("say"), st.text(max_size=5)),
        st.tuples(st.just("call"), st.sampled_from("abc")),
        st.tuples(st.just("result"), st.sampled_from("abc")),
        st.tuples(st.just("note"), st.text(max_size=5)),
    ),
    max_size=20,
)


@given(steps)
def test_whatever_a_transcript_holds_each_call_is_followed_by_its_result_and_no_result_is_alone(
    written: list[tuple[str, str]],
) -> None:
    rows = Rows()
    for what, value in written:
        match what:
            case "user":
                rows.user(value)
            case "say":
                rows.add(Role.ASSISTANT, value)
            case "call":
                rows.call(value)
            case "result":
                rows.result(value, json.dumps(value))
            case _:
                rows.note(value, MessageKind.RECOVERY_NOTE)
    messages = write_messages(shorten(read_rows(rows.all), 50), "")
    waiting: list[str] = []
    ids: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
            continue
        assert waiting == []
        waiting = [call["id"] for call in message.get("tool_calls", [])]
        ids += waiting
    assert waiting == []
    assert len(ids) == len(set(ids))
