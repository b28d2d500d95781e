"""When a part of the roof itself dies, what stands on it is built anew, and nothing is lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from greenroom import HostedChat, Supervisor
from greenroom.actors.pooled import PooledActor
from greenroom.actors.ports import Turn
from greenroom.storage.reading_actor import ReadingActor
from greenroom.supervisor.sandbox.scenario import Accident, FaultKind, Policy, Scenario

PATIENT = Policy(unclean_boots_max=100)


async def agent(turn: Turn) -> str:
    if turn.text == "long" and turn.attempt == 1:
        await asyncio.sleep(20)
        await turn.say("still here")
        await asyncio.sleep(20)
    return f"re {turn.text}"


@pytest.mark.parametrize("accident", [Accident.STORAGE_RAISES, Accident.TREE_RAISES, Accident.OUTBOX_RAISES])
@pytest.mark.parametrize("steps", range(0, 60, 6))
def test_whatever_dies_below_a_message_it_is_answered_once(accident: Accident, steps: int) -> None:
    with Scenario(agent, policy=PATIENT) as room:
        room.says("long", 1)
        room.says("a", 2)
        room.steps(steps)
        room.accident(accident)
        room.says("b", 2)
        room.rest()
        room.says("c", 2)
        room.rest()
        assert [text for text in room.visible(1) if text != "..."][-1].endswith("re long")
        words = " ".join(text for text in room.visible(2) if text != "...").split()
        assert [word for word in words if word != "re"] == ["a", "b", "c"]
        assert room.broken() == []


def test_two_deaths_at_once_are_one_rebuilding() -> None:
    with Scenario(agent, policy=PATIENT) as room:
        room.says("a")
        room.rest()
        room.accident(Accident.STORAGE_RAISES)
        room.accident(Accident.TREE_RAISES)
        room.says("b")
        room.advance(60)
        assert room.visible() == ["re a", "re b"]
        assert room.life is not None
        assert room.life.lives()


def test_a_disk_that_fails_for_a_while_costs_nobody_a_word() -> None:
    with Scenario(agent, policy=PATIENT) as room:
        room.says("a")
        room.rest()
        room.disk_fails(FaultKind.IO_ERROR, times=None)
        room.says("b")
        room.advance(30)
        room.disk_heals()
        room.rest()
        assert room.visible() == ["re a", "re b"]
        assert room.broken() == []


async def test_when_who_reads_dies_the_house_falls_and_whoever_waits_is_answered_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        room.attach(HostedChat("web", "me"))
        assert await room.answer(await room.accept(chat="web:me:1", id="1", text="a")) == "re a"
        real, died = ReadingActor.on_receive, list[ReadingActor]()

        def dies_once(self: ReadingActor, message: Any) -> None:
            if not died:
                died.append(self)
                raise RuntimeError("the reader dies")
            real(self, message)

        waiting = await room.accept(chat="web:me:1", id="2", text="b")
        monkeypatch.setattr(ReadingActor, "on_receive", dies_once)
        async with asyncio.timeout(20):
            assert await room.answer(waiting) == "re b"
    assert len(died) == 1
    assert "building anew on the reopened store" in caplog.text
    assert "ReadingActor: RuntimeError('the reader dies')" in caplog.text


def test_each_class_of_actors_says_itself_what_falls_with_it() -> None:
    ours = [each for each in PooledActor.__subclasses__() if each.__module__.startswith("greenroom.")]
    assert {"StorageActor", "ReadingActor", "TreeActor", "SessionActor", "DeliveryActor"} < {
        each.__name__ for each in ours
    }
    assert [each.__name__ for each in ours if "falls" not in vars(each)] == []
