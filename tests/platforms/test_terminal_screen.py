import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.platforms.chats.legible import cells, clean, wrap
from greenroom.platforms.chats.terminal_lines import LINE_MAX_BYTES, Overlong, Splitter
from greenroom.platforms.chats.terminal_screen import Row, Screen

STEPS = re.compile(r"\x1b\[(\d*)([A-Za-z])|(.)", re.DOTALL)


class Glass:
    """A terminal of one-cell characters: wraps, goes up, clears; what scrolls off can not be reached any more."""

    def __init__(self, width: int = 20, height: int = 8) -> None:
        self.width, self.height = width, height
        self.rows, self.top, self.row, self.column = [""], 0, 0, 0

    def write(self, words: str) -> None:
        for count, code, char in STEPS.findall(words):
            if code == "A":
                self.row = max(self.top, self.row - int(count))
            elif code == "J":
                del self.rows[self.row + 1 :]
                self.rows[self.row] = self.rows[self.row][: self.column]
            elif char == "\r":
                self.column = 0
            elif char == "\n":
                self.down()
            elif char:
                if self.column == self.width:
                    self.down()
                self.rows[self.row] = self.rows[self.row][: self.column] + char
                self.column += 1

    def down(self) -> None:
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.rows):
            self.rows.append("")
        self.top = max(self.top, self.row - self.height + 1)


@pytest.fixture
def glass() -> Glass:
    return Glass()


@pytest.fixture
def screen(glass: Glass) -> Screen:
    screen = Screen()
    screen.width, screen.height = glass.width, glass.height
    glass.write(screen.redraw())
    return screen


def answer(text: str, final: bool = False, id: str = "d1") -> Row:
    return Row(id, mine=False, text=text, final=final)


def test_an_answer_grows_in_place_above_the_prompt(glass: Glass, screen: Screen) -> None:
    for text in ("...", "It", "It is sunny", "It is sunny.\nAnd it is warm, too."):
        glass.write(screen.show(answer(text)))
    glass.write(screen.show(answer("It is sunny.", final=True)))
    assert glass.rows == ["It is sunny.", "> "]


def test_a_typed_line_is_marked_where_it_stands(glass: Glass, screen: Screen) -> None:
    typed = "a line that is longer than the window is wide"
    glass.write(typed + "\n")
    screen.typed(typed)
    glass.write(screen.show(Row("m1", mine=True, text=typed, final=False, mark="saving…")))
    glass.write(screen.show(Row("m1", mine=True, text=typed, final=True, mark="✓ saved")))
    assert "".join(glass.rows) == f"> {typed}  ✓ saved> "


def test_what_is_said_during_an_answer_stands_below_it(glass: Glass, screen: Screen) -> None:
    glass.write(screen.show(answer("one")))
    glass.write("hi\n")
    screen.typed("hi")
    glass.write(screen.show(Row("m2", mine=True, text="hi", final=True)))
    glass.write(screen.show(answer("one two")))
    assert glass.rows == ["one two", "> hi", "> "]
    glass.write(screen.show(answer("one two three", final=True)))
    assert glass.rows == ["one two three", "> hi", "> "]


def test_a_repeat_writes_nothing_and_late_words_are_dropped(screen: Screen) -> None:
    screen.show(answer("done", final=True))
    assert screen.show(answer("done", final=True)) == ""
    assert screen.show(answer("do")) == ""


def test_an_answer_taller_than_the_window_stands_there_once_when_it_is_concluded(glass: Glass, screen: Screen) -> None:
    lines = [f"line {number}" for number in range(30)]
    for count in range(1, 31):
        glass.write(screen.show(answer("\n".join(lines[:count]))))
    assert "⋮" in glass.rows
    glass.write(screen.show(answer("\n".join(lines), final=True)))
    assert glass.rows == [*lines, "> "]


@given(st.lists(st.text(st.sampled_from("ab \n"), max_size=120), min_size=1), st.integers(5, 40), st.integers(3, 12))
def test_whatever_streams_the_concluded_text_stands_there_once(texts: list[str], width: int, height: int) -> None:
    glass, screen = Glass(width, height), Screen()
    screen.width, screen.height = width, height
    glass.write(screen.redraw())
    for text in texts:
        glass.write(screen.show(answer(text)))
    final = "The end: " + texts[-1]
    glass.write(screen.show(answer(final, final=True)))
    assert glass.rows == [*wrap(final, width), "> "]


def test_what_an_agent_writes_can_not_steer_the_terminal(screen: Screen) -> None:
    out = screen.show(answer("\x1b]0;owned\x07\x1b[2J\x9b31m", final=True))
    assert "]0;owned[2J31m" in out
    assert "\x07" not in out
    assert "\x1b]" not in out


@given(st.text(), st.integers(2, 100))
def test_rows_fit_and_hold_the_whole_text(text: str, width: int) -> None:
    text = clean(text).replace("\t", "")
    rows = wrap(text, width)
    assert "".join(rows) == text.replace("\n", "")
    assert all(cells(row) <= width for row in rows)


def test_wide_and_combining_characters_take_the_cells_they_take() -> None:
    assert [cells(text) for text in ("abc", "你好", "e\u0301", "")] == [3, 4, 1, 0]


@given(st.binary(max_size=300), st.lists(st.integers(1, 50)))
def test_lines_are_the_same_however_they_arrive(content: bytes, sizes: list[int]) -> None:
    splitter = Splitter()
    rest = content
    for size in sizes:
        if rest[:size]:
            splitter.feed(rest[:size])
        rest = rest[size:]
    if rest:
        splitter.feed(rest)
    splitter.feed(b"")
    whole = content.decode(errors="replace").split("\n")
    expected = [line.removesuffix("\r") for line in (whole if whole[-1] else whole[:-1])]
    assert list(iter(splitter.take, None)) == expected


def test_an_overlong_line_is_named_and_the_next_is_read() -> None:
    splitter = Splitter()
    for _ in range(3):
        splitter.feed(b"x" * LINE_MAX_BYTES)
    splitter.feed(b"\nnext\n")
    assert [splitter.take(), splitter.take(), splitter.take()] == [Overlong(), "next", None]
