"""The rules by which interrupted work is left alone or goes on, by their names, and all that is said of each.

The names are stored with each decision.
"""

from __future__ import annotations

from enum import StrEnum


class Why(StrEnum):
    """Why a session is left alone. One reason, one name, one canonical test."""

    QUARANTINED = "the session is quarantined"
    SUSPENDED = "the session is suspended by its user or an operator"
    NOTHING_OPEN = "no run is open and no user message is unanswered"
    ANSWERED = "the transcript ends in an answer"
    AWAITING_USER = "the agent asked and it is the user's turn"
    STOPPED_BY_USER = "the user stopped the run"
    FAILED = "the run ended in an error that the chat was told of"
    ALREADY_TRIED = "the attempt after the last interruption ended by itself and concluded nothing"
    NO_ROUTE = "the chat does not lead to this session any more"
    REASON_NOT_ALLOWED = "the policy does not resume after this kind of interruption"
    STALE = "nothing has happened for too long"
    SAFE_MODE = "the process ended unexpectedly too often in a short time"
    NOT_ALLOWED = "the chat is not allowed any more"


RULES: dict[str, str] = {
    **{why.name: why.value for why in Why},
    "ATTEMPTS_EXHAUSTED": "too many attempts got nowhere",
    "RESTARTS_EXHAUSTED": "its actor crashed too often",
    "NOT_CONNECTED": "its platform is not connected",
    "RESUME": "its run was interrupted, and nothing stands against going on",
}
"""What each rule of the resume table found, by its name; total, a test says so, and so are the tables below."""

ADVICE: dict[str, str] = {
    "QUARANTINED": "it stays aside, and its messages wait, until `greenroom release`",
    "SUSPENDED": "it rests until `greenroom resume`, or `/resume` in its chat",
    "NOTHING_OPEN": "nothing is to be done",
    "ANSWERED": "nothing is to be done; an answer that is still owed is delivered",
    "AWAITING_USER": "the question stays open until the user answers",
    "STOPPED_BY_USER": "nothing is to be done; the user's next message starts afresh",
    "FAILED": "nothing is to be done; the user's next message starts afresh",
    "ALREADY_TRIED": "the user was told in one line, and can send the request again",
    "NO_ROUTE": "nothing is to be done unless the chat should lead here again",
    "REASON_NOT_ALLOWED": "the run stays open and goes on with the user's next message; see policy.auto_resume",
    "STALE": "the user was told in one line, and can send the request again; see policy.fresh_s",
    "ATTEMPTS_EXHAUSTED": "find out why it never gets anywhere, then `greenroom release`; its user was told",
    "RESTARTS_EXHAUSTED": "find out what crashes it (the log has it), then `greenroom release`; its user was told",
    "SAFE_MODE": "find out why the process dies; messages are served, and the next orderly boot decides again",
    "NOT_ALLOWED": "add the chat to the policy's allow list if it should go on",
    "NOT_CONNECTED": "it is decided again when the platform connects",
    "RESUME": "nothing is left for you to do",
}
"""What an operator can do about each rule."""

REPORTED: dict[str, str] = {
    "RESUME": "resumed",
    "ANSWERED": "already answered",
    "AWAITING_USER": "waiting for the user",
    "STOPPED_BY_USER": "stopped by the user",
    "FAILED": "failed before, and said so",
    "ALREADY_TRIED": "tried again before, without result",
    "STALE": "stale, left alone",
    "ATTEMPTS_EXHAUSTED": "quarantined after too many attempts",
    "RESTARTS_EXHAUSTED": "quarantined after too many crashes of its actor",
    "SAFE_MODE": "left alone in safe mode",
    "NOT_CONNECTED": "waiting for the platform",
    "REASON_NOT_ALLOWED": "left alone by policy.auto_resume",
    "NO_ROUTE": "without a chat that leads to them",
    "NOT_ALLOWED": "of chats that may not write",
    "QUARANTINED": "in quarantine",
    "SUSPENDED": "suspended",
    "NOTHING_OPEN": "with nothing open",
}
"""Each rule as it follows a number of sessions in the report of a start, which tells them in this order."""
