"""Markdown is taken apart: what is certain is a mark, all else stays as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.platforms.chats.markdown import (
    Code,
    Fence,
    Heading,
    Link,
    Plain,
    Prose,
    Style,
    Styled,
    read_blocks,
    read_inline,
)

SIGNS = "ab \n*_~`#[]()|-<https:/."


@pytest.mark.parametrize(
    "written, blocks",
    [
        ("# Plan #\n\ntext", [Heading("Plan"), Prose("\n\ntext")]),
        ("one\n```python\nx = **1**\n```\ntwo", [Prose("one\n"), Fence("x = **1**", "python"), Prose("\ntwo")]),
        ("~~~\na ``` b\n~~~", [Fence("a ``` b")]),
        ("````\n```\ncode\n```\n````", [Fence("```\ncode\n```")]),
        ("- item\n    ```\n    **x**\n    ```", [Prose("- item\n"), Fence("    **x**")]),
        ("```\n```\nafter", [Fence(""), Prose("\nafter")]),
        ("```sh\nunfinished **", [Fence("unfinished **", "sh")]),
        ("```sh", [Prose("```sh")]),
        ("#hashtag", [Prose("#hashtag")]),
    ],
)
def test_blocks(written: str, blocks: list[Fence | Heading | Prose]) -> None:
    assert list(read_blocks(written)) == blocks


@pytest.mark.parametrize(
    "written, spans",
    [
        ("**a** __b__", [Styled(Style.BOLD, "a"), Plain(" "), Styled(Style.BOLD, "b")]),
        ("*a* _b_ ~~c~~", [Styled(Style.ITALIC, "a"), Plain(" "), Styled(Style.ITALIC, "b"), Plain(" "), Styled(Style.STRIKE, "c")]),
        ("**a**, **b**", [Styled(Style.BOLD, "a"), Plain(", "), Styled(Style.BOLD, "b")]),
        ("`**a**` ``b`c``", [Code("**a**"), Plain(" "), Code("b`c")]),
        ("[a](https://e.org/x_(y))", [Link("a", "https://e.org/x_(y)")]),
    ],
)  # fmt: skip
def test_spans(written: str, spans: list[Plain | Code | Link | Styled]) -> None:
    assert list(read_inline(written)) == spans


@pytest.mark.parametrize(
    "written",
    ["2*3*4", "* item", "snake_case_name", "__init__.py", "__len__()", "____", "****a****", "~~~~a~~~~", "**open", "[a](javascript:b)", "a ** b **"],
)  # fmt: skip
def test_what_is_not_certain_stays(written: str) -> None:
    assert list(read_inline(written)) == [Plain(written)]


@pytest.mark.parametrize("mark", ["*", "~", "_", "~~**", "_*", "**_", "***~~"])
def test_it_is_never_deep(mark: str) -> None:
    def depth(words: str) -> int:
        return max((1 + depth(span.words) for span in read_inline(words) if isinstance(span, Styled)), default=0)

    assert depth(mark * 1000 + "x" + mark[::-1] * 1000) <= len(Style) + 1


@given(st.text(alphabet=SIGNS, max_size=60))
def test_nothing_is_invented(written: str) -> None:
    said = "".join(map(_said, read_blocks(written)))
    rest = iter(written)
    assert all(char in rest for char in said)


def _said(block: Fence | Heading | Prose) -> str:
    match block:
        case Fence(code):
            return code
        case Heading(words) | Prose(words):
            return "".join(span.code if isinstance(span, Code) else _text(span) for span in read_inline(words))


def _text(span: Plain | Link | Styled) -> str:
    return span.text if isinstance(span, Plain) else span.words
