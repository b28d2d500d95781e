"""Telegram's wire as pure functions: what is heard, where, and how words are laid out."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, TelegramError, TimedOut

from greenroom.actors.entry import DeliveryPolicy, OutboxLimits, Ways, parts_of
from greenroom.actors.model import Change, SessionKey
from greenroom.actors.ports import Choices, NotSentError, RetryLaterError, SendRefusedError, TargetGoneError
from greenroom.actors.splitting import split_utf16, utf16_units
from greenroom.platforms.chats.addressing import Listening, SessionsPer
from greenroom.platforms.chats.telegram.chat import EDIT_MIN_S, TRAITS
from greenroom.platforms.chats.telegram.codec import (
    DATA_MAX_BYTES,
    Me,
    Rules,
    Told,
    keyboard,
    layout,
    moved,
    question_of,
    read_update,
)
from greenroom.platforms.chats.telegram.markup import Mark, Marked, read_markdown
from greenroom.platforms.chats.telegram.troubles import TelegramTroubleError, TooManyError, of_call
from greenroom.platforms.fakes.telegram_world import Account

ME = Me(1, "my_bot")
RULES = Rules("me")
ANN = {"id": 7, "is_bot": False, "first_name": "Ann", "last_name": "Lee"}
GROUP = {"id": -100, "type": "supergroup", "title": "kitchen"}


def message(**more: Any) -> dict[str, Any]:
    alone = {"id": 7, "type": "private", "first_name": "Ann"}
    return {"message_id": 5, "date": 1_700_000_000, "chat": alone, "from": ANN, **more}


def read(rules: Rules = RULES, **what: Any) -> Told | None:
    return read_update(Update.de_json({"update_id": 9, **what}, None), ME, rules, str)


def heard(rules: Rules = RULES, **more: Any) -> Told:
    told = read(rules, message=message(**more))
    assert told is not None
    return told


def entity(kind: str, text: str, part: str, **more: Any) -> dict[str, Any]:
    before = text[: text.index(part)]
    return {"type": kind, "offset": utf16_units(before), "length": utf16_units(part), **more}


def test_a_message_is_an_inbound_with_its_chat_and_number_as_id_and_its_number_as_anchor() -> None:
    told = heard(text="hello")
    inbound = told.inbound
    assert (str(inbound.key), inbound.update_id, inbound.text) == ("telegram:me:7", "7/5", "hello")
    assert (inbound.author, inbound.reply_to, inbound.sent_at) == ("Ann Lee", "5", 1_700_000_000.0)
    assert (inbound.change, told.files, told.press) == (None, (), None)


def test_an_edit_changes_the_message_of_its_number() -> None:
    told = read(edited_message=message(text="hello!", edit_date=1_700_000_001))
    assert told is not None
    assert (told.inbound.change, told.inbound.reply_to, told.inbound.text) == (Change.EDIT, "5", "hello!")


def test_an_edit_long_after_its_message_makes_no_message_anew() -> None:
    soon, late = (read(edited_message=message(text="x", edit_date=1_700_000_000 + s)) for s in (86_400, 86_401))
    assert soon is not None
    assert soon.anew is not None
    assert (soon.anew.update_id, soon.anew.change, soon.inbound.update_id) == ("7/5", None, "9")
    assert late is not None
    assert late.anew is None


@pytest.mark.parametrize(
    "more, text",
    [
        ({"text": "@my_bot hello"}, "hello"),
        ({"text": "@My_Bot, hello"}, "hello"),
        ({"text": "@my_bot\nhello"}, "hello"),
        ({"text": "@my_bot:\n\nhello\nyou"}, "hello\nyou"),
        ({"text": "@my_bot\u00a0/stop"}, "/stop"),
        ({"text": "/queue@my_bot\nhello you"}, "/queue\nhello you"),
        ({"text": "🎈 hi @my_bot"}, "🎈 hi @my_bot"),
        ({"text": "/stop@my_bot now"}, "/stop now"),
        ({"text": "/stop"}, "/stop"),
        ({"text": "yes", "reply_to_message": message(**{"from": {**ANN, "id": 1, "is_bot": True}})}, "yes"),
    ],
)
def test_in_a_group_it_hears_what_addresses_it(more: dict[str, Any], text: str) -> None:
    written = more["text"]
    spoken = [word for word in re.sub("[,:]", "", written).split() if word[0] in "@/"]
    kinds = {"@": "mention", "/": "bot_command"}
    entities = [entity(kinds[word[0]], written, word) for word in spoken]
    assert heard(chat=GROUP, entities=entities, **more).inbound.text == text


@pytest.mark.parametrize("text", ["hello", "hi @other_bot", "/stop@other_bot", "see my_bot"])
def test_in_a_group_it_does_not_hear_the_rest_unless_it_listens_to_all(text: str) -> None:
    kinds = {"@": "mention", "/": "bot_command"}
    entities = [entity(kinds[word[0]], text, word) for word in text.split() if word[0] in "@/"]
    talk = message(chat=GROUP, text=text, entities=entities)
    assert read(message=talk) is None
    assert read(Rules("me", listening=Listening.ALL), message=talk) is not None


def test_a_reply_within_a_topic_that_the_bot_opened_is_no_reply_to_it() -> None:
    opening = message(
        **{"from": {**ANN, "id": 1, "is_bot": True}}, forum_topic_created={"name": "red", "icon_color": 7322096}
    )
    assert read(message=message(chat=GROUP, text="hello", reply_to_message=opening)) is None


def test_topics_and_users_are_apart() -> None:
    rules = Rules("me", listening=Listening.ALL, per=SessionsPer.USER)
    topic = {"chat": GROUP, "text": "x", "message_thread_id": 3, "is_topic_message": True}
    assert str(heard(rules, **topic).inbound.key) == "telegram:me:-100:3~7"
    assert str(heard(Rules("me", listening=Listening.ALL), **topic).inbound.key) == "telegram:me:-100:3"
    reply = {"chat": GROUP, "text": "x", "message_thread_id": 3}  # A chain of replies, in a group without topics.
    assert str(heard(Rules("me", listening=Listening.ALL), **reply).inbound.key) == "telegram:me:-100"


def test_an_administrator_who_stays_unnamed_is_the_group() -> None:
    told = heard(Rules("me", listening=Listening.ALL), chat=GROUP, text="x", sender_chat=GROUP)
    assert told.inbound.author == "kitchen"


def test_a_photo_is_its_largest_copy_and_a_file_keeps_its_name() -> None:
    sizes = [{"file_id": f"f{n}", "file_unique_id": f"u{n}", "width": n, "height": n, "file_size": n} for n in (1, 90)]
    (photo,) = heard(photo=sizes, caption="look").files
    assert (photo.id, photo.media_type, photo.size) == ("f90", "image/jpeg", 90)
    document = {"file_id": "f", "file_unique_id": "u", "file_name": "a.pdf", "mime_type": "application/pdf"}
    (file,) = heard(document=document).files
    assert (file.name, file.media_type) == ("a.pdf", "application/pdf")


PLACE = {"latitude": 59.91, "longitude": 10.75}
POLL = {
    "id": "1",
    "question": "Where to?",
    "options": [{"text": each, "voter_count": 0, "persistent_id": each} for each in ("the lake", "the\nhills")],
    "total_voter_count": 0,
    "is_closed": False,
    "is_anonymous": True,
    "type": "regular",
    "allows_multiple_answers": False,
    "allows_revoting": True,
    "members_only": False,
}


@pytest.mark.parametrize(
    "more, text",
    [
        ({"location": PLACE}, "[location: 59.91, 10.75]"),
        (
            {"location": PLACE, "venue": {"location": PLACE, "title": "Opera", "address": "Square 1"}},
            "[venue: Opera, Square 1 (59.91, 10.75)]",
        ),
        ({"contact": {"phone_number": "+47 123", "first_name": "Bo"}}, "[contact: Bo, +47 123]"),
        (
            {"contact": {"phone_number": "123", "first_name": "Bo", "last_name": "Lee", "vcard": "BEGIN:VCARD"}},
            "[contact: Bo Lee, 123]",
        ),
        ({"poll": POLL}, "[poll: Where to? the lake / the hills]"),
    ],
)
def test_what_is_neither_words_nor_a_file_is_told_in_a_line(more: dict[str, Any], text: str) -> None:
    assert heard(**more).inbound.text == text


@pytest.mark.parametrize(
    "what",
    [
        {
            "message": message(
                sticker={
                    "file_id": "s",
                    "file_unique_id": "s",
                    "width": 1,
                    "height": 1,
                    "is_animated": False,
                    "is_video": False,
                    "type": "regular",
                }
            )
        },
        {"message": message(text="me", **{"from": {**ANN, "id": 1, "is_bot": True}})},
        {"channel_post": message(text="news")},
        {"poll_answer": {"poll_id": "1", "user": ANN, "option_ids": [0], "option_persistent_ids": []}},
    ],
)
def test_what_says_nothing_to_it_is_left_out(what: dict[str, Any]) -> None:
    assert read(**what) is None


def test_a_group_that_becomes_a_supergroup_says_so_on_both_sides() -> None:
    one = Update.de_json({"update_id": 1, "message": message(chat=GROUP, migrate_to_chat_id=-1001)}, None)
    other = Update.de_json(
        {"update_id": 2, "message": message(chat={**GROUP, "id": -1001}, migrate_from_chat_id=-100)}, None
    )
    assert moved(one) == moved(other) == (-100, -1001)


def test_a_press_answers_the_question_of_its_button() -> None:
    markup = keyboard(Choices("3.1.answer", ("yes", "not yet")))
    assert markup is not None
    shown = {**message(text="Deploy?"), "reply_markup": markup.to_dict()}
    data = markup.inline_keyboard[1][0].callback_data
    told = read(callback_query={"id": "p", "from": ANN, "chat_instance": "1", "data": data, "message": shown})
    assert told is not None
    assert (told.inbound.text, told.inbound.answers, told.press) == ("not yet", "3.1.answer", "p")
    gone = {"message_id": 5, "date": 0, "chat": GROUP}
    assert read(callback_query={"id": "p", "from": ANN, "chat_instance": "1", "data": data, "message": gone}) is None


@given(st.text(alphabet="ab.1", max_size=200), st.lists(st.text(min_size=1), min_size=1, max_size=5))
def test_what_a_button_carries_is_never_too_long(question: str, texts: list[str]) -> None:
    markup = keyboard(Choices(question, tuple(texts)))
    assert markup is not None
    for (button,) in markup.inline_keyboard:
        assert len(str(button.callback_data).encode("utf-8", "surrogatepass")) <= DATA_MAX_BYTES


def test_no_button_is_read_from_other_peoples_data() -> None:
    assert question_of("0:1.1.answer") == "1.1.answer"
    assert [question_of(data) for data in ("", "x", "x:y", "1:", ":1")] == [None] * 5


@pytest.mark.parametrize(
    "written, text, kinds",
    [
        ("**bold** and *it* and _it_", "bold and it and it", ["bold", "italic", "italic"]),
        ("`a*b*` ``c`d``", "a*b* c`d", ["code", "code"]),
        ("~~gone~~ [x](https://e.org/a_(b))", "gone x", ["strikethrough", "text_link"]),
        ("# Head\n\ntext", "Head\n\ntext", ["bold"]),
        ("```python\nx = **1**\n```\nafter", "x = **1**\nafter", ["pre"]),
        ("**bold *both***", "bold both", ["bold", "italic"]),
    ],
)
def test_markdown_becomes_marks(written: str, text: str, kinds: list[str]) -> None:
    marked = read_markdown(written)
    assert (marked.text, [mark.kind for mark in marked.marks]) == (text, kinds)


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4 = 24",
        "a_b_c and __init__x",
        "* item\n* item",
        "**",
        "****",
        "*",
        "a * b * c",
        "[x](y)",
        "5 ** 2 ** 1",
        "`",
        "```",
    ],
)
def test_what_closes_nothing_stays_as_it_is(text: str) -> None:
    assert read_markdown(text) == Marked(text)


def test_marks_count_as_telegram_counts() -> None:
    assert read_markdown("🎈 **🎈**").marks == (Mark("bold", 3, 2),)


@given(st.text(alphabet="ab \n*_~`#[]()🎈https:/.", max_size=60))
def test_marks_are_always_within_the_text_and_nothing_is_invented(written: str) -> None:
    marked = read_markdown(written)
    length = utf16_units(marked.text)
    assert length <= utf16_units(written)
    assert bool(marked.text.strip()) == bool(written.strip())
    for mark in marked.marks:
        assert 0 <= mark.offset < mark.offset + mark.length <= length


def test_plain_words_stay_plain() -> None:
    assert layout(" **x** ", Rules("me", markdown=False)) == Marked("**x**")


@given(st.text(alphabet="ab. \n🎈é`", max_size=80), st.integers(4, 30))
def test_parts_fit_as_telegram_counts_and_lose_nothing(text: str, limit: int) -> None:
    parts = split_utf16(text, limit)
    assert all(utf16_units(part) <= limit for part in parts)
    assert [char for part in parts for char in part if char == "🎈"] == [char for char in text if char == "🎈"]


def test_the_outbox_cuts_as_telegram_counts() -> None:
    ways = Ways.of(TRAITS, DeliveryPolicy.EXACTLY_ONCE, "uid", OutboxLimits())
    parts = parts_of(ways, "🎈" * 5000)
    assert "".join(parts) == "🎈" * 5000
    assert max(map(utf16_units, parts)) <= 4096
    assert parts_of(ways, "a" * 4096) == ("a" * 4096,)


@pytest.mark.parametrize("chat", ["-5", "-1000000000077", "7"])
def test_words_that_stream_for_minutes_are_no_more_than_a_group_takes(chat: str) -> None:
    ways = Ways.of(TRAITS, DeliveryPolicy.EXACTLY_ONCE, "uid", OutboxLimits())
    account, now = Account(token="1:x", id=1, username="my_bot"), 0.0
    while now < 180.0:
        account.heed_pace({"chat_id": chat}, now)
        now += ways.edit_after_s(SessionKey("telegram", "me", chat, "3"))
    assert ways.edit_after_s(SessionKey("telegram", "me", "7")) == ways.edit_min_s == EDIT_MIN_S


@pytest.mark.parametrize(
    "error, kind",
    [
        (TooManyError(3.0), RetryLaterError),
        (InvalidToken(), NotSentError),
        (Forbidden("Forbidden: bot was blocked by the user"), SendRefusedError),
        (BadRequest("Bad Request: chat not found"), SendRefusedError),
        (BadRequest("Bad Request: message to edit not found"), TargetGoneError),
        (BadRequest("Bad Request: message can't be edited"), TargetGoneError),
        (ChatMigrated(-1001), TargetGoneError),
        (TimedOut(), TimeoutError),
        (NetworkError("Bad Gateway"), TelegramTroubleError),
        (TelegramError("Invalid server response"), TelegramTroubleError),
    ],
)
def test_each_refusal_has_its_word_in_the_port(error: TelegramError, kind: type[Exception]) -> None:
    assert type(of_call(error)) is kind
