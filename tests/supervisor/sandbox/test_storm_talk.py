import random
from collections import Counter

import pytest

from greenroom.supervisor.sandbox.storm_talk import QUESTION, compare, draw_lines, labels_of


@pytest.mark.parametrize(
    "paragraph, label",
    [
        ("You said: message #4#", "#4#"),
        ("Noted: #5#", "#5#"),
        ("In doubt: I was interrupted while I noted '#5#'.", "#5#"),
        ("Nice to meet you, #6#.", "#6#"),
        ("1 2 3 ", "count to 3"),
        ("1 2 (I was interrupted and go on from 3) 3 4 ", "count to 4"),
        ("1 2 (I was interrupted and go on from 1) 1 2 3 ", "1 2 1 2 3"),
        ("2 3", "2 3"),
        (QUESTION, QUESTION),
        ("...", "..."),
    ],
)
def test_each_paragraph_has_the_label_of_what_it_answers(paragraph: str, label: str) -> None:
    assert labels_of([paragraph]) == [label]
    assert labels_of([f"You said: #1#\n\n{paragraph}"]) == ["#1#", label]


def test_two_lists_part_where_they_first_differ() -> None:
    assert compare(["a", "b"], ["a", "b"]) is None
    assert "from number 2 on: wanted ['b'], found ['c']" in str(compare(["a", "b"], ["a", "c"]))
    assert "from number 2 on: wanted ['b'], found []" in str(compare(["a", "b"], ["a"]))
    assert "from number 2 on: wanted [], found ['a']" in str(compare(["a"], ["a", "a"]))


def test_people_say_everything_that_a_storm_needs_and_the_same_for_the_same_seed() -> None:
    drawn = [draw_lines(random.Random(seed), seed) for seed in range(200)]
    assert drawn == [draw_lines(random.Random(seed), seed) for seed in range(200)]
    lines = [line for each in drawn for line in each]
    assert min(Counter(line.text.split()[0] for line in lines).values()) > 0
    assert {line.text.split()[0] for line in lines if line.text[0] != "#"} == {"message", "note", "count", "ask"}
    assert len({line.id for line in lines}) == len(lines)
    assert all(line.text[0] == "#" for each in drawn for line in each[1:])
