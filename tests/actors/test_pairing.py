"""Pairing: what a code is, whose it is, and who is shown one."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from greenroom.actors import pairing
from greenroom.actors.pairing import (
    ALPHABET,
    CODE_LENGTH,
    GUESSES_MAX,
    OFFER_AGAIN_S,
    WAITING_MAX,
    Pairing,
    chat_of,
    decide_offer,
    find_code,
    hash_code,
)
from greenroom.actors.session_key import SessionKey

CHAT = SessionKey("telegram", "me", "42")
CODE = "ABCD-EFGH"
WAITING = Pairing(CHAT, 100.0, 200.0, "0a", hash_code(CODE, "0a"))


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(pairing).failed == 0


@given(code=st.text(ALPHABET, min_size=CODE_LENGTH, max_size=CODE_LENGTH))
def test_a_code_may_be_typed_in_any_way(code: str) -> None:
    ways = (code, f"{code[:4]}-{code[4:]}", code.lower(), f" {code[:3]} {code[3:]}\n")
    assert {hash_code(each, "0a") for each in ways} == {hash_code(code, "0a")}


def test_the_same_code_has_another_hash_in_another_chat() -> None:
    assert hash_code(CODE, "0a") != hash_code(CODE, "0b")


def test_a_code_finds_its_chat_and_no_other() -> None:
    other = replace(WAITING, chat=SessionKey("telegram", "me", "43"), salt="0b", code_hash=hash_code("WXYZ-2345", "0b"))
    assert find_code([WAITING, other], CODE, 150.0) == WAITING
    assert find_code([WAITING, other], "wxyz2345", 150.0) == other
    assert find_code([WAITING, other], "ABCD-EFGJ", 150.0) is None
    assert find_code([], CODE, 150.0) is None


@pytest.mark.parametrize(
    "over, now",
    [
        (WAITING, 200.0),
        (WAITING, 99.0),  # The clock was set back: whatever it says, the code was not made yet.
        (replace(WAITING, guesses=GUESSES_MAX), 150.0),
        (replace(WAITING, approved_at=120.0), 150.0),
    ],
)
def test_a_code_that_is_over_lets_nobody_in(over: Pairing, now: float) -> None:
    assert find_code([over], CODE, now) is None


def test_an_empty_code_is_nobodys() -> None:
    let_in = Pairing(CHAT, 100.0, 200.0, approved_at=120.0)
    assert find_code([let_in, WAITING], "", 150.0) is None


def test_a_stranger_is_shown_a_code_once_in_a_while() -> None:
    assert decide_offer(None, 0, 100.0)
    assert not decide_offer(WAITING, 0, 100.0 + OFFER_AGAIN_S - 1)
    assert decide_offer(WAITING, 0, 100.0 + OFFER_AGAIN_S)
    assert decide_offer(WAITING, 0, 99.0)  # The clock was set back: it is not left without for as long.


def test_who_was_let_in_is_shown_no_code_and_a_crowd_of_strangers_is_not() -> None:
    assert not decide_offer(replace(WAITING, approved_at=120.0), 0, 9_999.0)
    assert decide_offer(None, WAITING_MAX - 1, 0.0)
    assert not decide_offer(None, WAITING_MAX, 0.0)


def test_a_chat_is_let_in_with_all_its_threads() -> None:
    assert chat_of(SessionKey("telegram", "me", "42", "7")) == chat_of(CHAT) == CHAT
