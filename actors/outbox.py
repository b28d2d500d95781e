"""Everything that moves a delivery lives here; this file does no I/O.

A lane is what one session has to show, in the order of its rows. It makes one call at a time. What has a text goes
first and in order; anchors and streamed words wait for it, since they may be lost and it may not. An open anchor
blocks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from msgspec import structs

from greenroom.actors.calls import Call, Edit, Look, Outcome, Post, Worked
from greenroom.actors.entry import (
    Entry,
    Ways,
    advance,
    call_at,
    confirm,
    edited,
    fill,
    next_call,
    parts_of,
    posted,
    ready_at,
    take_up,
)
from greenroom.actors.facts import DeliveryMoved
from greenroom.actors.lines import joined
from greenroom.actors.model import Delivery, DeliveryClass, DeliveryState
from greenroom.actors.outbox_words import (
    NOTHING,
    Act,
    AskSlot,
    Bury,
    CallEnded,
    Conclude,
    Dropped,
    Effects,
    Event,
    Filled,
    Forgotten,
    Lane,
    LiveText,
    Moment,
    Opened,
    Pause,
    Perform,
    PlatformUp,
    Remarked,
    Revived,
    SlotGranted,
    TakenUp,
    WakeIn,
    Woke,
    YieldSlot,
)
from greenroom.actors.setback import decide_setback


def step(ways: Ways, lane: Lane, event: Event, moment: Moment) -> tuple[Lane, Effects]:
    """Move the lane. The state it returns is the lane's once the facts are on disk."""
    match event:
        case SlotGranted():
            return _start_call(ways, lane, moment)
        case CallEnded(outcome):
            return _end_call(ways, lane, outcome, moment)
        case TakenUp(_, deliveries):
            return _settle(ways, _take_all(ways, lane, deliveries, moment), moment)
        case Opened(delivery) | Filled(delivery):
            return _settle(ways, _hear(ways, lane, delivery), moment)
        case LiveText(_, key, text):
            streamed = (structs.replace(e, live=text) if _streams(ways, e, key) else e for e in lane.entries)
            return _settle(ways, structs.replace(lane, entries=tuple(streamed)), moment)
        case Remarked(_, line, holds):
            return _settle(ways, _remark(ways, lane, line, holds=holds), moment)
        case PlatformUp():
            hurried = (structs.replace(e, not_before=moment.now) for e in lane.entries)
            return _settle(ways, structs.replace(lane, entries=tuple(hurried)), moment)
        case Revived(delivery):
            return _settle(ways, _with(lane, *(_owed_again(e, moment) for e in _named(lane, delivery.key))), moment)
        case Dropped(delivery):
            return _settle(ways, _without(lane, _named(lane, delivery.key)), moment)
        case Forgotten(_, ids):
            return _settle(ways, _without(lane, (e for e in lane.entries if e.delivery.session_id in ids)), moment)
        case Woke():
            return _settle(ways, lane, moment)
        case _:
            assert_never(event)


def can_stream(ways: Ways, lane: Lane) -> bool:
    """Whether words can be shown there before all are known."""
    return any(_streams(ways, entry, entry.delivery.key) for entry in lane.entries)


def _remark(ways: Ways, lane: Lane, line: str, *, holds: bool) -> Lane:
    """Let a line stand below the words so far of what streams, or not any more (then a placeholder, if it is alone)."""
    entries = list(lane.entries)
    for at, entry in enumerate(entries):
        shown = entry.live or entry.says or ""
        if _streams(ways, entry, entry.delivery.key) and (holds or shown.endswith(line)):
            said = "" if shown == ways.placeholder else shown.removesuffix(line).rstrip()
            entries[at] = structs.replace(entry, live=joined(said, line) if holds else said or ways.placeholder)
    return structs.replace(lane, entries=tuple(entries))


def _streams(ways: Ways, entry: Entry, key: str) -> bool:
    return ways.streams and entry.delivery.key == key and entry.parts is None and not entry.muted


def _named(lane: Lane, key: str) -> tuple[Entry, ...]:
    """The entry of this delivery, if the lane has it."""
    return tuple(entry for entry in lane.entries if entry.delivery.key == key)


def _owed_again(entry: Entry, moment: Moment) -> Entry:
    """Given up or not: what was counted against it is forgotten, and its next call is due."""
    delivery = structs.replace(entry.delivery, attempts=0, retry_at=None)
    return structs.replace(entry, delivery=delivery, not_before=moment.now, failing_from=None, dropped=False)


def _hear(ways: Ways, lane: Lane, delivery: Delivery) -> Lane:
    """A session speaks of a delivery whose row it has just written."""
    if delivery.key in lane.keys:
        heard = (_heard(ways, e, delivery) if e.delivery.key == delivery.key else e for e in lane.entries)
        return Lane(tuple(heard), lane.busy, lane.asked)
    parts = None if delivery.text is None else parts_of(ways, delivery.text, delivery.choices)
    return Lane((*lane.entries, Entry(delivery, parts, wanted=parts is None)), lane.busy, lane.asked)


def _heard(ways: Ways, entry: Entry, delivery: Delivery) -> Entry:
    if entry.parts is not None:
        return entry
    if delivery.text is None:
        return structs.replace(entry, wanted=True)
    filled = fill(ways, entry, delivery.text, delivery.choices)
    return structs.replace(filled, not_before=0.0)  # An anchor's trouble is not the answer's.


def _take_all(ways: Ways, lane: Lane, deliveries: Iterable[Delivery], moment: Moment) -> Lane:
    """Take up rows, in their order; those that the lane has are left alone but for a text that it missed.

    The clock says nothing of their order: it may have been set back. What the lane has and the store did not name was
    opened after it was asked, and comes last.
    """
    heard = {entry.delivery.key: entry for entry in lane.entries}
    entries: dict[str, Entry] = {}
    for delivery in deliveries:
        known = heard.pop(delivery.key, None)
        if known is None:
            wait_s = 0.0 if delivery.retry_at is None else max(delivery.retry_at - moment.at, 0.0)
            not_before = moment.now + min(wait_s, ways.limits.backoff_max_s)
            entries[delivery.key] = take_up(ways, delivery, now=moment.now, not_before=not_before)
        else:
            entries[delivery.key] = known if delivery.text is None else _heard(ways, known, delivery)
    return structs.replace(lane, entries=(*entries.values(), *heard.values()))


def _settle(ways: Ways, lane: Lane, moment: Moment, effects: Effects = NOTHING) -> tuple[Lane, Effects]:
    """Conclude what is complete, then say when the lane wants to make its next call."""
    if lane.busy is not None:
        return lane, effects
    advanced = map(advance, lane.entries)
    shown = [confirm(ways, entry) or entry if entry.complete else entry for entry in advanced]
    complete = [entry for entry in shown if entry.complete]
    lane = Lane(tuple(entry for entry in shown if not entry.complete and not entry.dropped), asked=lane.asked)
    facts = (_moved(entry, DeliveryState.DELIVERED, moment) for entry in complete)
    acts = (Conclude(entry.delivery.key) for entry in complete)
    lane, wishes = _wish(ways, lane, moment)
    return lane, Effects((*effects.facts, *facts), (*effects.acts, *acts, *wishes))


def _wish(ways: Ways, lane: Lane, moment: Moment) -> tuple[Lane, tuple[Act, ...]]:
    focus = None if lane.asked else _focus(ways, lane)
    if focus is None:
        return lane, ()
    wait_s = focus[1] - moment.now
    return (lane, (WakeIn(wait_s),)) if wait_s > 0 else (Lane(lane.entries, asked=True), (AskSlot(),))


def _focus(ways: Ways, lane: Lane) -> tuple[Entry, float] | None:
    """The entry whose turn it is, and from when on."""
    for entry in lane.entries:
        if entry.parts is not None and not entry.confirms:
            return entry, call_at(ways, entry)
    waiting = [(entry, at) for entry in lane.entries if (at := ready_at(ways, entry)) is not None]
    return min(waiting, key=lambda pair: pair[1], default=None)


def _start_call(ways: Ways, lane: Lane, moment: Moment) -> tuple[Lane, Effects]:
    lane = Lane(lane.entries)
    focus = _focus(ways, lane)
    if focus is None or focus[1] > moment.now:
        return _settle(ways, lane, moment, Effects(acts=(YieldSlot(),)))
    entry, call = focus[0], next_call(ways, focus[0])
    if call is None:  # The streamed words are what is shown already.
        return _settle(ways, _with(lane, structs.replace(entry, live=None)), moment, Effects(acts=(YieldSlot(),)))
    said = entry.live is not None and isinstance(call, Edit)
    entry = structs.replace(entry, called_at=moment.now, live=None if said else entry.live)
    facts: tuple[DeliveryMoved, ...] = ()
    if ways.rule is DeliveryClass.NONE:
        facts = (_moved(entry, DeliveryState.SENDING, moment),)
        entry = structs.replace(entry, delivery=facts[0].delivery)
    lane = _with(lane, entry)
    return Lane(lane.entries, (entry.delivery.key, call)), Effects(facts, (Perform(call),))


def _end_call(ways: Ways, lane: Lane, outcome: Outcome, moment: Moment) -> tuple[Lane, Effects]:
    if lane.busy is None:
        return lane, NOTHING
    key, call = lane.busy
    entry = next(e for e in lane.entries if e.delivery.key == key)
    lane = Lane(lane.entries, asked=lane.asked)
    if isinstance(outcome, Worked):
        return _worked(ways, lane, entry, call, outcome.message_id, moment)
    setback = decide_setback(ways, entry, call, outcome, moment)
    facts = () if setback.state is None else (_moved(setback.entry, setback.state, moment, setback.reason),)
    acts: tuple[Act, ...] = () if setback.pause_s is None else (Pause(setback.pause_s),)
    if setback.state in {DeliveryState.DELIVERED, DeliveryState.DEAD}:
        end = Bury(setback.entry.delivery) if setback.state is DeliveryState.DEAD else Conclude(key)
        lane = Lane(tuple(e for e in lane.entries if e.delivery.key != key))
        return _settle(ways, lane, moment, Effects(facts, (*acts, end)))
    moved = structs.replace(setback.entry, delivery=facts[0].delivery) if facts else setback.entry
    return _settle(ways, _with(lane, moved), moment, Effects(facts, acts))


def _worked(
    ways: Ways, lane: Lane, entry: Entry, call: Call, message_id: str | None, moment: Moment
) -> tuple[Lane, Effects]:
    match call:
        case Edit():
            shown = edited(ways, entry, call.text, live=call.live)
            edit_from = moment.now + ways.edit_after_s(entry.delivery.session)
            return _settle(ways, _with(lane, structs.replace(shown, edit_from=edit_from)), moment)
        case Look() if message_id is None:
            return _settle(ways, _with(lane, structs.replace(entry, looked=True)), moment)
        case Look() | Post():
            text = call.message.text if isinstance(call, Post) else None
            there = posted(ways, entry, message_id or "", text)
            if there.complete:
                return _settle(ways, _with(lane, there), moment)
            state = DeliveryState.OPEN if there.parts is None else DeliveryState.PENDING
            fact = _moved(there, state, moment)  # Stored before any edit.
            return _settle(ways, _with(lane, structs.replace(there, delivery=fact.delivery)), moment, Effects((fact,)))
        case _:
            assert_never(call)


def _with(lane: Lane, *changed: Entry) -> Lane:
    by_key = {entry.delivery.key: entry for entry in changed}
    return Lane(tuple(by_key.get(e.delivery.key, e) for e in lane.entries), lane.busy, lane.asked)


def _without(lane: Lane, dropped: Iterable[Entry]) -> Lane:
    """Make no call for these any more; one that is under way goes to its end."""
    return _with(lane, *(structs.replace(entry, dropped=True) for entry in dropped))


def _moved(entry: Entry, state: DeliveryState, moment: Moment, error: str | None = None) -> DeliveryMoved:
    delivery = entry.delivery
    retry_at = delivery.retry_at if state in {DeliveryState.RETRY, DeliveryState.UNKNOWN} else None
    if delivery.state is not state or delivery.retry_at != retry_at:
        delivery = structs.replace(delivery, state=state, retry_at=retry_at)
    return DeliveryMoved(delivery, moment.at, error)
