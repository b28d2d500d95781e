"""A chat of a storm: what is owed in it, and how it is listened to."""

import asyncio
from collections.abc import Callable

import pytest

from greenroom.supervisor.sandbox.storm_chat import Chat
from greenroom.supervisor.sandbox.storm_talk import Line

SAID = Line("m1", "message #1#", "#1#")
CUT = Line("m2", "count to 9", "count to 9", may_be_cut=True)
STOP = Line("m3", "/stop", hushes=True)
LATER = Line("m4", "message #4#", "#4#")


class Reader:
    """Sees what it is given. Whoever waits for a change of that waits in vain, unless one is `coming`."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.coming: list[str] = []

    @property
    def visible(self) -> object:
        return self.answers

    async def say(self, message_id: str, text: str) -> bool:
        raise NotImplementedError

    async def until(self, condition: Callable[[], object], timeout_s: float) -> None:
        while not condition():
            if not self.coming:
                raise TimeoutError
            self.answers.append(self.coming.pop(0))
            await asyncio.sleep(0)


def test_an_answer_is_owed_to_each_message_since_the_chat_was_settled() -> None:
    chat = Chat("web:local:a", Reader(), said=[SAID, CUT, STOP])
    assert not chat.is_answered()
    chat.writer.answers.extend(["You said: #1#", "Stopped."])
    chat.settle()
    assert chat.is_answered()
    chat.said.append(LATER)
    assert not chat.is_answered()
    chat.writer.answers.append("You said: #4#")
    assert chat.is_answered()


@pytest.mark.parametrize("coming, heard", [([], False), (["The agent speaks"], True), (["Nothing is running."], True)])
async def test_a_chat_that_says_anything_while_nobody_speaks_is_heard(coming: list[str], *, heard: bool) -> None:
    reader = Reader("You said: #1#")
    reader.coming = coming
    assert (await Chat("web:local:a", reader, said=[SAID]).listen(1.0) is not None) is heard


async def test_the_news_of_a_process_break_no_silence() -> None:
    reader = Reader("You said: #1#")
    reader.coming = [
        "The background process 1.1 that you started (sleep 2) is over: exit code 0. It has left no output."
    ]
    assert await Chat("web:local:a", reader, said=[SAID]).listen(1.0) is None


async def test_who_waits_is_patient_while_the_storm_rages_and_not_for_ever_afterwards() -> None:
    reader = Reader()
    chat, rages = Chat("web:local:a", reader, said=[SAID]), iter([True, True, False])
    with pytest.raises(TimeoutError):
        await chat.hold(chat.is_answered, lambda: next(rages, False), 0.0)
    assert list(rages) == []
    reader.coming = ["You said: #1#"]
    await chat.hold(chat.is_answered, lambda: False, 0.0)
    assert chat.is_answered()
