import itertools

import pytest
from pydantic import SecretStr

from greenroom.supervisor.view.sign_ins import GUESSES_MAX, GUESSES_S, IDLE_S, SIGN_INS_MAX, SignIns, TryLater


class Door:
    def __init__(self, token: str = "the right token") -> None:
        self.now = 50.0
        counted = itertools.count()
        self.sign_ins = SignIns(SecretStr(token), now=lambda: self.now, draw=lambda: f"drawn {next(counted)}")

    def try_(self, token: str = "the right token", address: str = "10.0.0.1", name: str = "") -> str | TryLater | None:
        return self.sign_ins.sign_in(token, address=address, name=name)

    def key(self, **given: str) -> str:
        key = self.try_(**given)
        assert isinstance(key, str)
        return key


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.mark.parametrize("wrong", ["", "the right toke", "the right token ", "THE RIGHT TOKEN", "\ud800", "ü" * 10_000])
def test_a_wrong_token_opens_nothing(door: Door, wrong: str) -> None:
    assert door.try_(wrong) is None


def test_the_right_one_gives_a_key_that_is_known_and_others_are_not(door: Door) -> None:
    key = door.key(name="Ann")
    found = door.sign_ins.find(key)
    assert found is not None
    assert found.who == "Ann (10.0.0.1)"
    assert found.proof != key
    assert door.sign_ins.find(key + "x") is None
    assert door.sign_ins.find(None) is None


def test_a_name_is_one_line_in_the_log(door: Door) -> None:
    found = door.sign_ins.find(door.key(name="A\nnn\x1b[2J" + "x" * 200))
    assert found is not None
    assert found.who.startswith("Ann[2Jxxx")
    assert len(found.who) < 60


def test_whoever_guesses_too_often_has_to_wait_even_with_the_right_one_and_others_have_not(door: Door) -> None:
    for _ in range(GUESSES_MAX):
        assert door.try_("a guess") is None
        door.now += 1.0
    later = door.try_()
    assert isinstance(later, TryLater)
    assert later.wait_s == GUESSES_S - GUESSES_MAX
    door.key(address="10.0.0.2")
    door.now += later.wait_s
    door.key()


def test_a_right_token_is_no_guess(door: Door) -> None:
    for _ in range(GUESSES_MAX + 3):
        door.key()


def test_a_sign_in_that_is_used_lasts_and_one_that_is_not_ends(door: Door) -> None:
    used, idle = door.key(), door.key()
    for _ in range(3):
        door.now += IDLE_S * 0.75
        assert door.sign_ins.find(used) is not None
    assert door.sign_ins.find(idle) is None


def test_the_end_of_a_sign_in_is_its_end_and_no_others(door: Door) -> None:
    one, other = door.key(), door.key()
    door.sign_ins.sign_out(one)
    door.sign_ins.sign_out(one)
    assert door.sign_ins.find(one) is None
    assert door.sign_ins.find(other) is not None


def test_the_browser_that_was_not_seen_for_longest_makes_room_for_one_more(door: Door) -> None:
    keys = [door.key() for _ in range(SIGN_INS_MAX)]
    door.sign_ins.find(keys[0])
    door.key()
    assert door.sign_ins.find(keys[0]) is not None
    assert door.sign_ins.find(keys[1]) is None
