import random

import pytest

from greenroom.actors.lines import OVER_LINE, SUSPENDED_LINE
from greenroom.supervisor.sandbox.storm_talk import (
    QUESTION,
    STARTED,
    Line,
    Ways,
    answers_in,
    both_in_order,
    compare,
    draw_lines,
    follow,
    labels_of,
    over_in,
)

OVER = "The background process 3.1 that you started (sleep 2) is over: exit code 0. It has left no output."
ALL = Ways(orders=True, buttons=True, anew=True)
CUT = Line("m1", "count to 5", "count to 5", may_be_cut=True)
HEARD = Line("m2", "message #2#", "#2#")


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
        ("Started: process 3.1 sleeps 2 s in the background.", STARTED),
        ("Deploy #6#?\n- yes\n- no", "#6#"),
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
    drawn = [draw_lines(random.Random(seed), seed, ALL) for seed in range(400)]
    assert drawn == [draw_lines(random.Random(seed), seed, ALL) for seed in range(400)]
    lines = [line for each in drawn for line in each]
    assert {line.text.split()[0] for line in lines if line.text[0] not in "#yn" or line.notes} == {
        *("message", "note", "count", "ask", "deploy", "run"),
        *("/status", "/help", "/explain", "/queue", "/steer", "/suspend", "/resume", "/retry", "/stop", "/new"),
    }
    assert len({line.id for line in lines}) == len(lines)
    assert {line.text.split()[0] for seed in range(400) for line in draw_lines(random.Random(seed), seed)} >= {"count"}
    assert not any(line.is_order for seed in range(400) for line in draw_lines(random.Random(seed), seed))


def test_what_the_house_says_and_what_processes_tell_is_no_answer() -> None:
    told = ["You said: #1#", "Stopped. One message that waits is next.", OVER, SUSPENDED_LINE, OVER_LINE, "(Stopped.)"]
    assert answers_in(told) == ["#1#"]
    assert both_in_order(["Going on.", "1 2", "Stopped.", "You said: #1#"]) == [
        "count to 2",
        "#1#",
        "Going on.",
        "Stopped.",
    ]
    assert [over_in(label) for label in labels_of([f"{OVER}\n\nYou said: #1#"])] == ["3.1", None]


def test_the_words_of_a_message_are_its_own_and_an_order_has_none() -> None:
    texts = ("/queue message #3#", "/stop", "hello")
    assert [Line("m", text).words for text in texts] == ["message #3#", None, "hello"]
    assert [Line("m", text).is_order for text in texts] == [False, True, False]
    assert Line("m", "yes", presses="#3#", late=True).words is None


@pytest.mark.parametrize(
    "found, wrong",
    [
        (["count to 5", "#2#"], None),
        (["count to 3", "#2#"], None),
        (["#2#"], None),
        (["count to 6", "#2#"], "from number 1 on"),
        (["count to 3"], "from number 2 on: wanted ['#2#'], found []"),
        (["count to 3", "count to 3", "#2#"], "from number 2 on"),
        (["#2#", "count to 3"], "from number 2 on"),
    ],
)
def test_what_was_cut_is_answered_in_part_or_not_and_what_came_after_it_is(found: list[str], wrong: str | None) -> None:
    parted = follow([CUT, Line("o", "/stop"), HEARD], found)
    assert (parted is None) if wrong is None else (wrong in str(parted))
