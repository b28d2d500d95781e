"""What becomes of work that is too old when its user writes."""

import asyncio

import pytest
from msgspec.structs import replace

from greenroom.actors.expiring import age_of_work_s, is_stale
from greenroom.actors.model import Epoch, Generation, OpenRun, RunCause, Tail, TailKind
from greenroom.actors.ports import Turn
from greenroom.supervisor.sandbox import stories_aside
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

TAIL = Tail(TailKind.USER, at=1_000.0)
RUN = OpenRun(Generation(1), Epoch(1), Generation(1), RunCause.INBOUND, 1, opened_at=1_000.0, last_progress_at=1_500.0)


def test_work_is_as_old_as_its_last_progress_or_word() -> None:
    assert age_of_work_s(TAIL, RUN, 2_000.0) == 500.0
    assert age_of_work_s(TAIL, None, 2_000.0) == 1_000.0
    assert age_of_work_s(replace(TAIL, at=1_900.0), RUN, 2_000.0) == 100.0
    assert age_of_work_s(Tail(), None, 2_000.0) is None


@pytest.mark.parametrize("fresh_s, stale", [(499.0, True), (500.0, False), (0.0, False), (-1.0, False)])
def test_the_gate_may_be_switched_off(fresh_s: float, stale: bool) -> None:
    assert is_stale(TAIL, RUN, 2_000.0, fresh_s) is stale


class HangsOnce:
    """Hangs in its first run, and afterwards says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []

    async def __call__(self, turn: Turn) -> str:
        self.asked.append((turn.text, turn.recovery_note))
        if len(self.asked) == 1:
            await turn.tool("wait", {}, policy="pure", fn=_forever)
        return f"re {turn.text}"


async def _forever() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("down_s, pulled_in", [(7_200.0, False), (1_800.0, True)])
def test_the_users_message_starts_afresh_when_the_work_left_open_is_too_old(down_s: float, pulled_in: bool) -> None:
    agent = HangsOnce()
    with Scenario(agent, policy=Policy(auto_resume=frozenset())) as room:
        room.says("old")
        room.until(lambda: agent.asked)
        room.advance(5)
        room.restart(after_s=down_s)
        room.rest()
        assert room.decisions() == ["REASON_NOT_ALLOWED"]
        room.says("new")
        room.rest()
        assert room.broken() == []
        if pulled_in:
            assert agent.asked[1][0] == "old\nnew"
            assert room.visible() == ["re old\nnew"]
        else:
            assert agent.asked[1] == ("new", None)
            line, answer = room.visible()
            assert "was interrupted; send it again" in line
            assert answer == "re new"
            assert [run.ending for run in room.runs()] == ["expired", "answered"]
            assert [row.text[:11] for row in room.transcript() if row.role == "tool"] == ["[no result:"]


def test_who_is_released_too_late_is_told_once_that_the_request_is_over() -> None:
    with Scenario(seed=1) as room:
        stories_aside.is_given_back_late(room, 1)
        room.rest()
        assert [line for line in room.visible() if "send it again" in line] == room.visible()[-2:-1]
        assert room.broken() == []
