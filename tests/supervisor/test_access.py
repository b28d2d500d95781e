"""Strangers: shown a code, let in by it, shut out again; a stranger's words start nothing and are kept nowhere."""

from __future__ import annotations

import doctest
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition

import apsw
import pytest

from greenroom import Policy, Supervisor, Turn
from greenroom.actors.model import DeliveryClass, Inbound, SessionKey
from greenroom.actors.pairing import GUESSES_MAX, WAITING_MAX
from greenroom.actors.ports import BusyError, Choices, Outgoing, RefusedError
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import FakePlatform
from greenroom.supervisor import access
from greenroom.supervisor.access import WELCOME
from greenroom.supervisor.supervisor import BlockingRoom

WAIT_S = 20.0
PAIRING = Policy(allow=("fake:bot:friend",), strangers="pair")
EVE, FRIEND = SessionKey("fake", "bot", "eve"), SessionKey("fake", "bot", "friend")


async def agent(turn: Turn) -> str:
    return f"echo: {turn.text}"


class HeardServer(FakeChatServer):
    """Whatever is shown or acknowledged can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.changed = Condition()

    def post(self, message: Outgoing) -> str:
        with self.changed:
            self.changed.notify_all()
            return super().post(message)

    def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        with self.changed:
            self.changed.notify_all()
            super().edit(session, message_id, text, choices)

    def acknowledge(self, inbound: Inbound) -> None:
        with self.changed:
            self.changed.notify_all()
            super().acknowledge(inbound)

    def until(self, happened: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(happened, WAIT_S)


class House:
    """A chat server and a database that outlive every supervisor."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bot.db"
        self.server = HeardServer()
        self.said = 0

    @contextmanager
    def open(self, policy: Policy = PAIRING) -> Iterator[BlockingRoom]:
        with Supervisor(self.path, agent=agent, policy=policy) as room:
            room.attach(FakePlatform(self.server, DeliveryClass.EDIT_ANCHOR))
            yield room

    def says(self, chat: SessionKey, text: str) -> None:
        """Say it, and return when it was acknowledged."""
        self.said += 1
        self.server.say(chat, f"u{self.said}", text)
        self.server.until(lambda: not self.server.unacknowledged())

    def sees(self, chat: SessionKey, words: str) -> None:
        self.server.until(lambda: any(words in text for text in self.server.texts(chat)))

    def code(self, chat: SessionKey = EVE) -> str:
        """The newest code that this chat was shown."""
        self.sees(chat, "greenroom pair approve ")
        shown = [text for text in self.server.texts(chat) if "approve" in text]
        (code,) = re.findall(r"approve ([A-Z0-9]{4}-[A-Z0-9]{4})", shown[-1])
        return str(code)

    def count(self, table: str) -> int:
        db = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return int(db.execute(f"SELECT count(*) FROM {table}").get)
        finally:
            db.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(access).failed == 0


def test_a_code_is_made_of_characters_that_are_taken_for_nothing_else() -> None:
    codes = {access.make_code(random.Random(seed)) for seed in range(200)}
    assert len(codes) == 200
    assert all(re.fullmatch("[A-HJ-NP-Z2-9]{4}-[A-HJ-NP-Z2-9]{4}", code) for code in codes)


def test_a_stranger_is_shown_one_line_and_nothing_is_kept_of_the_words(house: House) -> None:
    with house.open():
        for _ in range(5):
            house.says(EVE, "rm -rf the-secret-word")
        code = house.code()
        house.says(FRIEND, "there?")
        house.sees(FRIEND, "echo: there?")
        assert len(house.server.texts(EVE)) == 1
    assert {table: house.count(table) for table in ("sessions", "inbox", "runs", "refusals")} == {
        "sessions": 1,
        "inbox": 1,
        "runs": 1,
        "refusals": 1,
    }
    on_disk = b"".join(file.read_bytes() for file in house.path.parent.iterdir() if file.is_file())
    assert b"the-secret-word" not in on_disk
    assert code.encode() not in on_disk
    assert code.replace("-", "").encode() not in on_disk


def test_a_strangers_name_is_cut_to_what_can_be_kept(house: House) -> None:
    with house.open() as room:
        house.server.say(EVE, "u1", "let me in", author="\ud800" + "e" * 100_000)
        house.code()
        assert [each.author for each in room.pairings()] == ["\ufffd" + "e" * 254]


def test_a_chat_that_was_let_in_stays_in_across_restarts_until_it_is_shut_out(house: House) -> None:
    with house.open() as room:
        house.says(EVE, "hello")
        assert room.pair(house.code().lower(), timeout_s=WAIT_S) == EVE
        house.sees(EVE, WELCOME)
        house.says(EVE, "one")
        house.sees(EVE, "echo: one")
    with house.open() as room:
        house.says(EVE, "two")
        house.sees(EVE, "echo: two")
        assert room.unpair("fake:bot:eve", timeout_s=WAIT_S) == EVE
        with pytest.raises(RefusedError, match="not allowed"):
            room.accept(chat=EVE, id="x1", text="three", timeout_s=WAIT_S)
    with house.open() as room, pytest.raises(RefusedError, match="not allowed"):
        room.accept(chat=EVE, id="x2", text="four", timeout_s=WAIT_S)


def test_a_code_works_once_and_a_wrong_one_never(house: House) -> None:
    with house.open() as room:
        house.says(EVE, "hello")
        code = house.code()
        with pytest.raises(RefusedError, match="no chat has this code"):
            room.pair("WRNG-CDE2", timeout_s=WAIT_S)
        assert room.pair(code, timeout_s=WAIT_S) == EVE
        with pytest.raises(RefusedError, match="no chat has this code"):
            room.pair(code, timeout_s=WAIT_S)
        room.unpair(EVE, timeout_s=WAIT_S)
        with pytest.raises(RefusedError, match="no chat has this code"):
            room.pair(code, timeout_s=WAIT_S)
        with pytest.raises(RefusedError, match="was not let in by a code"):
            room.unpair(EVE, timeout_s=WAIT_S)


def test_too_many_wrong_codes_end_the_right_one_also_across_a_restart(house: House) -> None:
    with house.open() as room:
        house.says(EVE, "hello")
        code = house.code()
        for _ in range(GUESSES_MAX - 1):
            with pytest.raises(RefusedError):
                room.pair("WRNG-CDE2", timeout_s=WAIT_S)
    with house.open() as room:
        for wrong_or_late in ("WRNG-CDE2", code):
            with pytest.raises(RefusedError):
                room.pair(wrong_or_late, timeout_s=WAIT_S)


def test_a_code_that_was_shown_before_a_restart_lets_in_after_it(house: House) -> None:
    with house.open():
        house.says(EVE, "hello")
        code = house.code()
    with house.open() as room:
        house.says(EVE, "still there?")
        assert len(house.server.texts(EVE)) == 1
        assert room.pair(code, timeout_s=WAIT_S) == EVE


def test_a_crowd_of_strangers_is_shown_no_more_than_so_many_codes(house: House) -> None:
    with house.open() as room:
        for n in range(WAITING_MAX + 5):
            house.says(SessionKey("fake", "bot", f"s{n}"), "hello")
        house.server.until(lambda: house.server.posts >= WAITING_MAX)
        house.says(FRIEND, "there?")
        house.sees(FRIEND, "echo: there?")
        assert len(room.pairings()) == WAITING_MAX
        assert not house.server.texts(SessionKey("fake", "bot", f"s{WAITING_MAX}"))


def test_strangers_are_ignored_unless_the_host_wants_them(house: House) -> None:
    with house.open(Policy(allow=("fake:bot:friend",))) as room:
        house.says(EVE, "hello")
        house.says(FRIEND, "there?")
        house.sees(FRIEND, "echo: there?")
        assert not house.server.texts(EVE)
        assert not room.pairings()
    with pytest.raises(BusyError):
        room.pair("ABCD-EFGH", timeout_s=WAIT_S)


def test_who_may_write_is_changed_while_the_house_stands(house: House) -> None:
    with house.open() as room:
        house.says(FRIEND, "hello")
        house.sees(FRIEND, "echo: hello")
        room.admit(Policy(allow=("fake:bot:eve",), strangers="ignore"))
        house.says(EVE, "me too")
        house.sees(EVE, "echo: me too")
        house.says(FRIEND, "and I?")
    assert house.server.texts(FRIEND) == ["echo: hello"]
    assert house.count("inbox") == 2


def test_where_nobody_is_asked_who_they_are_nobody_can_be_shut_out(house: House) -> None:
    with house.open(Policy()) as room, pytest.raises(ValueError, match=r"see Policy\.allow"):
        room.admit(PAIRING)
