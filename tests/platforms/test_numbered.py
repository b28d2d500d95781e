import pytest

from greenroom.actors.ports import Choices
from greenroom.platforms.chats.numbered import number_choices, read_choice

COLOURS = Choices("1.1.answer", ("red", "blue"))


def test_choices_are_listed_under_the_question() -> None:
    assert number_choices("Which?", COLOURS) == "Which?\n  1. red\n  2. blue"


@pytest.mark.parametrize("typed, choice", [("1", "red"), (" 2 ", "blue"), ("blue", "blue"), ("02", "blue")])
def test_a_number_or_the_words_of_a_choice_are_a_press(typed: str, choice: str) -> None:
    assert read_choice(typed, COLOURS) == (choice, "1.1.answer")


@pytest.mark.parametrize("typed", ["0", "3", "-1", "1.", "², please", "green", "", "1" * 5_000])
def test_other_words_are_just_words(typed: str) -> None:
    assert read_choice(typed, COLOURS) == (typed, None)


def test_a_choice_that_is_a_number_is_meant_by_its_words() -> None:
    assert read_choice("2", Choices("q", ("3", "2", "1"))) == ("2", "q")


def test_without_a_question_a_number_is_a_number() -> None:
    assert read_choice("1", None) == ("1", None)
