"""The one writer's shell: takes everything that waits, lets it be written as one group, and answers everyone.

It decides nothing: the transaction is `storage.group`, the connection `storage.writer`, the waiting `storage.patience`.
What waits stays here while the disk will not, and no one is answered meanwhile.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

from pykka import ActorDeadError

from greenroom.actors.facts import RowsForgotten
from greenroom.actors.pooled import Letter, PooledActor
from greenroom.actors.runtime import Awaited, Falls
from greenroom.actors.store import Committed, GroupCommitted, ReadFailed, RefusalKind, Refused
from greenroom.storage.boots import BootEnding
from greenroom.storage.forgetting import Forgetting
from greenroom.storage.group import Fenced
from greenroom.storage.patience import Crash, RefuseAll, TryAgain, decide_after_trouble
from greenroom.storage.reading import read_answer
from greenroom.storage.requests import CLOSED, Finish, Read, Retry, Scrub, Scrubbed, Tidy, Write, call_back
from greenroom.storage.trouble import Trouble, TroubleKind
from greenroom.storage.writer import Troubled, Writer

GROUP_MAX = 4_096
"""How many requests share one transaction; more wait for the next."""

logger = logging.getLogger("greenroom.storage")


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Who is told of what, on the storage thread: tell somebody and return."""

    on_trouble: Callable[[Trouble | None], None]
    on_fenced: Callable[[], None]
    on_written: Callable[[], None]
    on_committed: Callable[[GroupCommitted], None] | None = None
    on_forgotten: Callable[[RowsForgotten], None] | None = None  # by their age


class StorageActor(PooledActor):
    dedicated_thread = True
    falls = Falls.HOUSE

    def __init__(self, writer: Writer, callbacks: Callbacks, forgetting: Forgetting) -> None:
        super().__init__()
        self._writer = writer
        self._callbacks = callbacks
        self._forgetting = forgetting
        self._tidying = False
        self._others: deque[Letter] = deque()
        self._waiting: deque[Write] = deque()
        self._group: list[Write] = []  # Offered to the disk and not answered; offered again exactly as it is.
        self._refusal: Refused | None = None  # The answer to everything from now on.
        self._resting = False
        self._failures = 0
        self._failing_since = 0.0
        self._announced: TroubleKind | None = None

    def on_receive_many(self, letters: list[Letter]) -> None:
        for letter in letters:
            if type(letter.message) is Write:
                self._waiting.append(letter.message)
            elif type(letter.message) is Retry:
                self._resting = False
            else:
                self._others.append(letter)
        if not self._resting:
            self._write_all()
        while self._others:
            self._take(self._others.popleft())

    def on_stop(self) -> None:
        self._end(CLOSED)

    def on_failure(self, *_: object) -> None:
        self._end(CLOSED)

    def _take(self, letter: Letter) -> None:
        match letter.message:
            case Read(query, then):
                try:
                    answer = self._writer.read(lambda db: read_answer(db, query))
                except Troubled as error:
                    answer = ReadFailed(str(error))
                except Fenced as error:
                    self._lose_ownership(error)
                    answer = ReadFailed(str(error))
                call_back(then, answer)
            case Tidy():
                self._tidy()
            case Scrub(then):
                call_back(then, self._scrub())
            case Finish(reason, ending):
                letter.answer(self._finish(reason, ending))
            case other:
                raise TypeError(f"the storage actor takes Write, Read, Retry, Tidy, Scrub and Finish, not {other!r}")

    def _write_all(self) -> None:
        while self._group or self._waiting:
            if self._refusal is not None:
                self._refuse_what_waits(self._refusal)
                return
            while self._waiting and len(self._group) < GROUP_MAX and not self._failures:
                self._group.append(self._waiting.popleft())
            began = self.runtime.clock.monotonic()
            try:
                answers = self._writer.commit([write.facts for write in self._group])
            except Troubled as error:
                self._after_trouble(error.trouble)
                return
            except Fenced as error:
                self._lose_ownership(error)
                return
            self._written(answers, self.runtime.clock.monotonic() - began)

    def _written(self, answers: list[Any], took_s: float) -> None:
        group, self._group = self._group, []
        self._failures = 0
        if self._announced is not None:
            self._announced = None
            call_back(self._callbacks.on_trouble, None)
        for write, answer in zip(group, answers, strict=True):
            call_back(write.then, answer)
        if self._callbacks.on_committed is not None:
            pairs = zip(group, answers, strict=True)
            facts = tuple(fact for write, answer in pairs if type(answer) is Committed for fact in write.facts)
            now = self.runtime.clock.now()
            call_back(self._callbacks.on_committed, GroupCommitted(facts, now, took_s, len(group)))
        self._callbacks.on_written()
        try:
            self._writer.after_group()
        except (Troubled, Fenced) as error:
            logger.warning("checkpoint put off: %s", error)  # The next commit meets the same disk, and judges it.
        self._tidy_if_due()

    def _tidy(self) -> None:
        """One look, and at most one small transaction; then whoever came meanwhile is first."""
        self._tidying = False
        if self._group or self._waiting or self._refusal is not None:
            return  # Their end asks for it again.
        now, monotonic = self.runtime.clock.now(), self.runtime.clock.monotonic()
        try:
            found = self._writer.read(lambda db: self._forgetting.look(db, now=now, monotonic=monotonic))
        except (Troubled, Fenced) as error:
            logger.warning("forgetting put off: %s", error)  # The next commit meets the same disk, and judges it.
            return
        if found is not None and not found.ids:
            self._tidy_if_due()
        elif found is not None:
            self._waiting.append(Write((found,), partial(self._tidied, found)))
            self._write_all()

    def _tidied(self, forgotten: RowsForgotten, answer: Committed | Refused) -> None:
        if type(answer) is Committed and self._callbacks.on_forgotten is not None:
            self._callbacks.on_forgotten(forgotten)

    def _scrub(self) -> Scrubbed:
        try:
            return self._writer.scrub()
        except (Troubled, Fenced) as error:
            logger.warning("what was forgotten may still be in free space of the file: %s", error)
            return Scrubbed()

    def _tidy_if_due(self) -> None:
        if not self._tidying and self._forgetting.is_due(self.runtime.clock.monotonic()):
            self._tidying = True
            self._tell_self(Tidy())

    def _after_trouble(self, trouble: Trouble) -> None:
        clock = self.runtime.clock.monotonic()
        self._failures += 1
        if self._failures == 1:
            self._failing_since = clock
        waited_s, chance = clock - self._failing_since, self.runtime.random.random()
        decision = decide_after_trouble(trouble, attempt=self._failures, waited_s=waited_s, chance=chance)
        match decision:
            case TryAgain(after_s, announce):
                if announce:
                    self._announce(trouble)
                self._resting = True
                self.runtime.timers.arm((self.actor_urn, "retry"), after_s, self._wake)
            case RefuseAll(words):
                self._announce(trouble)
                self._refuse_from_now_on(Refused(RefusalKind.CLOSED, words))
            case Crash():
                raise Troubled(trouble)
            case _:
                assert_never(decision)

    def _announce(self, trouble: Trouble) -> None:
        if self._announced is not trouble.kind:
            self._announced = trouble.kind
            call_back(self._callbacks.on_trouble, trouble)

    def _wake(self) -> None:
        self._tell_self(Retry())

    def _tell_self(self, message: Retry | Tidy) -> None:
        try:
            self.actor_ref.tell(message)
        except ActorDeadError:
            return  # It ended meanwhile.

    def _lose_ownership(self, error: Fenced) -> None:
        self._refuse_from_now_on(Refused(RefusalKind.STALE_WRITER, str(error)))
        call_back(self._callbacks.on_fenced)

    def _refuse_from_now_on(self, refusal: Refused) -> None:
        self._refusal = refusal
        self._refuse_what_waits(refusal)

    def _refuse_what_waits(self, refusal: Refused) -> None:
        refused = [*self._group, *self._waiting]
        self._group.clear()
        self._waiting.clear()
        for write in refused:
            call_back(write.then, refusal)

    def _finish(self, reason: str, ending: BootEnding) -> bool:
        """One more attempt at what waits; then the boot ends, never as clean if something had to be left."""
        self._resting = False
        self._write_all()
        whole = self._refusal is None and not self._group
        if whole:
            try:
                self._writer.end(at=self.runtime.clock.now(), reason=reason, ending=ending)
            except (Troubled, Fenced) as error:
                logger.warning("the boot could not be ended in order: %s", error)
                whole = False
        self._end(CLOSED)
        return whole and ending is BootEnding.CLEAN

    def _end(self, refusal: Refused) -> None:
        self.runtime.timers.cancel((self.actor_urn, "retry"))
        self._writer.close()
        self._refuse_from_now_on(self._refusal or refusal)
        while self._others:
            if isinstance(message := self._others.popleft().message, Awaited):
                message.turn_back()
