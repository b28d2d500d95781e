"""What greenroom asks of the world around it: platforms that carry messages, and agents that answer them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, TypeVarTuple, runtime_checkable

from msgspec import Struct

from greenroom.actors.model import Budget, DeliveryClass, Inbound, Message, Receipt, SessionKey, ToolPolicy
from greenroom.actors.own_transcript import Transcript
from greenroom.actors.process import ProcessId, ProcessRecord
from greenroom.actors.window import CountTokens, estimate_tokens
from greenroom.actors.wire_errors import BusyError as BusyError  # noqa: PLC0414 - as all ports, it is found here
from greenroom.actors.wire_errors import MisconfiguredError as MisconfiguredError  # noqa: PLC0414
from greenroom.actors.wire_errors import NotSentError as NotSentError  # noqa: PLC0414
from greenroom.actors.wire_errors import RefusedError as RefusedError  # noqa: PLC0414
from greenroom.actors.wire_errors import RetryLaterError as RetryLaterError  # noqa: PLC0414
from greenroom.actors.wire_errors import SendRefusedError as SendRefusedError  # noqa: PLC0414
from greenroom.actors.wire_errors import TargetGoneError as TargetGoneError  # noqa: PLC0414

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


LATE_S = 10.0
"""How long after its sender has given it up a request to a platform may still take effect, unless the platform says."""


class Traits(Struct, frozen=True):
    """What a platform can do. `text_max` counts characters of a message; `edit_min_s` spaces edits while streaming.

    `late_s`: how long a request may still take effect whose answer nobody waits for any more; 0 where there is no wire.
    """

    delivery: DeliveryClass
    text_max: int = 4096
    edits: bool = True
    edit_min_s: float = 1.0
    placeholder: str = "..."
    typing: bool = False  # it has `typing`, see `Typing`
    announces: bool = False  # it tells everybody who looks of a disk that refuses, and needs no line in a chat
    buttons: bool = False  # it shows `Choices` under a message; else they are listed in the text
    late_s: float = LATE_S
    utf16: bool = False  # `text_max` counts UTF-16 code units: most emoji are two of them
    edit_min_s_where: tuple[tuple[str, float], ...] = ()  # (how a chat's id begins, s): where `edit_min_s` is another


class Choices(Struct, frozen=True):
    """Answers to pick from. A press is an inbound with one of `texts` as its text, and `question` as what it answers.

    So a press that comes late never answers another question.
    """

    question: str  # the key of the delivery that asks
    texts: tuple[str, ...]


class Outgoing(Struct, frozen=True):
    """One message to be posted. `key` is the same whenever this message is tried again."""

    session: SessionKey
    key: str
    text: str
    reply_to: str | None = None
    choices: Choices | None = None  # only where the platform has buttons


class Door(Protocol):
    """What a platform is given. Every method may be called from the platform's own loop."""

    async def accept(self, inbound: Inbound) -> Receipt:
        """Return when the inbound is on disk; only then acknowledge it to the platform.

        Raises RefusedError (not allowed, too large: acknowledge and forget) or BusyError (do not acknowledge: it
        must come again).
        """

    def allows(self, session: SessionKey) -> bool:
        """Say whether anything of this chat can come in: nothing is fetched or kept for a stranger."""

    def connected(self) -> None:
        """Say that the platform can be reached: what waited for it is decided now."""

    def disconnected(self, why: str) -> None:
        """Say that the platform cannot be reached for now."""


@runtime_checkable
class Platform(Protocol):
    """A wire to a chat platform. Asyncio code on a loop of its own; it never sees actors, only its door.

    Any exception but the first four of `wire_errors.py` counts as ambiguous: it may have had its effect. The delivery
    class decides then.
    """

    @property
    def name(self) -> str:
        """The platform's word in session keys, such as `telegram`."""

    @property
    def account(self) -> str:
        """Which account of the platform this is, such as the bot's name."""

    @property
    def traits(self) -> Traits:
        """What this platform can do."""

    async def run(self, door: Door) -> None:
        """Receive until cancelled. A return or an exception is a crash: it is run again with back-off.

        Raises MisconfiguredError for what only a person can cure.
        """

    async def send(self, message: Outgoing) -> str:
        """Post a message and return the platform's id of it."""

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        """Make a posted message say `text`. Repeating an edit is harmless, 'not modified' is success.

        `choices` are only given where the platform has buttons.
        """

    async def find(self, message: Outgoing) -> str | None:
        """Look for a message that may have been posted before (RECONCILE only): its id, or None when surely absent."""


class Typing(Protocol):
    """What a platform has beside `Platform` if its traits say `typing`."""

    async def typing(self, session: SessionKey) -> None:
        """Show for a few seconds that somebody is typing. Called again while a run works; may fail or hang."""


class Shown(Struct, frozen=True):
    """One message as a person sees it in a chat. `id` stays the same when the text changes."""

    id: str
    mine: bool  # the person's own message
    text: str
    at: float  # UTC epoch seconds
    final: bool = True  # False: the text may still change
    choices: Choices | None = None  # it asks; whatever its person says next answers it
    begins: bool = False  # a new conversation begins with it: its agent knows nothing of what is before


class History(Protocol):
    """What is visible in a chat, for platforms that have no server of their own to remember it (web, terminal)."""

    async def shown(self, session: SessionKey, last: int) -> Sequence[Shown]:
        """Read the last messages, oldest first, also those of conversations that were followed by a new one.

        An own message's id is its update id. A delivery is shown from when its first message exists, under that
        message's platform id (`Delivery.message_ids[0]`, what `Platform.send` returned), so that what is edited live
        and what is read here are one; it is final once its text is stored, and empty before.
        """

    async def settled(self, session: SessionKey) -> bool:
        """Whether nothing more will appear in this chat until the person speaks.

        True when all that was said is concluded (or the agent asked something, or the session is set aside) and
        nothing is owed to the chat any more. A chat nobody ever spoke in is settled.
        """


class QuestionTimedOutError(TimeoutError):
    """Nobody answered a question in time. It is over: what the user says from now on answers something else."""

    def __init__(self, prompt: str) -> None:
        """Name the question."""
        super().__init__(f"nobody answered in time: {prompt[:200]}")
        self.prompt = prompt


class QuestionUndeliveredError(Exception):
    """A question will never be seen by the user: its delivery is a dead letter."""

    def __init__(self, prompt: str) -> None:
        """Name the question."""
        super().__init__(f"the user cannot be asked: {prompt[:200]}")
        self.prompt = prompt


class ToolInDoubtError(Exception):
    """A `once` tool was called before an interruption and its outcome is unknown. It was not called again."""

    def __init__(self, name: str, args: str, key: str) -> None:
        """Name the call so that the agent can look, ask, or tell."""
        super().__init__(f"tool {name}({args}) was interrupted: it may or may not have taken effect [{key}]")
        self.name, self.args_json, self.key = name, args, key


class ToolFailedError(Exception):
    """A tool failed in an earlier attempt at the same work. That outcome is stored; the tool is not called again."""


class BudgetExceededError(Exception):
    """A piece of work has used up what it may spend. Conclude now: who goes on with what is used up is ended."""

    def __init__(self, budget: Budget, most: float) -> None:
        """Name the budget, and what it is."""
        super().__init__(f"the budget {budget.value} ({most:,g}) is used up; conclude with what there is")
        self.budget, self.most = budget, most


class ProviderError(Exception):
    """Raised by an agent: what it needs (its model's provider) cannot be reached just now; try the work again.

    The run is put off and the same work goes on by itself later: after back-off, and not before `retry_after_s` if the
    provider said so. A restart meanwhile changes nothing. After `provider_max_s` the person is told.
    """

    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        """`why` is shown to the person: short, honest, without secrets."""
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Conclusion(Struct, frozen=True):
    """What an agent may return instead of text, to say how its model stopped.

    Only `stop`, `end`, `end_turn`, `complete` and `completed` make it an answer; anything else is a text cut short.
    """

    text: str
    finish: str | None


class Process(Protocol):
    """A background process.

    An agent that waits for its end, reads its log or ends it has taken care of it: nothing more is told of it, now or
    later. The same is true of one that polls and is shown that it is over.
    """

    @property
    def id(self) -> ProcessId:
        """By which it is found again in later runs; see `Turn.process`."""

    @property
    def command(self) -> tuple[str, ...]:
        """What was started, in words."""

    async def wait(self, timeout_s: float | None = None) -> ProcessRecord:
        """Wait for its end, or for so long; the record says which."""

    async def poll(self) -> ProcessRecord:
        """Look how it stands, and at the end of its output. While it goes on, its end will still be told."""

    async def log(self, last: int | None = None) -> str:
        """Read its output, the last so many characters. Of much output the beginning and the end are kept."""

    async def kill(self) -> ProcessRecord:
        """End it and all that it started in its group: it is asked, and then made to. Harmless when it is over."""


class Turn(Protocol):
    """One run as its agent sees it. Belongs to the run's coroutine."""

    @property
    def session(self) -> SessionKey:
        """Which conversation this is."""

    @property
    def text(self) -> str:
        """The user's words to be answered: all messages that no answer covers, joined by newlines. May be empty.

        Where several people wrote them, each begins with a name; `with_names` does so with other messages.
        What came with them is in `new`, as each message's `attachments`.
        """

    @property
    def new(self) -> Sequence[Message]:
        """The user messages to be answered, oldest first."""

    @property
    def attempt(self) -> int:
        """1 for the first attempt; more after interruptions without progress."""

    @property
    def recovery_note(self) -> str | None:
        """What happened to the attempt before this one, for the agent; None when nothing did."""

    @property
    def stopping(self) -> bool:
        """Whether this run is being stopped: return soon."""

    @property
    def news(self) -> Sequence[Message]:
        """What background processes have to tell, oldest first: rows of kind `process`, in the transcript, too."""

    @property
    def transcript(self) -> Transcript:
        """The transcript, for an agent that writes rows of its own."""

    async def messages(
        self, last: int | None = None, *, tokens: int | None = None, count: CountTokens = estimate_tokens
    ) -> Sequence[Message]:
        """Read the end of the transcript, oldest first: at most `last` rows, and `tokens` by `count`.

        Without either it is the host's window (`policy.transcript_window`).
        What the user waits to have answered is always there, and no tool's result without its call. For what is left
        out a summary may stand first (`MessageKind.SUMMARY`), if the host has a summariser.
        """

    async def recall(self, words: str, last: int = 10) -> Sequence[Message]:
        """Find what was said in this chat with all these words in it, newest first, also in conversations before.

        What is to be answered now is not among it, and what was said in the last moment may be missing.
        """

    async def say(self, text: str) -> None:
        """Stream words: they become visible soon and are part of the answer."""

    async def unsay(self, count: int) -> None:
        """Take back the last so many characters that were said, as far back as the last question.

        For words of a model that broke off, before it is asked for them again.
        """

    async def progress(self, text: str) -> None:
        """Say what is going on; shown while the run lasts, not part of the answer."""

    async def steered(self) -> Sequence[Message]:
        """Take what the user said since, to steer this run: under the host's policy `steer`, or if it was said so.

        Returns at once, oldest first, often nothing. What was taken is on disk, and this run's answer covers it; what
        is not taken before the run ends is answered by the next one. To be called between two steps of the work.
        """

    async def spent(self, *, calls: int = 0, tokens: int = 0, cost: float = 0.0) -> None:
        """Report what was spent since the last report: calls of models, tokens, money. It is on disk on return.

        Raises BudgetExceededError when that is more than the host allows for one piece of work, in all its attempts;
        TypeError or ValueError for what is no whole number (`cost`: no number), or less than nothing.
        """

    async def tool(
        self, name: str, args: dict[str, Any], *, policy: ToolPolicy | str, fn: Callable[..., Any], beside: str = ""
    ) -> Any:
        """Call a tool exactly as its policy allows; the result is durable before it is returned.

        `fn` is called with the arguments as keywords, and with `idempotency_key` if it takes one; under `keyed` it
        must. `beside` is kept with the call, for the agent's model. Raises what the tool raised, ToolInDoubtError, or
        BudgetExceededError.
        """

    async def ask_user(self, prompt: str, choices: Sequence[str] = (), timeout_s: float | None = None) -> str:
        """Ask, and wait for the user's next message or press of a button, across restarts.

        `timeout_s` is how long; 0: as long as the user takes; None: as the host's `question_timeout_s` says. Raises
        QuestionTimedOutError, QuestionUndeliveredError, and ValueError for a question that is longer than the host's
        `question_max`. Whoever asks in many tasks at once asks one after the other.
        """

    async def approve(self, prompt: str, timeout_s: float | None = None) -> bool:
        """Ask for a yes. Only `yes` or `y` is one; other words count as no, and are in the transcript.

        Raises as `ask_user` does: silence is neither.
        """

    def idempotency_key(self, *parts: str) -> str:
        """Make a key of these parts for a service that recognises a repeated request by it.

        The same in every attempt at this work, and of no other work, session or store. `turn.tool` hands its own to
        `fn`; this is for what an agent does beside that.
        """

    async def spawn(
        self,
        command: str | Sequence[str],
        *,
        notify_on_complete: bool = False,
        watch_patterns: Sequence[str] = (),
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a process that goes on beside this run and after it, until it ends, or greenroom does.

        A text is given to the shell. With `notify_on_complete` its end starts a new run, once, unless the agent looked
        after it before (see `Process`). A line with one of `watch_patterns`, said while this run goes on, starts one
        after it. Either is told in `news`, never as the user's words.
        """

    async def processes(self) -> Sequence[Process]:
        """The background processes of this session, whichever run started them, oldest first."""

    async def process(self, process_id: str) -> Process:
        """One of them. Raises LookupError."""

    async def in_thread(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run synchronous code beside the loop, so that it delays no other chat."""


Summarise = Callable[[Sequence[Message]], Awaitable[str]]
"""Says in few words what these rows of a transcript say; the first may be the summary before."""

Agent = Callable[[Turn], Awaitable[str | Conclusion | None]]
"""An agent: what it returns, after what it said, is the answer."""
