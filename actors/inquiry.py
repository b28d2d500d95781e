"""The questions of one run: each is on disk before it is shown, and asked once in all attempts at the same work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import assert_never

from greenroom.actors.events import Asked
from greenroom.actors.keys import question_key
from greenroom.actors.link import Link
from greenroom.actors.model import Lapse, Question
from greenroom.actors.ports import QuestionTimedOutError, QuestionUndeliveredError
from greenroom.actors.store import Ledger

YES, NO = "yes", "no"

APPROVALS = frozenset({YES, "y"})
"""Words that allow something. All others do not: nobody approves by accident."""


class Inquiry:
    """One run's. Used on the agents' loop only, by as many tasks of the run as ask at once: one after the other."""

    __slots__ = ("_asked", "_asking", "_link", "_take_said")

    def __init__(self, link: Link, take_said: Callable[[], str]) -> None:
        """`take_said` gives what the agent streamed since its last question, and lets it begin anew."""
        self._link = link
        self._take_said = take_said
        self._asked: Counter[str] = Counter()
        self._asking = link.pen

    async def put(
        self, prompt: str, choices: tuple[str, ...], timeout_s: float | None, *, about: str | None = None
    ) -> str:
        """Ask when no other question is open. `about` tells questions apart that use the same words.

        Raises QuestionTimedOutError and QuestionUndeliveredError.
        """
        about = "\0".join((prompt, *choices)) if about is None else about
        key = question_key(self._link.place.session_id, self._link.work, about, self._asked[about])
        self._asked[about] += 1
        if timeout_s is None:
            timeout_s = self._link.place.house.rules.question_timeout_s
        async with self._asking:
            return await self._put(Question(key, prompt, choices, timeout_s=timeout_s))

    async def approve(self, prompt: str, timeout_s: float | None, *, about: str | None = None) -> bool:
        """Ask for a yes. Raises as `put` does."""
        answer = await self.put(prompt, (YES, NO), timeout_s, about=about)
        return answer.strip().casefold() in APPROVALS

    async def _put(self, question: Question) -> str:
        said = self._take_said()  # It is delivered with the question.
        ledger = await self._link.load_ledger() if self._link.is_again else Ledger()
        asked = next((each for each in ledger.questions if each.key == question.key), None)
        if asked is not None and asked.answer is not None:
            return asked.answer
        if asked is not None and asked.lapsed is not None:
            raise _lapsed(asked, asked.lapsed)
        word = self._link.expect(f"{question.key}.answer")
        self._link.tell(Asked(self._link.generation, question, said))
        answer = await word
        if isinstance(answer, Lapse):
            raise _lapsed(question, answer)
        return answer if isinstance(answer, str) else ""


def _lapsed(question: Question, lapse: Lapse) -> Exception:
    match lapse:
        case Lapse.TIMED_OUT | Lapse.ENDED:
            return QuestionTimedOutError(question.prompt)
        case Lapse.UNDELIVERED:
            return QuestionUndeliveredError(question.prompt)
        case _:
            assert_never(lapse)
