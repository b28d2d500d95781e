"""Whether an inbound may come in: allowed chats, sizes, characters, floods. Pure; the caller passes the time."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.commands import Command
from greenroom.actors.model import Attachment, Change, Inbound
from greenroom.supervisor.policy import PastedSecrets, Policy
from greenroom.supervisor.redacting import redact

UPDATE_ID_MAX = 255
"""Longest id of an inbound, in characters."""

WHERE_MAX = 2_048
"""Longest path or URL of an attachment, in characters."""

KEPT_CONTROLS = frozenset("\n\t")


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


def admit(inbound: Inbound, policy: Policy, left: Buckets, now: float) -> Admit | TurnAway | Postpone:
    """Decide, by what was left before. `now` is in monotonic seconds."""
    if not policy.allows(inbound.key):
        return TurnAway("this chat is not allowed here; its operator can add it to policy.allow", counted=True)
    if not 1 <= len(inbound.update_id) <= UPDATE_ID_MAX or not inbound.update_id.isprintable():
        return TurnAway(f"the message's id must be 1 to {UPDATE_ID_MAX} printable characters")
    text = clean(inbound.text)
    if (refused := judge_attachments(inbound.attachments, policy)) is not None:
        return TurnAway(refused)
    if inbound.change is not None and not inbound.reply_to:
        return TurnAway("a change names the message that it changes, in reply_to")
    if not text.strip() and not inbound.attachments and inbound.change is not Change.DELETE:
        return TurnAway("the message is empty; write some text")
    if len(text) > policy.text_max:
        return TurnAway(
            f"the message has {len(text):,} characters, the limit is {policy.text_max:,}; send less, or parts"
        )
    if policy.pasted_secrets is PastedSecrets.REDACT:
        text = redact(text)
    took = _take_one(policy, left, now)
    if isinstance(took, Postpone):
        return took
    author = clean(inbound.author)[:UPDATE_ID_MAX] if inbound.author is not None else None
    reply_to = clean(inbound.reply_to) if inbound.reply_to is not None else None
    attached = tuple(_clean_attachment(each) for each in inbound.attachments)
    if (text, author, reply_to, attached) != (inbound.text, inbound.author, inbound.reply_to, inbound.attachments):
        inbound = replace(inbound, text=text, author=author, reply_to=reply_to, attachments=attached)
    return Admit(inbound, took)


def admit_order(inbound: Inbound, policy: Policy) -> Order | TurnAway:
    """Decide about an order of whoever runs the service: no flood is held against it."""
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
