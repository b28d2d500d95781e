"""How transcripts end: every transcript of up to five rows of all kinds, against a specification of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from greenroom.actors.model import Generation, Message, MessageKind, Role, Seq, Tail, TailKind, ToolCall, ToolPolicy
from greenroom.actors.tail import FINISHES, classify_tail, extend_tail, is_final

LENGTH_MAX = 5


def row(
    role: Role, seq: int, text: str = "words", kind: MessageKind = MessageKind.TEXT, finish: str | None = None
) -> Message:
    return Message(Seq(seq), Generation(1), f"k{seq}", role, text, at=float(seq), kind=kind, finish=finish)


@cache
def calls(seq: int, finish: str) -> Message:
    call = ToolCall(f"call{seq}", "look", "{}", ToolPolicy.PURE)
    return replace(row(Role.ASSISTANT, seq, finish=finish), tool_calls=(call,))


def last_seq(before: Sequence[Message], fits: Callable[[Message], bool]) -> int:
    return max((each.seq for each in before if fits(each)), default=0)


def result(seq: int, before: Sequence[Message]) -> Message:
    return result_of(seq, last_seq(before, lambda it: bool(it.tool_calls)))


@cache
def result_of(seq: int, call: int) -> Message:
    return replace(row(Role.TOOL, seq), tool_key=f"call{call}")


def final_but_for_the_last(seq: int, before: Sequence[Message]) -> Message:
    """An answer that covers all user messages except the last: that one landed while the agent worked."""
    last = last_seq(before, lambda it: it.role is Role.USER)
    covered = last_seq(before, lambda it: it.role is Role.USER and it.seq < last)
    return answer_upto(seq, covered)


@cache
def answer_upto(seq: int, covered: int) -> Message:
    return replace(row(Role.ASSISTANT, seq, finish="stop"), answers_upto=Seq(covered))


ROWS: dict[str, Callable[[int, Sequence[Message]], Message]] = {
    "user": lambda seq, _: row(Role.USER, seq),
    "final": lambda seq, _: row(Role.ASSISTANT, seq, finish="end_turn"),
    "final, but for the last message": final_but_for_the_last,
    "partial: no finish": lambda seq, _: row(Role.ASSISTANT, seq),
    "partial: blank": lambda seq, _: row(Role.ASSISTANT, seq, text=" \n", finish="stop"),
    "partial: cut by length": lambda seq, _: row(Role.ASSISTANT, seq, finish="length"),
    "calls": lambda seq, _: calls(seq, "tool_calls"),
    "calls, finish stop": lambda seq, _: calls(seq, "stop"),
    "result": result,
    "question": lambda seq, _: row(Role.ASSISTANT, seq, kind=MessageKind.QUESTION),
    "lapsed": lambda seq, _: row(Role.SYSTEM, seq, kind=MessageKind.LAPSED),
    "recovery note": lambda seq, _: row(Role.SYSTEM, seq, kind=MessageKind.RECOVERY_NOTE),
    "stopped": lambda seq, _: row(Role.SYSTEM, seq, kind=MessageKind.STOPPED),
    "failed": lambda seq, _: row(Role.SYSTEM, seq, kind=MessageKind.FAILED),
    "system text": lambda seq, _: row(Role.SYSTEM, seq),
}
CONCLUDING = {
    "final": TailKind.FINAL,
    "final, but for the last message": TailKind.FINAL,
    "stopped": TailKind.STOPPED,
    "failed": TailKind.FAILED,
}
BY_LAST_ROW = {
    "user": TailKind.USER,
    "partial: no finish": TailKind.PARTIAL,
    "partial: blank": TailKind.PARTIAL,
    "partial: cut by length": TailKind.PARTIAL,
    "question": TailKind.ASKED,
    "recovery note": TailKind.RECOVERY_NOTE,
}
CALLS = ("calls", "calls, finish stop")
UNHEARD = ("system text", "lapsed")
"""Rows that say nothing of how a transcript ends."""


def specified(names: Sequence[str], rows: Sequence[Message]) -> set[TailKind]:
    """Every kind that the design's words make true of a transcript; there must be exactly one."""
    spoken = [at for at, name in enumerate(names) if name not in UNHEARD]
    if not spoken:
        return {TailKind.EMPTY}
    last = spoken[-1]
    kinds = {BY_LAST_ROW[names[last]]} if names[last] in BY_LAST_ROW else set()
    if names[last] in CONCLUDING:
        kinds.add(TailKind.USER if uncovered(names, rows) else CONCLUDING[names[last]])
    if names[last] == "result":
        kinds.add(after_result(names, rows, spoken))
    if names[last] in CALLS:
        kinds.add(after_call(names[:last]))
    return kinds


def after_call(before: Sequence[str]) -> TailKind:
    """A call beside an open question does not end that; one after it lapsed, or after other words, does."""
    others = [name for name in before if name not in {"system text", "result", *CALLS}]
    return TailKind.ASKED if others and others[-1] == "question" else TailKind.TOOL_CALLS


def uncovered(names: Sequence[str], rows: Sequence[Message]) -> bool:
    """Whether some user message is covered by no concluding row."""

    def covers(at: int, user: int) -> bool:
        upto = rows[at].answers_upto
        return user < at if upto is None else rows[user].seq <= upto

    ends = [at for at, name in enumerate(names) if name in CONCLUDING]
    return any(not any(covers(at, user) for at in ends) for user, name in enumerate(names) if name == "user")


def after_result(names: Sequence[str], rows: Sequence[Message], spoken: Sequence[int]) -> TailKind:
    before = [at for at in spoken if names[at] != "result" or at < first_of_last_block(names, spoken)]
    if before and names[before[-1]] == "question":
        return TailKind.ASKED
    if before and names[before[-1]] in CALLS and after_call(names[: before[-1]]) is TailKind.ASKED:
        return TailKind.ASKED
    since = max((at for at, name in enumerate(names) if name in CONCLUDING), default=-1)
    called = [(at, call.key) for at, it in enumerate(rows) for call in it.tool_calls if at > since]
    waits = any(all(it.tool_key != key for it in rows[at:]) for at, key in called)
    return TailKind.TOOL_CALLS if waits else TailKind.TOOL_RESULTS


def first_of_last_block(names: Sequence[str], spoken: Sequence[int]) -> int:
    block = len(spoken)
    while block > 0 and names[spoken[block - 1]] == "result":
        block -= 1
    return spoken[block]


def grow(
    names: tuple[str, ...] = (), rows: tuple[Message, ...] = (), tail: Tail = Tail()
) -> Iterator[tuple[tuple[str, ...], tuple[Message, ...], Tail]]:
    yield names, rows, tail
    if len(names) < LENGTH_MAX:
        for name, make in ROWS.items():
            message = make(len(rows) + 1, rows)
            yield from grow((*names, name), (*rows, message), extend_tail(tail, message))


@pytest.mark.parametrize("first", ROWS)
def test_every_transcript_of_up_to_five_rows_ends_in_exactly_one_way(first: str) -> None:
    start = ROWS[first](1, ())
    seen = 0
    for names, rows, tail in grow((first,), (start,), classify_tail([start])):
        seen += 1
        if specified(names, rows) != {tail.kind}:
            pytest.fail(f"{names}: {tail.kind.name}, but by the words of the design {specified(names, rows)}")
        if len(names) < LENGTH_MAX and tail.unanswered != uncovered(names, rows):
            pytest.fail(f"{names}: unanswered is {tail.unanswered}")
    assert seen == sum(len(ROWS) ** more for more in range(LENGTH_MAX))


def test_a_transcript_without_rows_is_empty() -> None:
    assert classify_tail([]) == Tail(TailKind.EMPTY)


def build(names: Sequence[str]) -> list[Message]:
    rows: list[Message] = []
    for name in names:
        rows.append(ROWS[name](len(rows) + 1, rows))
    return rows


def test_short_transcripts_may_be_read_in_any_two_pieces() -> None:
    for names in product(ROWS, repeat=3):
        rows = build(names)
        whole = classify_tail(rows)
        assert all(classify_tail(rows[at:], classify_tail(rows[:at])) == whole for at in range(4))


@given(names=st.lists(st.sampled_from(sorted(ROWS)), max_size=40), at=st.integers(0, 40))
def test_long_transcripts_may_be_read_in_any_two_pieces(names: list[str], at: int) -> None:
    rows = build(names)
    assert classify_tail(rows[at:], classify_tail(rows[:at])) == classify_tail(rows)
    assert {classify_tail(rows).kind} == specified(names, rows)


@given(st.lists(st.sampled_from(sorted(ROWS)), max_size=20))
def test_our_own_rows_never_make_old_work_look_fresh(names: list[str]) -> None:
    rows = build(names)
    tail = classify_tail(rows)
    later = [
        replace(row(Role.SYSTEM, len(rows) + 1, kind=MessageKind.RECOVERY_NOTE), at=1e9),
        replace(row(Role.SYSTEM, len(rows) + 2), at=1e9),
    ]
    assert classify_tail(later, tail).at == tail.at


@pytest.mark.parametrize("finish", ["tool_calls", "stop", "end_turn", None, "length"])
def test_s012_an_assistant_row_with_tool_calls_is_not_complete(finish: str | None) -> None:
    rows = [row(Role.USER, 1), replace(calls(2, "x"), finish=finish)]
    assert classify_tail(rows).kind is TailKind.TOOL_CALLS


@pytest.mark.parametrize("finish", [None, "", "length", "content_filter", "error", "stopped"])
def test_s013_text_without_a_finish_is_not_complete(finish: str | None) -> None:
    assert classify_tail([row(Role.USER, 1), row(Role.ASSISTANT, 2, finish=finish)]).kind is TailKind.PARTIAL


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u00a0"])
def test_s013_a_blank_answer_with_a_finish_is_not_complete(blank: str) -> None:
    assert (
        classify_tail([row(Role.USER, 1), row(Role.ASSISTANT, 2, text=blank, finish="stop")]).kind is TailKind.PARTIAL
    )


@pytest.mark.parametrize("finish", [*sorted(FINISHES), "STOP", "End_Turn"])
def test_each_explicit_finish_concludes(finish: str) -> None:
    assert is_final(row(Role.ASSISTANT, 2, finish=finish))
    assert classify_tail([row(Role.USER, 1), row(Role.ASSISTANT, 2, finish=finish)]).kind is TailKind.FINAL


def test_s010_a_question_that_timed_out_still_waits_for_the_user() -> None:
    rows = [row(Role.USER, 1), calls(2, "tool_calls"), row(Role.ASSISTANT, 3, kind=MessageKind.QUESTION)]
    rows.append(replace(row(Role.TOOL, 4, text="the user did not respond"), tool_key="call2"))
    assert classify_tail(rows).kind is TailKind.ASKED


def test_s011_any_message_of_the_user_ends_the_wait() -> None:
    rows = [row(Role.USER, 1), row(Role.ASSISTANT, 2, kind=MessageKind.QUESTION), row(Role.USER, 3)]
    assert classify_tail(rows).kind is TailKind.USER


def test_a_message_that_landed_during_the_run_waits_though_its_row_is_before_the_answer() -> None:
    answer = replace(row(Role.ASSISTANT, 3, finish="stop"), answers_upto=Seq(1))
    tail = classify_tail([row(Role.USER, 1), row(Role.USER, 2), answer])
    assert (tail.kind, tail.unanswered) == (TailKind.USER, True)


def test_s137_of_two_calls_one_result_leaves_the_other_open() -> None:
    rows = [row(Role.USER, 1), calls(2, "tool_calls"), calls(3, "tool_calls")]
    rows.append(replace(row(Role.TOOL, 4), tool_key="call2"))
    tail = classify_tail(rows)
    assert (tail.kind, tail.open_calls) == (TailKind.TOOL_CALLS, frozenset({"call3"}))
