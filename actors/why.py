"""The rules by which interrupted work is left alone or goes on, by their names: stored with each decision."""

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
    "RESTARTS_EXHAUSTED": "its actor crashed too often without any progress",
    "NOT_CONNECTED": "its platform is not connected",
    "RESUME": "nothing stands against it",
}
"""What each rule of the resume table found, by its name; total, a test says so."""
