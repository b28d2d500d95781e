"""Session keys survive writing and reading, whatever chats are called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.model import Seq, Tail
from greenroom.actors.session_key import KEY_PART_MAX, InvalidKeyError, SessionKey

PRINTABLE = st.characters(exclude_categories=("Cs", "Cc", "Cf", "Cn", "Co", "Zl", "Zp", "Zs"))
NASTY = st.text(
    st.one_of(st.sampled_from(list(':%[]*?#/\\\'" "25zZ+&')), PRINTABLE), min_size=1, max_size=KEY_PART_MAX
).filter(str.isprintable)


@given(platform=NASTY, account=NASTY, chat=NASTY, thread=st.none() | NASTY)
def test_a_key_that_is_written_is_read_back(platform: str, account: str, chat: str, thread: str | None) -> None:
    key = SessionKey(platform, account, chat, thread)
    assert SessionKey.parse(str(key)) == key


@given(st.text(st.sampled_from("a:%325zF é"), max_size=30) | st.text(max_size=30))
def test_any_text_is_a_key_with_one_spelling_or_is_refused(text: str) -> None:
    try:
        key = SessionKey.parse(text)
    except InvalidKeyError:
        return
    assert SessionKey.parse(str(key)) == key
    assert str(SessionKey.parse(str(key))) == str(key)


@given(a=NASTY, b=NASTY)
def test_different_keys_are_never_spelled_the_same(a: str, b: str) -> None:
    one, two = SessionKey("p", "a", a, b), SessionKey("p", "a", f"{a}:{b}")
    assert str(one) != str(two)
    assert (str(SessionKey("p", "a", a)) == str(SessionKey("p", "a", b))) == (a == b)


@pytest.mark.parametrize("part", ["%", "%4", "%zz", "a%", "%%41", "%ff", "%C3", "%ED%A0%80"])
def test_a_percent_that_begins_no_character_is_refused_with_what_to_write(part: str) -> None:
    with pytest.raises(InvalidKeyError, match="write %25 for a percent sign"):
        SessionKey.parse(f"telegram:me:{part}")


@pytest.mark.parametrize("text", ["", "telegram", "telegram:me", "a:b:c:d:e", "::::"])
def test_a_wrong_number_of_parts_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(InvalidKeyError, match="write platform:account:chat"):
        SessionKey.parse(text)


@pytest.mark.parametrize("part", ["", "\x00", "a\nb", "\x7f", "\ud800", "\u202e", "x" * (KEY_PART_MAX + 1)])
def test_parts_that_cannot_be_shown_name_no_session(part: str) -> None:
    for parts in ((part, "a", "c"), ("p", part, "c"), ("p", "a", part), ("p", "a", "c", part)):
        with pytest.raises(InvalidKeyError, match="printable characters"):
            SessionKey(*parts)


def test_s168_a_thread_makes_another_session() -> None:
    assert SessionKey.parse("telegram:me:42") != SessionKey.parse("telegram:me:42:7")


def test_a_tail_knows_whether_the_user_waits() -> None:
    assert Tail(user_seq=Seq(3), answered_upto=Seq(2)).unanswered
    assert not Tail(user_seq=Seq(3), answered_upto=Seq(3)).unanswered
