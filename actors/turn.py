"""One run as its agent sees it: `Turn`, alive. It lives on the agents' loop and talks to its session by tell only."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, assert_never

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.acts import StartRun
from greenroom.actors.events import Asked, Event, Progressed, Reported, Spoke, ToolCalled, ToolReturned, ToolWithheld
from greenroom.actors.keys import canonical_args, question_key, tool_key
from greenroom.actors.mending import mend
from greenroom.actors.model import (
    Generation,
    Message,
    Question,
    SessionId,
    SessionKey,
    ToolCall,
    ToolPolicy,
    ToolRecord,
)
from greenroom.actors.ports import ToolFailedError, ToolInDoubtError
from greenroom.actors.store import Ledger, LedgerOf, Query, ReadAnswer, ReadFailed, TranscriptOf, UnansweredOf
from greenroom.actors.tools import (
    MAY_HAVE_HAPPENED,
    TOOK_EFFECT,
    AskFirst,
    Call,
    InDoubt,
    Replay,
    decide_tool,
    takes_key,
)
from greenroom.actors.unanswered import leave_out_replies

if TYPE_CHECKING:
    from greenroom.actors.house import House
    from greenroom.actors.runtime import Loop, Runtime

logger = logging.getLogger("greenroom.run")

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

SPEAK_EVERY_S = 0.05
"""Streamed words reach the session at most this often; platforms space their edits further."""

READ_AGAIN_S = 1.0
"""How long a question to the store waits that it could not answer: a disk in trouble heals, mostly."""

READ_TRIES_MAX = 60
"""So often it is asked; then the agent hears that the store cannot be read."""

RESULT_SHOWN_MAX = 2_000
"""Characters kept of a result that is no JSON."""

YES, NO = "yes", "no"


class Place(Struct, frozen=True):
    """Where a run happens: its session, and the ways out of the loop."""

    session_id: SessionId
    session: SessionKey
    house: House
    runtime: Runtime
    loop: Loop
    tell: Callable[[Event], None]  # to the session's actor; does nothing once that has gone


class LiveTurn:
    """See `ports.Turn`. Every method belongs to the run's own coroutine, or to tasks that it made."""

    def __init__(self, place: Place, start: StartRun) -> None:
        """Begin with nothing said and nothing called."""
        self._place = place
        self._start = start
        self._generation = start.run.generation
        self._new: Sequence[Message] = start.new
        self._said: list[str] = []
        self._said_length = 0
        self._speaking: asyncio.TimerHandle | None = None
        self._shown = False
        self._stamped_at = place.runtime.clock.monotonic()
        self._awaited: dict[str, asyncio.Future[str | None]] = {}
        self._calls: Counter[tuple[str, str]] = Counter()
        self._questions: Counter[str] = Counter()
        self._asking = False
        self._ledger: Ledger | None = None
        self._reading = asyncio.Lock()
        self._has_floor = False
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
    def text(self) -> str:
        """The words of those messages, joined by newlines."""
        return "\n".join(message.text for message in self._new)

    @property
    def attempt(self) -> int:
        """1 for the first attempt at this work; more after interruptions without progress."""
        return self._start.run.attempt

    @property
    def recovery_note(self) -> str | None:
        """What happened to the attempt before this one."""
        return self._start.note

    @property
    def said(self) -> str:
        """All that was streamed since the last question."""
        return "".join(self._said)

    async def messages(self, last: int | None = None) -> Sequence[Message]:
        """Read the last rows of the transcript, oldest first; the host's window unless `last` says otherwise."""
        window = self._place.house.rules.transcript_window if last is None else last
        answer = await self._read(TranscriptOf(self._place.session_id, window))
        return answer if isinstance(answer, tuple) else ()  # type: ignore[return-value]  # TranscriptOf answers rows

    async def say(self, text: str) -> None:
        """Stream words. They are part of the answer, and visible soon. What no answer has room for is not kept."""
        room = self._place.house.rules.answer_max + 1 - self._said_length  # One more shows that it is cut.
        words = mend(text, "turn.say")[: max(0, room)]
        if words:
            self._said.append(words)
            self._said_length += len(words)
        self._shown = True
        self._stamp()
        if self._speaking is None:
            self._speak()

    async def progress(self, text: str) -> None:
        """Say what is going on; shown while the run lasts."""
        remark = mend(text, "turn.progress")
        self._stamp()
        self._place.tell(Reported(self._generation, remark))

    async def tool(self, name: str, args: dict[str, Any], *, policy: ToolPolicy | str, fn: Callable[..., Any]) -> Any:
        """Call a tool as its policy allows.

        Raises what the tool raised; ToolFailedError for a failure that an earlier attempt stored; ToolInDoubtError;
        TypeError or ValueError for arguments or a result that are not JSON, and TypeError for a `keyed` tool that takes
        no `idempotency_key`: called again without one it would take effect twice.
        """
        name, args_json = mend(name, "turn.tool: the name"), mend(canonical_args(args), "turn.tool")
        nth = self._calls[name, args_json]
        self._calls[name, args_json] += 1
        key = tool_key(self._place.session_id, self._start.run.work, name, args_json, nth)
        call = ToolCall(key, name, args_json, ToolPolicy(policy))
        if call.policy is ToolPolicy.KEYED and not takes_key(fn, by_any_name=True):
            msg = f"tool {name}: policy keyed needs a function that takes idempotency_key; or choose once or pure"
            raise TypeError(msg)
        needed = self._is_again or call.policy in MAY_HAVE_HAPPENED  # Nothing else is met by the first attempt.
        match decide_tool(call, await self._load_ledger() if needed else Ledger()):
            case Replay(result, failed):
                if failed:
                    raise ToolFailedError(result)
                return json.loads(result)
            case InDoubt(doubts):
                raise await self._withhold(call, doubts)
            case AskFirst(doubts, attempts):
                if not await self._may_repeat(call, attempts):
                    raise await self._withhold(call, doubts)
                return await self._call(call, args, fn, doubts)
            case Call():
                return await self._call(call, args, fn)
            case never:
                assert_never(never)

    async def ask_user(self, prompt: str, choices: Sequence[str] = ()) -> str:
        """Ask, and wait for the user's next message. After a restart the stored answer is returned at once.

        Raises RuntimeError while another question of this run is open: nobody could tell whose answer came.
        """
        prompt = mend(prompt, "turn.ask_user")
        choices = tuple(mend(choice, "turn.ask_user: a choice") for choice in choices)
        return await self._ask("\0".join((prompt, *choices)), prompt, choices)

    async def _ask(self, about: str, prompt: str, choices: tuple[str, ...]) -> str:
        if self._asking:
            msg = f"turn.ask_user: another question is open; ask one after the other, not {prompt[:40]!r} beside it"
            raise RuntimeError(msg)
        self._asking = True
        try:
            return await self._ask_alone(about, prompt, choices)
        finally:
            self._asking = False

    async def _ask_alone(self, about: str, prompt: str, choices: tuple[str, ...]) -> str:
        key = question_key(self._place.session_id, self._start.run.work, about, self._questions[about])
        self._questions[about] += 1
        said = self.said
        self._be_quiet()
        self._said_length = 0
        self._said.clear()  # What was said before the question is delivered with it.
        ledger = await self._load_ledger() if self._is_again else Ledger()
        asked = next((question for question in ledger.questions if question.key == key), None)
        if asked is not None and asked.answer is not None:
            return asked.answer
        answer = self._expect(f"{key}.answer")
        self._place.tell(Asked(self._generation, Question(key, prompt, choices), said))
        return await answer or ""

    async def in_thread(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run synchronous code beside the loop, so that it delays no other chat."""
        return await self._place.runtime.in_thread(fn, *args)

    async def take_floor(self) -> None:
        """Begin when the run before this one has ended: two agents of one session never act at once."""
        self._has_floor = await self._place.house.floor.take(self._place.session_id)
        self.began_at = self._place.runtime.clock.monotonic()
        if not self._has_floor:
            logger.error("%s: the run before was told to stop and goes on; the next one begins beside it", self.session)

    async def look_back(self) -> None:
        """Before a further attempt at the same work: find what there is to answer, as the first attempt saw it."""
        if not self._is_again:
            return
        rows = await self._read(UnansweredOf(self._place.session_id))
        if isinstance(rows, tuple):
            self._new = leave_out_replies(rows, (await self._load_ledger()).questions)  # type: ignore[arg-type]  # rows

    # -- called by the session's actor, on the loop --------------------------------------------------------------------

    def confirm(self, key: str, answer: str | None) -> None:
        """What the agent reported under `key` is on disk."""
        future = self._awaited.pop(key, None)
        if future is not None and not future.done():
            future.set_result(answer)

    # -- inside --------------------------------------------------------------------------------------------------------

    @property
    def _is_again(self) -> bool:
        """Whether this is a further attempt at work that was begun before."""
        return self._start.run.work != self._generation

    async def _withhold(self, call: ToolCall, doubts: tuple[str, ...]) -> ToolInDoubtError:
        """Let it be on disk that the agent is told, before it is."""
        written = self._expect(call.key)
        self._place.tell(ToolWithheld(self._generation, call, doubts))
        await written
        return ToolInDoubtError(call.name, call.args, call.key)

    async def _call(
        self, call: ToolCall, args: dict[str, Any], fn: Callable[..., Any], doubts: tuple[str, ...] = ()
    ) -> Any:
        granted = self._expect(call.key)
        self._place.tell(ToolCalled(self._generation, call, doubts))
        await granted
        try:
            result = await self._run_tool(call, args, fn)
        except Exception as error:  # Invariant: the agent hears what its tool raised, and the ledger keeps it.
            await self._keep(call, f"{type(error).__name__}: {error}", failed=True)
            raise
        try:
            text = self._write_result(call, result)
        except (TypeError, ValueError, ToolFailedError) as error:  # But it took effect.
            await self._keep(call, f"{TOOK_EFFECT} {error}; it returned {_repr(result)}", failed=True)
            raise
        await self._keep(call, text, failed=False)
        return json.loads(text)  # What a later attempt would be given, so that both go the same way.

    def _write_result(self, call: ToolCall, result: Any) -> str:
        try:
            text = mend(json.dumps(result, ensure_ascii=False, allow_nan=False), "turn.tool")
        except Exception as error:  # Invariant: whatever is wrong with a result, it is kept that the tool worked.
            msg = f"tool {call.name} took effect, do not call it again; but its result cannot be kept: {error}"
            raise (ValueError if isinstance(error, ValueError) else TypeError)(msg) from error
        limit = self._place.house.rules.tool_result_max
        if len(text) > limit:
            msg = f"tool {call.name}: its result has {len(text):,} characters of JSON, the limit is {limit:,}"
            raise ToolFailedError(msg)
        return text

    async def _run_tool(self, call: ToolCall, args: dict[str, Any], fn: Callable[..., Any]) -> Any:
        if takes_key(fn, by_any_name=call.policy is ToolPolicy.KEYED):
            args = args | {"idempotency_key": f"{self._place.house.store.uid}-{call.key}"}
        if inspect.iscoroutinefunction(fn):
            return await fn(**args)
        result = await self._place.runtime.in_thread(lambda: fn(**args))
        return await result if inspect.isawaitable(result) else result

    async def _keep(self, call: ToolCall, result: str, *, failed: bool) -> None:
        if failed:
            result = mend(result, "turn.tool")[: self._place.house.rules.tool_result_max]
            if self._ledger is not None:  # Read before this call: it must not miss one that took effect.
                record = ToolRecord(call, result, failed=True)
                self._ledger = replace(self._ledger, tools=(*self._ledger.tools, record))
        kept = self._expect(call.key)
        self._place.tell(ToolReturned(self._generation, call, result, failed))
        await kept

    async def _may_repeat(self, call: ToolCall, attempts: int) -> bool:
        """Ask about this interruption: a yes to an earlier one says nothing of it."""
        prompt = f"{call.name}({call.args}) was interrupted and may already have taken effect. Run it again?"
        answer = await self._ask(f"{call.key}\0{attempts}", prompt, (YES, NO))
        return answer.strip().lower() in {YES, "y"}

    async def _load_ledger(self) -> Ledger:
        """Read what was left, once, before the first call of this attempt: its own calls are not of the past.

        Without it no tool is called: not knowing is not 'never called'.
        """
        async with self._reading:
            if self._ledger is None:
                answer = await self._read(LedgerOf(self._place.session_id, self._start.run.work))
                if not isinstance(answer, Ledger):
                    msg = f"the tool ledger could not be read: {answer}"
                    raise RuntimeError(msg)
                self._ledger = answer
            return self._ledger

    async def _read(self, query: Query) -> ReadAnswer:
        """Ask the store, as patiently as it keeps what is to be written. Raises RuntimeError in the end."""
        for _ in range(READ_TRIES_MAX - 1):
            answer = await self._read_once(query)
            if not isinstance(answer, ReadFailed):
                return answer
            await asyncio.sleep(READ_AGAIN_S)
        answer = await self._read_once(query)
        if isinstance(answer, ReadFailed):
            msg = f"the store could not be read: {answer.detail}"
            raise RuntimeError(msg)  # noqa: TRY004 - not a wrong type: the store's own word
        return answer

    async def _read_once(self, query: Query) -> ReadAnswer:
        future: asyncio.Future[ReadAnswer] = asyncio.get_running_loop().create_future()

        def settle(answer: ReadAnswer) -> None:
            if not future.done():
                future.set_result(answer)

        self._place.house.store.read(query, lambda answer: self._place.loop.post(settle, answer))
        return await future

    def _expect(self, key: str) -> asyncio.Future[str | None]:
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._awaited[key] = future
        return future

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

    def close(self) -> None:
        """Say nothing more, and let the next one begin: the run is over."""
        self._be_quiet()
        if self._has_floor:
            self._has_floor = False
            self._place.house.floor.leave(self._place.session_id)

    def _stamp(self) -> None:
        now = self._place.runtime.clock.monotonic()
        if now - self._stamped_at >= self._place.house.rules.progress_every_s:
            self._stamped_at = now
            self._place.tell(Progressed(self._generation))


def _repr(result: object) -> str:
    try:
        return repr(result)[:RESULT_SHOWN_MAX]
    except Exception:  # Invariant: what a tool returns breaks nothing but its own call.
        return f"a {type(result).__name__}"
