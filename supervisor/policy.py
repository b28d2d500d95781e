"""What an embedder can set, in one flat record: every limit has a name, a default, and one message when it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from greenroom.actors.model import InterruptReason, SessionKey
from greenroom.actors.retention import DAY_S, Retention
from greenroom.actors.rules import Busy, LateChange, Reset, Rules
from greenroom.supervisor.foreign import walled

AllowRule = Callable[[SessionKey], bool]

ANY_SIGN = frozenset({"fresh_s"})
"""Times that may be 0 or less: that switches their gate off."""

LARGEST = 1e9
"""No time, day or rate is more: every wait of every platform takes so many seconds (31 years), and two such in sum."""

COUNT_LARGEST = 10**15
"""No count is more: SQLite and floats hold it exactly."""

ABOVE_ZERO = frozenset(
    {"chat_rate_per_s", "rate_per_s", "forced_s", "pairing_s", "restarts_window_s", "unclean_window_s"}
)
"""Numbers by which something is divided or measured: 0 would mean never or always."""


ZERO_IS_NO_LIMIT = frozenset({"tool_calls_max", "repeats_max", "model_calls_max"})
"""Whole numbers of which 0 says that there is no limit."""

HOURS = frozenset({"reset_hour"})
HOURS_OF_A_DAY = 24


class PastedSecrets(StrEnum):
    """What becomes of keys and tokens in what people write, where `supervisor/redacting.py` knows their form."""

    KEEP = "keep"  # they are stored as they were written
    REDACT = "redact"  # they are taken out before anything is stored; no agent sees them


class Strangers(StrEnum):
    """What becomes of a chat that writes and is not allowed. Never more than a line, and no words are kept."""

    IGNORE = "ignore"  # it is counted
    PAIR = "pair"  # it is shown a code, now and then; whoever runs greenroom lets it in by that


class InvalidPolicyError(ValueError):
    """A knob is set to something it cannot mean. The message names it, what it got, and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Rules):
    """The embedder's knobs; those of one session are inherited from `Rules`. Raises InvalidPolicyError.

    `allow` says which chats may write: patterns of session keys in which `*` stands for anything, or a function.
    A pattern that names a chat admits its threads. None leaves it to the host who may write: that is for embedding;
    the daemon always sets patterns, and the empty tuple admits no one.

    >>> Policy(allow=("telegram:me:*",)).allows(SessionKey("telegram", "me", "42"))
    True
    """

    auto_resume: frozenset[InterruptReason] = frozenset(InterruptReason)
    """Why work may have been cut short that goes on by itself; other work waits for its user."""
    attempts_max: int = 3  # attempts without progress, then the session is quarantined
    unclean_boots_max: int = 3  # so many unclean boots within `unclean_window_s`: nothing is resumed in this boot
    unclean_window_s: float = 300.0  # how far back unclean boots are counted
    resume_concurrency: int = 8  # sessions that are being resumed at the same time
    restarts_max: int = 5  # restarts of one actor within `restarts_window_s` without progress, then it is given up
    restarts_window_s: float = 60.0  # how far back an actor's restarts are counted
    restart_backoff_s: float = 0.2  # wait before an actor's first restart, then doubled, up to `restart_backoff_max_s`
    restart_backoff_max_s: float = 30.0  # the longest of these waits; the first may be no longer
    drain_s: float = 30.0  # how long running work may take to finish when the process is asked to end
    forced_s: float = 60.0  # so long after `drain_s` the daemon ends by force, whatever is stuck
    allow: tuple[str, ...] | AllowRule | None = None
    """Which chats may write: patterns of session keys; `*` stands for anything, and a chat's threads are in it."""
    strangers: Strangers | str = Strangers.IGNORE  # what becomes of a chat that writes and is not allowed
    pairing_s: float = 3_600.0  # how long a code that a stranger was shown lets it in
    chat_burst: int = 30  # messages one chat may send at once
    chat_rate_per_s: float = 2.0  # messages a second that one chat may go on with after its burst
    burst: int = 10_000  # messages that all chats together may send at once
    rate_per_s: float = 1_000.0  # messages a second that all chats together may go on with
    chat_backlog_max: int = 1000  # messages of one chat that wait; more are not acknowledged
    text_max: int = 100_000  # characters of one inbound
    pasted_secrets: PastedSecrets | str = PastedSecrets.KEEP  # what becomes of keys and tokens that people write
    attachments_max: int = 20  # files that come with one inbound
    attachment_bytes_max: int = 1_000_000_000  # size of one file, as its platform says; nothing is downloaded here
    keep_decisions_days: float = 90.0  # resume decisions of sessions in which nothing is open; 0: for ever
    keep_boots_days: float = 90.0  # lives of the process, unless a run of theirs is open; 0: for ever
    keep_inbox_days: float = 90.0
    """Handled messages: by them one that comes again is known, and the web chat shows them; 0: for ever."""
    keep_deliveries_days: float = 90.0  # what was delivered, in sessions in which nothing is open; 0: for ever
    keep_questions_days: float = 90.0  # questions that are over, in the same sessions; 0: for ever
    keep_processes_days: float = 90.0  # background processes that are over and have nothing to tell; 0: for ever
    keep_sessions_days: float = 0.0
    """Conversations that a new one has followed, with all that was said in them; 0: for ever."""
    session_mailbox_max: int = 10_000  # events that wait for one session's actor
    shared_mailbox_max: int = 1_000_000  # events that wait for the actor of all sessions, or for one platform's outbox

    def __post_init__(self) -> None:
        """Refuse what no knob can mean, so that a policy inside the house is valid."""
        for knob in fields(self):
            if isinstance(knob.default, int | float):
                _check_number(knob.name, getattr(self, knob.name), knob.default)
        object.__setattr__(self, "late_change", _read_choice("late_change", self.late_change, LateChange))
        object.__setattr__(self, "reset", _read_choice("reset", self.reset, Reset))
        object.__setattr__(self, "strangers", _read_choice("strangers", self.strangers, Strangers))
        object.__setattr__(self, "pasted_secrets", _read_choice("pasted_secrets", self.pasted_secrets, PastedSecrets))
        object.__setattr__(self, "busy", _read_choice("busy", self.busy, Busy))
        _check_zone(self.zone)
        object.__setattr__(self, "auto_resume", _read_reasons(self.auto_resume))
        object.__setattr__(self, "allow", _read_allow(self.allow))
        if self.restart_backoff_s > self.restart_backoff_max_s:
            problem = f"must be at most restart_backoff_max_s ({self.restart_backoff_max_s:g})"
            raise _refusal("restart_backoff_s", problem, self.restart_backoff_s, 0.2)

    def rules(self) -> Rules:
        """Read off what a single session needs to know."""
        return Rules(**{knob.name: getattr(self, knob.name) for knob in fields(Rules)})

    def retention(self) -> Retention:
        """Read off how long bookkeeping is kept, and conversations that are over."""
        kept = (knob.removesuffix("_s") for knob in Retention.__struct_fields__)
        return Retention(**{f"{each}_s": getattr(self, f"keep_{each}_days") * DAY_S for each in kept})

    def allows(self, key: SessionKey) -> bool:
        """Say whether a chat may write, and be written to without having asked. Total."""
        if self.allow is None:
            return True
        if callable(self.allow):
            return walled("policy.allow", _asked, otherwise=False)(self.allow, key)  # What fails opens no door.
        text = str(key)
        return any(_matches(text, pattern) for pattern in self.allow)


def _asked(rule: AllowRule, key: SessionKey) -> bool:
    found: object = rule(key)
    if isawaitable(found):
        if iscoroutine(found):
            found.close()
        msg = "policy.allow must be a plain function: what it answered is awaitable, and would be true for everybody"
        raise TypeError(msg)
    return bool(found)


def _matches(key: str, pattern: str) -> bool:
    glob = pattern.replace("[", "[[]").replace("?", "[?]")  # Only the star is special: chats are named with the others.
    return fnmatchcase(key, glob) or fnmatchcase(key, glob + ":*")


def _check_number(name: str, value: Any, default: object) -> None:
    if isinstance(default, int):
        if name in HOURS and isinstance(value, int) and not isinstance(value, bool) and 0 <= value < HOURS_OF_A_DAY:
            return
        if name in HOURS:
            raise _refusal(name, "must be an hour from 0 to 23", value, default)
        least = 0 if name in ZERO_IS_NO_LIMIT else 1
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise _refusal(name, f"must be a whole number of at least {least}", value, default)
        if value > COUNT_LARGEST:
            raise _refusal(name, f"must be a whole number of at most {COUNT_LARGEST:,}", value, default)
        return
    timed = name.endswith("_s") and not name.endswith("_per_s")
    unit = "a number of seconds" if timed else "a number"
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN alone
        raise _refusal(name, f"must be {unit}", value, default)
    if not -LARGEST <= value <= LARGEST:
        most = f"{LARGEST:,.0f} (31 years)" if timed else f"{LARGEST:,.0f}"
        raise _refusal(name, f"must be {unit}, at most {most}", value, default)
    if name in ABOVE_ZERO and value <= 0:
        raise _refusal(name, f"must be {unit} above 0", value, default)
    if value < 0 and name not in ANY_SIGN:
        raise _refusal(name, f"must be {unit}, 0 or more", value, default)


def _read_reasons(value: Any) -> frozenset[InterruptReason]:
    reasons: Any = None if isinstance(value, str) else value
    try:
        return frozenset(InterruptReason(reason) for reason in reasons)
    except (TypeError, ValueError):
        known = ", ".join(reason.value for reason in InterruptReason)
        raise _refusal("auto_resume", f"must be a list out of {known}", value, "(all of them)") from None


def _read_choice(name: str, value: Any, choices: type[StrEnum]) -> StrEnum:
    try:
        return choices(value)
    except ValueError:
        known = ", ".join(choices)
        raise _refusal(name, f"must be one of {known}", value, next(iter(choices))) from None


def _check_zone(value: Any) -> None:
    if value == "":
        return
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        problem = "must be the name of a time zone, such as Europe/Oslo"
        raise _refusal("zone", problem, value, "(as the host's clock is set)") from None


def _read_allow(value: Any) -> tuple[str, ...] | AllowRule | None:
    if iscoroutinefunction(value):
        problem = "must be a plain function that answers at once: a coroutine would be true for everybody"
        raise _refusal("allow", problem, value, "(whoever the host lets in)")
    if value is None or callable(value):
        return value  # type: ignore[no-any-return]  # what the host's function takes is known when it is called
    if isinstance(value, list | tuple | set | frozenset) and all(_is_pattern(each) for each in value):
        return tuple(value)
    raise _refusal(
        "allow", "must be a list of session keys such as 'telegram:me:*'", value, "(whoever the host lets in)"
    )


def _is_pattern(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable()


def _refusal(name: str, problem: str, got: object, default: object) -> InvalidPolicyError:
    shown = f"{default:g}" if isinstance(default, float) else default
    msg = f"policy.{name}: {problem}, got {repr(got)[:80]}; remove it to use the default {shown}"
    return InvalidPolicyError(msg)
