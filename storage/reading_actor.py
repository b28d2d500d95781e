"""Answers questions on a connection of its own, so that nobody who asks waits for a disk flush."""

import apsw

from greenroom.actors.pooled import PooledActor
from greenroom.actors.runtime import Falls
from greenroom.actors.store import Query, ReadAnswer, ReadFailed
from greenroom.storage.reading import read_answer
from greenroom.storage.requests import Read, call_back
from greenroom.storage.sqlite import CannotOpen, open_reader
from greenroom.storage.trouble import classify_error
from greenroom.storage.whereabouts import Whereabouts, has_vanished, read_whereabouts


class Reader:
    """A read-only connection that is opened when it is needed, and again when it is not to be trusted."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened: tuple[apsw.Connection, Whereabouts] | None = None

    def answer(self, query: Query) -> ReadAnswer:
        """Answer from what is committed, or say why not."""
        try:
            return read_answer(self._connection(), query)
        except CannotOpen as error:
            self.close()
            return ReadFailed(str(error))
        except Exception as error:  # Invariant: who asks is answered, whatever the disk or a row is to blame for.
            self.close()
            return ReadFailed(classify_error(error, path=self._path).refusal)

    def close(self) -> None:
        """Close; the next question opens again."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened[0].close(force=True)

    def _connection(self) -> apsw.Connection:
        if self._opened is not None and has_vanished(*self._opened):
            self.close()
        if self._opened is None:
            db = open_reader(self._path)
            self._opened = db, read_whereabouts(db)
        return self._opened[0]


class ReadingActor(PooledActor):
    dedicated_thread = True
    falls = Falls.HOUSE

    def __init__(self, path: str) -> None:
        super().__init__()
        self._reader = Reader(path)

    def on_receive(self, message: Read) -> None:
        call_back(message.then, self._reader.answer(message.query))

    def on_stop(self) -> None:
        self._reader.close()

    def on_failure(self, *_: object) -> None:
        self._reader.close()
