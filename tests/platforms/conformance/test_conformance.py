"""What every platform must show, against the server at the other end of its wire. The table is in docs/platforms.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.ability_table import Shows
from tests.platforms.conformance.agents import echo_behind, noting, read_file
from tests.platforms.conformance.counterpart import GROUP, Ability, Attached, Counterpart
from tests.platforms.conformance.folder import EXAMPLE
from tests.platforms.conformance.registry import ENTRIES, Entry
from tests.platforms.conformance.stand import Gate, Stand, echo, standing
from tests.platforms.conformance.table import PRINTED, page
from tests.platforms.conformance.wire import Steps

from greenroom import Turn
from greenroom.actors.entry import REPEAT_MARK
from greenroom.actors.model import DeliveryClass
from greenroom.actors.ports import BusyError
from greenroom.platforms.chats.addressing import SessionsPer
from greenroom.platforms.fakes.platform import Fault

shows: Shows[Ability] = Shows(ENTRIES)


@pytest.fixture
async def person(entry: Entry, tmp_path: Path) -> AsyncIterator[Counterpart]:
    folder = tmp_path / "counterpart"
    folder.mkdir()
    async with entry.opens(folder) as counterpart:
        yield counterpart


@shows(Ability.IN)
async def test_what_a_person_says_comes_in_as_it_was_said(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        await person.says("1", "Hello *there*, ünïcode 🎈 & <b>")
        await stand.until_accepted(1)
        (inbound,) = stand.accepted
        assert inbound.text == "Hello *there*, ünïcode 🎈 & <b>"


@shows(Ability.OUT)
async def test_an_answer_is_visible_once_as_it_was_given(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        await person.says("1", "a_b 2*3 & <d> (1.5!) [x]")
        await stand.until_said("1", "re: a_b 2*3 & <d> (1.5!) [x]")


@shows(Ability.ORDER)
async def test_answers_come_in_the_order_of_the_questions(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        for number in range(5):
            await person.says("1", str(number))
        await stand.until_said("1", *(f"re: {number}" for number in range(5)))


@shows(Ability.CHATS)
async def test_chats_are_apart_and_each_is_in_order(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        for number in range(3):
            await person.says("1", str(number))
            await person.says("2", f"other {number}")
        await stand.until_said("1", *(f"re: {number}" for number in range(3)))
        await stand.until_said("2", *(f"re: other {number}" for number in range(3)))
        assert len({inbound.key for inbound in stand.accepted}) == 2


@shows(Ability.REDELIVERY)
async def test_what_is_delivered_again_is_answered_once(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        first = await person.says("1", "first")
        await stand.until_said("1", "re: first")
        await person.redeliver(first)
        await stand.kill()
        await stand.start()
        await person.redeliver(first)
        await person.says("1", "second")
        await stand.until_said("1", "re: first", "re: second")


@shows(Ability.BUSY)
async def test_what_cannot_be_stored_now_comes_again_and_in_order(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        stand.refuse(BusyError("the disk is full"), BusyError("the disk is full"))
        await person.says("1", "first")
        await person.says("1", "second")
        await stand.until_said("1", "re: first", "re: second")


@shows(Ability.OWN)
async def test_it_does_not_answer_itself(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        await person.says_itself("1", "talking to myself")
        await person.says("1", "hello")
        await stand.until_visible("1", "re: hello")
        await stand.until(stand.rests)
        assert not [line for line in await stand.lines("1") if line == "re: talking to myself"]
        assert [inbound.text for inbound in stand.accepted] == ["hello"]


@shows(Ability.CLASS)
@pytest.mark.parametrize("call", ["send", "edit"])
@pytest.mark.parametrize("fault", [Fault.BREAKS_BEFORE, Fault.BREAKS_AFTER, Fault.NOT_SENT])
async def test_a_call_of_unknown_outcome_costs_no_answer_and_doubles_none(
    person: Counterpart, entry: Entry, tmp_path: Path, call: Any, fault: Fault
) -> None:
    async with standing(person, tmp_path) as stand:
        await person.fail(call, fault)
        await person.says("1", "hello")
        await check_once(stand, entry, "1", "re: hello")


@shows(Ability.KILLED)
async def test_killed_between_any_two_steps_it_answers_once(person: Counterpart, entry: Entry, tmp_path: Path) -> None:
    stand = Stand(person, tmp_path, echo)
    answers: list[str] = []
    for number in count(1):
        steps, text = Steps(stop_at=number), f"hello {number}"
        await stand.start(steps)
        speaking = asyncio.create_task(person.says("1", text))  # It may take until there is a process again.
        await stand.until_stopped(steps)
        stopped = steps.stopped.is_set()
        await stand.kill()
        await stand.start()
        await speaking
        answers.append(f"re: {text}")
        await check_once(stand, entry, "1", *answers)
        await stand.stop()
        if not stopped:
            assert steps.taken >= 4, steps.names
            break


@shows(Ability.RATE)
@pytest.mark.parametrize("call", ["send", "edit"])
async def test_told_to_come_later_it_does(person: Counterpart, entry: Entry, tmp_path: Path, call: Any) -> None:
    async with standing(person, tmp_path) as stand:
        await person.fail(call, Fault.RETRY_LATER)
        await person.says("1", "hello")
        await stand.until_said("1", "re: hello")


@shows(Ability.REFUSED)
async def test_a_refusal_for_ever_holds_up_nobody(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        await person.fail("send", Fault.REFUSED)
        await person.says("1", "hello")
        await stand.until_dead(1)
        assert await stand.texts("1") == []
        await person.says("2", "hello")
        await stand.until_said("2", "re: hello")
        await person.says("1", "again")
        await stand.until_said("1", "re: again")


@shows(Ability.RECONNECT)
async def test_a_broken_connection_is_made_again(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        await person.says("1", "before")
        await stand.until_said("1", "re: before")
        await person.cut()
        await person.says("1", "after")
        await stand.until_said("1", "re: before", "re: after")


@shows(Ability.SPLIT)
async def test_a_long_answer_comes_whole_in_several_messages(person: Counterpart, tmp_path: Path) -> None:
    paragraphs: list[str] = []

    async def long(turn: Turn) -> str:
        return "\n\n".join(paragraphs)

    async with standing(person, tmp_path, long) as stand:
        text_max = stand.traits.text_max
        paragraphs += [letter * (text_max * 2 // 3) for letter in "abc"]
        await person.says("1", "much, please")
        await stand.until_said("1", *paragraphs)
        assert [text.strip() for text in await stand.texts("1")] == paragraphs


@shows(Ability.STREAM)
async def test_words_are_visible_while_they_come_and_become_the_answer(person: Counterpart, tmp_path: Path) -> None:
    gate = Gate()

    async def slow(turn: Turn) -> None:
        await turn.say("One moment. ")
        await gate.passed()
        await turn.say("Done.")

    async with standing(person, tmp_path, slow) as stand:
        await person.says("1", "hello")
        await stand.until_visible("1", "One moment.")
        gate.open()
        await stand.until_said("1", "One moment. Done.")


@shows(Ability.REPLY)
async def test_an_answer_replies_to_its_question(person: Counterpart, entry: Entry, tmp_path: Path) -> None:
    chat = GROUP if entry.has(Ability.GROUPS) else "1"  # Where two are alone, some platforms need no replies.
    async with standing(person, tmp_path) as stand:
        message_id = await person.says(chat, "hello")
        await stand.until_said(chat, "re: hello")
        (answer,) = await stand.shown(chat)
        assert answer.reply_to == message_id


@shows(Ability.THREADS)
async def test_threads_are_apart_and_answered_where_they_are(person: Counterpart, tmp_path: Path) -> None:
    async with standing(person, tmp_path) as stand:
        for thread in ("red", "blue"):
            await person.says(GROUP, thread, thread=thread)
            await stand.until_visible(GROUP, f"re: {thread}")
        assert {(each.text, each.thread) for each in await stand.shown(GROUP)} == {
            ("re: red", "red"),
            ("re: blue", "blue"),
        }
        assert len({inbound.key for inbound in stand.accepted}) == 2


@shows(Ability.GROUPS)
async def test_in_a_group_it_hears_what_is_meant_for_it_and_from_whom(person: Counterpart, tmp_path: Path) -> None:
    answered: list[str] = []
    async with standing(person, tmp_path, noting(answered)) as stand:
        await person.mutters(GROUP, "lunch?", author="Bob")
        await person.says(GROUP, "hello", author="Ann")
        await person.mutters(GROUP, "pizza", author="Bob")
        await person.says(GROUP, "me too", author="Bob")
        await stand.until_accepted(2)
        await stand.until(stand.rests)
        assert [(inbound.author, inbound.text) for inbound in stand.accepted] == [("Ann", "hello"), ("Bob", "me too")]
        assert answered == ["hello", "me too"]


@shows(Ability.REPLIES)
async def test_in_a_group_a_reply_to_it_needs_no_mention(person: Counterpart, tmp_path: Path) -> None:
    answered: list[str] = []
    async with standing(person, tmp_path, noting(answered)) as stand:
        await person.says(GROUP, "hello", author="Ann")
        await stand.until_visible(GROUP, "re: hello")
        await stand.until(stand.rests)
        (answer,) = await stand.shown(GROUP)
        await person.mutters(GROUP, "pizza", author="Bob")
        await person.replies(answer.id, "and now?", author="Bob")
        await stand.until_visible(GROUP, "re: and now?")
        await stand.until(stand.rests)
        assert answered == ["hello", "and now?"]


@shows(Ability.COMMANDS)
async def test_in_a_group_a_command_needs_no_mention_and_no_run(person: Counterpart, tmp_path: Path) -> None:
    answered: list[str] = []
    async with standing(person, tmp_path, noting(answered)) as stand:
        await person.says(GROUP, "hello", author="Ann")
        await stand.until_visible(GROUP, "re: hello")
        await person.mutters(GROUP, "/help", author="Bob")
        await stand.until_visible(GROUP, "/stop")
        await stand.until(stand.rests)
        assert answered == ["hello"]


@shows(Ability.PERSONS)
async def test_in_a_group_each_person_can_have_a_conversation(person: Counterpart, tmp_path: Path) -> None:
    person.sessions_per = SessionsPer.USER
    async with standing(person, tmp_path) as stand:
        for author, text in (("Ann", "one"), ("Bob", "two"), ("Ann", "three")):
            await person.says(GROUP, text, author=author)
            await stand.until_visible(GROUP, f"re: {text}")
        await stand.until(stand.rests)
        ann, bob, again = (inbound.key for inbound in stand.accepted)
        assert (ann == again, ann == bob) == (True, False)
        assert [each.thread for each in await stand.shown(GROUP)] == [None, None, None]


@shows(Ability.EDITS)
async def test_an_edit_of_what_waits_is_what_is_answered(person: Counterpart, tmp_path: Path) -> None:
    gate = Gate()
    async with standing(person, tmp_path, echo_behind(gate)) as stand:
        await person.says("1", "first")
        await stand.until(gate.reached)
        second = await person.says("1", "second, with a tpyo")
        await stand.until_accepted(2)
        await person.edits(second, "second, corrected")
        await stand.until_accepted(3)
        await stand.until_passed_on()
        gate.open()
        await stand.until_said("1", "re: first", "re: second, corrected")


@shows(Ability.DELETIONS)
async def test_what_is_withdrawn_is_not_answered(person: Counterpart, tmp_path: Path) -> None:
    gate = Gate()
    async with standing(person, tmp_path, echo_behind(gate)) as stand:
        await person.says("1", "first")
        await stand.until(gate.reached)
        second = await person.says("1", "never mind")
        await stand.until_accepted(2)
        await person.deletes(second)
        await stand.until_handled(3)
        gate.open()
        await stand.until_said("1", "re: first")


@shows(Ability.ATTACHMENTS)
async def test_a_file_can_be_read_by_the_agent(person: Counterpart, tmp_path: Path) -> None:
    async def reader(turn: Turn) -> str:
        (attached,) = [each for message in turn.new for each in message.attachments]
        return f"{attached.media_type}: {await turn.in_thread(read_file, attached.where)}"

    note = tmp_path / "note.txt"
    note.write_text("buy milk", encoding="utf-8")
    async with standing(person, tmp_path, reader) as stand:
        await person.says("1", "my note", attached=Attached(note))
        await stand.until_said("1", "text/plain: buy milk")


@shows(Ability.BUTTONS)
async def test_a_question_has_buttons_and_a_press_answers_it(person: Counterpart, tmp_path: Path) -> None:
    async def asker(turn: Turn) -> str:
        return f"You said {await turn.ask_user('Deploy?', ['yes', 'not yet'])}."

    async with standing(person, tmp_path, asker) as stand:
        await person.says("1", "go")
        await stand.until_visible("1", "Deploy?")
        (question,) = [each for each in await stand.shown("1") if "Deploy?" in each.text]
        assert question.choices == ("yes", "not yet")
        await person.presses("1", question.id, "not yet")
        await stand.until_said("1", "Deploy?", "You said not yet.")


@shows(Ability.TYPING)
async def test_it_is_shown_typing_while_it_works(person: Counterpart, tmp_path: Path) -> None:
    gate = Gate()
    async with standing(person, tmp_path, echo_behind(gate)) as stand:
        await person.says("1", "hello")

        async def seen() -> bool:
            return await person.typed("1") > 0

        await stand.until(seen)
        gate.open()
        await stand.until_said("1", "re: hello")


def test_each_ability_is_proved() -> None:
    assert set(Ability) == shows.proved


def test_what_a_platform_lacks_has_its_reason() -> None:
    for name, entry in ENTRIES.items():
        assert all(why.strip() for why in entry.lacks.values()), name


def test_the_example_in_the_docs_is_the_one_that_runs_here() -> None:
    assert f"```python\n{EXAMPLE.read_text(encoding='utf-8')}```" in PRINTED.page.read_text(encoding="utf-8")


def test_the_table_in_the_docs_is_current() -> None:
    assert PRINTED.shown() == page(), PRINTED.hint


async def check_once(stand: Stand, entry: Entry, chat: str, *lines: str) -> None:
    """Visible once; where a platform offers nothing against it: at least once, and marked from the second time on."""
    if entry.delivery is not DeliveryClass.NONE:
        await stand.until_said(chat, *lines)
        return
    await stand.until_visible(chat, lines[-1])
    await stand.until(stand.rests)
    said = await stand.lines(chat)
    assert tuple(dict.fromkeys(line.removeprefix(REPEAT_MARK) for line in said)) == lines
    assert all(said.count(line) <= 1 for line in lines)
