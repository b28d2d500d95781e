from typing import Any

import discord
import pytest

from greenroom.actors.model import Attachment, Change, SessionKey
from greenroom.actors.ports import Choices, Outgoing
from greenroom.platforms.chats.addressing import Listening, SessionsPer
from greenroom.platforms.chats.discord.codec import (
    LABEL_MAX,
    Account,
    Spot,
    nonce_of,
    read_deletion,
    read_edit,
    read_message,
    read_press,
    store_of,
    write_edit,
    write_message,
)

ME, ANN, BOB, MY_ROLE = (900_000_000_000_000_000 + number for number in range(4))
CHANNEL, THREAD, MESSAGE = 70, 71, 1573799637100265473
KITCHEN = Spot(CHANNEL, my_role=MY_ROLE)
DIRECT = Spot(CHANNEL, direct=True)
ACCOUNT = Account("me", ME)
STATE = discord.Client(intents=discord.Intents.none())._connection


def user(number: int, name: str = "ann", **rest: Any) -> dict[str, Any]:
    return {"id": str(number), "username": name, "discriminator": "0", "avatar": None, **rest}


def message(content: str = "hello", author: dict[str, Any] | None = None, **rest: Any) -> discord.Message:
    data: Any = {
        "id": str(MESSAGE),
        "channel_id": str(CHANNEL),
        "author": author or user(ANN, global_name="Ann"),
        "content": content,
        "timestamp": "2026-11-21T20:37:53+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
        **rest,
    }
    return discord.Message(state=STATE, channel=discord.PartialMessageable(state=STATE, id=CHANNEL), data=data)


REPLY_TO_ME: dict[str, Any] = {
    "type": 19,
    "message_reference": {"message_id": "5", "channel_id": str(CHANNEL)},
    "referenced_message": {
        "id": "5",
        "channel_id": str(CHANNEL),
        "author": user(ME, "bot", bot=True),
        "content": "earlier",
        "timestamp": "2026-11-21T20:30:00+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
    },
}


def test_a_direct_message_is_read_as_it_was_written() -> None:
    inbound = read_message(message("Hello *there* <b>"), DIRECT, ACCOUNT)
    assert inbound is not None
    assert inbound.key == SessionKey("discord", "me", str(CHANNEL))
    assert (inbound.update_id, inbound.reply_to) == (str(MESSAGE), str(MESSAGE))
    assert (inbound.text, inbound.author) == ("Hello *there* <b>", "Ann")
    assert inbound.sent_at == discord.utils.snowflake_time(MESSAGE).timestamp()


@pytest.mark.parametrize(
    "said, text",
    [
        (message(f"<@{ME}> hello", mentions=[user(ME, "bot")]), "hello"),
        (message(f"<@!{ME}>, hello", mentions=[user(ME, "bot")]), "hello"),
        (message(f"<@&{MY_ROLE}> hello", mention_roles=[str(MY_ROLE)]), "hello"),
        (message(f"ask <@{ME}>", mentions=[user(ME, "bot", global_name="Bot")]), "ask @Bot"),
        (message("hello", **REPLY_TO_ME), "hello"),
        (message("/stop"), "/stop"),
        (message("/queue and this"), "/queue and this"),
        (message(f"<@{ME}> /stop", mentions=[user(ME, "bot")]), "/stop"),
    ],
    ids=["mention", "old mention", "role", "mention within", "reply", "command", "command with text", "both"],
)
def test_in_a_group_a_mention_a_reply_or_a_command_is_for_us(said: discord.Message, text: str) -> None:
    inbound = read_message(said, KITCHEN, ACCOUNT)
    assert inbound is not None
    assert inbound.text == text


@pytest.mark.parametrize(
    "said",
    [
        message("lunch?"),
        message("@everyone lunch?", mention_everyone=True),
        message(f"<@{BOB}> lunch?", mentions=[user(BOB, "bob")]),
        message("<@&77> lunch?", mention_roles=["77"]),
        message("/roll 2d6"),
        message("and/or"),
    ],
    ids=["words", "everyone", "another", "another role", "another bot's command", "a slash"],
)
def test_in_a_group_nothing_else_is_unless_it_listens_to_all(said: discord.Message) -> None:
    assert read_message(said, KITCHEN, ACCOUNT) is None
    assert read_message(said, KITCHEN, Account("me", ME, Listening.ALL)) is not None


@pytest.mark.parametrize(
    "said",
    [
        message("hi", user(ME, "bot", bot=True)),
        message("hi", user(BOB, "other", bot=True)),
        message("Bob joined", type=7),
    ],
    ids=["own", "another bot", "a system message"],
)
def test_what_no_person_wrote_is_not_heard(said: discord.Message) -> None:
    assert read_message(said, DIRECT, ACCOUNT) is None


def test_other_bots_are_heard_where_that_is_wanted_and_we_never_are() -> None:
    listening = Account("me", ME, bots=True)
    assert read_message(message("hi", user(BOB, "other", bot=True)), DIRECT, listening) is not None
    assert read_message(message("hi", user(ME, "bot", bot=True)), DIRECT, listening) is None


def test_threads_and_people_are_told_apart() -> None:
    thread = Spot(THREAD, CHANNEL)
    each = Account("me", ME, Listening.ALL, SessionsPer.USER)
    assert thread.key(ACCOUNT, ANN) == SessionKey("discord", "me", str(CHANNEL), str(THREAD))
    assert KITCHEN.key(each, ANN) != KITCHEN.key(each, BOB)
    assert thread.key(each, ANN) != KITCHEN.key(each, ANN)
    assert DIRECT.key(each, ANN) == SessionKey("discord", "me", str(CHANNEL))


def test_people_are_called_by_their_names() -> None:
    inbound = read_message(message(f"ask <@{BOB}>", mentions=[user(BOB, "bob", global_name="Bob")]), DIRECT, ACCOUNT)
    assert inbound is not None
    assert inbound.text == "ask @Bob"


def test_files_are_told_of_by_their_address() -> None:
    file = {
        "id": "8",
        "filename": "note.txt",
        "size": 8,
        "url": "https://cdn.example/note.txt?ex=1",
        "proxy_url": "https://media.example/note.txt",
        "content_type": "text/plain; charset=utf-8",
    }
    inbound = read_message(message("", attachments=[file]), DIRECT, ACCOUNT)
    assert inbound is not None
    assert inbound.attachments == (Attachment("https://cdn.example/note.txt?ex=1", "text/plain", 8, "note.txt"),)


def test_what_is_passed_on_from_elsewhere_is_read_with_it() -> None:
    passed_on = {"message": {"content": "from there", "attachments": [], "embeds": [], "type": 0, "flags": 0}}
    passed_on["message"] |= {"timestamp": "2026-11-21T20:30:00+00:00", "edited_timestamp": None, "components": []}
    reference = {"type": 1, "message_id": "5", "channel_id": "6"}
    said = message("", message_snapshots=[passed_on], message_reference=reference)
    inbound = read_message(said, DIRECT, ACCOUNT)
    assert inbound is not None
    assert inbound.text == "from there"


def test_an_edit_names_its_message_and_a_preview_is_none() -> None:
    edited = message("hello, corrected", edited_timestamp="2026-11-21T20:40:00.250000+00:00")
    inbound = read_edit(edited, DIRECT, ACCOUNT)
    assert inbound is not None
    assert (inbound.change, inbound.reply_to, inbound.text) == (Change.EDIT, str(MESSAGE), "hello, corrected")
    assert inbound.update_id == f"{MESSAGE}-1795293600250"
    assert read_edit(message("hello"), DIRECT, ACCOUNT) is None


def test_a_deletion_names_its_message() -> None:
    key = SessionKey("discord", "me", "70")
    inbound = read_deletion(key, MESSAGE)
    assert (inbound.change, inbound.reply_to, inbound.update_id) == (Change.DELETE, str(MESSAGE), f"{MESSAGE}-deleted")


def test_a_nonce_fits_and_is_always_the_same() -> None:
    assert nonce_of("store-1.1.answer-0") == nonce_of("store-1.1.answer-0")
    assert len({nonce_of(f"store-1.1.answer-{part}") for part in range(100)}) == 100
    assert {len(nonce_of(key)) for key in ("", "a-b", "x" * 300, "\udcff-1")} == {25}
    assert store_of(nonce_of("a-1")) == store_of(nonce_of("a-2")) != store_of(nonce_of("b-1"))


def test_a_message_is_posted_under_its_nonce_and_pings_no_crowd() -> None:
    key = SessionKey("discord", "me", "70")
    body = write_message(Outgoing(key, "store-1.1.answer-0", "Hello @everyone", reply_to="5"))
    assert (body["nonce"], body["enforce_nonce"]) == (nonce_of("store-1.1.answer-0"), True)
    assert body["allowed_mentions"]["parse"] == ["users"]
    assert body["message_reference"] == {"message_id": "5", "fail_if_not_exists": False}
    assert "message_reference" not in write_message(Outgoing(key, "store-1.1.answer-0", "Hello"))


def test_an_edit_says_all_that_the_message_is_to_be() -> None:
    assert {name: write_edit("x", None)[name] for name in ("content", "components", "embeds")} == {
        "content": "x",
        "components": [],
        "embeds": [],
    }


def pressed(body: dict[str, Any], number: int) -> discord.Message:
    rows = [{**row, "components": [{**each, "id": 1} for each in row["components"]]} for row in body["components"]]
    return message(body["content"], user(ME, "bot", bot=True), components=rows)


@pytest.mark.parametrize("count", [1, 2, 5, 6, 25])
def test_choices_are_buttons_and_a_press_says_which(count: int) -> None:
    texts = tuple(f"choice {number}" for number in range(count))
    body = write_edit("Which?", Choices("1.1.answer", texts))
    buttons = [button for row in body["components"] for button in row["components"]]
    assert [button["label"] for button in buttons] == list(texts)
    assert max(len(body["components"]), *(len(row["components"]) for row in body["components"])) <= 5
    key = SessionKey("discord", "me", "70")
    press = read_press(33, buttons[-1]["custom_id"], key, "Ann", pressed(body, count - 1))
    assert press is not None
    assert (press.text, press.answers, press.update_id, press.author) == (texts[-1], "1.1.answer", "press-33", "Ann")


@pytest.mark.parametrize(
    "texts",
    [("x" * (LABEL_MAX + 1), "y"), tuple(f"{number}" for number in range(26)), ("same", "same"), (" ", "y")],
    ids=["long", "many", "same", "blank"],
)
def test_choices_that_no_buttons_can_show_are_listed(texts: tuple[str, ...]) -> None:
    body = write_edit("Which?", Choices("1.1.answer", texts))
    assert body["components"] == []
    assert all(f"{number}. {text}" in body["embeds"][0]["description"] for number, text in enumerate(texts, 1))


@pytest.mark.parametrize("custom_id", ["g:0", "g:x:1.1.answer", "other:0:1", "g:7:1.1.answer", ""])
def test_a_button_that_is_not_ours_says_nothing(custom_id: str) -> None:
    body = write_edit("Which?", Choices("1.1.answer", ("yes", "no")))
    assert read_press(33, custom_id, SessionKey("discord", "me", "70"), "Ann", pressed(body, 0)) is None
