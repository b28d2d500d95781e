"""One delivery on its way: what is known of its messages, and which call it needs next. Pure.

The delivery classes differ in one thing only: how a post is repeated that may have had its effect.
NATIVE_KEY repeats it under the same key. RECONCILE looks first. EDIT_ANCHOR posts nothing but placeholders, and the
words come by edits, which may be repeated. NONE repeats it with a visible mark, and writes down that it will try.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import blake2b
from typing import Self

from msgspec import Struct, structs

from greenroom.actors.calls import Call, Edit, Look, Post
from greenroom.actors.lines import with_choices
from greenroom.actors.model import Delivery, DeliveryClass, DeliveryState, SessionKey
from greenroom.actors.ports import Choices, Outgoing, Traits
from greenroom.actors.splitting import split, split_utf16

REPEAT_MARK = "(may be a repeat) "
"""Stands before a text that may be visible already, where nothing better can be done."""

NOTHING_SAID = "(no words)"
"""Shown for a text of blanks only: platforms take no empty message, and an anchor must not stay a placeholder."""


ALL_PARTS = 1 << 30
"""More parts than any text has."""


class DeliveryPolicy(StrEnum):
    """What the host wants of a platform account."""

    EXACTLY_ONCE = "exactly_once"  # as the platform allows it: by its keys, a placeholder that is edited, a search
    AT_LEAST_ONCE = "at_least_once"  # no placeholder, and no words before all are there; a possible repeat is marked


class OutboxLimits(Struct, frozen=True):
    """The limits of one account. An outage is waited out for `give_up_s`; a call that keeps raising is not."""

    in_flight_max: int = 64
    call_timeout_s: float = 30.0
    backoff_first_s: float = 1.0
    backoff_max_s: float = 900.0
    attempts_max: int = 12  # in a row, without any progress
    give_up_s: float = 86_400.0
    pause_max_s: float = 3_600.0  # longest that a platform's "retry after" is believed


def rule_of(traits: Traits, policy: DeliveryPolicy) -> DeliveryClass:
    """What is done against doubled messages under the host's policy. Who cannot edit has no anchors.

    A platform's own keys cost nobody anything: they are never waived.
    """
    waives = policy is DeliveryPolicy.AT_LEAST_ONCE and traits.delivery is not DeliveryClass.NATIVE_KEY
    cannot = traits.delivery is DeliveryClass.EDIT_ANCHOR and not traits.edits
    return DeliveryClass.NONE if cannot or waives else traits.delivery


class Ways(Struct, frozen=True):
    """How one account delivers, worked out once."""

    rule: DeliveryClass
    text_max: int
    edits: bool
    edit_min_s: float
    placeholder: str
    uid: str  # names the store: two stores never share a key at one platform
    limits: OutboxLimits
    buttons: bool = False
    utf16: bool = False
    late_s: float = 0.0
    edit_min_s_where: tuple[tuple[str, float], ...] = ()
    streams: bool = False  # words are shown before all are there, and a placeholder before any
    waived: DeliveryClass = DeliveryClass.NONE  # what its platform can do, and its host wanted before, perhaps

    @classmethod
    def of(cls, traits: Traits, policy: DeliveryPolicy, uid: str, limits: OutboxLimits) -> Self:
        """Read a platform's traits under the host's policy. Who cannot edit has no streaming."""
        rule, could = rule_of(traits, policy), rule_of(traits, DeliveryPolicy.EXACTLY_ONCE)
        marked = rule is DeliveryClass.NONE
        edits = traits.edits and could is not DeliveryClass.NONE
        return cls(
            rule,
            max(1, traits.text_max - (len(REPEAT_MARK) if marked else 0)),
            edits,
            traits.edit_min_s,
            traits.placeholder,
            uid,
            limits,
            traits.buttons,
            traits.utf16,
            traits.late_s,
            traits.edit_min_s_where,
            edits and policy is DeliveryPolicy.EXACTLY_ONCE,
            could if marked else DeliveryClass.NONE,
        )

    def split(self, text: str) -> tuple[str, ...]:
        """Cut a text as this account takes it."""
        return split_utf16(text, self.text_max) if self.utf16 else split(text, self.text_max)

    def edit_after_s(self, session: SessionKey) -> float:
        """How long streaming waits after an edit in this chat."""
        longer = (after_s for begins, after_s in self.edit_min_s_where if session.chat.startswith(begins))
        return next(longer, self.edit_min_s)


class Entry(Struct, frozen=True):
    """A delivery with what this process knows beyond its row. All but `delivery` may be lost at any moment.

    The current part is number `done`; `says`, `gone`, `doubt` and `looked` are about its message.
    A Struct, not a dataclass: a step makes several, and making frozen dataclasses took a fifth of a turn.
    """

    delivery: Delivery
    parts: tuple[str, ...] | None = None  # None: the text is not known yet
    done: int = 0  # so many parts certainly show their text
    says: str | None = None  # None: not known
    gone: bool = False  # the message was removed; its id is only what the next one replaces
    doubt: bool = False  # a post of this part may have had its effect ...
    doubt_text: str | None = None  # ... and then the message says this; None: not known
    looked: bool = False  # it was looked for since the last doubtful post, and is absent
    tried_upto: int = -1  # parts up to this one may have been posted by a process before this one
    wanted: bool = False  # while there is no text: an anchor is to be posted
    muted: bool = False  # while there is no text: the platform does not want it
    dropped: bool = False  # whoever runs the service gave it up: no call is made for it any more
    live: str | None = None  # words to be shown before the text is known
    edit_from: float = 0.0  # monotonic; streaming waits until then
    not_before: float = 0.0  # monotonic; a retry waits until then
    failures: int = 0  # in a row, of the anchor, while there is no text
    failing_from: float | None = None  # monotonic; when its text first failed, in this process, without success since
    late_until: float = 0.0  # monotonic; a post that was given up, or left by a process before, may come until then
    words_until: float = 0.0  # monotonic; older words may come into the first message until then
    called_at: float = 0.0  # monotonic; when its last call was begun: what it did was done then, at the earliest
    first_at: float = 0.0  # monotonic; when the call was begun that showed the first of several parts
    confirms: bool = False  # all is visible; its first message is edited once more, against words that came late

    @property
    def message_id(self) -> str | None:
        """The current part's message, if it is there."""
        ids = self.delivery.message_ids
        return ids[self.done] if self.done < len(ids) and not self.gone else None

    @property
    def complete(self) -> bool:
        """Whether all of the text is visible."""
        if self.confirms:
            return self.parts is not None and self.says == self.parts[0]
        if self.parts is None or self.done < len(self.parts) - 1:
            return False
        return self.done >= len(self.parts) or self.says == self.parts[self.done]


def take_up(ways: Ways, delivery: Delivery, *, now: float, not_before: float) -> Entry:
    """Make the entry of a row that a process before this one may have worked on, and whose last call may be under way.

    A part's id is stored only when all parts before it are complete. Where its host waived what the platform can do,
    that may have been done before all the same, and the parts may have been cut otherwise: all messages that are known
    are edited from the first one on, or, where that cannot be done, posted again. They are marked, as one may be a
    repeat that was marked before.
    """
    known = len(delivery.message_ids)
    sent = delivery.state in {DeliveryState.SENDING, DeliveryState.UNKNOWN}
    again = ways.waived is not DeliveryClass.NONE and known > 0
    certain = ways.rule is DeliveryClass.NONE and not sent and not again
    tried_upto = -1 if certain else known
    if ways.waived is DeliveryClass.RECONCILE:  # Which wrote nothing down before it posted, in parts of its own.
        tried_upto = ALL_PARTS
    done = 0 if again else max(0, known - 1) if ways.edits else known
    entry = Entry(
        delivery,
        done=done,
        gone=again and not ways.edits,
        doubt=done <= tried_upto,
        tried_upto=tried_upto,
        not_before=not_before,
        late_until=now + ways.late_s,
        words_until=now + ways.late_s,
    )
    return entry if delivery.text is None else fill(ways, entry, delivery.text, delivery.choices)


def fill(ways: Ways, entry: Entry, text: str, choices: tuple[str, ...] = ()) -> Entry:
    """The text is known, and on disk.

    An anchor is edited once more even if its last live words were the same: by that a platform hears that all is said.
    """
    delivery = entry.delivery
    state = DeliveryState.PENDING if delivery.state is DeliveryState.OPEN else delivery.state
    filled = structs.replace(delivery, text=text, state=state, choices=choices)
    return structs.replace(entry, delivery=filled, parts=parts_of(ways, text, choices), says=None, live=None)


def parts_of(ways: Ways, text: str, choices: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The messages that a text becomes, with the choices in it where there are no buttons; at least one."""
    if not ways.buttons:
        text = with_choices(text, choices)
    return ways.split(text) or (NOTHING_SAID[: ways.text_max],)


def _buttons(ways: Ways, entry: Entry) -> Choices | None:
    """What is shown under the current part: the choices, under the last one."""
    delivery = entry.delivery
    if not ways.buttons or not delivery.choices or entry.parts is None or entry.done < len(entry.parts) - 1:
        return None
    return Choices(delivery.key, delivery.choices)


def advance(entry: Entry) -> Entry:
    """Go on to the first part that does not certainly show its text."""
    while entry.parts is not None and not entry.complete and entry.says == entry.parts[entry.done]:
        first_at = entry.called_at if entry.done == 0 else entry.first_at
        done = entry.done + 1
        doubt = done <= entry.tried_upto
        entry = structs.replace(
            entry, done=done, says=None, gone=False, doubt=doubt, doubt_text=None, looked=False, first_at=first_at
        )
    return entry


def confirm(ways: Ways, entry: Entry) -> Entry | None:
    """All is visible; but words of a call that was given up may come over the newer ones, or have come by now.

    Then its first message is edited once more when they cannot come any more. None: nothing came, and nothing can. That
    the newer words are visible is heard late, perhaps by a host that slept; they may be older than what came meanwhile.
    """
    shown_at = entry.called_at if entry.done == 0 else entry.first_at
    if entry.confirms or not ways.edits or not entry.delivery.message_ids or entry.words_until <= shown_at:
        return None
    doubt = entry.tried_upto >= 0
    return structs.replace(entry, confirms=True, done=0, says=None, gone=False, doubt=doubt, failures=0)


def awaits_late(ways: Ways, entry: Entry) -> bool:
    """Whether the entry's next call must come after all that may still come late: it edits against that, or looks."""
    return entry.confirms or (ways.rule is DeliveryClass.RECONCILE and entry.doubt and entry.message_id is None)


def call_at(ways: Ways, entry: Entry) -> float:
    """When an entry with a text makes its next call, on the monotonic clock."""
    if not awaits_late(ways, entry):
        return entry.not_before
    return max(entry.not_before, entry.words_until if entry.confirms else entry.late_until)


def ready_at(ways: Ways, entry: Entry) -> float | None:
    """When the entry has a call to make, on the monotonic clock; None: it has none."""
    if entry.parts is not None:
        return call_at(ways, entry)
    if not ways.streams or entry.muted:
        return None
    if entry.message_id is None:
        return call_at(ways, entry) if entry.wanted or entry.live is not None else None
    return None if entry.live is None else max(entry.not_before, entry.edit_from)


def next_call(ways: Ways, entry: Entry) -> Call | None:
    """The one call that brings the entry forward."""
    session, message_id = entry.delivery.session, entry.message_id
    if entry.parts is not None:
        text = entry.parts[entry.done]
        buttons = _buttons(ways, entry)
        if message_id is None:
            return _post(ways, entry, text, buttons)
        return Edit(session, message_id, _marked(ways, entry, text), choices=buttons)
    if message_id is None:
        return _post(ways, entry, ways.placeholder)
    shown = ways.split(entry.live or "")[-1:]
    return Edit(session, message_id, shown[0], live=True) if shown and shown[0] != entry.says else None


def _post(ways: Ways, entry: Entry, text: str, buttons: Choices | None = None) -> Call:
    if ways.rule is DeliveryClass.EDIT_ANCHOR:
        text, buttons = ways.placeholder, None
    text = _marked(ways, entry, text)
    reply_to = entry.delivery.reply_to if entry.done == 0 else None
    message = Outgoing(entry.delivery.session, outgoing_key(ways.uid, entry), text, reply_to, buttons)
    look = ways.rule is DeliveryClass.RECONCILE and entry.doubt and not entry.looked
    return Look(message) if look else Post(message)


def _marked(ways: Ways, entry: Entry, text: str) -> str:
    return REPEAT_MARK + text if ways.rule is DeliveryClass.NONE and entry.doubt else text


def edited(ways: Ways, entry: Entry, text: str, *, live: bool) -> Entry:
    """The current message was edited, and says this.

    Words that were on their way when the text became known, and are the same, do not tell that all is said.
    """
    says = None if live and entry.parts is not None else text
    if entry.parts is not None and ways.rule is DeliveryClass.NONE:
        says = entry.parts[entry.done]  # With a mark or without.
    delivery = structs.replace(entry.delivery, attempts=0)
    return structs.replace(entry, delivery=delivery, says=says, failing_from=None)


def outgoing_key(uid: str, entry: Entry) -> str:
    """Name the current part to the platform: from the row alone, never random, so that every process says the same.

    What replaces a removed message has a key of its own, or the platform would answer with the removed one.
    """
    key = f"{uid}-{entry.delivery.key}-{entry.done}"
    if not entry.gone:
        return key
    replaced = entry.delivery.message_ids[entry.done]
    return f"{key}-{blake2b(replaced.encode(errors='surrogatepass'), digest_size=6).hexdigest()}"


def posted(ways: Ways, entry: Entry, message_id: str, text: str | None) -> Entry:
    """The current part's message exists. `text` is what was posted now; None: it was found.

    Under a doubt the platform may have answered with what an earlier try posted.
    """
    says = entry.doubt_text if text is None or (entry.doubt and entry.doubt_text != text) else text
    if entry.parts is not None and (ways.rule is DeliveryClass.NONE or not ways.edits):
        says = entry.parts[entry.done]  # Nothing but the text was ever posted.
    ids = (*entry.delivery.message_ids[: entry.done], message_id)
    delivery = structs.replace(entry.delivery, message_ids=ids, attempts=0, retry_at=None)
    return structs.replace(
        entry,
        delivery=delivery,
        says=says,
        gone=False,
        doubt=False,
        looked=False,
        wanted=False,
        failures=0,
        failing_from=None,
        late_until=0.0,  # What might come late was this, or was never sent.
        words_until=0.0 if entry.done == 0 else entry.words_until,
    )


def doubted(entry: Entry, text: str) -> Entry:
    """A post of `text` may have had its effect."""
    certain = not entry.doubt or entry.doubt_text == text
    return structs.replace(entry, doubt=True, doubt_text=text if certain else None, looked=False)


def removed(entry: Entry) -> Entry:
    """The current part's message was removed; another will be posted. A process before may have done so already."""
    doubt = entry.done <= entry.tried_upto
    return structs.replace(entry, says=None, gone=True, doubt=doubt, doubt_text=None, looked=False)
