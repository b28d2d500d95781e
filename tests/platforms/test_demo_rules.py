import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.keys import user_message_key
from greenroom.actors.model import Generation, InboxId, Message, Role, Seq
from greenroom.platforms.agents.demo_rules import (
    COUNT_MAX,
    ECHO_MAX,
    GUESSES_MAX,
    HELP,
    NOTE_MAX,
    SECRET_MAX,
    AskName,
    Count,
    Fail,
    Failing,
    LookUp,
    Note,
    PlayGuessing,
    Say,
    TellTime,
    Wish,
    WorkSlowly,
    judge_guess,
    long_answer,
    read_wish,
    read_wishes,
    secret_number,
)

WISHES: dict[str, Wish] = {
    "/start": Say(HELP),
    "Help!": Say(HELP),
    "what can you do?": Say(HELP),
    "count to 30": Count(30),
    "Count 5.": Count(5),
    "count to 0": Say("0. That was quick."),
    "count to 1001": Count(COUNT_MAX, cut=True),
    "count to " + "9" * 5000: Count(COUNT_MAX, cut=True),
    "count to ٣": Say("You said: count to ٣"),
    "count to many": Say("You said: count to many"),
    "What time is it?": TellTime(),
    "/clock": TellTime(),
    "note buy milk!": Note("buy milk!"),
    "note": Say("You said: note"),
    "append  buy\nmilk  to the ledger": Note("buy milk"),
    "append to ledger": Say("You said: append to ledger"),
    "note " + "x" * 5000: Note("x" * NOTE_MAX),
    "ledger buy milk!": LookUp("buy milk!"),
    "ask me something": AskName(),
    "guess a number": PlayGuessing(),
    "slow tool": WorkSlowly(),
    "long": Say(long_answer()),
    "crash!": Fail(Failing.CRASH),
    "exit": Fail(Failing.EXIT),
    "HANG": Fail(Failing.HANG),
    "empty": Fail(Failing.EMPTY),
    "do not crash": Say("You said: do not crash"),
    "message 17": Say("You said: message 17"),
    "n 17": Say("You said: n 17"),
    "": Say("You sent a message without words."),
    " \n\t ": Say("You sent a message without words."),
}


@pytest.mark.parametrize("text, wish", WISHES.items(), ids=[text[:20] for text in WISHES])
def test_each_wish_is_understood(text: str, wish: Wish) -> None:
    assert read_wish(text) == wish


def test_every_way_to_fail_is_a_wish_and_named_in_the_help() -> None:
    assert {read_wish(str(how)) for how in Failing} == {Fail(how) for how in Failing}
    assert all(str(how) in HELP for how in Failing)


def test_what_is_long_is_repeated_in_short() -> None:
    wish = read_wish("y" * 100_000)
    assert wish == Say(f"You said: {'y' * ECHO_MAX}... (100,000 characters)")


@given(st.text())
def test_every_text_is_some_wish_and_has_an_answer(text: str) -> None:
    wish = read_wish(text)
    assert not isinstance(wish, Say) or wish.text.strip()


@pytest.mark.parametrize("start", ["note ", "hi", "count to 1", "append x", "ledger: ", "guess "])
def test_a_huge_message_made_to_mislead_is_read_in_no_time(start: str) -> None:
    text = start + "! " * 50_000 + "x"
    wish = read_wish(text)  # A rule that backtracked would take minutes: the suite's limit is half of the test.
    assert len(repr(wish)) < len(text), "what it is taken for is short, whatever it is"


def message(number: int, text: str) -> Message:
    return Message(Seq(number), Generation(1), user_message_key(InboxId(number)), Role.USER, text, 0.0)


def test_failures_come_after_the_answers_to_what_waited_with_them() -> None:
    waiting = [message(1, "crash"), message(2, "n 2"), message(3, "empty"), message(4, "n 4")]
    assert [said.seq for said, _ in read_wishes(waiting)] == [2, 4, 1, 3]


@given(st.text())
def test_a_secret_number_is_in_range_and_the_same_for_the_same_game(seed: str) -> None:
    assert 1 <= secret_number(seed) <= SECRET_MAX
    assert secret_number(seed) == secret_number(seed)


@pytest.mark.parametrize("secret", range(1, SECRET_MAX + 1))
def test_whoever_halves_the_range_finds_every_number(secret: int) -> None:
    low, high = 1, SECRET_MAX
    for _ in range(GUESSES_MAX):
        number = (low + high) // 2
        verdict = judge_guess(f"I say {number}", secret)
        if verdict is None:
            return
        low, high = (number + 1, high) if "low" in verdict else (low, number - 1)
    pytest.fail(f"{secret} was not found")


def test_a_guess_without_a_number_is_told_so() -> None:
    assert judge_guess("dunno", 3) == "That was no number."
