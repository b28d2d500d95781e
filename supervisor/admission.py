"""Whether an inbound may come in: allowed chats, sizes, characters, floods. Pure; the caller passes the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from types import NoneType

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.commands import Command
from greenroom.actors.model import Attachment, Change, Inbound, SessionKey
from greenroom.supervisor.policy import PastedSecrets, Policy
from greenroom.supervisor.redacting import redact

UPDATE_ID_MAX = 255
"""Longest id of an inbound, in characters."""

REPLY_TO_MAX = 2_048
"""Longest id of a message that another one names: in reply to it, as a change of it, or of the question it answers."""

AT_MAX = 253_402_300_800.0
"""The end of the year 9999: no platform's time is later, and no calendar has more."""

WHERE_MAX = 2_048
"""Longest path or URL of an attachment, in characters."""

KEPT_CONTROLS = frozenset("\n\t")

_KINDS: Mapping[str, tuple[type, ...]] = {
    "key": (SessionKey,),
    "update_id": (str,),
    "text": (str,),
    "author": (str, NoneType),
    "sent_at": (float, int, NoneType),
    "reply_to": (str, NoneType),
    "attachments": (tuple, list),
    "answers": (str, NoneType),
}
_KINDS_OF_ATTACHMENTS: Mapping[str, tuple[type, ...]] = {
    "where": (str,),
    "media_type": (str,),
    "size": (int, float, NoneType),
    "name": (str, NoneType),
}
"""What hosts and platforms may hand over; they are code of others, and nobody checks their types."""


class Bucket(Struct, frozen=True):
    """What is left of a flood allowance, so many messages at a time."""

    tokens: float
    at: float  # monotonic seconds


class Pace(Struct, frozen=True):
    """A flood allowance: so many messages at once, and so many a second after that."""

    burst: int
    per_s: float


class Buckets(Struct, frozen=True):
    """What is left to the chat that writes, and to all chats together. None: nobody has written lately."""

    chat: Bucket | None = None
    all: Bucket | None = None


class Admit(Struct, frozen=True):
    """Let it in, as it is here: control characters and broken surrogates are gone."""

    inbound: Inbound
    left: Buckets


class Order(Struct, frozen=True):
    """Let it in: whoever runs the service ordered it."""

    inbound: Inbound


class TurnAway(Struct, frozen=True):
    """Never let it in. `words` are for the sender's platform; `counted` says whether it is a chat not allowed."""

    words: str
    counted: bool = False


class Postpone(Struct, frozen=True):
    """Not now: the platform must send it again."""

    words: str
    retry_after_s: float


def judge(inbound: Inbound, policy: Policy) -> Inbound | TurnAway:
    """Decide about the message itself, and give it as it is stored. The host's `allow` is asked, and may take long."""
    if (refused := judge_kinds(inbound)) is not None:
        return TurnAway(refused)
    if not policy.allows(inbound.key):
        return TurnAway("this chat is not allowed here; its operator can add it to policy.allow", counted=True)
    if not 1 <= len(inbound.update_id) <= UPDATE_ID_MAX or not inbound.update_id.isprintable():
        return TurnAway(f"the message's id must be 1 to {UPDATE_ID_MAX} printable characters")
    text = clean(inbound.text)
    if (refused := judge_attachments(inbound.attachments, policy)) is not None:
        return TurnAway(refused)
    if (refused := _judge_names(inbound)) is not None:
        return TurnAway(refused)
    if not text.strip() and not inbound.attachments and inbound.change is not Change.DELETE:
        return TurnAway("the message is empty; write some text")
    if len(text) > policy.text_max:
        return TurnAway(
            f"the message has {len(text):,} characters, the limit is {policy.text_max:,}; send less, or parts"
        )
    if policy.pasted_secrets is PastedSecrets.REDACT:
        text = redact(text)
    return replace(
        inbound,
        text=text,
        author=clean_author(inbound.author),
        sent_at=read_moment(inbound.sent_at),
        reply_to=None if inbound.reply_to is None else clean(inbound.reply_to),
        answers=None if inbound.answers is None else clean(inbound.answers),
        attachments=tuple(_clean_attachment(each) for each in inbound.attachments),
    )


def admit(judged: Inbound, policy: Policy, left: Buckets, now: float) -> Admit | Postpone:
    """Decide about what may come in, by what was left before. `now` is in monotonic seconds."""
    took = _take_one(policy, left, now)
    return took if isinstance(took, Postpone) else Admit(judged, took)


def admit_order(inbound: Inbound, policy: Policy) -> Order | TurnAway:
    """Decide about an order of whoever runs the service: no flood is held against it."""
    if (refused := judge_kinds(inbound)) is not None:
        return TurnAway(refused)
    if not policy.allows(inbound.key):
        return TurnAway("this chat is not allowed here; policy.allow names those that are")
    if not 1 <= len(inbound.update_id) <= UPDATE_ID_MAX or not inbound.update_id.isprintable():
        return TurnAway(f"the order's id must be printable, and no longer than {UPDATE_ID_MAX // 2} characters")
    text = clean(inbound.text)
    if inbound.ordered is Command.SEND and not text.strip():
        return TurnAway("there is nothing to send; write some text")
    if len(text) > policy.text_max:
        return TurnAway(f"the text has {len(text):,} characters, the limit is {policy.text_max:,}; send less, or parts")
    return Order(replace(inbound, text=text))


def judge_kinds(inbound: object) -> str | None:
    """Say what was handed over that is of no type that it may have; None if nothing."""
    if not isinstance(inbound, Inbound):
        return f"what is taken is an Inbound, not {type(inbound).__name__}"
    for name, kinds in _KINDS.items():
        if not isinstance(value := getattr(inbound, name), kinds):
            return _say_kind(name, kinds, value)
    attachments: Sequence[object] = inbound.attachments
    for each in attachments:
        if not isinstance(each, Attachment):
            return _say_kind("each of attachments", (Attachment,), each)
        for name, kinds in _KINDS_OF_ATTACHMENTS.items():
            if not isinstance(value := getattr(each, name), kinds):
                return _say_kind(f"an attachment's {name}", kinds, value)
    return None


def _say_kind(name: str, kinds: tuple[type, ...], value: object) -> str:
    wanted = " or ".join("None" if kind is NoneType else kind.__name__ for kind in kinds)
    return f"{name} must be {wanted}, not {type(value).__name__}"


def _judge_names(inbound: Inbound) -> str | None:
    """Say why what an inbound says of other messages cannot come in; None if it can."""
    if inbound.change is not None and not inbound.reply_to:
        return "a change names the message that it changes, in reply_to"
    for name, said in (("reply_to", inbound.reply_to), ("answers", inbound.answers)):
        if said is not None and len(said) > REPLY_TO_MAX:
            return f"{name} has {len(said):,} characters, the limit is {REPLY_TO_MAX:,}"
    return None


def judge_attachments(attachments: tuple[Attachment, ...], policy: Policy) -> str | None:
    """Say why these cannot come in; None if they can."""
    if len(attachments) > policy.attachments_max:
        limit = f"the limit is {policy.attachments_max:,} (policy.attachments_max)"
        return f"the message has {len(attachments):,} attachments, {limit}; send fewer"
    for each in attachments:
        if not 1 <= len(each.where) <= WHERE_MAX or not each.where.isprintable():
            return f"an attachment's path or URL must be 1 to {WHERE_MAX:,} printable characters"
        if not 1 <= len(each.media_type) <= UPDATE_ID_MAX or not each.media_type.isprintable():
            return f"an attachment's media type must be 1 to {UPDATE_ID_MAX} printable characters, such as image/png"
        if each.size is not None and not 0 <= each.size <= policy.attachment_bytes_max:
            limit = f"the limit is {policy.attachment_bytes_max:,} (policy.attachment_bytes_max)"
            return f"an attachment has {each.size:,} bytes, {limit}; send a smaller one"
    return None


def clean_author(author: str | None) -> str | None:
    """Cut a name to what can be kept."""
    return None if author is None else clean(author)[:UPDATE_ID_MAX]


def read_moment(at: float | None) -> float | None:
    """Take a time that a calendar has; what a platform says beyond that is no time, and costs nobody the message.

    >>> read_moment(1.5), read_moment(float("nan")), read_moment(10**400)
    (1.5, None, None)
    """
    return float(at) if at is not None and abs(at) < AT_MAX and isfinite(at) else None


def _clean_attachment(attachment: Attachment) -> Attachment:
    name = None if attachment.name is None else clean(attachment.name)[:UPDATE_ID_MAX]
    return attachment if name == attachment.name else replace(attachment, name=name)


def _take_one(policy: Policy, left: Buckets, now: float) -> Buckets | Postpone:
    chat, everybody = Pace(policy.chat_burst, policy.chat_rate_per_s), Pace(policy.burst, policy.rate_per_s)
    own, shared = refill(left.chat, chat, now), refill(left.all, everybody, now)
    if own.tokens < 1.0:
        return _postpone("from this chat", chat, own)
    if shared.tokens < 1.0:  # It costs its chat nothing.
        return _postpone("from all chats together", everybody, shared)
    return Buckets(Bucket(own.tokens - 1.0, now), Bucket(shared.tokens - 1.0, now))


def _postpone(whence: str, pace: Pace, bucket: Bucket) -> Postpone:
    wait_s = (1.0 - bucket.tokens) / pace.per_s
    allowed = f"{pace.burst:,} at once, then {pace.per_s:g} a second"
    return Postpone(
        f"too many messages at once {whence} ({allowed}); nothing is lost, try again in {wait_s:.1f} s", wait_s
    )


def refill(bucket: Bucket | None, pace: Pace, now: float) -> Bucket:
    """Say what an allowance is now."""
    if bucket is None:
        return Bucket(float(pace.burst), now)
    gained = max(0.0, now - bucket.at) * pace.per_s
    return Bucket(min(float(pace.burst), bucket.tokens + gained), now)


def clean(text: str) -> str:
    r"""Drop what is no text: control characters but newline and tab, and halves of surrogate pairs.

    >>> clean("a" + chr(0) + chr(13) + chr(10) + "b")
    'a\nb'
    """
    if text.isprintable():
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(char for char in whole if char >= " " or char in KEPT_CONTROLS).replace("\x7f", "")
