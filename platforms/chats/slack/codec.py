"""What crosses Slack's wire, as pure functions: events and presses in, what to post and to change out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.commands import Words, read_text
from greenroom.actors.model import Attachment, Change, DeliveryClass, Inbound, SessionKey
from greenroom.actors.ports import Choices, Outgoing
from greenroom.actors.session_key import InvalidKeyError
from greenroom.platforms.chats.addressing import Listening, SessionsPer, Spoken, is_addressed, place, where
from greenroom.platforms.chats.slack.blocks import asked_in, layout
from greenroom.platforms.chats.slack.markup import escape, readable, users_in
from greenroom.platforms.chats.slack.mrkdwn import as_mrkdwn
from greenroom.platforms.chats.slack.shares import File, Forward, files_of, is_forward, quote

T = TypeVar("T")

NAME = "slack"
SAID = {None, "file_share", "me_message", "thread_broadcast"}
"""Subtypes of what a person writes. All others (somebody joined, a topic was set) are for nobody."""

METADATA_TYPE = "greenroom_delivery"


class UnreadableError(ValueError):
    """Slack told something that is not what its documentation says. It will be no better when it comes again."""


class Me(Struct, frozen=True):
    """Our own identity, as `auth.test` tells it."""

    user: str
    bot: str | None
    name: str


class Rules(Struct, frozen=True):
    """What the operator wants of one account."""

    account: str
    listening: Listening = Listening.ADDRESSED
    sessions_per: SessionsPer = SessionsPer.CHAT
    open_threads: bool = False  # what is said in a channel, and not in a thread, is answered in one of its own
    bots: bool = False  # other bots are heard like persons
    delivery: DeliveryClass = DeliveryClass.EDIT_ANCHOR
    markdown: bool = True  # what an agent writes is Markdown; else it is only escaped


class _Message(Struct, frozen=True):
    """A message event, or a message within one: the fields that we read."""

    type: str = ""
    subtype: str | None = None
    channel: str = ""
    channel_type: str | None = None
    user: str | None = None
    bot_id: str | None = None
    text: str | None = None
    ts: str = ""
    thread_ts: str | None = None
    parent_user_id: str | None = None
    files: tuple[File, ...] | None = None
    attachments: tuple[dict[str, Any], ...] | None = None
    deleted_ts: str | None = None
    message: _Message | None = None
    previous_message: _Message | None = None


class Told(Struct, frozen=True):
    """What a person did, in Slack's words: not yet readable, and perhaps not for us."""

    update_id: str
    channel: str
    ts: str  # of the message that is meant
    user: str
    text: str
    direct: bool
    thread: str | None = None
    parent: str | None = None  # who began the thread, if Slack says so
    forwarded: str = ""  # what others said: a mention there addresses nobody
    files: tuple[File, ...] = ()
    change: Change | None = None
    before: str | None = None  # what it said before the change
    answers: str | None = None  # it is a press: the question's key
    ordered: bool = False  # by a slash command, which is no message: it has no `ts`


def read_payload(kind: str, payload: Mapping[str, Any], me: Me, rules: Rules) -> Told | None:
    """Read a payload; None for what no person did, and for kinds that we do not know. Raises UnreadableError."""
    told: Told | None = None
    match kind:
        case "events_api":
            told = read_event(_part(payload, "event"), me, bots=rules.bots)
        case "interactive":
            told = read_press(payload)
        case "slash_commands":
            told = read_slash_command(payload)
    if told is not None:
        try:
            session_of(told, rules)
        except InvalidKeyError as wrong:
            raise UnreadableError(f"it was said nowhere: {wrong}") from None
    return told


def _part(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Look into a payload. Raises UnreadableError."""
    part = payload.get(name) or {}
    if not isinstance(part, Mapping):
        raise UnreadableError(f"{name} is {type(part).__name__}, and no object")
    return part


def read_event(event: Mapping[str, Any], me: Me, *, bots: bool) -> Told | None:
    """Read the `event` of a callback; None for what no person said, or we said ourselves. Raises UnreadableError.

    A message is named by where and when it was said, not by the event's id: see docs/decisions.
    """
    if event.get("type") not in ("message", "app_mention"):  # Whatever it is: a list is in no set.
        return None
    found = _convert(event, _Message, f"a {event['type']} event")
    if not found.channel:
        raise UnreadableError("a message without a channel")
    if found.subtype in SAID or (found.subtype == "bot_message" and bots):
        return _read_said(found, found, me, bots=bots)
    if found.subtype == "message_changed" and found.message is not None:
        return _read_changed(found, found.message, me, bots=bots)
    if found.subtype == "message_deleted" and found.deleted_ts and found.previous_message is not None:
        return _removed(found, found.previous_message, me, bots=bots)
    return None


def _convert(told: Mapping[str, Any], kind: type[T], what: str) -> T:
    try:
        return msgspec.convert(told, kind)
    except (msgspec.ValidationError, UnicodeError) as wrong:  # UnicodeError: half a character stands in a name.
        raise UnreadableError(f"{what}: {wrong}") from None


def _read_said(event: _Message, said: _Message, me: Me, *, bots: bool) -> Told | None:
    speaker = said.user or said.bot_id
    if speaker is None or not said.ts or me.user == said.user or (said.bot_id is not None and said.bot_id == me.bot):
        return None
    if said.bot_id is not None and not bots:
        return None
    forwards = _forwards_in(said)
    return Told(
        update_id=f"{event.channel}/{said.ts}",
        channel=event.channel,
        ts=said.ts,
        user=speaker,
        text=said.text or "",
        direct=event.channel_type == "im" or event.channel.startswith("D"),
        thread=said.thread_ts if said.thread_ts != said.ts else None,  # What began a thread is not in it.
        parent=said.parent_user_id,
        forwarded=quote(forwards),
        files=files_of(said.files, forwards),
    )


def _forwards_in(said: _Message) -> tuple[Forward, ...]:
    return tuple(_convert(each, Forward, "what was forwarded") for each in said.attachments or () if is_forward(each))


def _words(said: _Message) -> tuple[str | None, str]:
    return said.text, quote(_forwards_in(said))


def _read_changed(event: _Message, now: _Message, me: Me, *, bots: bool) -> Told | None:
    """Slack also tells of a change when a link was unfolded or somebody answered in a thread: then no text changed."""
    before = event.previous_message
    if now.subtype == "tombstone" and before is not None:
        return _removed(event, before, me, bots=bots)
    if before is not None and _words(before) == _words(now):
        return None
    told = _read_said(event, now, me, bots=bots)
    if told is None:
        return None
    was = None if before is None else before.text or ""
    return replace(told, update_id=f"{told.update_id}/edit/{event.ts}", change=Change.EDIT, before=was)


def _removed(event: _Message, before: _Message, me: Me, *, bots: bool) -> Told | None:
    told = _read_said(event, replace(before, ts=event.deleted_ts or before.ts), me, bots=bots)
    if told is None:
        return None
    return replace(
        told,
        update_id=f"{told.update_id}/delete",
        change=Change.DELETE,
        before=told.text,
        text="",
        forwarded="",
        files=(),
    )


class _User(Struct, frozen=True):
    id: str


class _Container(Struct, frozen=True):
    channel_id: str
    message_ts: str
    thread_ts: str | None = None


class _Action(Struct, frozen=True):
    block_id: str
    action_ts: str
    value: str = ""


class _Pressed(Struct, frozen=True):
    user: _User
    container: _Container
    actions: tuple[_Action, ...]
    message: _Message = _Message()


def read_press(payload: Mapping[str, Any]) -> Told | None:
    """Read an interactive payload; None if it is no press of a button of ours. Raises UnreadableError."""
    if payload.get("type") != "block_actions" or _part(payload, "container").get("type") != "message":
        return None
    pressed = _convert(payload, _Pressed, "a block_actions payload")
    question = asked_in(pressed.actions[0].block_id) if pressed.actions else None
    if question is None:
        return None
    action, place_of = pressed.actions[0], pressed.container
    return Told(
        update_id=f"{place_of.channel_id}/{place_of.message_ts}/press/{action.action_ts}",
        channel=place_of.channel_id,
        ts=action.action_ts,
        user=pressed.user.id,
        text=escape(action.value),
        direct=place_of.channel_id.startswith("D"),
        thread=place_of.thread_ts or pressed.message.thread_ts,
        answers=question,
    )


class _Ordered(Struct, frozen=True):
    command: str
    channel_id: str
    user_id: str
    trigger_id: str
    text: str = ""


def read_slash_command(payload: Mapping[str, Any]) -> Told:
    """Read a slash command that the app registered: one of our orders, or a word of its own before one.

    Raises UnreadableError.
    """
    given = _convert(payload, _Ordered, "a slash command")
    return Told(
        update_id=f"{given.channel_id}/command/{given.trigger_id}",
        channel=given.channel_id,
        ts="",
        user=given.user_id,
        text=next(filter(_is_order, (f"{given.command} {given.text}".strip(), f"/{given.text}")), given.text),
        direct=given.channel_id.startswith("D"),
        ordered=True,
    )


def _is_order(text: str) -> bool:
    return read_text(text) != Words(text)


def mentions(text: str, me: Me) -> bool:
    """Whether a text names us."""
    return me.user in users_in(text)


def named_in(told: Told) -> frozenset[str]:
    """Find the users that it mentions, also in what was forwarded."""
    return users_in(told.text) | users_in(told.forwarded)


def hangs_on_thread(told: Told, rules: Rules, me: Me) -> bool:
    """Whether it is for us only if we take part in its thread."""
    if told.thread is None or told.direct or told.answers is not None or rules.listening is Listening.ALL:
        return False
    return told.parent != me.user and not mentions(told.text, me) and not mentions(told.before or "", me)


def for_us(told: Told, rules: Rules, me: Me, *, follows: bool) -> Told | None:
    """Leave out what is not for us. `follows`: we take part in its thread.

    An edit by which a message becomes one for us makes it a message: nothing was heard of it before.
    """
    if told.answers is not None or told.ordered:
        return told
    now, was = (_is_heard(told, text, rules, me, follows=follows) for text in (told.text, told.before))
    if told.change is None:
        return told if now else None
    if was:
        return told
    return (
        replace(told, change=None, update_id=f"{told.channel}/{told.ts}")
        if now and told.change is Change.EDIT
        else None
    )


def _is_heard(told: Told, text: str | None, rules: Rules, me: Me, *, follows: bool) -> bool:
    replies = follows or (told.parent is not None and told.parent == me.user)
    spoken = Spoken(direct=told.direct, mentions_me=mentions(text or "", me), replies_to_me=replies)
    return is_addressed(spoken, rules.listening)


def session_of(told: Told, rules: Rules) -> SessionKey:
    """Name the conversation that it belongs to."""
    opens = rules.open_threads and not told.direct and not told.ordered
    return place(
        platform=NAME,
        account=rules.account,
        chat=told.channel,
        thread=told.thread or (told.ts if opens else None),
        user=told.user,
        per=rules.sessions_per,
        direct=told.direct,
    )


def to_inbound(
    told: Told,
    rules: Rules,
    me: Me,
    *,
    names: Mapping[str, str],
    attachments: Sequence[Attachment] = (),
    remarks: Sequence[str] = (),
) -> Inbound:
    """Make the inbound of what is for us. `names` are of the speaker, and of `named_in`.

    `remarks` of our own come below the text.
    """
    said = "\n".join(filter(None, (told.text, told.forwarded)))
    text = readable(said, {**names, me.user: me.name}, me=me.user)
    return Inbound(
        session_of(told, rules),
        told.update_id,
        "\n".join(filter(None, (text, *remarks))),
        author=names.get(told.user, told.user),
        sent_at=read_time(told.ts),
        reply_to=None if told.answers or told.ordered else told.ts,
        attachments=tuple(attachments),
        answers=told.answers,
        change=told.change,
    )


def read_time(ts: str) -> float | None:
    """Read Slack's name of a message as the time that it is, in UTC epoch seconds."""
    try:
        at = float(ts)
    except ValueError:
        return None
    return at if isfinite(at) else None


def look(text: str, choices: Choices | None, rules: Rules) -> dict[str, Any]:
    """What a message is to show, as it is posted and as it is changed."""
    return layout(text, choices, as_mrkdwn if rules.markdown else escape)


def post_body(message: Outgoing, rules: Rules) -> dict[str, Any]:
    """What `chat.postMessage` is told. Under RECONCILE the message carries its key, where history shows it."""
    at = where(message.session)
    body: dict[str, Any] = {"channel": at.chat, **look(message.text, message.choices, rules)}
    body |= {"thread_ts": at.thread} if at.thread is not None else {}
    if rules.delivery is DeliveryClass.RECONCILE:
        body["metadata"] = {"event_type": METADATA_TYPE, "event_payload": {"key": message.key}}
    return body


def has_key(line: Mapping[str, Any], key: str, me: Me) -> bool:
    """Whether a message of the history is the one that we posted under this key."""
    metadata = line.get("metadata") or {}
    return line.get("user") == me.user and (metadata.get("event_payload") or {}).get("key") == key
