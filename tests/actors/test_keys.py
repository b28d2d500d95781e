"""Keys: the same step has the same key, another step another."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.keys import (
    answer_key,
    canonical_args,
    conclusion_key,
    line_key,
    note_key,
    partial_key,
    question_key,
    question_row_key,
    tool_call_row_key,
    tool_key,
    tool_result_row_key,
    user_message_key,
)
from greenroom.actors.model import Generation, InboxId, SessionId

S, G = SessionId(1), Generation(2)


def test_no_two_rows_of_a_session_share_a_key() -> None:
    question, tool = question_key(S, G, "which?", 0), tool_key(S, G, "t", "{}", 0)
    keys = [
        answer_key(S, G),
        line_key(S, G, "expired"),
        line_key(S, G, "quarantined"),
        question,
        question_key(S, G, "which?", 1),
        question_key(S, G, "what?", 0),
        tool,
        tool_key(S, G, "t", "{}", 1),
        tool_key(S, Generation(3), "t", "{}", 0),
        tool_key(SessionId(2), G, "t", "{}", 0),
        user_message_key(InboxId(2)),
        note_key(G),
        partial_key(G),
        conclusion_key(G),
        question_row_key(question),
        tool_call_row_key(tool, G),
        tool_result_row_key(tool, G),
    ]
    assert len(set(keys)) == len(keys)


def test_the_same_call_has_the_same_key_in_every_process() -> None:
    assert tool_key(S, G, "weather", '{"city":"Oslo"}', 0) == "1.2.tool.4cea9edd58db09bcdaf6e3bb.0"


def test_equal_arguments_are_equal_text() -> None:
    assert canonical_args({"b": 1, "a": [1, "é"]}) == canonical_args({"a": [1, "é"], "b": 1}) == '{"a":[1,"é"],"b":1}'


@pytest.mark.parametrize("value", [math.nan, object(), {1, 2}, b"x"])
def test_arguments_that_are_no_json_are_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_args({"a": value})


@given(st.text(), st.text(), st.text(), st.text())
def test_name_and_arguments_never_run_into_each_other(name: str, args: str, other: str, other_args: str) -> None:
    if "\0" not in name + other:
        assert (tool_key(S, G, name, args, 0) == tool_key(S, G, other, other_args, 0)) == (
            (name, args) == (other, other_args)
        )
