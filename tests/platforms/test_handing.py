import pytest
from tests.platforms.stage import Stage

from greenroom.actors.model import Inbound, Receipt, SessionKey
from greenroom.actors.ports import BusyError, RefusedError
from greenroom.platforms.chats.backoff import Backoff
from greenroom.platforms.chats.handing import hand_over, insist, offer

SAID = Inbound(SessionKey("slack", "me", "D1"), "u1", "hello")


def at_once() -> Backoff:
    return Backoff(0.0, 0.0)


class Reluctant(Stage):
    """Busy the first times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def accept(self, inbound: Inbound) -> Receipt:
        self.times -= 1
        if self.times >= 0:
            raise BusyError("the disk is full")
        return await super().accept(inbound)


async def test_it_is_offered_until_it_is_stored(stage: Stage) -> None:
    receipt = await hand_over(Reluctant(3), SAID, at_once())
    assert receipt is not None
    assert receipt.key == SAID.key


async def test_what_is_refused_is_offered_once(stage: Stage) -> None:
    stage.open_for_business = RefusedError("not allowed")
    assert await hand_over(stage, SAID, at_once()) is None
    assert await offer(stage, SAID) is None
    assert stage.refused == 2


async def test_what_else_goes_wrong_is_the_callers() -> None:
    failures: list[Exception] = [ValueError("unreadable"), BusyError("not now")]

    async def attempt() -> None:
        raise failures.pop()

    with pytest.raises(ValueError, match="unreadable"):
        await insist(attempt, at_once(), "it")
    assert failures == []
