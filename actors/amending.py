"""What becomes of an edit or a deletion by its user. Pure.

A message that waits is changed, or withdrawn, as if it had been written so. It keeps its row, and the edit keeps its
own, unhandled, until the run begins that is given both: so that no crash forgets one of them. What a run was given
already stays as it was; the agent reads of the change in the transcript, if the host wants that. A change never begins
a run, and answers nothing; where no actor lives to hear of it, it waits on disk for the session to be read again.

Whether somebody may change what was said is for the platform to see to, which knows who he is: here an author is but a
name. A change reaches what was said in its own session, and nothing else.
"""

from __future__ import annotations

from msgspec.structs import replace

from greenroom.actors.acts import ReportConcluded
from greenroom.actors.draft import Draft
from greenroom.actors.facts import InboundSettled
from greenroom.actors.keys import changed_key
from greenroom.actors.model import Change, MessageKind, StoredInbound
from greenroom.actors.rules import LateChange, Rules
from greenroom.actors.wording import change_note


def settle_changes(draft: Draft, rules: Rules) -> None:
    """Apply all changes that wait, in their order, to what waits; tell of the others."""
    for change in tuple(each for each in draft.waiting if each.change is not None):
        meant = [each for each in draft.waiting if each.change is None and each.reply_to == change.reply_to]
        draft.waiting = tuple(each for each in draft.waiting if each is not change)
        if not meant:
            _tell_late(draft, change, rules)
        elif change.change is Change.DELETE:
            _withdraw(draft, meant[0], change)
        else:
            _replace(draft, meant[0], change)


def _replace(draft: Draft, inbound: StoredInbound, change: StoredInbound) -> None:
    edits = (*inbound.edits, change.id)
    edited = replace(inbound, text=change.text, attachments=change.attachments, edits=edits)
    draft.waiting = tuple(edited if each is inbound else each for each in draft.waiting)


def _withdraw(draft: Draft, inbound: StoredInbound, change: StoredInbound) -> None:
    draft.waiting = tuple(each for each in draft.waiting if each is not inbound)
    for inbox_id in (inbound.id, *inbound.edits, change.id):
        draft.write(InboundSettled(draft.id, inbox_id, draft.generation))
    draft.do(ReportConcluded())


def _tell_late(draft: Draft, change: StoredInbound, rules: Rules) -> None:
    """A run has it, or had it: no run begins for the change."""
    draft.write(InboundSettled(draft.id, change.id, draft.generation))
    if rules.late_change == LateChange.IGNORE:
        return
    text = change_note(change.change, change.reply_to, change.text)
    draft.note(changed_key(change.id), text, MessageKind.CHANGED)
