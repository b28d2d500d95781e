"""What the store cannot say is asked again, less and less often; nothing is decided unread."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from greenroom.actors.ports import Turn
from greenroom.actors.store import Query, ReadAnswer, ReadFailed, UnfinishedOf
from greenroom.storage.store import SqliteStore
from greenroom.supervisor.sandbox.scenario import Scenario


def test_what_cannot_be_read_is_asked_less_and_less_often_and_decided_when_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unread(store: SqliteStore, query: Query, then: Callable[[ReadAnswer], None]) -> None:
        if isinstance(query, UnfinishedOf):
            asked_at.append(room.world.now)
            then(ReadFailed("the page is damaged"))
        else:
            read(store, query, then)

    asked_at: list[float] = []
    read = SqliteStore.read
    with Scenario(agent) as room:
        room.says("hello")
        room.crash()
        monkeypatch.setattr(SqliteStore, "read", unread)
        room.boot()
        room.advance(60)
        assert [round(later - at) for at, later in pairwise(asked_at)] == [1, 2, 4, 8, 16, 16]
        assert room.visible() == []
        monkeypatch.undo()
        room.rest()
        assert room.visible() == ["re hello"]
        assert room.broken() == []


async def agent(turn: Turn) -> str:
    return f"re {turn.text}"
