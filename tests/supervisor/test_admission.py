import doctest
import math
from dataclasses import replace as replace_policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from greenroom.actors.model import Attachment, Inbound, SessionKey
from greenroom.supervisor import admission
from greenroom.supervisor.admission import (
    Admit,
    Bucket,
    Buckets,
    Pace,
    Postpone,
    TurnAway,
    admit,
    admit_order,
    clean,
    judge,
    refill,
)
from greenroom.supervisor.policy import Policy

INBOUND = Inbound(SessionKey("web", "bot", "ann"), "u1", "hello")
POLICY = Policy(chat_burst=3, chat_rate_per_s=2.0, text_max=10)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(admission).failed == 0


def test_a_chat_may_burst_and_then_goes_on_at_its_rate() -> None:
    left = Buckets()
    for _ in range(3):
        verdict = admit(INBOUND, POLICY, left, 100.0)
        assert isinstance(verdict, Admit)
        left = verdict.left
    postponed = admit(INBOUND, POLICY, left, 100.0)
    assert isinstance(postponed, Postpone)
    assert postponed.retry_after_s == 0.5
    assert "from this chat (3 at once, then 2 a second); nothing is lost, try again in 0.5 s" in postponed.words
    assert isinstance(admit(INBOUND, POLICY, left, 100.5), Admit)


def test_all_chats_together_may_burst_and_then_go_on_at_their_rate() -> None:
    policy, everybody = replace_policy(POLICY, burst=5, rate_per_s=10.0), None
    for _ in range(5):  # Each by a chat that has not written before.
        verdict = admit(INBOUND, policy, Buckets(all=everybody), 100.0)
        assert isinstance(verdict, Admit)
        everybody = verdict.left.all
    postponed = admit(INBOUND, policy, Buckets(all=everybody), 100.0)
    assert isinstance(postponed, Postpone)
    assert postponed.retry_after_s == 0.1
    assert "from all chats together (5 at once, then 10 a second)" in postponed.words
    assert isinstance(admit(INBOUND, policy, Buckets(all=everybody), 100.2), Admit)


def test_who_waits_for_itself_takes_nothing_from_the_others() -> None:
    silent, full = Bucket(0.0, 100.0), Bucket(5.0, 100.0)
    assert isinstance(admit(INBOUND, POLICY, Buckets(silent, full), 100.0), Postpone)


def test_an_allowance_never_grows_beyond_the_burst_nor_shrinks_with_the_clock() -> None:
    assert refill(Bucket(1.0, 100.0), Pace(3, 2.0), 1e9).tokens == 3.0
    assert refill(Bucket(1.0, 100.0), Pace(3, 2.0), 50.0).tokens == 1.0


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"update_id": ""}, "id must be 1 to 255"),
        ({"update_id": "x" * 256}, "id must be 1 to 255"),
        ({"update_id": "\ud800"}, "printable characters"),
        ({"text": ""}, "empty"),
        ({"text": " \n\t \x00\x07"}, "empty"),
        ({"text": "x" * 11}, "11 characters, the limit is 10"),
        ({"reply_to": "x" * 2_049}, "reply_to has 2,049 characters, the limit is 2,048"),
        ({"answers": "x" * 2_049}, "answers has 2,049 characters, the limit is 2,048"),
        ({"key": "web:bot:ann"}, "key must be SessionKey, not str"),
        ({"update_id": 7}, "update_id must be str, not int"),
        ({"text": None}, "text must be str, not NoneType"),
        ({"author": b"ann"}, "author must be str or None, not bytes"),
        ({"sent_at": "now"}, "sent_at must be float or int or None, not str"),
        ({"reply_to": 7}, "reply_to must be str or None, not int"),
        ({"answers": 7}, "answers must be str or None, not int"),
        ({"attachments": None}, "attachments must be tuple or list, not NoneType"),
        ({"attachments": "/1.png"}, "attachments must be tuple or list, not str"),
        ({"attachments": ("/1.png",)}, "each of attachments must be Attachment, not str"),
        ({"attachments": [Attachment("/1", size="1")]}, "attachment's size must be int or float or None"),  # type: ignore[arg-type]
    ],
)
def test_what_never_may_come_in_is_told_why(changes: dict[str, Any], words: str) -> None:
    verdict = judge(replace(INBOUND, **changes), POLICY)
    assert isinstance(verdict, TurnAway)
    assert words in verdict.words
    assert not verdict.counted


def test_what_is_no_inbound_is_refused_with_words_as_an_order_too() -> None:
    nothing: Any = None
    assert judge(nothing, POLICY) == TurnAway("what is taken is an Inbound, not NoneType")
    assert admit_order(replace(INBOUND, text=7), POLICY) == TurnAway("text must be str, not int")


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf, 1e300, 10**400, -(10**400)])
def test_a_time_that_is_none_costs_nobody_the_message(at: float) -> None:
    judged = judge(replace(INBOUND, sent_at=at), POLICY)
    assert isinstance(judged, Inbound)
    assert judged.sent_at is None


def test_a_chat_that_is_not_allowed_is_only_counted() -> None:
    verdict = judge(INBOUND, Policy(allow=()))
    assert isinstance(verdict, TurnAway)
    assert verdict.counted


@given(st.text(alphabet=st.characters()))
def test_what_is_let_in_can_be_written_and_shows_no_control_characters(text: str) -> None:
    kept = clean(text)
    kept.encode()
    assert not [char for char in kept if char < " " and char not in "\n\t"]
    assert clean(kept) == kept


def test_halves_of_a_pair_are_joined_or_replaced() -> None:
    assert clean("\ud83d\ude00 \ud83d") == "\U0001f600 \ufffd"


PHOTO = Attachment("/var/spool/1.png", "image/png", 10, "one")
BAD = {
    "too many": ((PHOTO,) * 21, "21 attachments, the limit is 20"),
    "no path": ((replace(PHOTO, where=""),), "path or URL must be 1 to 2,048"),
    "a path too long": ((replace(PHOTO, where="x" * 2_049),), "path or URL must be 1 to 2,048"),
    "a path over two lines": ((replace(PHOTO, where="a\nb"),), "path or URL must be 1 to 2,048 printable"),
    "no media type": ((replace(PHOTO, media_type=""),), "media type must be"),
    "too large": ((replace(PHOTO, size=2_000_000_000),), "2,000,000,000 bytes, the limit is 1,000,000,000"),
    "no size at all": ((replace(PHOTO, size=-1),), "an attachment has -1 bytes"),
}


@pytest.mark.parametrize("attachments, words", BAD.values(), ids=BAD.keys())
def test_an_attachment_out_of_its_limits_is_refused_with_the_limit(
    attachments: tuple[Attachment, ...], words: str
) -> None:
    verdict = judge(replace(INBOUND, attachments=attachments), Policy())
    assert isinstance(verdict, TurnAway)
    assert words in verdict.words


def test_with_an_attachment_no_words_are_needed_and_its_name_is_cleaned() -> None:
    verdict = judge(replace(INBOUND, text="", attachments=(replace(PHOTO, name="a\0b"),)), Policy())
    assert isinstance(verdict, Inbound)
    assert verdict.attachments == (replace(PHOTO, name="ab"),)
