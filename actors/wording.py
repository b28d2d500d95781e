"""What agent and person are told about an interruption, built from its reason as data. Pure; nobody parses it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import assert_never

from greenroom.actors.lines import COMMAND_MAX, how_it_ended, shorten
from greenroom.actors.model import Change, InterruptReason, Lapse, TailKind, ToolCall
from greenroom.actors.process import Match, ProcessEnding, ProcessId, show_command
from greenroom.actors.times import read_time

CALLS_MAX = 20
"""Tool calls that a note lists one by one; the rest is counted."""

ARGS_MAX = 200
"""Characters of a tool call's arguments in a note."""

LAST_WORDS_MAX = 1_000
"""Characters of a process's output in a note."""


def recovery_note(
    reason: InterruptReason | str,
    *,
    tail: TailKind,
    done: Sequence[ToolCall] = (),
    in_doubt: Sequence[ToolCall] = (),
) -> str:
    """Tell the agent what happened to its last attempt and what not to repeat. Never shown as the user's words.

    `done` are calls whose results are stored, `in_doubt` those of `once` and `ask` tools whose outcome is not.
    """
    parts = [
        f"[automatic note, not from the user] Your last attempt at this was interrupted: {cause_of(reason)}.",
        _where(tail),
        _calls("Already done and stored, do not repeat: {}.", done),
        _calls(
            "In doubt, it may or may not have taken effect: {}. Do not call it again; find out, or ask the user.",
            in_doubt,
        ),
        "Go on with the work and conclude it. Do not greet, do not ask what to do next.",
    ]
    return " ".join(part for part in parts if part)


def lapsed_note(prompt: str, lapse: Lapse) -> str:
    """Tell the agent that its question is over, and that the words it is given are no answer to it."""
    asked = f'"{shorten(prompt, ARGS_MAX)}"'
    match lapse:
        case Lapse.TIMED_OUT:
            what = f"Your question {asked} timed out: nobody answered it in time. What the user says now came later"
        case Lapse.UNDELIVERED:
            what = f"Your question {asked} could not be delivered: the user never saw it. What the user says now came"
        case Lapse.ENDED:
            what = f"Your question {asked} ended with the work in which it was asked. What the user says now came later"
        case _:
            assert_never(lapse)
    return (
        f"[automatic note, not from the user] {what} or was written without regard to it; "
        "it may answer the question all the same. Go on with the work and conclude it."
    )


def process_note(process_id: ProcessId, command: tuple[str, ...], ending: ProcessEnding) -> str:
    """Tell the agent, once, how a process ended that it started and asked to be told of."""
    words = ending.output[-LAST_WORDS_MAX:].strip()
    last = f"The end of its output:\n{words}" if words else "It has left no output."
    return f"{how_process_is_called(process_id, command)} is over: {how_it_ended(ending)}. {last}"


def match_note(process_id: ProcessId, command: tuple[str, ...], match: Match) -> str:
    """Tell the agent what a process said that it watches."""
    more = f" (the first of {match.count} such lines)" if match.count > 1 else ""
    return f"{how_process_is_called(process_id, command)} said{more}: {match.line}"


def how_process_is_called(process_id: ProcessId, command: tuple[str, ...]) -> str:
    """Begin a note about a process, which is not the user's word."""
    shown = shorten(show_command(command), COMMAND_MAX)
    return f"[automatic note, not from the user] The background process {process_id} that you started ({shown})"


def dismissed_note(ended: Sequence[tuple[ProcessId, tuple[str, ...]]]) -> str:
    """Tell the agent which background processes its user ended."""
    shown = ", ".join(f"{process_id} ({shorten(show_command(command), COMMAND_MAX)})" for process_id, command in ended)
    return f"[automatic note, not from the user] The user ended what ran in the background: {shown}."


def change_note(change: Change | None, message_id: str | None, text: str) -> str:
    """Tell the agent of a change to a message that it was given before. Never shown as the user's words."""
    if change is Change.DELETE:
        return f"[automatic note, not from the user] The user deleted an earlier message ({message_id})."
    return (
        f"[automatic note, not from the user] The user edited an earlier message ({message_id}); it now reads: {text}"
    )


def operator_note(text: str) -> str:
    """Tell the agent what whoever runs the service said in the chat. It is no request, and answers none."""
    return f"[automatic note, not from the user] Whoever runs this service told the user in this chat: {text}"


def user_notice(reason: InterruptReason | str) -> str:
    """Tell the person in one short line that the work goes on by itself."""
    if reason == InterruptReason.PROVIDER_ERROR:
        return "Trying again."
    if reason == InterruptReason.SUSPENDED:
        return "I am going on with your request."
    if reason == InterruptReason.ACTOR_CRASHED:
        return "Something went wrong on my side; I am going on with your request."
    return "I was restarted; I am going on with your request."


def expired_line(at: float | None, *, now: float, zone: tzinfo | None) -> str:
    """Tell the person, once, that an old request will not be finished by itself. It is the last one, for now."""
    return f"Your request{_of(at, now, zone)} was interrupted; /retry runs it again."


def overtaken_line(at: float | None, *, now: float, zone: tzinfo | None) -> str:
    """Tell the same to who has written since: the last request, which `/retry` runs again, is another one."""
    return f"Your request{_of(at, now, zone)} was interrupted; send it again if you still want it."


def unfinished_line(at: float | None, *, now: float, zone: tzinfo | None) -> str:
    """Tell the person that going on after an interruption led to no answer either."""
    return (
        f"Your request{_of(at, now, zone)} was interrupted, and going on with it gave no answer; "
        "send it again if you still want one."
    )


def quarantine_line(attempts: int, at: float | None, *, now: float, zone: tzinfo | None) -> str:
    """Tell the person that the work is set aside, after `attempts` attempts that got nowhere."""
    return (
        f"Your request{_of(at, now, zone)} was interrupted {attempts} times without getting anywhere, "
        "so I have set this conversation aside until whoever runs this service releases it."
    )


def cause_of(reason: InterruptReason | str) -> str:
    """Say why work was interrupted, as the end of a sentence."""
    try:
        known = InterruptReason(reason)
    except ValueError:
        return "the reason is not known"
    match known:
        case InterruptReason.RESTART_TIMEOUT:
            return "the service was restarted before you had finished"
        case InterruptReason.SHUTDOWN_TIMEOUT:
            return "the service was shut down before you had finished, and runs again"
        case InterruptReason.RESTART_INTERRUPTED:
            return "the service ended without warning and was started again"
        case InterruptReason.ACTOR_CRASHED:
            return "the part of the service that ran you failed and was started again"
        case InterruptReason.PROVIDER_ERROR:
            return "what you needed could not be reached, and is tried again"
        case InterruptReason.USER_WROTE:
            return "the user wrote again while you worked, and that comes with the request now"
        case InterruptReason.SUSPENDED:
            return "this conversation was suspended, and goes on now"
        case _:
            assert_never(known)


def _where(tail: TailKind) -> str:
    match tail:
        case TailKind.PARTIAL:
            return "What you had begun to say was cut short; say the whole answer again."
        case TailKind.TOOL_CALLS:
            return "A tool you had called has no stored result."
        case TailKind.TOOL_RESULTS:
            return "The tools had answered; go on from their results."
        case TailKind.PROCESS:
            return "A background process told you something that you have not concluded about."
        case TailKind.EMPTY | TailKind.USER | TailKind.RECOVERY_NOTE:
            return "The user's request has no answer yet."
        case TailKind.FINAL | TailKind.ASKED | TailKind.STOPPED | TailKind.FAILED:
            return ""
        case _:
            assert_never(tail)


def _calls(sentence: str, calls: Sequence[ToolCall]) -> str:
    if not calls:
        return ""
    listed = [f"{call.name}({shorten(call.args, ARGS_MAX)})" for call in calls[:CALLS_MAX]]
    more = [f"and {len(calls) - CALLS_MAX} more"] if len(calls) > CALLS_MAX else []
    return sentence.format(", ".join(listed + more))


def _of(at: float | None, now: float, zone: tzinfo | None) -> str:
    seconds = read_time(at, now=now)
    today = read_time(now, now=now)
    if seconds is None or today is None:
        return ""
    moment = datetime.fromtimestamp(seconds, UTC).astimezone(zone)  # None: as the host's clock is set.
    same_day = moment.date() == datetime.fromtimestamp(today, UTC).astimezone(zone).date()
    return f" of {moment:%H:%M %Z}" if same_day else f" of {moment:%Y-%m-%d %H:%M %Z}"
