"""Bugs of the field, planted at the door and in what the supervisor decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as replace_part
from typing import Any

from msgspec.structs import replace

from greenroom.actors import session
from greenroom.actors.facts import DeliveryFilled, DeliveryOpened
from greenroom.actors.model import InboxId, Receipt, SessionId
from greenroom.actors.session_actor import SessionActor
from greenroom.actors.state import Interrupted
from greenroom.actors.store import Committed
from greenroom.supervisor import consequences, decisions, recovery, resume, tree_actor
from greenroom.supervisor.drain import CloseBoot
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.reception import Reception
from greenroom.supervisor.recovery import Recovery
from greenroom.supervisor.sandbox import stories, stories_aside, stories_drain, stories_trouble
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap
from greenroom.supervisor.tree_actor import TreeActor


def _acknowledges_first(real: Callable[..., Any]) -> Any:
    """The platform hears that it is safe; then it is stored."""

    def store(self: Reception, inside: Any, inbound: Any, then: Any) -> None:
        then(Receipt(InboxId(0), SessionId(0), inbound.key))
        real(self, inside, inbound, lambda _: None)

    return store


def _without(*rules: str) -> Callable[[Any], Any]:
    return lambda table: tuple(row for row in table if row.rule not in rules)


def _forgets_that_it_is_set_aside(real: Callable[..., Any]) -> Any:
    return lambda unfinished, *args, **words: real(replace(unfinished, quarantined=False), *args, **words)


def _keeps_its_place(real: Callable[..., Any]) -> Any:
    """Whose actor died stays in the queue of those that are resumed."""

    def failed(tree: Any, failure: Any) -> None:
        queue = tree._recovery._queue  # noqa: SLF001 - it replaces a method
        before = dict(queue)
        real(tree, failure)
        queue.update(before)

    return failed


def _goes_on_with_questions(real: Callable[..., Any]) -> Any:
    """The session does not look whether it waits for its person."""

    def goes_on(draft: Any, event: Any, rules: Any) -> None:
        if isinstance(draft.phase, Interrupted) and draft.phase.question is not None:
            draft.move(replace(draft.phase, question=None))
        real(draft, event, rules)

    return goes_on


def _by_default(real: Callable[..., Any]) -> Any:
    return lambda decision, _: real(decision, Policy())


class _Hasty:
    """A store that says at once that nothing was written, where nothing is to be written."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, facts: Any, then: Any) -> None:
        if facts:
            self._store.write(facts, then)
        else:
            then(Committed())


def _looks_at_once_only(real: Callable[..., Any]) -> Any:
    """Who died is looked after at that moment, and not when its last commit is on disk."""

    def failed(self: TreeActor, failure: Any) -> None:
        house = self._house
        self._house = replace_part(house, store=_Hasty(house.store))
        real(self, failure)
        self._house = house

    return failed


def _whoever_lives(real: Callable[..., Any]) -> Any:
    """It is not asked who offers to rest."""
    return lambda self, _, told: [real(self, self._wards.get(each).ref, told) for each in tuple(self._wards)]


def _without_record(real: Callable[..., Any]) -> Any:
    return lambda *args, **words: real(*args, **words)[1:]


def _next_of_all(_: object) -> Any:
    def following(self: Any) -> Any:
        if not self._queue:
            return None
        session_id, resumable = self._queue.popitem(last=False)
        self._resuming.add(session_id)
        return resumable

    return following


def _as_if_for_good(real: Callable[..., Any]) -> Any:
    return lambda tree, said: real(tree, replace(said, for_good=not said.live))


def _marks_nobody_in_flight(real: Callable[..., Any]) -> Any:
    """Only who was active a moment ago is marked: a run that takes long is not."""
    return lambda drain, **words: real(replace(drain, running=frozenset()), **words)


def _without_lines(real: Callable[..., Any]) -> Any:
    lines = DeliveryOpened | DeliveryFilled
    return lambda *args, **words: [it for it in real(*args, **words) if not isinstance(it, lines)]


def _beside_the_anchor(real: Callable[..., Any]) -> Any:
    return lambda unfinished, *args: real(replace(unfinished, anchored=False), *args)


def _ends_clean(real: Callable[..., Any]) -> Any:
    def decide(*args: Any, **words: Any) -> Any:
        step = real(*args, **words)
        return replace(step, clean=True) if isinstance(step, CloseBoot) else step

    return decide


def _rests_at_once(_: object) -> Any:
    """Whoever offers to rest is stopped, also when a message is on its way to it."""

    def rest(self: Any, actor: Any, _told: int) -> None:
        if ward := self._wards.whose(actor):
            self._forget(ward.session_id)
            actor.kill()

    return rest


def _says_it_only(_: object) -> Any:
    """An expired run gets its line, under a name of this boot; nothing is concluded."""

    def given_up(unfinished: Any, ending: Any, line: str, inputs: Any, epoch: Any) -> Any:
        make = vars(consequences)["_line"]
        return (make(unfinished, f"{ending.value}.{epoch}", line, inputs.now, epoch),)

    return given_up


def _whoever_began_it(real: Callable[..., Any]) -> Any:
    """A run that was begun meanwhile is believed to be worked at."""
    return lambda kind, decisions, *, lives: real(kind, decisions, lives=True)  # noqa: ARG005 - the caller's name


def _looks_no_more(_: object) -> Any:
    """Whose actor is replaced, in that nothing is open: that was decided."""

    def replaced(tree: Any, ward: Any) -> None:
        ward.ref.kill()
        tree._bury(ward)  # noqa: SLF001 - it replaces a method
        tree._keep(ward.session_id, ward.key)  # noqa: SLF001 - it replaces a method

    return replaced


def _has_nothing_in_its_hands(real: Callable[..., Any]) -> Any:
    """What an agent added and waits to be written is none of its actor's business."""

    def lingers(self: Any) -> bool:
        stash, self._stash = self._stash, None
        try:
            return bool(real(self))
        finally:
            self._stash = stash

    return lingers


def _dies_and_stays_dead(_: object) -> Any:
    return lambda *_: None


MUTANTS = (
    Mutant(
        "acknowledge before commit",
        "the platform is told that a message is safe before it is stored",
        (Swap(Reception, "_store", _acknowledges_first),),
        frozenset({"nothing_acknowledged_is_lost"}),
        story(stories.writes_to_a_full_disk),
    ),
    Mutant(
        "resume by marker time",
        "age is counted from the marker that each boot renews, not from the transcript",
        (Swap(resume, "is_stale", lambda _: lambda *_args, **_words: False),),
        frozenset({"old_work_does_not_wake"}),
        story(stories.old_and_woken, policy=Policy(fresh_s=400.0)),
    ),
    Mutant(
        "resume of an answered tail",
        "an open marker is believed although the transcript ends in an answer",
        (Swap(resume, "TABLE", _without("ANSWERED")),),
        frozenset({"no_phantom_run"}),
        story(stories.answered_and_left_open),
    ),
    Mutant(
        "resume of a waiting question",
        "work that waits for its person goes on by itself; both guards against it are gone",
        (Swap(resume, "TABLE", _without("AWAITING_USER")), Swap(session, "_resume", _goes_on_with_questions)),
        frozenset({"a_question_waits_for_its_person"}),
        story(stories.asked_and_restarted),
    ),
    Mutant(
        "a dead actor's last commit",
        "what an actor wrote that died before its commit is told to nobody, once it is on disk",
        (Swap(TreeActor, "_failed", _looks_at_once_only),),
        frozenset({"deliveries_come_to_an_end", "each_conclusion_is_shown", "what_is_stored_is_answered"}),
        story(stories.dies_while_its_answer_is_written),
    ),
    Mutant(
        "a late offer to rest",
        "an actor offers twice to rest, and the second offer ends the actor that came after it",
        (Swap(TreeActor, "_rest", _whoever_lives),),
        frozenset({"what_is_stored_is_answered"}),
        story(stories.writes_while_it_goes_to_rest, policy=Policy(idle_s=0.0)),
    ),
    Mutant(
        "decisions not stored",
        "nobody can tell why a session was resumed or left alone",
        (Swap(recovery, "decision_facts", _without_record),),
        frozenset({"every_open_run_is_decided"}),
        story(stories.three_at_once, policy=Policy(resume_concurrency=1)),
    ),
    Mutant(
        "limits of another day",
        "a decision is stored with the limits that hold by default, not with those that it was made by",
        (Swap(decisions, "_explain_limits", _by_default),),
        frozenset({"a_decision_follows_from_its_row"}),
        story(stories.old_and_restarted, policy=Policy(fresh_s=400.0)),
    ),
    Mutant(
        "recently active instead of in flight",
        "a drain marks who was active a moment ago, not whose run lasts",
        (Swap(tree_actor, "decide_drain", _marks_nobody_in_flight),),
        frozenset({"an_orderly_end_marks_its_runs"}),
        story(stories_drain.drained_at_work, policy=Policy(drain_s=1.0)),
    ),
    Mutant(
        "a word from before the drain",
        "a drain takes what a session said before it heard of it for its answer",
        (Swap(TreeActor, "_run_reported", _as_if_for_good),),
        frozenset({"an_orderly_end_marks_its_runs"}),
        story(stories_drain.drained_between_two_runs, policy=Policy(drain_s=0.0)),
    ),
    Mutant(
        "hurried end called clean",
        "who is told twice to end says that all is in order",
        (Swap(tree_actor, "decide_drain", _ends_clean),),
        frozenset({"an_orderly_end_marks_its_runs"}),
        story(stories_drain.hurried_at_work, policy=Policy(drain_s=60.0)),
    ),
    Mutant(
        "poison without end",
        "a message that ends the process is tried again at each start",
        (Swap(resume, "TABLE", _without("ATTEMPTS_EXHAUSTED")),),
        frozenset({"attempts_are_bounded"}),
        story(stories.kills_its_process),
    ),
    Mutant(
        "set aside without a word",
        "a session that is given up says nothing to its person",
        (Swap(recovery, "decision_facts", _without_lines),),
        frozenset({"what_is_stored_is_answered"}),
        story(stories.kills_its_process),
    ),
    Mutant(
        "an anchor waits for ever",
        "the notice that a session is set aside is a message of its own, and the placeholder stays open",
        (Swap(consequences, "_shown", _beside_the_anchor),),
        frozenset({"deliveries_come_to_an_end"}),
        story(stories.kills_its_process, policy=Policy(placeholder_after_s=0.0)),
    ),
    Mutant(
        "unbounded resume",
        "all interrupted sessions go on at once",
        (Swap(Recovery, "next", _next_of_all),),
        frozenset({"resumes_are_bounded"}),
        story(stories.three_at_once, policy=Policy(resume_concurrency=1)),
    ),
    Mutant(
        "passivation that loses a message",
        "an idle session is put away while a message is on its way to it",
        (Swap(TreeActor, "_rest", _rests_at_once),),
        frozenset({"what_is_stored_is_answered", "no_run_stays_open", "deliveries_come_to_an_end"}),
        story(stories.writes_when_it_rests, policy=Policy(idle_s=0.0)),
    ),
    Mutant(
        "expiry line at each boot",
        "expired work is not concluded, so each boot says again that it expired",
        (Swap(consequences, "_given_up", _says_it_only),),
        frozenset({"what_is_stored_is_answered", "a_line_is_said_once"}),
        story(stories.old_and_restarted, policy=Policy(fresh_s=400.0)),
    ),
    Mutant(
        "set aside at each crash",
        "a session that is set aside is told so once more when its actor crashes again",
        (Swap(recovery, "decision_facts", _forgets_that_it_is_set_aside),),
        frozenset({"a_line_is_said_once"}),
        story(stories_aside.goes_on_crashing, policy=Policy(restarts_max=2, attempts_max=99)),
    ),
    Mutant(
        "dead and not restarted",
        "a session that died is not started again",
        (Swap(TreeActor, "_restart", _dies_and_stays_dead),),
        frozenset({"what_is_stored_is_answered", "no_run_stays_open", "deliveries_come_to_an_end"}),
        story(stories.an_actor_dies),
    ),
    Mutant(
        "dead and still in the queue",
        "who died with a run of its own goes on when its place comes, before anybody has decided about that run",
        (Swap(TreeActor, "_failed", _keeps_its_place),),
        frozenset({"a_run_has_its_cause", "attempts_are_bounded"}),
        story(stories.dies_while_it_waits_for_its_place, policy=Policy(resume_concurrency=1, unclean_boots_max=99)),
    ),
    Mutant(
        "overtaken by the dead",
        "what an actor began that died meanwhile is left to it, and waits for the next start",
        (Swap(tree_actor, "decide_fate", _whoever_began_it),),
        frozenset({"what_is_stored_is_answered"}),
        story(stories_trouble.dies_with_a_run_that_waits_for_the_disk, policy=Policy(notice_first_s=5.0)),
    ),
    Mutant(
        "decided behind its back",
        "a living actor goes on with what it knew of its session before that was decided otherwise",
        (Swap(TreeActor, "_replace", lambda _: lambda *_: None),),
        frozenset({"what_was_asked_for_is_told"}),
        story(stories_aside.is_given_up_when_its_platform_is_back, policy=Policy(unclean_boots_max=99)),
    ),
    Mutant(
        "replaced and not looked after",
        "an actor is replaced that has begun a run that very moment, and nobody goes on with it",
        (Swap(TreeActor, "_replace", _looks_no_more),),
        frozenset({"what_is_stored_is_answered"}),
        story(stories_aside.is_given_up_by_both, policy=Policy(fresh_s=3_600.0, unclean_boots_max=99)),
    ),
    Mutant(
        "rests over what was added",
        "an actor is stopped over the commit of what its agent added, and nobody tells the outbox",
        (Swap(SessionActor, "_lingers", _has_nothing_in_its_hands),),
        frozenset({"deliveries_come_to_an_end"}),
        story(stories_trouble.adds_while_the_disk_refuses, policy=Policy(idle_s=0.9)),
    ),
)
