"""One run as its agent sees it: `Turn`, alive. It lives on the agents' loop and talks to its session by tell only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar, TypeVarTuple

from greenroom.actors.acts import StartRun, Word
from greenroom.actors.background import Background, LiveProcess
from greenroom.actors.budgets import read_spent
from greenroom.actors.events import Progressed, Reported, Spoke
from greenroom.actors.inquiry import Inquiry
from greenroom.actors.keys import work_key
from greenroom.actors.lines import paragraphs
from greenroom.actors.link import Link, Place
from greenroom.actors.mending import mend
from greenroom.actors.model import Generation, Message, MessageKind, Role, SessionKey, ToolPolicy
from greenroom.actors.naming import joined_words
from greenroom.actors.recalling import Recall
from greenroom.actors.store import UnansweredOf
from greenroom.actors.toolbox import Toolbox
from greenroom.actors.transcript import OwnTranscript
from greenroom.actors.unanswered import leave_out_replies
from greenroom.actors.window import CountTokens, estimate_tokens

logger = logging.getLogger("greenroom.run")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

SPEAK_EVERY_S = 0.05
"""Streamed words reach the session at most this often; platforms space their edits further."""

AFTERTHOUGHT_S = 10.0
"""How long an agent may go on after the row by which it concluded."""


class LiveTurn:
    """See `ports.Turn`. Every method belongs to the run's own coroutine, or to tasks that it made."""

    def __init__(self, place: Place, start: StartRun) -> None:
        """Begin with nothing said and nothing called."""
        self._place = place
        self._link = Link(place, start)
        self._tools: Toolbox | None = None
        self._asks: Inquiry | None = None
        self._own: OwnTranscript | None = None
        self._recall: Recall | None = None
        self._task: asyncio.Task[object] | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._ended = False
        self._start = start
        self._generation = start.run.generation
        self._new: Sequence[Message] = start.new
        self._news: Sequence[Message] = start.news
        self._background = Background(self._link, start.run.reply_to)
        self._said: list[str] = []
        self._said_length = 0
        self._added: list[str] = []  # said after the row by which the agent concluded
        self._speaking: asyncio.TimerHandle | None = None
        self._shown = False
        self._stamped_at = place.runtime.clock.monotonic()
        self._has_floor = False
        self._begun = False
        self.began_at: float | None = None  # monotonic; None: it still waits for the loop, or for the run before
        self.stopping = False

    @property
    def generation(self) -> Generation:
        """Which run this is."""
        return self._generation

    @property
    def session(self) -> SessionKey:
        """Which conversation this is."""
        return self._place.session

    @property
    def new(self) -> Sequence[Message]:
        """The user messages to be answered, oldest first."""
        return self._new

    @property
    def news(self) -> Sequence[Message]:
        """What background processes have to tell, oldest first; see `ports.Turn.news`."""
        return self._news

    @property
    def text(self) -> str:
        """The words of those messages, joined by newlines."""
        return joined_words(self._new)

    @property
    def attempt(self) -> int:
        """1 for the first attempt at this work; more after interruptions without progress."""
        return self._start.run.attempt

    @property
    def recovery_note(self) -> str | None:
        """What happened to the attempt before this one."""
        return self._start.note

    @property
    def over(self) -> bool:
        """Whether the agent has concluded by a row of its own; its coroutine ends by itself, or is ended soon."""
        return self._link.over

    @property
    def concluded(self) -> bool:
        """Whether that row is on disk."""
        return self._own is not None and self._own.conclusion is not None

    @property
    def lingers(self) -> bool:
        """Whether an agent that has concluded is given time to end by itself: until its session hears what it added."""
        return self._ending is not None and not self._ended

    @property
    def reply_to(self) -> str | None:
        """What the message that led to this run is called on its platform."""
        return self._start.run.reply_to

    @property
    def said(self) -> str:
        """All that was streamed since the last question."""
        return "".join(self._said)

    @property
    def transcript(self) -> OwnTranscript:
        """The transcript, for an agent that writes rows of its own."""
        if self._own is None:
            self._own = OwnTranscript(self._link, self._end_soon)
        return self._own

    async def messages(
        self, last: int | None = None, *, tokens: int | None = None, count: CountTokens = estimate_tokens
    ) -> Sequence[Message]:
        """Read the end of the transcript, oldest first; the host's window unless the caller says otherwise."""
        return await self._memory.read(last, tokens, count)

    async def recall(self, words: str, last: int = 10) -> Sequence[Message]:
        """Find what was said in this chat, also in conversations before; what is to be answered now is not among it."""
        return await self._memory.find(mend(words, "turn.recall"), last, without={row.key for row in self._new})

    async def say(self, text: str) -> None:
        """Stream words. They are part of the answer, and visible soon. What no answer has room for is not kept."""
        room = self._place.house.rules.answer_max + 1 - self._said_length  # One more shows that it is cut.
        words = mend(text, "turn.say")[: max(0, room)]
        if self.over:
            self._added.append(words)
            return
        if words:
            self._said.append(words)
            self._said_length += len(words)
        self._shown = True
        self._stamp()
        if self._speaking is None:
            self._speak()

    async def unsay(self, count: int) -> None:
        """Take back the last characters of what was said since the last question; what is shown is changed soon."""
        if count <= 0 or self.over:
            return
        said = self.said[:-count]
        self._said = [said] if said else []
        self._said_length = len(said)
        self._shown = True
        if self._speaking is None:
            self._speak()

    async def progress(self, text: str) -> None:
        """Say what is going on; shown while the run lasts."""
        remark = mend(text, "turn.progress")
        self._stamp()
        self._place.tell(Reported(self._generation, remark))

    async def steered(self) -> Sequence[Message]:
        """Take what the user said meanwhile to steer this run; from here on it is this run's to answer."""
        messages = await self._link.take_steering()
        self._new = (*self._new, *messages)
        return messages

    async def spent(self, *, calls: int = 0, tokens: int = 0, cost: float = 0.0) -> None:
        """Report what was spent since the last report. Raises BudgetExceededError, and what `read_spent` raises."""
        await self._link.report_spending(read_spent(calls, tokens, cost))

    async def tool(
        self, name: str, args: dict[str, Any], *, policy: ToolPolicy | str, fn: Callable[..., Any], beside: str = ""
    ) -> Any:
        """Call a tool as its policy allows.

        Raises what the tool raised; ToolFailedError for a failure that an earlier attempt stored; ToolInDoubtError;
        TypeError or ValueError for arguments or a result that are not JSON, and TypeError for a `keyed` tool that takes
        no `idempotency_key`: called again without one it would take effect twice.
        """
        if self._tools is None:
            self._tools = Toolbox(self._link, self._inquiry)
        return await self._tools.call(name, args, policy, fn, beside)

    async def ask_user(self, prompt: str, choices: Sequence[str] = (), timeout_s: float | None = None) -> str:
        """Ask, and wait for the user's next message. After a restart the stored answer is returned at once.

        Questions of one run are asked one after the other: nobody could tell whose answer came.
        """
        prompt = mend(prompt, "turn.ask_user")
        choices = tuple(mend(choice, "turn.ask_user: a choice") for choice in choices)
        _refuse_long("turn.ask_user", "\n".join((prompt, *choices)), self._place.house.rules.question_max)
        return await self._inquiry.put(prompt, choices, _read_timeout(timeout_s))

    async def approve(self, prompt: str, timeout_s: float | None = None) -> bool:
        """Ask for a yes; any other answer is a no."""
        prompt = mend(prompt, "turn.approve")
        _refuse_long("turn.approve", prompt, self._place.house.rules.question_max)
        return await self._inquiry.approve(prompt, _read_timeout(timeout_s))

    def idempotency_key(self, *parts: str) -> str:
        """Name something of this work to the world outside, in every attempt alike."""
        own = work_key(self._place.session_id, self._start.run.work, [mend(part, "a part of a key") for part in parts])
        return f"{self._place.house.store.uid}-{own}"

    async def spawn(
        self,
        command: str | Sequence[str],
        *,
        notify_on_complete: bool = False,
        watch_patterns: Sequence[str] = (),
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> LiveProcess:
        """Start a background process. Raises CannotSpawnError, and ValueError for a command that is none."""
        return await self._background.spawn(
            command, notify_on_complete=notify_on_complete, watch_patterns=watch_patterns, cwd=cwd, env=env
        )

    async def processes(self) -> Sequence[LiveProcess]:
        """The background processes of this session, whichever run started them, oldest first."""
        return await self._background.processes()

    async def process(self, process_id: str) -> LiveProcess:
        """One of them. Raises LookupError."""
        return await self._background.process(process_id)

    async def in_thread(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run synchronous code beside the loop, so that it delays no other chat."""
        return await self._place.runtime.in_thread(fn, *args)

    async def begin(self) -> None:
        """Wait for what comes before the agent's first word. Raises CancelledError if it must not begin any more."""
        await self._take_floor()
        await self._look_back()
        if self.stopping:
            raise asyncio.CancelledError
        self._begun = True

    async def _take_floor(self) -> None:
        """Begin when the run before this one has ended: two agents of one session never act at once."""
        self._task = asyncio.current_task()
        self._has_floor = await self._place.house.floor.take(self._place.session)
        self.began_at = self._place.runtime.clock.monotonic()
        if not self._has_floor:
            logger.error("%s: the run before was told to stop and goes on; the next one begins beside it", self.session)

    async def _look_back(self) -> None:
        """Before a further attempt at the same work: find what there is to answer, as the first attempt saw it."""
        if not self._link.is_again:
            return
        answer = await self._link.read(UnansweredOf(self._place.session_id))
        rows: Sequence[Message] = answer if isinstance(answer, tuple) else ()  # type: ignore[assignment]  # rows
        said = [row for row in rows if row.role is Role.USER]
        self._new = leave_out_replies(said, (await self._link.load_ledger()).questions)
        self._news = [row for row in rows if row.kind is MessageKind.PROCESS]

    # -- called by the session's actor, on the loop --------------------------------------------------------------------

    def call_off(self) -> None:
        """Do not begin any more: the process is to end."""
        if not self._begun:
            self.stopping = True
            if self._task is not None:
                self._task.cancel()

    def confirm(self, key: str, answer: Word) -> None:
        """What the agent reported under `key` is on disk."""
        self._link.confirm(key, answer)

    # -- inside --------------------------------------------------------------------------------------------------------

    @property
    def _memory(self) -> Recall:
        """Made when it is needed: some runs read nothing."""
        if self._recall is None:
            self._recall = Recall(self._link)
        return self._recall

    @property
    def _inquiry(self) -> Inquiry:
        """Made when it is needed: most runs ask nothing."""
        if self._asks is None:
            self._asks = Inquiry(self._link, self._take_said)
        return self._asks

    def _take_said(self) -> str:
        said = self.said
        self._be_quiet()
        self._said_length = 0
        self._said.clear()
        return said

    def _speak(self) -> None:
        """Show what was said so far, and not again for a moment: a model streams faster than people read."""
        if not self._shown:
            self._speaking = None
            return
        self._shown = False
        self._place.tell(Spoke(self._generation, self.said))
        self._speaking = asyncio.get_running_loop().call_later(SPEAK_EVERY_S, self._speak)

    def _be_quiet(self) -> None:
        self._shown = False
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None

    def _end_soon(self) -> None:
        """Let an agent that has concluded do what it still does for itself: the next run waits, but not for long."""
        self._be_quiet()
        self.stopping = True
        if self._task is not None:
            self._ending = asyncio.get_running_loop().call_later(AFTERTHOUGHT_S, self._end_now, self._task)

    def _end_now(self, task: asyncio.Task[object]) -> None:
        self._ended = True
        task.cancel()

    def take_added(self, returned: str) -> str:
        """Give what was said and returned after the row that concludes, but for what that row says already."""
        conclusion = (self._own.conclusion if self._own is not None else None) or ""
        said = "".join(self._added)
        parts = (part for part in (said, returned) if not _says(conclusion, part))
        return paragraphs(*(part for part in parts if part is returned or not _says(returned, part)))

    def close(self) -> None:
        """Say nothing more, and let the next one begin: the run is over."""
        self._be_quiet()
        if self._ending is not None:
            self._ending.cancel()
        if self._has_floor:
            self._has_floor = False
            self._place.house.floor.leave(self._place.session)

    def _stamp(self) -> None:
        now = self._place.runtime.clock.monotonic()
        if now - self._stamped_at >= self._place.house.rules.progress_every_s:
            self._stamped_at = now
            self._place.tell(Progressed(self._generation))


def _says(text: str, words: str) -> bool:
    """Whether a text has these words already, however they are spaced."""
    return " ".join(words.split()) in " ".join(text.split())


def _refuse_long(what: str, question: str, limit: int) -> None:
    """Refuse rather than cut: nobody is to say yes to what they could not read."""
    if len(question) > limit:
        size = f"{len(question):,} characters, the limit is {limit:,} (`question_max`)"
        msg = f"{what}: {size}; say what is long first, and ask in few words"
        raise ValueError(msg)


def _read_timeout(timeout_s: float | None) -> float | None:
    """Refuse what is no time: a question that waits for ever by mistake is never answered by its time-out."""
    if timeout_s is None:
        return None
    if isinstance(timeout_s, bool) or not isfinite(timeout_s):
        msg = f"timeout_s: must be a number of seconds, 0 for no time-out, got {timeout_s!r:.80}"
        raise TypeError(msg)
    if timeout_s < 0:
        msg = f"timeout_s: must be 0 (no time-out) or more, got {timeout_s!r}"
        raise ValueError(msg)
    return float(timeout_s)
