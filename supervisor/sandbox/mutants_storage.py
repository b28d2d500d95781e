"""Bugs of the field, planted in how things are written and read back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import apsw
from msgspec.structs import replace

from greenroom.actors.calling import Calling
from greenroom.actors.facts import DeliveryFilled, DeliveryOpened, Fact, InboundStored, InboundTaken
from greenroom.actors.model import Epoch, InboxId, OpenRun, Receipt, SessionId
from greenroom.actors.store import Committed, Refused
from greenroom.storage import checkpointer, group, reading, statements, unfinished, writer
from greenroom.storage.checkpointer import Checkpoint
from greenroom.storage.storage_actor import StorageActor
from greenroom.storage.store import SqliteStore
from greenroom.supervisor.attachments import Attachments
from greenroom.supervisor.sandbox import stories, stories_trouble
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap

Then = Callable[[Committed | Refused], None]


def _later(kinds: tuple[type, ...]) -> Callable[[Any], Any]:
    """Let facts of these kinds follow in a transaction of their own."""

    def make(real: Any) -> Any:
        def write(self: SqliteStore, facts: Sequence[Fact], then: Then) -> None:
            late = tuple(fact for fact in facts if isinstance(fact, kinds))
            first = tuple(fact for fact in facts if fact not in late)
            if not late or not first:
                real(self, facts, then)
                return
            real(self, first, lambda told: then(told) if isinstance(told, Refused) else real(self, late, then))

        return write

    return make


def _deduplicates_in_memory(real: Callable[[apsw.Connection, InboundStored], Receipt]) -> Any:
    """Know only the ids of this epoch; one that came before is a new one."""
    known: set[tuple[Any, ...]] = set()

    def store(db: apsw.Connection, fact: InboundStored) -> Receipt:
        epoch = db.execute("SELECT epoch FROM ownership").get
        inbound = fact.inbound
        seen = (epoch, inbound.key, inbound.update_id)
        was_there = db.execute("SELECT 1 FROM inbox WHERE update_id = ? AND epoch < ?", (inbound.update_id, epoch)).get
        if was_there and seen not in known:
            fact = InboundStored(replace(inbound, update_id=f"{inbound.update_id}-{epoch}"), fact.at)
        known.add(seen)
        return real(db, fact)

    return store


def _without_fence(real: Callable[..., apsw.Connection]) -> Any:
    @functools.wraps(real)
    def opened(*args: Any, **words: Any) -> apsw.Connection:
        db = real(*args, **words)
        db.execute("DROP TRIGGER IF EXISTS fence_messages")
        return db

    return opened


def _to_all_who_write(real: Callable[..., None]) -> Any:
    """Nobody remembers who was told."""

    def post(attachments: Any, attachment: Any, trouble: Any, session: Any) -> None:
        attachment.told.clear()
        real(attachments, attachment, trouble, session)

    return post


def _unsynced(real: Callable[..., apsw.Connection]) -> Any:
    return lambda *args, **words: real(*args, **{**words, "synchronous": "NORMAL"})


def _begins_unasked(_: Any) -> Any:
    def begin(db: apsw.Connection, _: Epoch) -> int:
        db.execute("BEGIN IMMEDIATE")
        return int(db.execute("UPDATE ownership SET groups = groups + 1 RETURNING groups").get)

    return begin


def _cuts_off_early(_: Any) -> Any:
    def checkpoint(db: apsw.Connection) -> tuple[int, int]:
        db.execute("PRAGMA synchronous = OFF")
        try:
            return db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            db.execute("PRAGMA synchronous = FULL")

    return checkpoint


def _fails_neighbours(_: Any) -> Any:
    """One that is refused takes the whole group with it."""

    def write_group(db: apsw.Connection, requests: Sequence[Sequence[Fact]], epoch: Epoch) -> group.Written:
        real_begin, real_write = vars(group)["_begin"], vars(group)["_write_plainly"]
        stamp = real_begin(db, epoch)
        try:
            return group.Written(stamp, real_write(db, requests))
        except Exception as error:  # Invariant of the mutant: as in production, but that all share the refusal.
            refused = group.judge_refusal(error)
            if refused is None:
                raise
            db.execute("ROLLBACK")
            return group.Written(real_begin(db, epoch), [refused for _ in requests])

    return write_group


def _commits_each_fact(real: Callable[..., Any]) -> Any:
    """Each fact is a transaction; a request that fails half way stays half written."""

    def write(db: apsw.Connection, facts: Sequence[Fact]) -> Any:
        receipts: list[Any] = []
        for n, fact in enumerate(facts):
            if n:
                db.execute("COMMIT")
                db.execute("BEGIN IMMEDIATE")
            receipts.extend(real(db, (fact,)).receipts)
        return Committed(tuple(receipts))

    return write


def _believes_the_disk(_: Any) -> Any:
    """A write that the disk refused is logged and forgotten; who asked hears that it worked."""

    def after_trouble(self: Any, _trouble: object) -> None:
        vars(type(self))["_written"](self, [_pretended(write.facts) for write in self._group], 0.0)

    return after_trouble


def _pretended(facts: Sequence[Fact]) -> Committed:
    stored = (fact.inbound.key for fact in facts if isinstance(fact, InboundStored))
    return Committed(tuple(Receipt(InboxId(9_999), SessionId(1), key) for key in stored))


def _forgets_attempts(real: Callable[..., OpenRun]) -> Any:
    return lambda *args: replace(real(*args), attempt=1)


MUTANTS = (
    Mutant(
        "flush cursor after the loop",
        "the inbox's cursor moves in a transaction of its own, after the messages were written",
        (Swap(SqliteStore, "write", _later((InboundTaken,))),),
        frozenset({"nothing_dies_without_cause", "what_is_stored_is_answered"}),
        story(stories.dies_at_an_operation),
    ),
    Mutant(
        "saved but not sent",
        "answer and delivery are two transactions",
        (Swap(SqliteStore, "write", _later((DeliveryOpened, DeliveryFilled))),),
        frozenset({"each_conclusion_is_shown", "deliveries_come_to_an_end", "nothing_dies_without_cause"}),
        story(stories.dies_at_an_operation),
    ),
    Mutant(
        "RAM-only de-duplication",
        "update ids are remembered by the process only",
        (Swap(statements.STATEMENTS, InboundStored, _deduplicates_in_memory),),
        frozenset({"what_was_said_is_stored_once"}),
        story(stories.says_it_again_after_a_restart),
    ),
    Mutant(
        "RAM-only queue",
        "what waits for the next run is in the actor's memory only",
        (Swap(reading, "_waiting", lambda _: lambda *_: ()),),
        frozenset({"what_is_stored_is_answered"}),
        story(stories.dies_with_a_queue),
    ),
    Mutant(
        "counter lost at boot",
        "attempts are not read back: each boot begins with the first",
        (Swap(reading, "read_run", _forgets_attempts), Swap(unfinished, "read_run", _forgets_attempts)),
        frozenset({"attempts_are_counted"}),
        story(stories.dies_at_work),
    ),
    Mutant(
        "generation checked in memory only",
        "no trigger refuses the row of an older owner",
        (Swap(writer, "open_writer", _without_fence),),
        frozenset({"transcripts_have_no_gap", "a_stale_writer_is_refused"}),
        story(stories.an_older_owner_writes),
    ),
    Mutant(
        "fence at the start only",
        "whose the store is was looked at when it was opened, and is not looked at again",
        (Swap(group, "_begin", _begins_unasked),),
        frozenset({"a_stale_writer_is_refused"}),
        story(stories.another_takes_over),
    ),
    Mutant(
        "WAL cut off too early",
        "a checkpoint gives the WAL's room back before the pages are safe in the database",
        (Swap(checkpointer, "run_checkpoint", _cuts_off_early),),
        frozenset(
            {"what_is_visible_has_its_row", "the_file_is_whole", "nothing_escapes", "nothing_acknowledged_is_lost"}
        ),
        story(stories.writes_much_and_loses_power),
    ),
    Mutant(
        "WAL that only grows",
        "pages are moved out of the WAL when the process ends, and no sooner",
        (Swap(checkpointer, "decide_checkpoint", lambda _: lambda *_args, **_words: Checkpoint.NOT_NOW),),
        frozenset({"the_journal_is_bounded"}),
        story(stories.writes_much),
    ),
    Mutant(
        "synchronous=NORMAL",
        "a commit is answered before it is on the disk",
        (Swap(writer, "open_writer", _unsynced),),
        frozenset({"what_is_visible_has_its_row"}),
        story(stories.loses_power_at_rest),
    ),
    Mutant(
        "group commit that fails neighbours",
        "one refused request rolls the whole group back",
        (Swap(writer, "write_group", _fails_neighbours),),
        frozenset({"nothing_acknowledged_is_lost", "nothing_dies_without_cause"}),
        story(stories.a_conflict_beside_a_message),
    ),
    Mutant(
        "half a transaction",
        "each fact is committed alone",
        (Swap(group, "_write", _commits_each_fact),),
        frozenset({"a_run_has_its_cause", "kept_tails_are_true", "transcripts_have_no_gap"}),
        story(stories.dies_at_an_operation),
    ),
    Mutant(
        "swallowed write error",
        "what the disk refuses is logged and answered as written",
        (Swap(StorageActor, "_after_trouble", _believes_the_disk),),
        frozenset({"nothing_acknowledged_is_lost"}),
        story(stories.writes_to_a_full_disk),
    ),
    Mutant(
        "a trouble is told at each message",
        "who writes while the disk refuses is told so again and again",
        (Swap(Attachments, "_post_trouble", _to_all_who_write),),
        frozenset({"a_trouble_is_told_once"}),
        story(stories_trouble.writes_to_a_disk_that_refuses),
    ),
    Mutant(
        "a trouble is told when it is over",
        "what could not be said while the database could not be read is said afterwards",
        (Swap(Calling, "drop_notices", lambda _: lambda *_args: None),),
        frozenset({"a_trouble_is_told_while_it_lasts"}),
        story(stories_trouble.writes_to_a_disk_that_cannot_be_read),
    ),
)
