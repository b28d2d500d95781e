"""What reads the wires of chats: rows of the table in codecs.py."""

import json
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import discord
import msgspec
from telegram import Update
from tests.fuzz.codec import Codec, fits, js, library, posted

from greenroom.actors.model import SessionKey
from greenroom.platforms.chats.discord import codec as discord_codec
from greenroom.platforms.chats.matrix import codec as matrix_codec
from greenroom.platforms.chats.matrix.events import Edited, Removed, Said, read_event
from greenroom.platforms.chats.matrix.sync import read_batch
from greenroom.platforms.chats.slack import codec as slack_codec
from greenroom.platforms.chats.slack.hook import read_body
from greenroom.platforms.chats.telegram import codec as telegram_codec
from greenroom.platforms.chats.telegram.hook import parse_update
from greenroom.platforms.chats.web import codec as web_codec
from greenroom.platforms.chats.web.guard import AllowedHosts, from_elsewhere
from greenroom.platforms.chats.webhook import codec as webhook_codec
from greenroom.platforms.chats.webhook.signing import BadSignatureError, sign, verify

ANN = {"id": 7, "is_bot": False, "first_name": "Ann"}
HELLO = {"message_id": 5, "date": 1_700_000_000, "chat": {"id": -7, "type": "supergroup", "title": "t"}, "from": ANN}
NAMED = [{"type": "mention", "offset": 0, "length": 7}, {"type": "bot_command", "offset": 0, "length": 5}]
PHOTO = [{"file_id": "f", "file_unique_id": "u", "width": 1, "height": 1, "file_size": 5}]
KEYS = {"inline_keyboard": [[{"text": "yes", "callback_data": "0:q"}]]}
TELEGRAM = js(
    {"update_id": 9, "message": {**HELLO, "text": "@my_bot hi", "entities": NAMED}},
    {"update_id": 9, "edited_message": {**HELLO, "caption": "/stop@my_bot", "photo": PHOTO, "caption_entities": NAMED}},
    {"update_id": 9, "message": {**HELLO, "migrate_to_chat_id": -8, "is_topic_message": True, "message_thread_id": 3}},
    {
        "update_id": 9,
        "callback_query": {
            "id": "1",
            "from": ANN,
            "chat_instance": "c",
            "data": "0:q",
            "message": {**HELLO, "reply_markup": KEYS},
        },
    },
)


def telegram(body: bytes) -> None:
    update: Update = posted(parse_update, body, None)
    telegram_codec.moved(update)
    told = telegram_codec.read_update(update, telegram_codec.Me(1, "my_bot"), telegram_codec.Rules("me"), str)
    fits(None if told is None else told.inbound)
    fits(None if told is None else told.anew)


SLACK_ME = slack_codec.Me("UBOT", "BBOT", "bot")
SAID = {
    "type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "text": "<@UBOT> hi &lt;", "ts": "1.5",
    "thread_ts": "1.2", "parent_user_id": "UBOT", "files": [{"id": "F1", "name": "n", "size": 3, "url_private": "u"}],
    "attachments": [{"is_share": True, "text": "t", "author_name": "a", "files": [{"id": "F2"}]}],
}  # fmt: skip
PRESS = {
    "type": "block_actions", "user": {"id": "U1"}, "actions": [{"block_id": "q.0", "action_ts": "3.1", "value": "yes"}],
    "container": {"type": "message", "channel_id": "C1", "message_ts": "2.1"}, "message": SAID,
}  # fmt: skip
SLACK = js(
    {"type": "event_callback", "event": SAID},
    {"event": {"type": "message", "subtype": "message_changed", "channel": "D1", "ts": "2.0", "message": SAID, "previous_message": SAID}},
    {"event": {"type": "message", "subtype": "message_deleted", "channel": "D1", "deleted_ts": "1.5", "previous_message": SAID}},
)  # fmt: skip
SLACK_FORMS = (
    urlencode({"payload": json.dumps(PRESS)}).encode(),
    urlencode({"command": "/bot", "channel_id": "C1", "user_id": "U1", "trigger_id": "t", "text": "stop"}).encode(),
)


def slack(content_type: str) -> Callable[[bytes], None]:
    rules = slack_codec.Rules("me", open_threads=True, bots=True)

    def read(body: bytes) -> None:
        kind, payload = posted(read_body, body, content_type)
        told = slack_codec.read_payload(kind, payload, SLACK_ME, rules)
        meant = None if told is None else slack_codec.for_us(told, rules, SLACK_ME, follows=True)
        if meant is not None:
            fits(slack_codec.to_inbound(meant, rules, SLACK_ME, names={}))

    return read


MATRIX_ME, ROOM = "@bot:example.org", "!r:example.org"
WORDS = {"msgtype": "m.text", "body": "> <@a:b> x\n\nbot: hi", "m.relates_to": {"m.in_reply_to": {"event_id": "$0"}}}
FILE = {"msgtype": "m.image", "body": "b", "filename": "f", "url": "mxc://a/b", "info": {"mimetype": "a/b", "size": 3}}
EDIT = {"m.new_content": WORDS, "m.relates_to": {"rel_type": "m.replace", "event_id": "$0"}, **FILE}


def at(content: object, kind: str = "m.room.message") -> dict[str, object]:
    return {
        "event_id": "$1", "type": kind, "sender": "@a:b", "content": content, "origin_server_ts": 1500,
        "state_key": "@a:b", "redacts": "$0", "unsigned": {"prev_content": {"membership": "leave"}},
    }  # fmt: skip


EVENTS = [
    at(WORDS), at(FILE), at(EDIT), at({}, "m.room.redaction"), at({"membership": "join"}, "m.room.member"), at({}, "m.room.encrypted"),
]  # fmt: skip
MATRIX = js(
    {
        "next_batch": "n",
        "rooms": {
            "join": {
                ROOM: {"timeline": {"events": EVENTS, "limited": True, "prev_batch": "p"}, "state": {"events": []}}
            },
            "invite": {ROOM: {"invite_state": {"events": EVENTS}}},
        },
    }
)


def matrix(body: bytes) -> None:
    raw = library(json.loads, body)
    batch, room = read_batch(raw), matrix_codec.Room({MATRIX_ME: "Bot", "@a:b": "Ann"})
    key = SessionKey("matrix", "me", ROOM)
    for joined in batch.rooms.join.values():
        for event in (*joined.timeline.events, *joined.state.events):
            match read_event(event, MATRIX_ME):
                case Said() as said:
                    _, said = matrix_codec.addressed(said, MATRIX_ME, room)
                    fits(matrix_codec.said_inbound(said, key, room))
                case Edited() as edit:
                    edit = matrix_codec.edited(edit, MATRIX_ME, room)
                    fits(matrix_codec.edited_inbound(edit, key, room))
                case Removed() as removed:
                    fits(matrix_codec.removed_inbound(removed, key, room))
    for invited in batch.rooms.invite.values():
        invited.by(MATRIX_ME)


STATE = discord.Client(intents=discord.Intents.none())._connection
DISCORD: dict[str, object] = {
    "id": "1573799637100265473", "channel_id": "70", "author": {"id": "7", "username": "ann", "discriminator": "0", "avatar": None},
    "content": "<@9> hi", "timestamp": "2026-11-21T20:37:53+00:00", "edited_timestamp": None, "tts": False, "type": 0, "embeds": [],
    "mention_everyone": False, "mentions": [{"id": "9", "username": "b", "discriminator": "0", "avatar": None}], "mention_roles": ["3"],
    "pinned": False, "message_reference": {"message_id": "5", "channel_id": "70"},
    "attachments": [{"id": "1", "filename": "f", "size": 3, "url": "https://a/b", "proxy_url": "https://a/b", "content_type": "a/b"}],
    "components": [{"type": 1, "components": [{"type": 2, "style": 1, "label": "yes", "custom_id": "0:q"}]}],
}  # fmt: skip


def discord_read(body: bytes) -> None:
    data = library(json.loads, body)
    channel = discord.PartialMessageable(state=STATE, id=70)
    message = library(discord.Message, state=STATE, channel=channel, data=data)
    account, spot = discord_codec.Account("me", 9), discord_codec.Spot(70, my_role=3)
    discord_codec.is_heard(message, account)
    fits(discord_codec.read_message(message, spot, account))
    fits(discord_codec.read_edit(message, spot, account))


def headers_in(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines.decode("latin-1").split("\n"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def signature(wire: bytes) -> str:
    head, _, body = wire.partition(b"\n\n")
    return verify("secret", headers_in(head), body, 1_700_000_000.0)


def signed() -> bytes:
    heads = sign("secret", "r1", 1_700_000_000.0, b"{}")
    return "\n".join(f"{name}: {value}" for name, value in heads.items()).encode() + b"\n\n{}"


def browser(lines: bytes) -> None:
    headers = headers_in(lines)
    from_elsewhere(headers)
    for bound in ("127.0.0.1", "0.0.0.0", "::1"):
        _ = headers.get("host", "") in AllowedHosts(bound, ["chat.example"])


def webhook(body: bytes) -> None:
    said = webhook_codec.parse_said(body)
    fits(webhook_codec.to_inbound("me", said, "r1"))


WEB = js({"id": "1", "text": "hello\r\n", "answers": "q"})
WEBHOOK = js(
    {"chat": "c", "thread": "t", "text": "x", "author": "a", "answers": "q", "attachments": [{"url": "https://a/b", "size": 1}]},
    {"chat": "c", "change": {"kind": "edit", "of": "r0"}},
)  # fmt: skip


HEADERS = (
    b"host: localhost:1\norigin: http://localhost:1\nsec-fetch-site: none",
    b"host: [::1]:5\norigin: https://[::1]:5",
)
FORM = "application/x-www-form-urlencoded"
UNTYPED = (AttributeError, TypeError, ValueError, OverflowError)
"""discord.py puts whatever came into its objects; what cannot be read of them, `listening` leaves out and logs."""

CHATS: Mapping[str, Codec] = {
    "telegram": Codec(telegram, (telegram_codec.UnreadableError,), TELEGRAM),
    "slack": Codec(slack("application/json"), (slack_codec.UnreadableError,), SLACK),
    "slack forms": Codec(slack(FORM), (slack_codec.UnreadableError,), SLACK_FORMS),
    "matrix": Codec(matrix, (msgspec.ValidationError,), MATRIX),
    "discord": Codec(discord_read, UNTYPED, js(DISCORD)),
    "webhook": Codec(webhook, (web_codec.BadMessageError,), WEBHOOK),
    "webhook answers": Codec(webhook_codec.parse_asked, (web_codec.BadMessageError,), js({"chat": "c", "wait_s": 1})),
    "webhook signature": Codec(signature, (BadSignatureError,), (signed(),)),
    "web": Codec(web_codec.parse_said, (web_codec.BadMessageError,), WEB),
    "browser headers": Codec(browser, (), HEADERS),
}
