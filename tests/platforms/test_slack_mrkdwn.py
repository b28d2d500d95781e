"""What agents write as Markdown is mrkdwn in Slack: looks where they are certain, and never a reference of Slack's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.platforms.chats.slack.markup import readable, users_in
from greenroom.platforms.chats.slack.mrkdwn import as_mrkdwn

NOTHING = "\u200b"


@pytest.mark.parametrize(
    "written, mrkdwn",
    [
        ("**bold** and __bold__", "*bold* and *bold*"),
        ("*it* and _it_", "_it_ and _it_"),
        ("~~gone~~", "~gone~"),
        ("**bold *both***", "*bold _both_*"),
        ("**Note:** `a < b` & c", "*Note:* `a &lt; b` &amp; c"),
        ("[a & b](https://e.org/?x=1&y=2)", "<https://e.org/?x=1&amp;y=2|a &amp; b>"),
        ("[**docs** <1>](https://e.org/a|b)", "<https://e.org/a%7Cb|docs &lt;1&gt;>"),
        ("**[docs](https://e.org)**", "*<https://e.org|docs>*"),
        ("# A *plan*\ntext", "*A _plan_*\ntext"),
        ("## A **plan** `x`", "*A plan `x`*"),
        ("- one\n- **two**\n1. three", "- one\n- *two*\n1. three"),
        ("> said\n> **so**", "&gt; said\n&gt; *so*"),
        ("```python\nif a < b:\n    **c\n```\nafter", "```\nif a &lt; b:\n    **c\n```\nafter"),
        ("```\nunfinished", "```\nunfinished\n```"),
        ("| a | b |\n|---|:-:|\n| 1 | 2 |\nafter", "```\n| a | b |\n|---|:-:|\n| 1 | 2 |\n```\nafter"),
        ("| a |\n|---|\n| **1** |", "| a |\n|---|\n| *1* |"),
        ("<!channel> <@U1>", "&lt;!channel&gt; &lt;@U1&gt;"),
    ],
)
def test_markdown_is_mrkdwn(written: str, mrkdwn: str) -> None:
    assert as_mrkdwn(written) == mrkdwn


@pytest.mark.parametrize(
    "text", ["**bol", "*", "`co", "```py", "[a](https://e.or", "~~a", "| a | b |", "2*3*4", "a_b_c"]
)
def test_what_is_not_finished_yet_stays_as_it_is(text: str) -> None:
    assert as_mrkdwn(text) == text


@pytest.mark.parametrize(
    "written, mrkdwn",
    [
        ("**2*3** is 6", "2*3 is 6"),
        ("**see [x](https://e.org/a*b)**", "see <https://e.org/a*b|x>"),
        ("``a`b``", "a`b"),
        ("~~~\n```\n~~~", f"```\n`{NOTHING}`{NOTHING}`\n```"),
    ],
)
def test_what_holds_its_own_mark_goes_without_it(written: str, mrkdwn: str) -> None:
    assert as_mrkdwn(written) == mrkdwn


@pytest.mark.parametrize(
    "written, mrkdwn",
    [
        ("un**bold**ed", f"un{NOTHING}*bold*{NOTHING}ed"),
        ("これは**重要**です", f"これは{NOTHING}*重要*{NOTHING}です"),
        ("**a**~~b~~", f"*a*{NOTHING}~b~"),
        ("the `x`s", f"the `x`{NOTHING}s"),
        ("(**a**), **b**.", "(*a*), *b*."),
    ],
)
def test_a_mark_within_a_word_has_an_end(written: str, mrkdwn: str) -> None:
    assert as_mrkdwn(written) == mrkdwn


@given(st.text(alphabet="ab \n*_~`#[]()|-<>&@!Uhttps:/.", max_size=80))
def test_whatever_is_written_slack_reads_no_reference_but_links(written: str) -> None:
    mrkdwn = as_mrkdwn(written)
    assert bool(mrkdwn.strip()) == bool(written.strip())
    assert users_in(mrkdwn) == frozenset()
    assert not re.search("[<>]", re.sub(r"<https?://[^<>|]+\|[^<>]+>", "", mrkdwn))
    assert "&" not in re.sub(r"&(?:amp|lt|gt);", "", mrkdwn)


@given(st.text(alphabet="ab <>&@!|\n", max_size=80).filter(lambda text: "|" not in text))
def test_words_without_marks_are_read_as_they_were_written(written: str) -> None:
    assert readable(as_mrkdwn(written), {}, me="UBOT") == written
