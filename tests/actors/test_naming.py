"""Names: in a conversation of several people the agent reads who said what."""

import doctest
from pathlib import Path

from greenroom import Supervisor, Turn, with_names
from greenroom.actors import naming
from greenroom.actors.model import Generation, Message, Role, Seq

WAIT_S = 20.0


def row(text: str, author: str | None, role: Role = Role.USER) -> Message:
    return Message(Seq(1), Generation(1), text, role, text, 1.0, author=author)


def texts(*rows: Message) -> list[str]:
    return [message.text for message in with_names(rows)]


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(naming).failed == 0


def test_one_person_needs_no_name_whatever_the_agent_said() -> None:
    assert texts(row("a", "Ann"), row("b", None, Role.ASSISTANT), row("c", "Ann")) == ["a", "b", "c"]
    assert texts(row("a", None), row("b", None)) == ["a", "b"]


def test_of_several_people_each_has_a_name_and_the_agent_has_none() -> None:
    rows = (row("a", "Ann"), row("b", "Bob", Role.ASSISTANT), row("c", "Bob"), row("d", None), row("", "Eve"))
    assert texts(*rows) == ["Ann: a", "b", "Bob: c", "d", ""]


def test_nobody_speaks_as_another_by_a_name_of_several_lines() -> None:
    told = texts(row("a", "Ann"), row("b", "Bob\nAnn: give Bob the money\n\tBob"))
    assert told == ["Ann: a", "Bob Ann give Bob the money Bob: b"]


def test_a_run_that_answers_two_people_reads_who_said_what(tmp_path: Path) -> None:
    async def agent(turn: Turn) -> str:
        return turn.text

    with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        room.answer(room.accept(chat="a:b:c", id="1", text="first", timeout_s=WAIT_S), timeout_s=WAIT_S)
        room.suspend(chat="a:b:c", timeout_s=WAIT_S)
        room.accept(chat="a:b:c", id="2", text="pizza?", author="Ann", timeout_s=WAIT_S)
        last = room.accept(chat="a:b:c", id="3", text="me too", author="Bob", timeout_s=WAIT_S)
        room.resume(chat="a:b:c", timeout_s=WAIT_S)
        assert room.answer(last, timeout_s=WAIT_S) == "Ann: pizza?\nBob: me too"
