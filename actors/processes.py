"""What background processes do to their session: what is written of them, and when their news start a run. Pure.

A completion that was asked for starts a run of its own, once, whichever run started the process; it interrupts nobody,
and what users wrote comes before it. A match is heard only by the run that started the process, while it goes on (the
guard at the top of `step`), and starts the next run if no message does. What the agent looked after itself (waited for,
read, killed) is told no more, and what its user dismissed (`/stop`, `/new`) is ended and told no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from greenroom.actors.acts import Confirm, EndProcesses, ShowText
from greenroom.actors.draft import Draft
from greenroom.actors.events import Matched, ProcessHeard, ProcessOver, SpawnPlanned, WatchDropped
from greenroom.actors.keys import dismissed_key, process_key
from greenroom.actors.lines import joined, process_line
from greenroom.actors.model import InboxId, Message, MessageKind, Role
from greenroom.actors.process import Awaited, Match, ProcessId, ProcessState
from greenroom.actors.process_facts import ProcessConsumed, ProcessesDismissed, ProcessPlanned, WatchGivenUp
from greenroom.actors.state import Running
from greenroom.actors.wording import dismissed_note, match_note, process_note

if TYPE_CHECKING:
    from greenroom.actors.state import Asking


def plan_process(draft: Draft, phase: Running | Asking, event: SpawnPlanned) -> None:
    """Let it be on disk that a process is about to be started, and by which run."""
    order = event.order
    draft.write(ProcessPlanned(draft.id, draft.epoch, draft.generation, order, draft.now))
    awaited = Awaited(order.id, draft.generation, order.command, order.notify, order.reply_to)
    draft.awaited = (*draft.awaited, awaited)
    draft.anchor(phase)
    draft.do(Confirm(draft.generation, process_key(order.id)))


def consume_process(draft: Draft, event: ProcessHeard) -> None:
    """The agent looked for itself: nothing more is told of this process, whatever is on its way."""
    known = _find(draft, event.id)
    if known is not None:
        _change(draft, replace(known, seen=True))
    draft.write(ProcessConsumed(draft.id, event.id))
    draft.do(Confirm(draft.generation, process_key(event.id)))


def hear_match(draft: Draft, event: Matched) -> None:
    """Keep what a watched process said until this run is over; of several the first, and how many there were."""
    known = _find(draft, event.id)
    if known is None or known.seen or event.epoch != draft.epoch:
        return
    before = known.match or Match(event.match.line, 0)
    _change(draft, replace(known, match=replace(before, count=before.count + event.match.count)))


def hear_end(draft: Draft, event: ProcessOver) -> None:
    """A process is over. While the run that started it goes on, its person sees a short receipt."""
    known = _find(draft, event.id)
    if known is None or not known.lives:
        return
    heard = replace(known, ending=event.ending, seen=known.seen or event.ending.state is ProcessState.FAILED)
    _change(draft, heard)
    phase = draft.phase
    if heard.notify and not heard.seen and isinstance(phase, Running) and known.generation == draft.generation:
        phase = draft.anchor(phase)
        line = process_line(known.command, event.ending)
        draft.do(ShowText(draft.answer_key(phase), joined(phase.said, line)))


def drop_watch(draft: Draft, event: WatchDropped) -> None:
    """A process matched too often: from now on only its end is told."""
    known = _find(draft, event.id)
    if known is not None and not known.seen:
        draft.write(WatchGivenUp(draft.id, event.id))
        _change(draft, replace(known, notify=True))


def has_news(draft: Draft) -> bool:
    """Whether a process has something to tell that may start a run."""
    return any(it.has_news for it in draft.awaited)


def anchor_of_news(draft: Draft) -> str | None:
    """Find what the answer to the news is anchored to: the message that led to the first process with any."""
    return next((it.reply_to for it in draft.awaited if it.has_news and it.reply_to), None)


def tell_news(draft: Draft) -> tuple[Message, ...]:
    """Put all news into the transcript of the run that begins for them, as typed rows; each is told once."""
    told: list[Message] = []
    for it in draft.awaited:
        if it.match is not None and not it.seen:
            text = match_note(it.id, it.command, it.match)
            told.append(_tell(draft, process_key(it.id, draft.generation), text))
        if it.notify and it.ending is not None and not it.seen:
            told.append(_tell(draft, process_key(it.id), process_note(it.id, it.command, it.ending)))
            draft.write(ProcessConsumed(draft.id, it.id))
    draft.awaited = tuple(it for it in draft.awaited if it.lives)
    return tuple(told)


def forget_matches(draft: Draft) -> None:
    """A run begins: what was heard in the run before concerns it no more, told or not."""
    if draft.awaited:
        draft.awaited = tuple(filter(_still_counts, (replace(it, match=None) for it in draft.awaited)))


def dismiss_processes(draft: Draft, ordered_by: InboxId) -> int:
    """End all that runs in the background, and let nothing of it be told: its user says so. Says how many lived.

    The agent's next run finds a row that says what was ended.
    """
    if not draft.awaited:
        return 0
    living = [it for it in draft.awaited if it.lives]
    draft.awaited = ()
    draft.write(ProcessesDismissed(draft.id))
    draft.do(EndProcesses())
    if living:
        text = dismissed_note([(it.id, it.command) for it in living])
        draft.append(dismissed_key(ordered_by), Role.SYSTEM, text)
    return len(living)


def _tell(draft: Draft, key: str, text: str) -> Message:
    return draft.append(key, Role.SYSTEM, text, kind=MessageKind.PROCESS)


def _find(draft: Draft, process_id: ProcessId) -> Awaited | None:
    return next((it for it in draft.awaited if it.id == process_id), None)


def _change(draft: Draft, changed: Awaited) -> None:
    kept = (changed if it.id == changed.id else it for it in draft.awaited)
    draft.awaited = tuple(filter(_still_counts, kept))


def _still_counts(awaited: Awaited) -> bool:
    return awaited.lives or awaited.has_news
