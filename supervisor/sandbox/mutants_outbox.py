"""Bugs of the field, planted between the outbox and the platform."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from greenroom.actors import calling, entry, outbox, setback
from greenroom.actors.calls import Doubtful, Forbidden, Outcome, Post, Unsent, Worked
from greenroom.actors.delivery_actor import DeliveryActor
from greenroom.actors.entry import Entry, Ways
from greenroom.actors.model import DeliveryClass
from greenroom.actors.outbox_words import Effects, Lane, Moment
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.supervisor.attachments import Attachments
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox import stories
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.scenario import Scenario

DAY_S = 86_400.0


def _random_key(_: object) -> Any:
    """Fresh for each call, as `uuid4` is; a counter, so that a seed stays a seed."""
    drawn = count(1)

    def key(uid: str, it: Entry) -> str:
        return f"{uid}-{it.delivery.key}-{it.done}-a{next(drawn):011x}"

    return key


def _forgets_the_id(real: Callable[..., Any]) -> Any:
    """The anchor's id is known to the process only, until the delivery is complete."""

    def worked(ways: Ways, lane: Any, it: Entry, call: Any, message_id: str | None, moment: Any) -> Any:
        after, effects = real(ways, lane, it, call, message_id, moment)
        return (after, Effects((), effects.acts)) if isinstance(call, Post) and ways.edits else (after, effects)

    return worked


def _by_wall_clock(real: Callable[..., Any]) -> Any:
    def take_all(ways: Ways, lane: Any, deliveries: Any, moment: Any) -> Any:
        return real(ways, lane, sorted(deliveries, key=lambda each: each.created_at), moment)

    return take_all


def _posts_words(real: Callable[..., Any]) -> Any:
    """The placeholder is already the answer."""

    def post(ways: Ways, it: Entry, *args: Any) -> Any:
        call = real(ways, it, *args)
        if ways.rule is not DeliveryClass.EDIT_ANCHOR or it.parts is None:
            return call
        return Post(replace(call.message, text=it.parts[it.done]))

    return post


def _reads(kind: type, otherwise: Callable[[Any], Outcome]) -> Callable[[Any], Any]:
    def make(real: Callable[..., Outcome]) -> Any:
        def read(error: BaseException | None, message_id: str | None) -> Outcome:
            outcome = real(error, message_id)
            return otherwise(outcome) if isinstance(outcome, kind) else outcome

        return read

    return make


def _words_first(real: Callable[..., Any]) -> Any:
    """Whoever streams is shown at once; what has its text already can wait."""

    def focus(ways: Ways, lane: Any) -> Any:
        streams = [(it, at) for it in lane.entries if it.parts is None and (at := entry.ready_at(ways, it)) is not None]
        return min(streams, key=lambda pair: pair[1]) if streams else real(ways, lane)

    return focus


def _streams_behind_an_answer(told: Scenario, _: int) -> None:
    """The platform takes an answer only later, and the next run has words by then."""
    told.platform_fails(PlatformFault.RETRY_LATER)
    told.says("m1 answer")
    told.advance(1)
    told.says("m2 say doze answer")
    told.advance(90)


def _words_come_late(told: Scenario, _: int) -> None:
    """The connection breaks while words stream, and what was sent takes effect when the answer is there."""
    told.platform_fails(None, PlatformFault.LATE)
    told.says("m1 say nap answer")


def _words_come_late_under_many(told: Scenario, _: int) -> None:
    """The same, and the answer takes several messages, of which the last has to wait."""
    told.platform_fails(None, PlatformFault.LATE, *(None,) * 4, PlatformFault.RETRY_LATER)
    told.says("m1 say nap long")


def _words_come_meanwhile(told: Scenario, _: int) -> None:
    """They come while the platform lets nobody send: between the answer's first message and its last."""
    told.platform_fails(None, PlatformFault.LATE, *(None,) * 4, *[PlatformFault.RETRY_LATER] * 4)
    told.says("m1 say nap long")


def _words_come_while_the_host_sleeps(told: Scenario, _: int) -> None:
    """The answer is there, and before that is heard the machine sleeps for longer than words can be late."""
    told.platform_fails(None, PlatformFault.LATE)
    told.says("m1 say nap answer")
    told.until(lambda: any("answer" in words for words in told.visible()))
    told.host_sleeps(60)


def _words_come_late_and_stay(told: Scenario, _: int) -> None:
    """They come, and then the platform refuses to show the answer once more."""
    told.platform_fails(None, PlatformFault.LATE, None, PlatformFault.REFUSED)
    told.says("m1 say nap answer")


def _is_sure_of_it(real: Any) -> Any:
    return lambda *args: replace(real(*args), reason=None)


def _looks_ahead_only(real: Any) -> Any:
    return lambda ways, it: None if it.words_until <= it.called_at else real(ways, it)


def _is_as_new_as_its_news(real: Any) -> Any:
    def end(ways: Ways, lane: Lane, outcome: Any, moment: Moment) -> Any:
        heard = tuple(replace(it, called_at=moment.now) for it in lane.entries)
        return real(ways, replace(lane, entries=heard), outcome, moment)

    return end


def _forgets_the_words(real: Any) -> Any:
    return lambda ways, it, message_id, text: replace(real(ways, it, message_id, text), words_until=0.0)


def _a_post_comes_late(told: Scenario, _: int) -> None:
    """The connection breaks, and what was sent takes effect when it has been looked for."""
    told.platform_fails(PlatformFault.LATE)
    told.says("m1 answer")


MUTANTS = (
    Mutant(
        "random idempotency key",
        "each try tells the platform another key",
        (Swap(entry, "outgoing_key", _random_key),),
        frozenset({"what_is_visible_has_its_row", "nothing_is_shown_twice"}),
        story(stories.a_call_fails(PlatformFault.BREAKS_AFTER), platforms=(DeliveryClass.NATIVE_KEY,)),
    ),
    Mutant(
        "anchor edited before its id is stored",
        "the id of a posted message is kept in memory until the end",
        (Swap(outbox, "_worked", _forgets_the_id),),
        frozenset({"what_is_visible_has_its_row"}),
        story(stories.dies_with_an_anchor),
    ),
    Mutant(
        "outbox order by wall clock",
        "what is owed after a restart is sorted by the time it was made",
        (Swap(outbox, "_take_all", _by_wall_clock),),
        frozenset({"order_is_kept"}),
        story(stories.two_answers_over_a_clock_jump, platforms=(DeliveryClass.NATIVE_KEY,)),
    ),
    Mutant(
        "words before what was owed",
        "words that stream are shown before the answer that waits to be sent",
        (Swap(outbox, "_focus", _words_first),),
        frozenset({"order_is_kept"}),
        story(_streams_behind_an_answer, platforms=(DeliveryClass.NATIVE_KEY,)),
    ),
    Mutant(
        "placeholder with words",
        "an anchor is posted with the answer in it",
        (Swap(entry, "_post", _posts_words),),
        frozenset({"what_is_visible_has_its_row"}),
        story(stories.a_call_fails(PlatformFault.BREAKS_AFTER)),
    ),
    Mutant(
        "words that come late stay",
        "an edit that was given up may come after the answer, and nothing is done about it",
        (Swap(outbox, "confirm", lambda _: lambda *_: None),),
        frozenset({"what_is_visible_has_its_row", "what_is_delivered_is_visible"}),
        story(_words_come_late, platforms=(DeliveryClass.EDIT_ANCHOR,)),
    ),
    Mutant(
        "words that come late stay, and nobody is told",
        "the answer cannot be shown once more, and its row says that it stands there",
        (Swap(setback, "_unconfirmed", _is_sure_of_it),),
        frozenset({"what_is_delivered_is_visible", "what_is_visible_has_its_row"}),
        story(_words_come_late_and_stay, platforms=(DeliveryClass.EDIT_ANCHOR,)),
    ),
    Mutant(
        "words that come late stay in the first of several messages",
        "that older words may still come is forgotten when the second message is there",
        (Swap(outbox, "posted", _forgets_the_words),),
        frozenset({"what_is_visible_has_its_row", "what_is_delivered_is_visible"}),
        story(_words_come_late_under_many, platforms=(DeliveryClass.EDIT_ANCHOR,), text_max=60),
    ),
    Mutant(
        "words that came before it was heard",
        "words count as shown when that is heard, and not when they were sent",
        (Swap(outbox, "_end_call", _is_as_new_as_its_news),),
        frozenset({"what_is_visible_has_its_row", "what_is_delivered_is_visible"}),
        story(_words_come_while_the_host_sleeps, platforms=(DeliveryClass.EDIT_ANCHOR,)),
    ),
    Mutant(
        "words that came meanwhile",
        "it is asked whether older words can still come, and not whether they came since the first message was shown",
        (Swap(outbox, "confirm", _looks_ahead_only),),
        frozenset({"what_is_visible_has_its_row", "what_is_delivered_is_visible"}),
        story(_words_come_meanwhile, platforms=(DeliveryClass.EDIT_ANCHOR,), text_max=60),
    ),
    Mutant(
        "looked for too early",
        "a post that was given up is looked for before it can no longer come",
        (Swap(entry, "awaits_late", lambda _: lambda _ways, it: it.confirms),),
        frozenset({"what_is_visible_has_its_row", "nothing_is_shown_twice"}),
        story(_a_post_comes_late, platforms=(DeliveryClass.RECONCILE,)),
    ),
    Mutant(
        "no answer taken for success",
        "a call that timed out counts as delivered",
        (Swap(calling, "read_outcome", _reads(Doubtful, lambda _: Worked("m0"))),),
        frozenset({"what_is_delivered_is_visible"}),
        story(stories.a_call_fails(PlatformFault.BREAKS_BEFORE), platforms=(DeliveryClass.NATIVE_KEY,)),
    ),
    Mutant(
        "no answer taken for failure",
        "a call that timed out is made again without looking or marking",
        (Swap(calling, "read_outcome", _reads(Doubtful, lambda it: Unsent(it.reason))),),
        frozenset({"what_is_visible_has_its_row"}),
        story(stories.a_call_fails(PlatformFault.BREAKS_AFTER), platforms=(DeliveryClass.RECONCILE,)),
    ),
    Mutant(
        "retry of a permanent refusal",
        "a chat that is gone is written to again and again",
        (Swap(calling, "read_outcome", _reads(Forbidden, lambda it: Unsent(it.reason))),),
        frozenset({"a_refusal_is_believed"}),
        story(stories.is_blocked),
    ),
    Mutant(
        "overtaken and still talking",
        "who is no longer the owner writes no rows, and goes on to edit what people see",
        (Swap(DeliveryActor, "_hear_owner", lambda _: lambda self, _answer, at: vars(self)["_calling"].let_go(at)),),
        frozenset({"an_overtaken_process_is_silent"}),
        story(stories.another_takes_over_while_words_stream, policy=Policy(notice_first_s=20.0)),
    ),
    Mutant(
        "ours once, ours for ever",
        "who slept since it was told that the store is its own believes so still",
        (Swap(calling, "OWNER_KNOWN_S", lambda _: math.inf),),
        frozenset({"an_overtaken_process_is_silent"}),
        story(stories.another_takes_over_at_any_moment),
    ),
    Mutant(
        "unmarked repeat",
        "where nothing better can be done, a repeat looks like an original",
        (Swap(entry, "REPEAT_MARK", lambda _: ""),),
        frozenset({"nothing_is_shown_twice"}),
        story(stories.a_call_fails(PlatformFault.BREAKS_AFTER), platforms=(DeliveryClass.NONE,)),
    ),
    Mutant(
        "owed and forgotten",
        "when a session died between its commit and its acts, nobody tells the outbox to look",
        (Swap(Attachments, "take_up", lambda _: lambda *_: None),),
        frozenset({"deliveries_come_to_an_end"}),
        story(stories.an_actor_dies),
    ),
)
