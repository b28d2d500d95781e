"""The embedder's knobs: defaults, one clear message each, and who may write."""

from __future__ import annotations

import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from greenroom import Supervisor
from greenroom.actors.model import InterruptReason, SessionKey
from greenroom.actors.rules import Reset, Rules
from greenroom.supervisor.policy import (
    ABOVE_ZERO,
    ANY_SIGN,
    COUNT_LARGEST,
    HOURS,
    LARGEST,
    ZERO_IS_NO_LIMIT,
    InvalidPolicyError,
    Policy,
)
from greenroom.supervisor.supervisor import DRAIN_MARGIN_S

WAIT_S = 20

CHAT = SessionKey("telegram", "me", "42")
TOPIC = SessionKey("telegram", "me", "42", "7")
NUMBERS = [knob for knob in fields(Policy) if knob.name not in {"allow", "auto_resume"}]


def make(**knobs: Any) -> Policy:
    return Policy(**knobs)


def test_the_defaults_are_the_designs() -> None:
    policy = Policy()
    assert (policy.fresh_s, policy.attempts_max, policy.resume_concurrency, policy.drain_s) == (3600, 3, 8, 30)
    assert (policy.unclean_boots_max, policy.unclean_window_s) == (3, 300)
    assert (policy.restarts_max, policy.restarts_window_s) == (5, 60)
    assert policy.auto_resume == frozenset(InterruptReason)


def test_a_session_gets_its_own_limits_out_of_the_flat_set() -> None:
    assert Policy().rules() == Rules()
    rules = Policy(notice_first_s=5, answer_max=10, fresh_s=1).rules()
    assert (type(rules), rules.notice_first_s, rules.answer_max) == (Rules, 5, 10)


def test_a_wrong_type_is_told_with_what_to_write() -> None:
    with pytest.raises(InvalidPolicyError) as refused:
        make(fresh_s="soon")
    assert (
        str(refused.value)
        == "policy.fresh_s: must be a number of seconds, got 'soon'; remove it to use the default 3600"
    )


@pytest.mark.parametrize("knob", NUMBERS, ids=lambda knob: knob.name)
@pytest.mark.parametrize("value", ["5", None, True, float("nan"), float("inf"), [], 10**400, object()])
def test_what_is_no_number_is_refused_by_name(knob: Any, value: object) -> None:
    with pytest.raises(InvalidPolicyError, match=rf"^policy\.{knob.name}: must be .*; remove it to use the default "):
        make(**{knob.name: value})


@pytest.mark.parametrize("knob", [knob for knob in NUMBERS if isinstance(knob.default, float)], ids=lambda it: it.name)
def test_every_wait_takes_the_largest_of_each_time(knob: Any) -> None:
    assert 2 * LARGEST + DRAIN_MARGIN_S < 2**31, "also where seconds are counted in 32 bits"
    assert 2 * LARGEST + DRAIN_MARGIN_S < threading.TIMEOUT_MAX
    others = {"restart_backoff_max_s": LARGEST} if knob.name == "restart_backoff_s" else {}
    assert getattr(make(**{knob.name: LARGEST}, **others), knob.name) == LARGEST
    with pytest.raises(InvalidPolicyError, match=r"at most 1,000,000,000"):
        make(**{knob.name: LARGEST * 1.01}, **others)


def test_a_time_that_no_wait_takes_is_told_with_the_largest() -> None:
    with pytest.raises(InvalidPolicyError) as refused:
        make(drain_s=1e10)
    assert str(refused.value) == (
        "policy.drain_s: must be a number of seconds, at most 1,000,000,000 (31 years), got 10000000000.0; "
        "remove it to use the default 30"
    )


def test_the_largest_counts_reach_the_disk(tmp_path: Path) -> None:
    counts = [k.name for k in NUMBERS if isinstance(k.default, int) and not isinstance(k.default, bool)]
    largest = make(**{name: COUNT_LARGEST for name in counts if name not in HOURS})
    with Supervisor(tmp_path / "bot.db", agent=lambda _: "fine", policy=largest) as room:
        receipt = room.accept(chat="telegram:me:42", id="1", text="hi", timeout_s=WAIT_S)
        assert room.answer(receipt, timeout_s=WAIT_S) == "fine"


@pytest.mark.parametrize("knob", NUMBERS, ids=lambda knob: knob.name)
def test_each_number_has_its_lower_end(knob: Any) -> None:
    if knob.name in ANY_SIGN:
        assert getattr(make(**{knob.name: -1}), knob.name) == -1
        return
    with pytest.raises(InvalidPolicyError, match=knob.name):
        make(**{knob.name: -1})
    if knob.name in ZERO_IS_NO_LIMIT:
        assert getattr(make(**{knob.name: 0}), knob.name) == 0
    elif knob.name in HOURS:
        assert getattr(make(**{knob.name: 0}), knob.name) == 0
        with pytest.raises(InvalidPolicyError, match="an hour from 0 to 23"):
            make(**{knob.name: 24})
    elif isinstance(knob.default, int) or knob.name in ABOVE_ZERO:
        with pytest.raises(InvalidPolicyError, match=knob.name):
            make(**{knob.name: 0})


def test_a_reset_is_one_of_three_and_its_zone_exists() -> None:
    assert (make(reset="daily").reset, make(zone="Europe/Oslo").zone) == (Reset.DAILY, "Europe/Oslo")
    with pytest.raises(InvalidPolicyError, match=r"policy\.reset: must be one of none, idle, daily, got 'weekly'"):
        make(reset="weekly")
    for zone in ("Oslo/Europe", "/etc/passwd", 3):
        with pytest.raises(InvalidPolicyError, match=r"policy\.zone: must be the name of a time zone"):
            make(zone=zone)


def test_a_first_back_off_above_the_longest_is_refused() -> None:
    with pytest.raises(
        InvalidPolicyError, match=r"restart_backoff_s: must be at most restart_backoff_max_s \(30\), got 31"
    ):
        Policy(restart_backoff_s=31)


def test_reasons_may_be_given_by_name() -> None:
    assert make(auto_resume=["actor_crashed"]).auto_resume == frozenset({InterruptReason.ACTOR_CRASHED})
    assert make(auto_resume=[]).auto_resume == frozenset()


@pytest.mark.parametrize("value", ["", "actor_crashed", ["moon_phase"], None, 3, [[]]])
def test_unknown_reasons_are_refused_with_the_known_ones(value: object) -> None:
    with pytest.raises(
        InvalidPolicyError, match="restart_timeout, shutdown_timeout, restart_interrupted, actor_crashed"
    ):
        make(auto_resume=value)


@pytest.mark.parametrize(
    "patterns, chat, topic",
    [
        ((), False, False),
        (("*",), True, True),
        (("telegram:*",), True, True),
        (("telegram:me:*",), True, True),
        (("telegram:me:42",), True, True),
        (("telegram:me:42:7",), False, True),
        (("telegram:me:42:*",), False, True),
        (("telegram:me:4",), False, False),
        (("telegram:me:4?",), False, False),
        (("telegram:me:[0-9]*",), False, False),
        (("TELEGRAM:me:42",), False, False),
        (("discord:*", "telegram:me:42"), True, True),
    ],
)
def test_patterns_say_who_may_write(patterns: tuple[str, ...], chat: bool, topic: bool) -> None:
    policy = Policy(allow=patterns)
    assert (policy.allows(CHAT), policy.allows(TOPIC)) == (chat, topic)


def test_chats_with_odd_names_are_named_as_they_are_written() -> None:
    room = SessionKey("matrix", "bot", "!a[b]?:example.org")
    assert Policy(allow=(str(room),)).allows(room)
    assert not Policy(allow=(str(room),)).allows(SessionKey("matrix", "bot", "!ab?:example.org"))


def test_without_a_rule_the_host_decides() -> None:
    assert Policy().allows(CHAT)


def test_s032_a_check_that_raises_opens_no_door() -> None:
    def check(key: SessionKey) -> bool:
        return {"41": True}[key.chat]

    assert not Policy(allow=check).allows(CHAT)
    assert Policy(allow=check).allows(SessionKey("telegram", "me", "41"))


def test_a_check_that_must_be_awaited_opens_no_door(caplog: pytest.LogCaptureFixture) -> None:
    async def check(_key: SessionKey) -> bool:
        return False

    class Later:
        def __call__(self, key: SessionKey) -> Any:
            return check(key)

    with pytest.raises(InvalidPolicyError, match=r"policy\.allow: must be a plain function"):
        make(allow=check)
    assert not make(allow=Later()).allows(CHAT)
    assert "what it answered is awaitable" in caplog.text


@pytest.mark.parametrize("value", ["telegram:me:*", [""], [3], 3, ["a\nb"]])
def test_a_rule_that_is_no_list_of_keys_is_refused(value: object) -> None:
    with pytest.raises(
        InvalidPolicyError, match=r"policy\.allow: must be a list of session keys such as 'telegram:me:\*'"
    ):
        make(allow=value)
