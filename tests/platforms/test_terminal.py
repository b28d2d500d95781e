import asyncio
import codecs
import contextlib
import os
import pty
import re
import threading
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

import pytest
from tests.platforms.stage import WAIT_S, Stage, running

from greenroom.actors.model import DeliveryClass, Inbound, Receipt, SessionKey
from greenroom.actors.ports import BusyError, Choices, NotSentError, Outgoing, Platform, RefusedError, Shown
from greenroom.platforms.chats.terminal import Hangup, TerminalChat
from greenroom.platforms.chats.terminal_lines import LINE_MAX_BYTES, LineReader

ME = SessionKey("terminal", "local", "me")
Opener = Callable[..., TextIO]


@pytest.fixture
def opened() -> Iterator[Opener]:
    files: list[TextIO] = []

    def opener(descriptor: int, mode: str = "r") -> TextIO:
        file = open(descriptor, mode, encoding="utf-8", closefd=True)  # noqa: SIM115
        assert isinstance(file, TextIOWrapper)
        files.append(file)
        return file

    yield opener
    for file in files:
        try:
            file.close()
        except BrokenPipeError:
            continue


async def answer(chat: TerminalChat, stage: Stage, number: int, text: str) -> None:
    """Answer as the outbox does: an anchor, some words, the text stored, the text shown, the record."""
    await stage.until_accepted(number)
    key = f"d{number}"
    await chat.send(Outgoing(ME, key, "..."))
    stage.stored(ME, key, "", final=False)
    await chat.edit(ME, key, text[:3])
    stage.stored(ME, key, text)
    await chat.edit(ME, key, text)
    await chat.edit(ME, key, text)
    stage.owed.clear()


class Pipe:
    """A chat between two pipes."""

    def __init__(self, stage: Stage, opened: Opener, said: bytes) -> None:
        input_read, input_write = os.pipe()
        self.output, output_write = os.pipe()
        os.write(input_write, said)
        os.close(input_write)
        self.written = opened(output_write, "w")
        self.chat = TerminalChat(stage, input=opened(input_read), output=self.written)

    def seen(self) -> str:
        self.written.close()
        with os.fdopen(self.output, encoding="utf-8") as output:
            return output.read()


async def test_a_pipe_is_answered_and_then_hangs_up(stage: Stage, opened: Opener) -> None:
    pipe = Pipe(stage, opened, b"hello\n")
    assert isinstance(pipe.chat, Platform)
    assert (pipe.chat.name, pipe.chat.traits.delivery) == ("terminal", DeliveryClass.EDIT_ANCHOR)
    async with running(pipe.chat, stage) as task:
        await answer(pipe.chat, stage, 1, "Hello, you.")
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    assert pipe.seen() == "Hello, you.\n"
    assert [(inbound.key, inbound.text) for inbound in stage.accepted] == [(ME, "hello")]


async def test_lines_of_a_pipe_are_said_one_after_the_other(stage: Stage, opened: Opener) -> None:
    pipe = Pipe(stage, opened, b"one\n\n  \ntwo")
    async with running(pipe.chat, stage) as task:
        await answer(pipe.chat, stage, 1, "first")
        await answer(pipe.chat, stage, 2, "second")
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    assert pipe.seen() == "first\nsecond\n"
    assert len({inbound.update_id for inbound in stage.accepted}) == 2


async def test_the_second_line_waits_for_the_answer_to_the_first(stage: Stage, opened: Opener) -> None:
    pipe = Pipe(stage, opened, b"one\ntwo\n")
    async with running(pipe.chat, stage):
        await stage.until_accepted(1)
        stage.looked.clear()
        await asyncio.wait_for(stage.looked.wait(), WAIT_S)
        assert len(stage.accepted) == 1
        await answer(pipe.chat, stage, 1, "first")
        await stage.until_accepted(2)


async def test_an_answer_that_became_final_without_a_word_is_written_before_the_pipe_hangs_up(
    stage: Stage, opened: Opener
) -> None:
    pipe = Pipe(stage, opened, b"one\n")
    async with running(pipe.chat, stage) as task:
        await stage.until_accepted(1)
        await pipe.chat.edit(ME, "d1", "first")  # The words are shown, and only then stored.
        stage.stored(ME, "d1", "first")
        stage.owed.clear()
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    assert pipe.seen() == "first\n"


async def test_what_was_answered_before_is_not_written_into_a_pipe_again(stage: Stage, opened: Opener) -> None:
    stage.stored(ME, "d0", "yesterday's answer")
    pipe = Pipe(stage, opened, b"")
    async with running(pipe.chat, stage) as task:
        await pipe.chat.edit(ME, "d0", "yesterday's answer")
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    assert pipe.seen() == ""


async def test_a_file_is_read_like_a_pipe(stage: Stage, opened: Opener, tmp_path: Path) -> None:
    said = tmp_path / "said"
    said.write_bytes(b"from a file \xff\n")
    output = (tmp_path / "seen").open("w+", encoding="utf-8")
    with said.open(encoding="utf-8") as source, output:
        chat = TerminalChat(stage, input=source, output=output)
        async with running(chat, stage) as task:
            await answer(chat, stage, 1, "read")
            with pytest.raises(Hangup):
                await asyncio.wait_for(task, WAIT_S)
    assert (tmp_path / "seen").read_text() == "read\n"
    assert stage.accepted[0].text == "from a file \ufffd"


async def test_refusals_and_overlong_lines_are_said_and_hold_up_nothing(stage: Stage, opened: Opener) -> None:
    stage.open_for_business = RefusedError("pair this chat first")
    pipe = Pipe(stage, opened, b"no\n")
    async with running(pipe.chat, stage) as task:
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    assert pipe.seen() == "[not sent: pair this chat first]\n"
    said = Pipe(stage, opened, b"")
    long_read, long_write = os.pipe()
    said.chat._reader = LineReader(opened(long_read).fileno(), said.chat._see_typed)
    writer = threading.Thread(target=_pour, args=(long_write,), name="greenroom-test-pour")
    writer.start()
    async with running(said.chat, stage) as task:
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    writer.join(WAIT_S)
    assert said.seen() == "[not sent: a line may hold 65536 bytes]\n"


def _pour(descriptor: int) -> None:
    with open(descriptor, "wb") as pipe:
        pipe.write(b"x" * (LINE_MAX_BYTES + 1) + b"\n")


async def test_after_a_crash_the_rest_of_the_pipe_is_said(stage: Stage, opened: Opener) -> None:
    pipe = Pipe(stage, opened, b"one\ntwo\n")
    async with running(pipe.chat, stage):
        await stage.until_accepted(1)
    assert await stage.connections.get() == "the terminal hung up"
    await answer(pipe.chat, stage, 1, "first")
    async with running(pipe.chat, stage) as task:
        await answer(pipe.chat, stage, 2, "second")
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    assert pipe.seen() == "first\nsecond\n"


async def test_a_store_that_cannot_be_read_does_not_end_a_pipe(stage: Stage, opened: Opener) -> None:
    pipe = Pipe(stage, opened, b"one\n")
    async with running(pipe.chat, stage) as task:
        await stage.until_accepted(1)
        stage.unreadable = OSError("the disk is away")
        stage.looked.clear()
        await asyncio.wait_for(stage.looked.wait(), WAIT_S)
        assert not task.done()
        stage.unreadable = None
        await answer(pipe.chat, stage, 1, "first")
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    assert pipe.seen() == "first\n"


async def test_a_message_that_cannot_be_stored_is_tried_again_with_its_id(
    stage: Stage, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenroom.platforms.chats.terminal.BUSY_WAIT_S", 0.0)
    tried: list[str] = []
    accept = stage.accept

    async def busy_twice(inbound: Inbound) -> Receipt:
        tried.append(inbound.update_id)
        if len(tried) < 3:
            raise BusyError("the disk is full")
        return await accept(inbound)

    stage.accept = busy_twice  # type: ignore[method-assign]
    pipe = Pipe(stage, opened, b"keep me\n")
    async with running(pipe.chat, stage):
        await stage.until_accepted(1)
    assert len(tried) == 3
    assert len(set(tried)) == 1


async def test_a_reader_that_went_away_ends_the_chat(stage: Stage, opened: Opener) -> None:
    pipe = Pipe(stage, opened, b"hello\n")
    os.close(pipe.output)
    async with running(pipe.chat, stage) as task:
        await stage.until_accepted(1)
        stage.stored(ME, "d1", "nobody reads this")
        with pytest.raises(NotSentError):
            await pipe.chat.edit(ME, "d1", "nobody reads this")
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)


async def test_an_answer_to_another_chat_is_taken_silently(stage: Stage, opened: Opener) -> None:
    pipe = Pipe(stage, opened, b"")
    elsewhere = SessionKey("terminal", "local", "work")
    assert await pipe.chat.send(Outgoing(elsewhere, "d9", "for work")) == "d9"
    assert pipe.seen() == ""


class Desk:
    """A chat on a real terminal, and the person before it."""

    def __init__(self, stage: Stage, opened: Opener) -> None:
        self.person, terminal = pty.openpty()
        os.set_blocking(self.person, False)
        self.text, self.decoder = "", codecs.getincrementaldecoder("utf-8")()
        self.input = opened(os.dup(terminal))
        self.chat = TerminalChat(stage, input=self.input, output=opened(terminal, "w"))

    def type(self, words: bytes) -> None:
        os.write(self.person, words)

    async def sees(self, pattern: str) -> None:
        """Read the terminal until what is there matches, without colours."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self.person, arrived.set)
        try:
            async with asyncio.timeout(WAIT_S):
                while not (found := re.search(pattern, self.text, re.DOTALL)):
                    await arrived.wait()
                    arrived.clear()
                    with contextlib.suppress(BlockingIOError):
                        self.text += self.decoder.decode(os.read(self.person, 65536))
                    self.text = re.sub(r"\x1b\[\d*m", "", self.text)
        except TimeoutError:
            raise AssertionError(f"{pattern!r} not in {self.text!r}") from None
        finally:
            loop.remove_reader(self.person)
        self.text = self.text[found.end() :]


async def test_on_a_terminal_the_past_is_shown_and_an_answer_changes_in_place(stage: Stage, opened: Opener) -> None:
    stage.stored(ME, "d0", "what was said before")
    stage.rows[ME].append(Shown("d9", mine=False, text="what came then", at=101.0, begins=True))
    desk = Desk(stage, opened)
    async with running(desk.chat, stage) as task:
        await desk.sees(r"what was said before\r\n.*\[a new conversation\]\r\n.*what came then\r\n> ")
        desk.type(b"hello\n")
        await desk.sees(r"> hello  ✓ saved")
        await answer(desk.chat, stage, 1, "Hello, you.")
        await desk.sees(r"\x1b\[1A\x1b\[JHello, you\.\r\n> ")
        desk.type(b"\x04")
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    os.close(desk.person)


async def test_ctrl_d_does_not_wait_for_what_is_owed(stage: Stage, opened: Opener) -> None:
    desk = Desk(stage, opened)
    async with running(desk.chat, stage) as task:
        desk.type(b"hello\n\x04")
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
        assert stage.owed
    assert [inbound.text for inbound in stage.accepted] == ["hello"]
    os.close(desk.person)


async def test_cancellation_leaves_the_input_to_others(stage: Stage, opened: Opener) -> None:
    desk = Desk(stage, opened)
    async with running(desk.chat, stage) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not asyncio.get_running_loop().remove_reader(desk.input.fileno())
    assert os.get_blocking(desk.input.fileno())
    os.close(desk.person)


async def test_the_choices_of_a_question_are_numbered_and_a_number_picks_one(stage: Stage, opened: Opener) -> None:
    pipe = Pipe(stage, opened, b"deploy it\n2\n2\n")
    choices = Choices("1.1.answer", ("yes", "no"))
    async with running(pipe.chat, stage) as task:
        await stage.until_accepted(1)
        stage.stored(ME, "d1", "Deploy it?", choices)
        await pipe.chat.edit(ME, "d1", "Deploy it?", choices)
        stage.owed.clear()
        await stage.until_accepted(2)
        await answer(pipe.chat, stage, 2, "It stays.")
        await answer(pipe.chat, stage, 3, "Two?")
        with pytest.raises(Hangup):
            await asyncio.wait_for(task, WAIT_S)
    assert pipe.seen() == "Deploy it?\n  1. yes\n  2. no\nIt stays.\nTwo?\n"
    assert [(said.text, said.answers) for said in stage.accepted] == [
        ("deploy it", None),
        ("no", "1.1.answer"),
        ("2", None),
    ]


async def test_who_waits_for_a_line_gets_one_that_was_caught_up_with(opened: Opener) -> None:
    read, write = os.pipe()
    reader = LineReader(opened(read).fileno())
    waiting = asyncio.create_task(reader.next())
    await asyncio.sleep(0)
    os.write(write, b"hello\n")
    reader.catch_up()
    assert await asyncio.wait_for(waiting, WAIT_S) == "hello"
    os.close(write)
