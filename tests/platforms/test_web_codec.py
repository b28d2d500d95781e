import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import Shown
from greenroom.platforms.chats.legible import clean
from greenroom.platforms.chats.web.board import Notice
from greenroom.platforms.chats.web.codec import (
    TEXT_MAX_BYTES,
    BadMessageError,
    Said,
    TooLargeError,
    as_seen,
    overlay,
    parse_said,
    snapshot_frame,
    update_id,
    upsert_frame,
)
from greenroom.platforms.chats.web.guard import AllowedHosts, from_elsewhere

CHAT = SessionKey("web", "local", "kitchen")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b'{"id": "a", "text": "\xff"}',
        b'{"id": "a", "text": "\\ud800"}',
        b"[]",
        b'{"id": "a"}',
        b'{"id": 1, "text": "x"}',
        b'{"id": "a", "text": null}',
        b'{"id": "", "text": "x"}',
        b'{"id": "a/b", "text": "x"}',
        b'{"id": "%s", "text": "x"}' % (b"a" * 65),
        b'{"id": "a", "text": ""}',
        b'{"id": "a", "text": " \\n\\t "}',
        b'{"id": "a", "text": "\\u0000\\u0007"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(BadMessageError, match=r"\w{2,} .*\w{2,}"):
        parse_said(body)


def test_the_longest_message_is_taken_and_one_byte_more_is_not() -> None:
    longest = "é" * (TEXT_MAX_BYTES // 2)
    assert parse_said(msgspec.json.encode(Said("a", longest))).text == longest
    with pytest.raises(TooLargeError):
        parse_said(msgspec.json.encode(Said("a", longest + "x")))


@given(st.from_regex(r"[^/]{1,20}", fullmatch=True), st.from_regex(r"[A-Za-z0-9._:-]{1,64}", fullmatch=True))
def test_a_clients_id_comes_back_as_the_client_made_it(chat: str, client_id: str) -> None:
    session = SessionKey("web", "local", "x")
    stored = Shown(update_id("x", client_id), mine=True, text="t", at=1.0)
    assert as_seen(session, stored).id == client_id
    assert update_id(chat, client_id) != update_id(chat + "x", client_id)


def test_an_answers_id_is_left_as_it_is() -> None:
    row = Shown("kitchen/1", mine=False, text="t", at=1.0)
    assert as_seen(CHAT, row) == row


def test_words_that_stream_stand_in_only_for_answers_that_may_change() -> None:
    rows = [
        Shown("a", mine=True, text="mine", at=1.0, final=False),
        Shown("b", mine=False, text="concluded", at=2.0),
        Shown("c", mine=False, text="", at=3.0, final=False),
    ]
    assert [row.text for row in overlay(rows, {"a": "x", "b": "y", "c": "z", "d": "w"})] == ["mine", "concluded", "z"]


@given(st.text())
def test_a_frame_is_one_event_whatever_the_text(text: str) -> None:
    row = Shown("a", mine=False, text=clean(text), at=1.0)
    for frame in (upsert_frame(row), snapshot_frame([row], Notice(text))):
        assert frame.count(b"\n\n") == 1
        assert frame.endswith(b"\n\n")
        assert b"\r" not in frame


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765", "127.1.2.3"])
def test_loopback_names_are_ours(host: str) -> None:
    assert host in AllowedHosts("127.0.0.1")


@pytest.mark.parametrize("host", ["", "evil.example", "localhost.evil.example", "10.0.0.1", "[::", "127.0.0.1.nip.io"])
def test_names_that_were_pointed_at_us_are_not_ours(host: str) -> None:
    assert host not in AllowedHosts("127.0.0.1")


def test_a_server_for_all_interfaces_takes_addresses_and_the_names_it_was_given() -> None:
    hosts = AllowedHosts("0.0.0.0", ["chat.example"])
    assert "192.168.1.5:80" in hosts
    assert "Chat.Example" in hosts
    assert "evil.example" not in hosts


@pytest.mark.parametrize(
    "headers, foreign",
    [
        ({"host": "localhost:1"}, False),
        ({"host": "localhost:1", "origin": "http://localhost:1"}, False),
        ({"host": "localhost:1", "origin": "http://localhost:2"}, True),
        ({"host": "localhost:1", "origin": "null"}, True),
        ({"host": "localhost:1", "origin": ""}, True),
        ({"host": "localhost:1", "origin": "http://["}, True),
        ({"host": "localhost:1", "sec-fetch-site": "cross-site"}, True),
        ({"host": "localhost:1", "sec-fetch-site": "same-origin"}, False),
    ],
)
def test_a_browser_tells_which_page_sent_a_request(headers: dict[str, str], foreign: bool) -> None:
    assert from_elsewhere(headers) is foreign
