"""What is heard of a watched process: one match a window, and none after three floods."""

import pytest

from greenroom.actors.process import Match
from greenroom.actors.watch import LINE_MAX, Lines, Watch, close_window, hear

WATCH = Watch(("READY", "FAILED"))


def flooded(times: int) -> Watch:
    watch = WATCH
    for _ in range(times):
        watch, _ = close_window(hear(watch, ["READY"] * 100), strikes_max=3)
    return watch


def test_of_a_window_the_first_line_is_told_with_how_many_there_were() -> None:
    watch = hear(hear(WATCH, ["no", "now READY", "READY"]), ["it FAILED"])
    quiet, match = close_window(watch, strikes_max=3)
    assert match == Match("now READY", 3)
    assert (quiet.heard, quiet.strikes, quiet.off) == (None, 1, False)


def test_lines_without_a_pattern_open_no_window() -> None:
    assert hear(WATCH, ["nothing", ""]) is WATCH
    assert hear(Watch(()), ["READY"]) == Watch(())
    assert close_window(WATCH, strikes_max=3) == (WATCH, None)


def test_three_floods_one_after_the_other_end_the_watch() -> None:
    assert [flooded(times).off for times in (1, 2, 3)] == [False, False, True]
    assert hear(flooded(3), ["READY"]).heard is None


def test_a_quiet_window_forgives() -> None:
    watch, _ = close_window(hear(flooded(2), ["READY"]), strikes_max=3)
    assert watch.strikes == 0


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_lines_are_found_however_they_come(size: int) -> None:
    text, lines = "one\n\ntwo READY\nthree", Lines()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert [line for piece in pieces for line in lines.feed(piece)] == ["one", "", "two READY"]
    assert lines.end() == ["three"]
    assert lines.end() == []


def test_a_line_that_never_ends_is_not_kept_for_ever() -> None:
    lines = Lines()
    for _ in range(10):
        assert lines.feed("x" * LINE_MAX) == []
    assert lines.feed("y\n") == ["x" * LINE_MAX]
