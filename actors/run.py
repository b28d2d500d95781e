"""The wall around an agent: whatever it does, its run ends with an outcome, and nothing else dies."""

from __future__ import annotations

import asyncio
import logging

from greenroom.actors.budgets import Excess
from greenroom.actors.events import Added, Answered, Cancelled, Failed, Outcome, PutOff
from greenroom.actors.lines import CRASHED_LINE, TIMED_OUT_LINE, UNDELIVERED_LINE, over_budget_line, paragraphs
from greenroom.actors.mending import mend
from greenroom.actors.model import FailCause
from greenroom.actors.ports import (
    Agent,
    BudgetExceededError,
    Conclusion,
    ProviderError,
    QuestionTimedOutError,
    QuestionUndeliveredError,
)
from greenroom.actors.turn import LiveTurn

logger = logging.getLogger("greenroom.run")

WHY_MAX = 200
"""Characters of a provider's error that the person is shown."""

FINISH_MAX = 100
"""Characters of an agent's word for how its model stopped."""


async def run_agent(agent: Agent, turn: LiveTurn) -> Outcome | Added:
    """Call the agent and say how that ended, or what it said after the row by which it had concluded.

    Foreign code: `sys.exit` in it ends this run and no process.
    """
    try:
        await turn.begin()
        returned = await agent(turn)
    except asyncio.CancelledError:
        return Cancelled()
    except GeneratorExit:  # The agent's own, or the loop is torn down around us: then nobody hears this.
        return Failed(CRASHED_LINE.format(what=GeneratorExit.__name__), turn.said)
    except ProviderError as error:
        logger.info("the agent could not go on in %s: %s", turn.session, error)
        return PutOff(mend(str(error), "the provider's error")[:WHY_MAX], _read_wait(error.retry_after_s), turn.said)
    except BudgetExceededError as error:
        return Failed(over_budget_line(Excess(error.budget, error.most)), turn.said, error.budget)
    except QuestionTimedOutError:
        return Failed(TIMED_OUT_LINE, turn.said, FailCause.UNANSWERED)
    except QuestionUndeliveredError:
        return Failed(UNDELIVERED_LINE, turn.said, FailCause.UNANSWERED)
    except BaseException as error:  # Invariant: whatever an agent raises ends its own run, with an outcome.
        logger.warning("the agent failed in %s: %r", turn.session, error, exc_info=error)
        return Failed(CRASHED_LINE.format(what=type(error).__name__), turn.said)
    finally:
        turn.close()
    if turn.concluded:
        return _added(turn, returned)
    match returned:
        case None:
            return Answered(turn.said)
        case str():
            return Answered(paragraphs(turn.said, mend(returned, "the answer")))
        case Conclusion(str(text), str() | None as finish):
            finish = None if finish is None else mend(finish, "finish")[:FINISH_MAX]
            return Answered(paragraphs(turn.said, mend(text, "the answer")), finish)
        case _:  # Foreign code: its type says what it should return, not what it does.
            logger.warning("the agent returned %s in %s", type(returned).__name__, turn.session)  # type: ignore[unreachable]
            what = f"it returned {type(returned).__name__} instead of text"
            return Failed(CRASHED_LINE.format(what=what), turn.said)


def _read_wait(given: object) -> float | None:
    """Read for how long a provider asks to be left alone, in seconds. An agent may hand on the header as it came."""
    try:
        return None if given is None else float(given)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, OverflowError):
        logger.warning("the agent's ProviderError has retry_after_s=%.40r, which is no number of seconds", given)
        return None


def _added(turn: LiveTurn, returned: object) -> Outcome | Added:
    """Say what came after the answer that the agent wrote itself, if it came in time and is not in that already."""
    if not turn.lingers:
        return Answered("")
    text = returned.text if isinstance(returned, Conclusion) else returned
    words = turn.take_added(mend(text, "what came after the answer") if isinstance(text, str) else "")
    return Added(turn.generation, words, turn.reply_to) if words else Answered("")
