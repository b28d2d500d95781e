"""What every agent must show, with its other side following a script. The table is in docs/agents.md."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.platforms.ability_table import Shows
from tests.platforms.agents.conformance.counterpart import (
    AskUser,
    CallTool,
    Counterpart,
    Die,
    EndWithoutFinish,
    Exit,
    Garbage,
    Hang,
    Property,
    Say,
    Spend,
    Step,
)
from tests.platforms.agents.conformance.registry import ENTRIES, Entry
from tests.platforms.agents.conformance.stage import ANSWER_MAX, CHAT, Stage, policy, staging
from tests.platforms.agents.conformance.table import PRINTED, page
from tests.platforms.agents.conformance.workshop import CHILD, DONE, GUARDED

from greenroom.actors.model import ToolPolicy

QUIET_S = 1.0
"""What is stopped is quiet within this time."""

TRIES = 3
"""A machine that is busy may be late once; an agent that is not prompt is late every time."""

shows: Shows[Property] = Shows(ENTRIES)


@pytest.fixture
async def other(entry: Entry, tmp_path: Path) -> AsyncIterator[Counterpart]:
    folder = tmp_path / "counterpart"
    folder.mkdir()
    async with entry.opens(folder) as counterpart:
        yield counterpart


@shows(Property.ANSWER)
async def test_an_answer_is_visible_once(other: Counterpart, tmp_path: Path) -> None:
    async with staging(other, tmp_path) as stage:
        await stage.goes(Say("Ünïcode 🎈 & <b>."))
        await stage.until_concluded("Ünïcode 🎈 & <b>.")
        await check_goes_on(stage)


@shows(Property.STREAM)
async def test_words_are_visible_before_the_end(other: Counterpart, tmp_path: Path) -> None:
    async with staging(other, tmp_path) as stage:
        await stage.goes(Say("One moment. "), Hang())
        await stage.until_shown("One moment.")
        await stage.says("/stop")
        await stage.until(stage.rests)


@shows(Property.TOOLS)
@pytest.mark.parametrize("tool_policy", list(ToolPolicy))
async def test_a_tool_is_called_once_and_its_result_heard(
    other: Counterpart, tmp_path: Path, tool_policy: ToolPolicy
) -> None:
    async with staging(other, tmp_path) as stage:
        await stage.goes(CallTool(tool_policy.value), Say("The end."))
        await stage.until_concluded("The end.")
        assert stage.workshop.count(tool_policy.value) == 1
        assert other.heard().count(DONE) >= 1


@shows(Property.POLICIES)
@pytest.mark.parametrize("tool_policy, answer", [*((each, "no") for each in ToolPolicy), (ToolPolicy.ASK, "yes")])
async def test_killed_in_a_tool_it_repeats_what_the_policy_allows(
    other: Counterpart, tmp_path: Path, tool_policy: ToolPolicy, answer: str
) -> None:
    async with staging(other, tmp_path) as stage:
        stage.workshop.hold()
        await stage.goes(CallTool(tool_policy.value), Say("The end."))
        await stage.until_true(lambda: stage.workshop.count(tool_policy.value) == 1)
        await stage.kill_and_start()
        if tool_policy is ToolPolicy.ASK:
            await stage.until_shown("Run it again?")
            await stage.says(answer)
        await stage.until_concluded("The end.")
        again = tool_policy in (ToolPolicy.PURE, ToolPolicy.KEYED) or answer == "yes"
        assert stage.workshop.count(tool_policy.value) == (2 if again else 1)
        assert len(set(stage.workshop.effects)) == 1
        assert (DONE if again else "may or may not have taken effect") in other.heard()


@shows(Property.APPROVAL)
@pytest.mark.parametrize("answer, done", [("yes", 1), ("no", 0)])
async def test_without_a_yes_nothing_is_done(other: Counterpart, tmp_path: Path, answer: str, done: int) -> None:
    async with staging(other, tmp_path) as stage:
        await stage.goes(CallTool(GUARDED), Say("The end."))
        await stage.until_shown(GUARDED)
        assert stage.workshop.count(GUARDED) == 0
        await stage.says(answer)
        await stage.until_concluded("The end.")
        assert stage.workshop.count(GUARDED) == done


@shows(Property.QUESTION)
async def test_a_question_shows_its_choices_and_outlives_a_restart(other: Counterpart, tmp_path: Path) -> None:
    async with staging(other, tmp_path) as stage:
        await stage.goes(AskUser("Which colour?", ("red", "blue")), Say("The end."))
        await stage.until_shown("Which colour?")
        (asked,) = [each for each in await stage.shown(CHAT) if "Which colour?" in each.text]
        assert asked.choices == ("red", "blue")
        await stage.kill_and_start()
        await stage.says("blue")
        await stage.until_concluded("The end.")
        assert "blue" in other.heard()
        assert "\n".join(await stage.texts(CHAT)).count("Which colour?") == 1


@shows(Property.RESUME)
async def test_killed_at_work_it_goes_on_and_is_told(other: Counterpart, tmp_path: Path) -> None:
    async with staging(other, tmp_path) as stage:
        await stage.goes(Say("One moment. "), Hang())
        await stage.until_shown("One moment.")
        assert "interrupted" not in other.heard()
        await stage.kill_and_start(Say("Here it is."))
        await stage.until_concluded("Here it is.")
        assert "Your last attempt at this was interrupted" in other.heard()
        await check_goes_on(stage)


@shows(Property.USAGE)
async def test_what_is_spent_is_stored(other: Counterpart, tmp_path: Path) -> None:
    async with staging(other, tmp_path) as stage:
        await stage.goes(Spend(1234), Say("The end."))
        await stage.until_concluded("The end.")
        assert stage.count("SELECT sum(tokens) FROM runs") == 1234
        assert stage.count("SELECT sum(model_calls) FROM runs") >= 1


STOPS: Mapping[Property, Sequence[Step]] = {
    Property.STOP_STREAM: (Say("One moment. "), Hang()),
    Property.STOP_TOOL: (CallTool(ToolPolicy.PURE.value), Say("The end.")),
    Property.STOP_CHILD: (CallTool(CHILD), Say("The end.")),
}


async def check_stops(prop: Property, other: Counterpart, folder: Path) -> None:
    for number in range(TRIES):
        (place := folder / str(number)).mkdir()
        async with staging(other, place) as stage:
            stage.workshop.hold()
            await stage.goes(*STOPS[prop])
            match prop:
                case Property.STOP_STREAM:
                    await stage.until_shown("One moment.")
                case Property.STOP_TOOL:
                    await stage.until_true(lambda: stage.workshop.inside == 1)
                case _:
                    await stage.until_true(lambda: len(stage.workshop.children) == 2)
            await stage.says("/stop")
            prompt = await stage.is_quiet_within(QUIET_S)
            await stage.until(stage.is_quiet)
            assert "The end." not in "\n".join(await stage.texts(CHAT))
            stage.workshop.release()
            await check_goes_on(stage)
        if prompt:
            return
    pytest.fail(f"{TRIES} times it was not quiet within {QUIET_S} s")


@shows(Property.STOP_STREAM)
async def test_stopped_while_it_speaks_it_is_quiet_at_once(other: Counterpart, tmp_path: Path) -> None:
    await check_stops(Property.STOP_STREAM, other, tmp_path)


@shows(Property.STOP_TOOL)
async def test_stopped_in_a_tool_it_is_quiet_at_once(other: Counterpart, tmp_path: Path) -> None:
    await check_stops(Property.STOP_TOOL, other, tmp_path)


@shows(Property.STOP_CHILD)
async def test_stopped_while_a_process_works_for_it_nothing_is_left(other: Counterpart, tmp_path: Path) -> None:
    await check_stops(Property.STOP_CHILD, other, tmp_path)


@shows(Property.CRASH)
async def test_a_crash_is_told_and_the_conversation_goes_on(other: Counterpart, tmp_path: Path) -> None:
    await check_fails(other, tmp_path, Say("Half. "), Die())


@shows(Property.EXIT)
async def test_an_exit_ends_its_run_and_nothing_else(other: Counterpart, tmp_path: Path) -> None:
    await check_fails(other, tmp_path, Say("Half. "), Exit())


@shows(Property.GARBAGE)
async def test_garbage_is_told_and_the_conversation_goes_on(other: Counterpart, tmp_path: Path) -> None:
    await check_fails(other, tmp_path, Garbage())


@shows(Property.UNFINISHED)
async def test_words_without_a_finish_are_no_answer(other: Counterpart, tmp_path: Path) -> None:
    await check_fails(other, tmp_path, Say("Half. "), EndWithoutFinish())


async def check_fails(other: Counterpart, folder: Path, *steps: Step) -> None:
    """The person is told that this was no answer, by one line, and the next one is answered."""
    async with staging(other, folder) as stage:
        await stage.goes(*steps)
        await stage.until_shown("(")
        await stage.until(stage.rests)
        line = (await stage.lines(CHAT))[-1]
        assert line.startswith(("(The agent failed", "(The agent could not go on", "(Incomplete")), line
        answers = "SELECT count(*) FROM messages WHERE role = 'assistant' AND answers_upto IS NOT NULL"
        assert stage.count(answers) == 0
        await check_goes_on(stage)


@shows(Property.HANG)
async def test_silence_is_ended(other: Counterpart, tmp_path: Path) -> None:
    async with staging(other, tmp_path, policy(silent_max_s=0.5)) as stage:
        await stage.goes(Hang())
        await stage.until_concluded("(The agent gave no sign of life")
        await check_goes_on(stage)


@shows(Property.OVERSIZE)
async def test_what_is_beyond_measure_is_cut(other: Counterpart, tmp_path: Path) -> None:
    async with staging(other, tmp_path) as stage:
        await stage.goes(Say("x" * 40 * ANSWER_MAX))
        await stage.until_concluded("(Cut here")
        assert "".join(await stage.texts(CHAT)).count("x") <= ANSWER_MAX + 10
        await check_goes_on(stage)


async def check_goes_on(stage: Stage) -> None:
    await stage.goes(Say("All is well."))
    await stage.until_concluded("All is well.")


def test_each_property_is_proved() -> None:
    assert set(Property) == shows.proved


def test_what_an_agent_lacks_has_its_reason() -> None:
    for name, entry in ENTRIES.items():
        assert all(why.strip() for why in entry.lacks.values()), name


def test_the_table_in_the_docs_is_current() -> None:
    assert PRINTED.shown() == page(), PRINTED.hint
