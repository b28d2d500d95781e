"""The demo agent under a whole supervisor: in virtual time, killed where it hurts; and through the embedder's door."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path

import pytest

from greenroom.actors.model import DeliveryClass, Epoch, SessionKey
from greenroom.actors.ports import Choices
from greenroom.actors.simulation import SimRuntime
from greenroom.platforms.agents.demo import demo_agent
from greenroom.platforms.agents.demo_rules import HELP, LONG_PARAGRAPHS, judge_guess
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import FakePlatform
from greenroom.storage.writer import Place
from greenroom.supervisor.core import Core, CoreHooks
from greenroom.supervisor.owned import OwnedSqlite, open_owned
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.supervisor import BlockingRoom, Supervisor

CHAT = SessionKey("fake", "bot", "1")
OTHER = SessionKey("fake", "bot", "2")
STEPS_MAX = 200_000


class Life:
    """A chat with the demo, through as many lives of its process as a test takes."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.ledger = folder / "ledger.txt"
        self.runtime = SimRuntime(seed)
        self.server = FakeChatServer()
        self.said = 0
        self.start()

    def start(self) -> None:
        def open_store(fell: Epoch | None) -> OwnedSqlite:
            return open_owned(Place(str(self.folder / "bot.db")), self.runtime, version="0", fell=fell)

        agent = demo_agent(self.ledger, now=lambda: 3661.0)
        self.core = Core(self.runtime, open_store, agent, Policy(), CoreHooks())
        self.core.start()
        self.core.attach(FakePlatform(self.server, DeliveryClass.EDIT_ANCHOR))

    def kill(self) -> None:
        self.runtime.crash()
        self.core.abandon()

    def restart(self) -> None:
        self.kill()
        self.start()

    def say(self, *texts: str, chat: SessionKey = CHAT) -> None:
        for text in texts:
            self.said += 1
            self.server.say(chat, f"u{self.said}", text)

    def until(self, happened: Callable[[], bool]) -> None:
        for _ in range(STEPS_MAX):
            if happened():
                return
            assert self.runtime.step(), "nothing can happen any more"
        pytest.fail("it did not happen")

    def read(self, chat: SessionKey = CHAT) -> list[str]:
        """What a person reads; a placeholder whose loss a kill left behind says nothing."""
        return [text for text in self.server.texts(chat) if text != "..."]

    def sees(self, words: str) -> bool:
        return any(words in text for text in self.read())

    def hear(self, *texts: str, for_s: float = 60.0) -> list[str]:
        """Say something, let time pass, and read the whole chat."""
        self.say(*texts)
        self.runtime.advance(for_s)
        return self.read()

    def lines(self) -> list[str]:
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []


@pytest.fixture(params=range(2))
def life(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Life]:
    made = Life(tmp_path, seed=request.param)
    yield made
    made.kill()
    made.runtime.close(10)


def test_it_says_what_it_can_do(life: Life) -> None:
    assert life.hear("help") == [HELP]


def test_messages_that_wait_are_answered_together_a_paragraph_each_in_their_order(life: Life) -> None:
    life.hear("count to 2", for_s=0.9)
    life.say("n 1", "n 2", "note n 3", "time")
    life.runtime.advance(60)
    assert life.read() == ["1 2 ", "You said: n 1\n\nYou said: n 2\n\nNoted: n 3\n\nIt is 01:01:01 UTC."]


def test_it_counts_while_one_watches(life: Life) -> None:
    life.say("count to 12")
    life.until(lambda: life.sees(" 5 "))
    assert not life.sees(" 12 ")
    life.runtime.advance(60)
    assert life.read() == ["1 2 3 4 5 6 7 8 9 10 11 12 "]


def test_killed_while_it_counts_it_goes_on_from_what_is_on_disk_and_says_so(life: Life) -> None:
    life.say("count to 25")
    life.until(lambda: life.sees(" 13 "))
    life.restart()
    life.runtime.advance(60)
    numbers = " ".join(str(n) for n in range(11, 26))
    assert life.read() == [f"1 2 3 4 5 6 7 8 9 10 (I was interrupted and go on from 11) {numbers} "]


def test_a_count_to_the_limit_outlives_more_kills_than_an_attempt_without_progress_may(life: Life) -> None:
    life.say("count to 5000")
    for reached in (15, 35, 55, 75, 95):
        life.until(partial(life.sees, f" {reached} "))
        life.restart()
        life.runtime.advance(400)  # Out of the window in which restarts are too many to resume anything.
    life.runtime.advance(1000)
    (text,) = life.read()
    assert text.startswith("I count to 1000 at most: 1 2 3 ")
    assert text.endswith(" 999 1000 ")


def test_a_note_is_in_the_ledger_once_wherever_the_process_is_killed(tmp_path: Path) -> None:
    """Every single step of the work is a moment to be killed at."""
    told: set[str] = set()
    for steps in range(1, STEPS_MAX):
        folder = tmp_path / str(steps)
        folder.mkdir()
        life = Life(folder, seed=steps)
        life.say("note milk")
        taken = life.runtime.run(until_s=life.runtime.now + 60, max_steps=steps)
        life.restart()
        life.runtime.advance(60)
        (text,) = life.read()
        in_doubt = text.startswith("In doubt: ")
        assert in_doubt or text == "Noted: milk", text
        assert life.lines() in ([["milk"], []] if in_doubt else [["milk"]])
        told.add(f"{text[:5]} {len(life.lines())}")
        life.kill()
        life.runtime.close(10)
        if taken < steps:
            break
    assert told == {"Noted 1", "In do 0", "In do 1"}


def test_what_is_in_doubt_can_be_looked_up(life: Life) -> None:
    life.say("note milk")
    life.until(lambda: life.lines() == ["milk"])
    life.restart()
    life.runtime.advance(60)
    (text,) = life.read()
    assert "`ledger milk` looks it up" in text
    assert life.hear("ledger milk")[-1] == "The ledger has 'milk' once."
    assert life.hear("ledger bread")[-1] == "The ledger has 'bread' 0 times."


def test_a_ledger_that_cannot_be_written_is_no_crash(life: Life) -> None:
    life.ledger.mkdir()
    assert life.hear("note milk") == ["Not noted: milk (Is a directory)"]
    assert life.hear("ledger milk")[-1] == "The ledger cannot be read (Is a directory)."


@pytest.mark.parametrize("killed", [False, True])
def test_it_asks_back_and_uses_the_answer_also_after_a_restart(life: Life, killed: bool) -> None:
    question = "You said: first\n\nWhat shall I call you?"
    life.hear("count to 1", for_s=0.1)
    life.say("first", "ask me", "last")
    life.runtime.advance(60)
    assert life.read()[-1] == question
    if killed:
        life.restart()
        life.runtime.advance(86_400)
    assert life.hear("Ann")[-2:] == [question, "Nice to meet you, Ann.\n\nYou said: last"]


def test_an_answer_that_was_given_is_heard_by_the_next_attempt(life: Life) -> None:
    """Killed after the reply, before the end: the question is not asked again and the reply is no request."""
    life.hear("count to 1", for_s=0.1)
    life.hear("ask me", "count to 5")
    life.say("Ann")
    life.until(lambda: life.sees(" 3 "))
    life.restart()
    life.runtime.advance(60)
    assert life.read()[1:] == [
        "What shall I call you?",
        "Nice to meet you, Ann.\n\n(I was interrupted and go on from 1) 1 2 3 4 5 ",
    ]


def test_the_secret_number_stays_the_same_through_restarts(life: Life) -> None:
    life.hear("guess a number")
    low, high = 1, 9
    while "it was" not in life.read()[-1]:
        life.restart()
        guess = (low + high) // 2
        text = life.hear(str(guess))[-1]
        low, high = (guess + 1, high) if "too low" in text else (low, guess - 1)
    found = int(life.read()[-1].removeprefix("Yes, it was ").removesuffix("!"))
    assert judge_guess(str(found), found) is None


@pytest.mark.parametrize(
    "how, line", [("crash", "DemoCrashError"), ("exit", "SystemExit"), ("empty", "without an answer")]
)
def test_however_it_fails_there_is_one_honest_line_and_the_chat_goes_on(life: Life, how: str, line: str) -> None:
    (text,) = life.hear(how)
    assert line in text
    assert life.hear("still there?")[1:] == ["You said: still there?"]


def test_what_waited_with_a_failure_is_answered_with_it(life: Life) -> None:
    life.hear("count to 1", for_s=0.1)
    life.say("crash", "n 2")
    life.runtime.advance(60)
    assert life.read()[-1].startswith("You said: n 2\n\n(The agent failed: DemoCrashError.")


def test_a_hang_ends_at_the_limit_of_silence_and_holds_nobody_else(life: Life) -> None:
    life.hear("hang")
    life.say("n 1", chat=OTHER)
    life.runtime.advance(60)
    assert life.read(OTHER) == ["You said: n 1"]
    life.runtime.advance(Policy().silent_max_s)
    assert "no sign of life" in life.read()[0]
    assert life.hear("n 2")[-1] == "You said: n 2"


def test_a_long_answer_is_split_and_whole(life: Life) -> None:
    parts = life.hear("long")
    assert len(parts) > 1
    positions = ["\n\n".join(parts).index(f"Paragraph {n} of") for n in range(1, LONG_PARAGRAPHS + 1)]
    assert positions == sorted(positions)


def test_a_slow_tool_shows_its_steps(life: Life) -> None:
    life.say("slow tool")
    life.until(lambda: life.sees("(step 4 of 10)"))
    life.runtime.advance(60)
    assert life.read() == ["The slow tool is done."]


WAIT_S = 30.0


def test_a_host_without_a_loop_talks_to_it_through_restarts(tmp_path: Path) -> None:
    agent = demo_agent(tmp_path / "ledger.txt", tick_s=0.001)

    def ask(room: BlockingRoom, id: str, text: str) -> str:
        receipt = room.accept(chat=str(CHAT), id=id, text=text, timeout_s=WAIT_S)
        return room.answer(receipt, timeout_s=WAIT_S)

    with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        assert ask(room, "1", "note milk") == "Noted: milk"
        assert ask(room, "2", "exit").startswith("(The agent failed: SystemExit")
        assert ask(room, "3", "count to 3") == "1 2 3 "
    with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        assert ask(room, "1", "note milk") == "Noted: milk"  # The same message: its answer is known.
        assert ask(room, "4", "ledger milk") == "The ledger has 'milk' once."


class Watched(FakePlatform):
    """Tells when certain words have become visible."""

    def __init__(self, server: FakeChatServer, words: str) -> None:
        super().__init__(server, DeliveryClass.EDIT_ANCHOR)
        self.words = words
        self.shown: Future[None] = Future()

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        await super().edit(session, message_id, text, choices)
        if self.words in text and not self.shown.done():
            self.shown.set_result(None)

    async def until_shown(self) -> None:
        await asyncio.wait_for(asyncio.wrap_future(self.shown), WAIT_S)


async def test_a_question_asked_before_a_restart_is_answered_after_it(tmp_path: Path) -> None:
    agent = demo_agent(tmp_path / "ledger.txt", tick_s=0.001)
    server = FakeChatServer()
    async with Supervisor(tmp_path / "bot.db", agent=agent, policy=Policy(drain_s=0.1)) as room:
        platform = Watched(server, "What shall I call you?")
        room.attach(platform)
        await room.accept(chat=CHAT, id="1", text="ask me")
        await platform.until_shown()
    async with Supervisor(tmp_path / "bot.db", agent=agent) as room:
        platform = Watched(server, "Nice to meet you, Ann.")
        room.attach(platform)
        receipt = await room.accept(chat=CHAT, id="2", text="Ann")
        assert await asyncio.wait_for(room.answer(receipt), WAIT_S) == "Nice to meet you, Ann."
        await platform.until_shown()
    assert server.texts(CHAT) == ["What shall I call you?", "Nice to meet you, Ann."]
