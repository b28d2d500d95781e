"""Addressing: who is meant in a group, and that a key leads back to where its conversation takes place."""

import doctest
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.session_key import KEY_PART_MAX, SessionKey
from greenroom.platforms.chats import addressing
from greenroom.platforms.chats.addressing import Listening, SessionsPer, Spoken, Where, is_addressed, place, where
from greenroom.supervisor.policy import Policy

# Ids hold what platforms put into them, and what would confuse the way back.
ids = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=60) | st.text(
    "~=%:37DE", min_size=1, max_size=12
)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(addressing).failed == 0


@pytest.mark.parametrize("how", ["direct", "mentions_me", "replies_to_me", "command"])
def test_each_way_to_address_the_agent_is_enough(how: str) -> None:
    assert is_addressed(Spoken(**{how: True}), Listening.ADDRESSED)


def test_talk_among_others_is_for_the_agent_only_where_it_listens_to_all() -> None:
    assert not is_addressed(Spoken(), Listening.ADDRESSED)
    assert is_addressed(Spoken(), Listening.ALL)


@given(chat=ids, thread=st.none() | ids, user=ids)
def test_a_key_leads_back_to_chat_thread_and_user(chat: str, thread: str | None, user: str) -> None:
    key = place(platform="p", account="a", chat=chat, thread=thread, user=user, per=SessionsPer.USER)
    assert where(SessionKey.parse(str(key))) == Where(chat, thread, user)
    shared = place(platform="p", account="a", chat=chat, thread=thread, user=user)
    assert where(SessionKey.parse(str(shared))) == Where(chat, thread)


@given(threads=st.tuples(st.none() | ids, st.none() | ids), users=st.tuples(ids, ids))
def test_two_conversations_never_share_a_key(threads: tuple[str | None, str | None], users: tuple[str, str]) -> None:
    places = {(t, u, per) for t, u, per in product(threads, users, SessionsPer)}
    keys = {place(platform="p", account="a", chat="c", thread=t, user=u, per=per) for t, u, per in places}
    assert len(keys) == len({(t, u if per is SessionsPer.USER else None) for t, u, per in places})


@given(thread=st.none() | ids, user=ids)
def test_nobody_gets_a_key_that_ends_like_anothers(thread: str | None, user: str) -> None:
    named = Policy(allow=("p:a:*~ada",))
    key = place(platform="p", account="a", chat="c", thread=thread, user=user, per=SessionsPer.USER)
    assert named.allows(key) is (user == "ada")
    assert not named.allows(place(platform="p", account="a", chat="c", thread=f"{user}~ada"))
    impostor = place(platform="p", account="a", chat="c", user=f"{user}~ada", per=SessionsPer.USER)
    assert not named.allows(impostor)


@pytest.mark.parametrize("user", ["@" + "u" * 300, "sha256-" + "0" * 32])
def test_a_user_that_fits_into_no_key_has_a_conversation_and_the_chat_is_still_found(user: str) -> None:
    keys = {
        place(platform="p", account="a", chat="c", thread="t", user=each, per=SessionsPer.USER)
        for each in (user, user + "2")
    }
    assert len(keys) == 2
    assert where(keys.pop()) == Where("c", "t", None)
    assert all(len(key.thread or "") <= KEY_PART_MAX for key in keys)


def test_who_speaks_alone_or_unnamed_shares_no_chat() -> None:
    alone = place(platform="p", account="a", chat="c", user="u", per=SessionsPer.USER, direct=True)
    unnamed = place(platform="p", account="a", chat="c", user=None, per=SessionsPer.USER)
    assert alone == unnamed == SessionKey("p", "a", "c")
