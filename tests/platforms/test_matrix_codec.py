"""What Matrix events mean, and what is written into them: pure, and safe against any JSON."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.model import Change, SessionKey
from greenroom.actors.ports import Outgoing
from greenroom.platforms.chats.matrix.codec import (
    CONTENT_MAX_BYTES,
    TEXT_MAX,
    Room,
    addressed,
    edit_content,
    edited,
    edited_inbound,
    name_of,
    post_content,
    removed_inbound,
    transaction_of,
)
from greenroom.platforms.chats.matrix.events import (
    KEY_FIELD,
    TYPES,
    Echo,
    Edited,
    File,
    Member,
    Moved,
    Removed,
    Said,
    Sealed,
    predecessor_of,
    read_event,
    without_quote,
)
from greenroom.platforms.chats.matrix.sync import FILTER, Invited, is_welcome, read_batch

ME, ANN = "@bot:example.org", "@ann:example.org"
KEY = SessionKey("matrix", "me", "!room:example.org")
PAIR = Room({ME: "Greeter", ANN: "Ann"})
GROUP = Room({ME: "Greeter", ANN: "Ann", "@ben:example.org": "Ben"})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "msgtype",
        "body",
        "url",
        "info",
        "filename",
        "m.relates_to",
        "m.mentions",
        "m.new_content",
        "membership",
        "redacts",
    ]
)


def event(content: dict[str, Any], kind: str = "m.room.message", sender: str = ANN, **more: Any) -> dict[str, Any]:
    return {"event_id": "$1", "type": kind, "sender": sender, "origin_server_ts": 1500, "content": content, **more}


def words(text: str, **more: Any) -> dict[str, Any]:
    return {"msgtype": "m.text", "body": text, **more}


def relates(relation: object) -> dict[str, Any]:
    return {"m.relates_to": relation}


CASES = {
    "words": (event(words("hi")), Said("$1", ANN, 1.5, "hi")),
    "an emote": (event({"msgtype": "m.emote", "body": "waves"}), Said("$1", ANN, 1.5, "* waves")),
    "a bot's notice": (event({"msgtype": "m.notice", "body": "hi"}), None),
    "a message that was removed": (event({}), None),
    "our own": (event(words("hi", **{KEY_FIELD: "k"}), sender=ME), Echo("$1", "k")),
    "our own, of another client": (event(words("hi"), sender=ME), Echo("$1")),
    "an encrypted one": (event({}, "m.room.encrypted"), Sealed("$1")),
    "an encrypted one of our own": (event({}, "m.room.encrypted", ME), None),
    "a removal": (event({}, "m.room.redaction", redacts="$0"), Removed("$1", ANN, "$0")),
    "a removal as rooms have it since version 11": (event({"redacts": "$0"}, "m.room.redaction"), Removed("$1", ANN, "$0")),
    "a reaction": (event(relates({"rel_type": "m.annotation"}), "m.reaction"), None),
    "an edit": (
        event(words("* yes", **relates({"rel_type": "m.replace", "event_id": "$0"}), **{"m.new_content": words("yes")})),
        Edited("$1", ANN, "$0", "yes"),
    ),
    "an edit of what is with a file, that mentions": (
        event(
            {
                "msgtype": "m.image", "body": "* look", "url": "mxc://x/y", **relates({"rel_type": "m.replace", "event_id": "$0"}),
                "m.new_content": {"msgtype": "m.image", "body": "look", "filename": "a.png", "url": "mxc://x/z", "m.mentions": {"user_ids": [ME]}},
            }
        ),
        Edited("$1", ANN, "$0", "look", (ME,), File("mxc://x/z", "a.png")),
    ),
    "an edit to a bot's notice": (
        event(words("* yes", **relates({"rel_type": "m.replace", "event_id": "$0"}), **{"m.new_content": {"msgtype": "m.notice", "body": "yes"}})),
        None,
    ),
    "a reply": (event(words("no", **relates({"m.in_reply_to": {"event_id": "$0"}}))), Said("$1", ANN, 1.5, "no", reply_to="$0")),
    "a reply with a quote": (
        event(words("> <@bot:example.org> yes?\n\nno", **relates({"m.in_reply_to": {"event_id": "$0"}}))),
        Said("$1", ANN, 1.5, "no", reply_to="$0"),
    ),
    "a thread": (
        event(words("in", **relates({"rel_type": "m.thread", "event_id": "$0", "is_falling_back": True, "m.in_reply_to": {"event_id": "$9"}}))),
        Said("$1", ANN, 1.5, "in", "$0"),
    ),
    "a reply in a thread": (
        event(words("in", **relates({"rel_type": "m.thread", "event_id": "$0", "m.in_reply_to": {"event_id": "$9"}}))),
        Said("$1", ANN, 1.5, "in", "$0", "$9"),
    ),
    "a mention": (event(words("hi", **{"m.mentions": {"user_ids": [ME]}})), Said("$1", ANN, 1.5, "hi", mentions=(ME,))),
    "a file": (
        event({"msgtype": "m.file", "body": "a.pdf", "url": "mxc://x/y", "info": {"mimetype": "application/pdf", "size": 9}}),
        Said("$1", ANN, 1.5, "", file=File("mxc://x/y", "a.pdf", "application/pdf", 9)),
    ),
    "a file with words": (
        event({"msgtype": "m.image", "body": "look", "filename": "a.png", "url": "mxc://x/y"}),
        Said("$1", ANN, 1.5, "look", file=File("mxc://x/y", "a.png")),
    ),
    "a file of a strange kind": (
        event({"msgtype": "m.file", "body": "a", "url": "mxc://x/y", "info": {"mimetype": "what\never"}}),
        Said("$1", ANN, 1.5, "", file=File("mxc://x/y", "a")),
    ),
    "words with strange parts": (event(words("hi", **{"m.mentions": 3, "m.relates_to": "x"})), Said("$1", ANN, 1.5, "hi")),
    "an invitation": (event({"membership": "invite"}, "m.room.member", state_key=ME), Member(ME, arrives=True)),
    "a join by itself": (event({"membership": "join"}, "m.room.member", state_key=ME), Member(ME, arrives=True)),
    "a join after the invitation": (
        event({"membership": "join"}, "m.room.member", state_key=ME, unsigned={"prev_content": {"membership": "invite"}}),
        Member(ME, arrives=False),
    ),
    "the end of a room": (
        event({"replacement_room": "!new:x", "body": "x"}, "m.room.tombstone", state_key=""), Moved(ANN, "!new:x")
    ),
    "the end of a room without another": (event({"body": "x"}, "m.room.tombstone", state_key=""), None),
    "the end of a room that goes on nowhere": (event({"replacement_room": "new"}, "m.room.tombstone", state_key=""), None),
    "an end that is no state": (event({"replacement_room": "!new:x"}, "m.room.tombstone"), None),
    "a state of the room that looks like a message": (event(words("hi"), state_key=""), None),
    "something without a sender": ({"event_id": "$1", "type": "m.room.message"}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_event_is_read(name: str) -> None:
    raw, heard = CASES[name]
    assert read_event(raw, ME) == heard


@given(st.sampled_from(TYPES), st.dictionaries(FIELDS, JSON, max_size=6), JSON, JSON)
def test_any_json_is_read_or_left_out(kind: str, content: dict[str, Any], unsigned: object, redacts: object) -> None:
    heard = read_event(event(content, kind, state_key=ME, unsigned=unsigned, redacts=redacts), ME)
    if isinstance(heard, Said):
        addressed(heard, ME, GROUP)


@given(st.text())
def test_what_is_no_quote_is_left_alone(body: str) -> None:
    assert body.startswith("> ") or without_quote(body) == body


@pytest.mark.parametrize(
    "said, mentioned, text",
    [
        ("Greeter: hello", True, "hello"),
        ("greeter, hello", True, "hello"),
        ("@Greeter hello", True, "hello"),
        ("bot: hello", True, "hello"),
        (f"{ME} hello", True, "hello"),
        (f"ask {ME}", True, f"ask {ME}"),
        ("Greeter", False, "Greeter"),
        ("greeters: hello", False, "greeters: hello"),
        ("a robot: hello", False, "a robot: hello"),
        ("bot: !stop", True, "/stop"),
        ("!important", False, "!important"),
    ],
)
def test_a_name_at_the_beginning_calls_it_and_is_no_part_of_the_words(said: str, mentioned: bool, text: str) -> None:
    spoken, heard = addressed(Said("$1", ANN, 0.0, said), ME, GROUP)
    assert (spoken.mentions_me, heard.text, spoken.direct) == (mentioned, text, False)


def test_the_words_of_an_edit_are_read_as_those_of_a_message() -> None:
    words_of = [edited(Edited("$2", ANN, "$1", text), ME, PAIR).text for text in ("bot: hello", "!stop", "hello")]
    assert words_of == ["hello", "/stop", "hello"]


def test_with_one_person_it_is_direct() -> None:
    assert addressed(Said("$1", ANN, 0.0, "hello"), ME, PAIR)[0].direct


def test_authors_have_the_names_of_the_room() -> None:
    twins = Room({ME: None, ANN: "Ann", "@eve:example.org": "Ann"})
    assert [name_of(ANN, PAIR), name_of(ANN, twins), name_of(ME, twins), name_of("@gone:x", PAIR)] == [
        "Ann",
        f"Ann ({ANN})",
        ME,
        "@gone:x",
    ]


def test_a_change_names_what_it_changes() -> None:
    edit = edited_inbound(Edited("$2", ANN, "$1", "new"), KEY, PAIR)
    removal = removed_inbound(Removed("$3", ANN, "$1"), KEY, PAIR)
    assert (edit.change, edit.reply_to, edit.text, edit.update_id) == (Change.EDIT, "$1", "new", "$2")
    assert (removal.change, removal.reply_to, removal.text, removal.update_id) == (Change.DELETE, "$1", "", "$3")


def test_a_transaction_is_named_by_its_delivery_alone() -> None:
    assert transaction_of("k1") == transaction_of("k1") != transaction_of("k2")


def test_a_message_mentions_nobody_whatever_it_says() -> None:
    content = post_content(Outgoing(KEY, "k", f"hello {ANN} @room"))
    assert content["m.mentions"] == {}


@given(st.text(alphabet='a\U0001f600"\\*<&\n \x00\x1b', min_size=1, max_size=400), st.integers(1, TEXT_MAX))
def test_every_text_fits_into_an_event(part: str, size: int) -> None:
    text = (part * (size // len(part) + 1))[:size]
    for content in (post_content(Outgoing(KEY, "k", text)), edit_content("$1", text)):
        assert len(msgspec.json.encode(content)) <= CONTENT_MAX_BYTES + 1_000


@pytest.mark.parametrize(
    "markdown, html",
    [
        ("plain", None),
        ("**bold** `code`", "<p><strong>bold</strong> <code>code</code></p>"),
        ("<script>x</script> *a*", "<p>&lt;script&gt;x&lt;/script&gt; <em>a</em></p>"),
        ("[a](javascript:x)", None),
        ("one\ntwo", "<p>one<br />\ntwo</p>"),
    ],
)
def test_markdown_becomes_html_that_does_nothing(markdown: str, html: str | None) -> None:
    content = post_content(Outgoing(KEY, "k", markdown))
    assert (content["body"], content.get("formatted_body")) == (markdown, html)


def test_an_answer_of_sync_is_read() -> None:
    invite = {
        "events": [{"type": "m.room.member", "state_key": ME, "sender": ANN, "content": {"membership": "invite"}}]
    }
    raw = {
        "next_batch": "s2",
        "rooms": {
            "join": {
                "!a": {"timeline": {"events": [event(words("hi"))], "limited": True, "prev_batch": "s1"}, "summary": {}}
            },
            "invite": {"!b": {"invite_state": invite}},
        },
    }
    batch = read_batch(raw)
    assert (batch.next_batch, batch.rooms.join["!a"].timeline.prev_batch) == ("s2", "s1")
    assert batch.rooms.invite["!b"].by(ME) == ANN
    assert Invited().by(ME) == ""
    assert read_batch({"next_batch": "s3"}).rooms.join == {}
    assert msgspec.json.decode(FILTER)["room"]["timeline"]["types"] == list(TYPES)


def test_a_room_says_which_one_went_before_it() -> None:
    told: list[object] = [
        {"predecessor": {"room_id": "!old:x", "event_id": "$1"}},
        {"creator": ANN},
        {"predecessor": 3},
        None,
    ]
    assert [predecessor_of(each) for each in told] == ["!old:x", None, None, None]


def test_nobody_is_welcome_unless_it_is_written() -> None:
    assert not is_welcome("!room:example.org", ANN, ())
    assert is_welcome("!room:example.org", ANN, ("!room:example.org",))
    assert is_welcome("!room:example.org", ANN, ("@*:example.org",))
    assert not is_welcome("!room:example.org", "@ann:example.com", ("@*:example.org",))
