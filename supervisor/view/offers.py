"""What whoever is on call may order, in words: what it does, and where there is any sense in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from greenroom.storage.views import SessionState


class Offer(Struct, frozen=True):
    """An order. `says` what it does, before it is given; `worded`: it needs a text."""

    word: str
    button: str
    says: str
    states: frozenset[SessionState]
    worded: bool = False
    hurts: bool = False


ASIDE = frozenset({SessionState.QUARANTINED, SessionState.SUSPENDED})
OPEN = frozenset({SessionState.ASKING, SessionState.RUNNING, SessionState.INTERRUPTED})
IN_LINE = frozenset(SessionState) - ASIDE

OF_SESSIONS: Mapping[str, Offer] = {
    each.word: each
    for each in (
        Offer(
            "stop",
            "Stop",
            "What runs in this chat is ended, background processes too, as by /stop of its user, who is told. What"
            " waits comes next, and no restart resumes what was stopped.",
            OPEN,
            hurts=True,
        ),
        Offer(
            "suspend",
            "Suspend",
            "What runs is interrupted, and nothing begins in this chat until it is resumed: messages wait. Its user"
            " is told.",
            IN_LINE,
            hurts=True,
        ),
        Offer(
            "resume",
            "Resume",
            "The suspension is lifted, and what was interrupted goes on, also work that no rule resumed by itself.",
            frozenset({SessionState.SUSPENDED, SessionState.INTERRUPTED}),
        ),
        Offer(
            "release",
            "Release",
            "The session is given back as it was set aside: what is open in it is decided again, as at a start. Find"
            " out first why its attempts got nowhere.",
            ASIDE,
        ),
        Offer(
            "retry",
            "Retry",
            "The last request of this chat is run again, however it ended. Its user gets another answer; tools that"
            " may be called once only are not called again without a word.",
            frozenset({SessionState.IDLE, SessionState.OWING, SessionState.INTERRUPTED}),
        ),
        Offer(
            "send",
            "Send a message",
            "This is said in the chat, exactly once, by its agent's account. It answers nothing; the agent reads later"
            " that it was said.",
            frozenset(SessionState),
            worded=True,
        ),
    )
}
"""What may be ordered of one session."""

OF_LETTERS: Mapping[str, Offer] = {
    each.word: each
    for each in (
        Offer(
            "resend",
            "Send again",
            "It is sent as one of which nobody knows whether it arrived: once where its platform knows repeats or can"
            " edit; where it can do neither, perhaps a second time, visibly marked.",
            frozenset(),
        ),
        Offer("drop", "Give up", "It is not sent any more, and the letter is forgotten.", frozenset(), hurts=True),
    )
}
"""What may be ordered of one delivery."""


def offers_for(state: SessionState) -> tuple[Offer, ...]:
    """What there is any sense in ordering of a session."""
    return tuple(each for each in OF_SESSIONS.values() if state in each.states)
