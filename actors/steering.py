"""What becomes of a message that comes while a run works: it waits, it ends the run, or the agent takes it. Pure.

Who steers is handed to the agent only when the agent asks. Until then the message waits in the inbox, where no crash
loses it; so nothing is ever covered by an answer that its agent did not see, and what it did not ask for in time is
answered by the next run. `docs/decisions/0011` tells why.
"""

from __future__ import annotations

from msgspec.structs import replace

from greenroom.actors.acts import CancelAlarms, CancelRun, Confirm
from greenroom.actors.draft import Draft
from greenroom.actors.events import Listened
from greenroom.actors.facts import RunMarked
from greenroom.actors.keys import partial_key
from greenroom.actors.lines import STEERED_LINE, UNSTEERED_LINE, cut_answer
from greenroom.actors.model import InterruptReason, Role, RunCause, StoredInbound
from greenroom.actors.opening import open_run
from greenroom.actors.rules import Busy, Rules
from greenroom.actors.state import Asking, Interrupted, Running


def meet_run(draft: Draft, phase: Running, rules: Rules) -> None:
    """Decide about what waits while the agent works: mostly it goes on waiting."""
    if draft.draining is None and any(wish_of(inbound, rules) is Busy.INTERRUPT for inbound in draft.waiting):
        _interrupt(draft, phase, rules)


def wish_of(inbound: StoredInbound, rules: Rules) -> Busy:
    """Say what is to become of a message that meets a working agent: what its person wrote before it, or the policy."""
    if inbound.change is not None or inbound.answers is not None:
        return Busy.QUEUE  # An edit, or a button of another question, is no word to the work that runs.
    return inbound.busy or Busy(rules.busy)


def _interrupt(draft: Draft, phase: Running, rules: Rules) -> None:
    """End the run; the next one of the same work handles its request and what waits. What was said stays."""
    generation = phase.run.generation
    draft.do(CancelAlarms(), CancelRun(generation))
    draft.write(RunMarked(draft.id, generation, InterruptReason.USER_WROTE))
    if phase.said.strip():
        draft.close_calls(generation)
        draft.append(partial_key(generation), Role.ASSISTANT, cut_answer(phase.said, rules.answer_max))
    run = replace(phase.run, interrupted_by=InterruptReason.USER_WROTE)
    draft.move(Interrupted(run, phase.segment, anchored=phase.anchored))
    open_run(draft, RunCause.INBOUND, rules)


def hand_over(draft: Draft, phase: Running | Asking, event: Listened, rules: Rules) -> None:
    """Give the agent what waits for it: as user rows of its run, whose answer covers them; and tell their person."""
    taken = _steering(draft, rules) if isinstance(phase, Running) and draft.draining is None else ()
    messages = tuple(draft.append_user(inbound) for inbound in taken)
    if messages:
        draft.waiting = tuple(inbound for inbound in draft.waiting if inbound not in taken)
        draft.stamp(phase.run)
        draft.move(replace(phase, upto=messages[-1].seq))
        draft.say_line(f"steered.{taken[-1].id}", STEERED_LINE, reply_to=taken[-1].reply_to)
    draft.do(Confirm(draft.generation, event.key, messages))


def tell_of_queue(draft: Draft, rules: Rules) -> None:
    """Tell who steered, when the run is over, that its agent did not take it: what follows is the answer."""
    missed = _steering(draft, rules)
    if missed and draft.draining is None:
        draft.say_line(f"queued.{missed[-1].id}", UNSTEERED_LINE, reply_to=missed[-1].reply_to)


def _steering(draft: Draft, rules: Rules) -> tuple[StoredInbound, ...]:
    return tuple(inbound for inbound in draft.waiting if wish_of(inbound, rules) is Busy.STEER)
