import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.splitting import pieces, split

LINES = st.sampled_from(
    [
        "```",
        "```python",
        "~~~",
        "````",
        "  ```js",
        "a line",
        "x = 1",
        "",
        "A sentence. Another one. A third!",
        "word " * 12,
        "y" * 70,
        "é́" * 9,
        "👩‍👩‍👧" * 5,
        "🇳🇴" * 12,
    ]
)
TEXTS = st.one_of(st.text(), st.lists(LINES, max_size=30).map("\n".join))


@given(TEXTS, st.integers(1, 90))
def test_no_part_is_too_long_and_nothing_is_lost(text: str, limit: int) -> None:
    cut = list(pieces(text, limit))

    assert "".join(piece.body for piece in cut) == text
    assert all(len(str(piece)) <= limit for piece in cut)
    assert split(text, limit) == tuple(str(piece) for piece in cut if piece.body.strip())


@given(TEXTS, st.integers(1, 90))
def test_a_text_that_fits_is_left_alone(text: str, limit: int) -> None:
    if text.strip():
        assert split(text, max(limit, len(text))) == (text,)


@given(st.lists(LINES.filter(lambda line: "`" not in line and "~" not in line), max_size=8), st.integers(60, 120))
def test_every_part_of_a_long_fence_is_a_fence_with_its_language(lines: list[str], limit: int) -> None:
    text = "```python\n" + "\n".join(["print('hello')", *lines, "print('world')"] * 4) + "\n```"

    parts = split(text, limit)

    assert all(part.startswith("```python\n") for part in parts)
    assert all(part.endswith("```") for part in parts)
    assert all(part.count("```") == 2 for part in parts)


@given(
    st.lists(st.sampled_from(["e\u0301", "👍🏽", "👩\u200d👧", "🇳🇴", "\r\n", "ก็"]), min_size=1, max_size=60),
    st.integers(8, 40),
)
def test_no_visible_character_is_torn(characters: list[str], limit: int) -> None:
    ends = {0}
    for character in characters:
        ends.add(max(ends) + len(character))

    at = 0
    for piece in pieces("".join(characters), limit):
        at += len(piece.body)
        assert at in ends


def test_a_fence_that_fits_into_one_part_is_kept_whole() -> None:
    code = "```sh\n" + "ls -la\n" * 5 + "```\n"

    assert split("Some words before it.\n" + code + "And after.", 60) == (
        "Some words before it.\n",
        code + "And after.",
    )


@pytest.mark.parametrize(
    "text, first",
    [
        ("First paragraph here.\n\nSecond paragraph. It is long.", "First paragraph here.\n\n"),
        ("First line of the text\nSecond. line of the text", "First line of the text\n"),
        ("One sentence is here. Another sentence", "One sentence is here. "),
        ("just words without any full stop anywhere", "just words without any full "),
        ("x" * 50, "x" * 30),
    ],
)
def test_the_best_place_for_a_cut_is_taken(text: str, first: str) -> None:
    assert split(text, 30)[0] == first


def test_surrogates_that_a_platform_left_in_pairs_stay_in_pairs() -> None:
    pair = "\ud83d\ude00"

    assert all(len(part) % 2 == 0 for part in split(pair * 9, 5))


def test_a_part_that_would_show_nothing_is_left_out() -> None:
    assert split("word" + "\n" * 50 + "word", 10) == ("word\n\n\n\n\n\n", "\n\n\n\nword")
    assert split(" \n ", 10) == ()


def test_a_text_of_combining_marks_only_still_ends() -> None:
    text = "a" + "\u0301" * 1000

    assert unicodedata.category(text[1]) == "Mn"
    assert "".join(piece.body for piece in pieces(text, 10)) == text


def test_a_long_row_of_flag_letters_is_cut_somewhere() -> None:
    assert len(split("\U0001f1f3" * 1_000, 100)) == 10


def test_a_limit_below_one_is_refused_with_the_number() -> None:
    with pytest.raises(ValueError, match="got 0"):
        split("text", 0)
