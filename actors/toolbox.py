"""The tools of one run: each call is on disk before it is made, and its result before the agent sees it."""

from __future__ import annotations

import inspect
import json
from collections import Counter
from collections.abc import Callable
from typing import Any, assert_never

from greenroom.actors.events import ToolCalled, ToolReturned, ToolWithheld
from greenroom.actors.inquiry import Inquiry
from greenroom.actors.keys import canonical_args, tool_key
from greenroom.actors.link import Link, heed
from greenroom.actors.mending import mend
from greenroom.actors.model import ToolCall, ToolPolicy, ToolRecord
from greenroom.actors.output import keep_ends
from greenroom.actors.ports import QuestionTimedOutError, QuestionUndeliveredError, ToolFailedError, ToolInDoubtError
from greenroom.actors.store import Ledger
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

BESIDE_MAX = 64_000
"""Characters that a call may have beside it."""

NAME_MAX = 1_000
ARGS_MAX = 4_000_000
"""Characters of a call's name, and of its arguments as JSON: each is kept, and given back to a model."""

ARGS_SHOWN_MAX = 4_000
"""Characters of the arguments that a person is shown who is asked for a yes. Who sees less of them is told so."""

RESULT_SHOWN_MAX = 2_000
"""Characters kept of a result that is no JSON."""


class Toolbox:
    """One run's. Used on the agents' loop only, by as many tasks of the run as call tools at once."""

    __slots__ = ("_calls", "_inquiry", "_link")

    def __init__(self, link: Link, inquiry: Inquiry) -> None:
        """Begin with nothing called."""
        self._link = link
        self._inquiry = inquiry
        self._calls: Counter[tuple[str, str]] = Counter()

    async def call(
        self, name: str, args: dict[str, Any], policy: ToolPolicy | str, fn: Callable[..., Any], beside: str = ""
    ) -> Any:
        """See `ports.Turn.tool`."""
        name, args_json = mend(name, "turn.tool: the name"), mend(canonical_args(args), "turn.tool")
        _refuse_long(name, args_json)
        nth = self._calls[name, args_json]
        self._calls[name, args_json] += 1
        key = tool_key(self._link.place.session_id, self._link.work, name, args_json, nth)
        call = ToolCall(key, name, args_json, ToolPolicy(policy), _read_beside(beside))
        if call.policy is ToolPolicy.KEYED and not takes_key(fn, by_any_name=True):
            msg = f"tool {name}: policy keyed needs a function that takes idempotency_key; or choose once or pure"
            raise TypeError(msg)
        needed = self._link.is_again or call.policy in MAY_HAVE_HAPPENED  # Nothing else is met by the first attempt.
        match decide_tool(call, await self._link.load_ledger() if needed else Ledger()):
            case Replay(result, failed):
                if failed:
                    raise ToolFailedError(result)
                return json.loads(result)
            case InDoubt(doubts):
                raise await self._withhold(call, doubts, nth)
            case AskFirst(doubts, attempts):
                if not await self._may_repeat(call, attempts):
                    raise await self._withhold(call, doubts, nth)
                return await self._call(call, args, fn, nth, doubts)
            case Call():
                return await self._call(call, args, fn, nth)
            case never:
                assert_never(never)

    async def _withhold(self, call: ToolCall, doubts: tuple[str, ...], nth: int) -> ToolInDoubtError:
        """Let it be on disk that the agent is told, before it is."""
        written = self._link.expect(call.key)
        self._link.tell(ToolWithheld(self._link.generation, call, doubts, nth))
        heed(await written)
        return ToolInDoubtError(call.name, call.args, call.key)

    async def _may_repeat(self, call: ToolCall, attempts: int) -> bool:
        """Ask about this interruption: a yes to an earlier one says nothing of it, and silence is no yes."""
        shown = keep_ends(call.args, ARGS_SHOWN_MAX)
        prompt = f"{call.name}({shown}) was interrupted and may already have taken effect. Run it again?"
        try:
            return await self._inquiry.approve(prompt, None, about=f"{call.key}\0{attempts}")
        except (QuestionTimedOutError, QuestionUndeliveredError):
            return False

    async def _call(
        self, call: ToolCall, args: dict[str, Any], fn: Callable[..., Any], nth: int, doubts: tuple[str, ...] = ()
    ) -> Any:
        granted = self._link.expect(call.key)
        self._link.tell(ToolCalled(self._link.generation, call, doubts, nth))
        heed(await granted)
        try:
            result = await self._run(call, args, fn)
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

    async def _run(self, call: ToolCall, args: dict[str, Any], fn: Callable[..., Any]) -> Any:
        place = self._link.place
        if takes_key(fn, by_any_name=call.policy is ToolPolicy.KEYED):
            args = args | {"idempotency_key": f"{place.house.store.uid}-{call.key}"}
        if inspect.iscoroutinefunction(fn):
            return await fn(**args)
        result = await place.runtime.in_thread(lambda: fn(**args))
        return await result if inspect.isawaitable(result) else result

    def _write_result(self, call: ToolCall, result: Any) -> str:
        try:
            text = mend(json.dumps(result, ensure_ascii=False, allow_nan=False), "turn.tool")
        except Exception as error:  # Invariant: whatever is wrong with a result, it is kept that the tool worked.
            msg = f"tool {call.name} took effect, do not call it again; but its result cannot be kept: {error}"
            raise (ValueError if isinstance(error, ValueError) else TypeError)(msg) from error
        limit = self._link.place.house.rules.tool_result_max
        if len(text) > limit:
            msg = f"tool {call.name}: its result has {len(text):,} characters of JSON, the limit is {limit:,}"
            raise ToolFailedError(msg)
        return text

    async def _keep(self, call: ToolCall, result: str, *, failed: bool) -> None:
        if failed:
            result = mend(result, "turn.tool")[: self._link.place.house.rules.tool_result_max]
            self._link.note_failure(ToolRecord(call, result, failed=True))
        kept = self._link.expect(call.key)
        self._link.tell(ToolReturned(self._link.generation, call, result, failed))
        await kept


def _repr(result: object) -> str:
    try:
        return repr(result)[:RESULT_SHOWN_MAX]
    except Exception:  # Invariant: what a tool returns breaks nothing but its own call.
        return f"a {type(result).__name__}"


def _refuse_long(name: str, args_json: str) -> None:
    for what, text, most in (("the name", name, NAME_MAX), ("the arguments", args_json, ARGS_MAX)):
        if len(text) > most:
            msg = f"turn.tool: {what}: more than {most:,} characters ({len(text):,}); nothing was called"
            raise ValueError(msg)


def _read_beside(given: str) -> str:
    beside = mend(given, "turn.tool: beside")
    if len(beside) > BESIDE_MAX:
        msg = f"turn.tool: beside: it has {len(beside):,} characters, the limit is {BESIDE_MAX:,}"
        raise ValueError(msg)
    return beside
