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
    """What is left of a chat's flood allowance. Filled at `chat_rate_per_s`, up to `chat_burst`."""

    tokens: float
    at: float  # monotonic seconds


class Admit(Struct, frozen=True):
    """Let it in, as it is here: control characters and broken surrogates are gone."""

    inbound: Inbound
    bucket: Bucket


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


def admit(inbound: Inbound, policy: Policy, bucket: Bucket | None, now: float) -> Admit | TurnAway | Postpone:
    """Decide. `bucket` is what the chat had left, None for a chat that has not written lately."""
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
    filled = refill(bucket, policy, now)
    if filled.tokens < 1.0:
        wait_s = (1.0 - filled.tokens) / policy.chat_rate_per_s
        return Postpone(
            f"too many messages at once from this chat ({policy.chat_burst} at once, then {policy.chat_rate_per_s:g} a "
            f"second); nothing is lost, try again in {wait_s:.1f} s",
            wait_s,
        )
    author = clean(inbound.author)[:UPDATE_ID_MAX] if inbound.author is not None else None
    reply_to = clean(inbound.reply_to) if inbound.reply_to is not None else None
    attached = tuple(_clean_attachment(each) for each in inbound.attachments)
    if (text, author, reply_to, attached) != (inbound.text, inbound.author, inbound.reply_to, inbound.attachments):
        inbound = replace(inbound, text=text, author=author, reply_to=reply_to, attachments=attached)
    return Admit(inbound, Bucket(filled.tokens - 1.0, now))


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


def refill(bucket: Bucket | None, policy: Policy, now: float) -> Bucket:
    """Say what a chat's allowance is now."""
    if bucket is None:
        return Bucket(float(policy.chat_burst), now)
    gained = max(0.0, now - bucket.at) * policy.chat_rate_per_s
    return Bucket(min(float(policy.chat_burst), bucket.tokens + gained), now)


def clean(text: str) -> str:
    r"""Drop what is no text: control characters but newline and tab, and halves of surrogate pairs.

    >>> clean("a" + chr(0) + chr(13) + chr(10) + "b")
    'a\nb'
    """
    if text.isprintable():
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(char for char in whole if char >= " " or char in KEPT_CONTROLS).replace("\x7f", "")
