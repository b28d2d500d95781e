"""What is kept of much output: its beginning, its end, and the word that something is missing."""

import pytest

from greenroom.actors.output import Output, last_of


@pytest.mark.parametrize("size", [1, 3, 100, 10_000])
def test_the_beginning_and_the_end_are_kept_however_it_comes(size: int) -> None:
    text = "".join(f"{n:04}," for n in range(2_000))
    output = Output(400)
    for at in range(0, len(text), size):
        output.feed(text[at : at + size])
    assert output.text() == f"{text[:100]}\n[... {len(text) - 400:,} characters are not kept ...]\n{text[-300:]}"
    assert output.text() == output.text()


def test_what_fits_is_kept_as_it_is() -> None:
    output = Output(400)
    assert output.text() == ""
    output.feed("x" * 400)
    assert output.text() == "x" * 400


def test_the_last_of_a_text_is_what_was_asked_for() -> None:
    assert [last_of("abc", count) for count in (None, 0, 2, 9)] == ["abc", "", "bc", "abc"]


def test_zero_bytes_are_left_out_and_what_stands_behind_them_is_kept() -> None:
    output = Output(400)
    output.feed("BEGIN\0middle\n")
    output.feed("\0ERROR: build failed\n")
    assert output.text() == "BEGINmiddle\nERROR: build failed\n"
