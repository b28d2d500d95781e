"""What agents made with a framework share: their turn, and their tools under its ledger.

A framework's tools run under the policy that is named for them, or else `once`; None leaves one to the framework, for
those that do nothing outside of it, such as a handoff.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pydantic_core import to_json, to_jsonable_python

from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import ToolFailedError, ToolInDoubtError, Turn

Policies = Mapping[str, ToolPolicy | str | None]

_turn: ContextVar[Turn] = ContextVar("greenroom_turn")
_key: ContextVar[str] = ContextVar("greenroom_key")


def current_turn() -> Turn:
    """The turn in which a tool or a node runs: to ask its user, say what goes on, spawn. Raises LookupError outside."""
    return _turn.get()


def idempotency_key() -> str:
    """The key of the tool call that is being made, the same whenever it is made again. Raises LookupError outside."""
    return _key.get()


@contextmanager
def during(turn: Turn) -> Iterator[None]:
    """Let `current_turn` be this one, also in the tasks and threads that are begun in the block."""
    token = _turn.set(turn)
    try:
        yield
    finally:
        _turn.reset(token)


def check(policies: Policies) -> Policies:
    """Raise ValueError for what is no policy."""
    return {name: None if policy is None else ToolPolicy(policy) for name, policy in policies.items()}


async def through_ledger(
    name: str, args: Mapping[str, Any], policies: Policies, call: Callable[[], Awaitable[Any]]
) -> Any:
    """Make a framework's call of a tool as its policy allows. Its result is JSON, in the first attempt as in any other.

    A doubt, and a failure that is stored, come back as words for the model; other errors are the framework's to treat.
    """
    policy = policies.get(name, ToolPolicy.ONCE)
    if policy is None:
        return await call()

    async def make(*, idempotency_key: str, **_: Any) -> Any:
        token = _key.set(idempotency_key)
        try:
            return to_jsonable_python(await call(), serialize_unknown=True)
        finally:
            _key.reset(token)

    try:
        return await current_turn().tool(name, dict(args), policy=policy, fn=make)
    except ToolInDoubtError as doubt:
        return f"{doubt} Do not simply call it again: look, or ask the user."
    except ToolFailedError as failure:
        return str(failure)


def unsaid(output: Any, said: str) -> str:
    """What is left to be answered of what a framework returned, when its model said this last: mostly nothing."""
    if isinstance(output, str):
        return "" if output.strip() == said.strip() else output
    return "" if said or output is None else to_json(output).decode()


def read_args(written: str) -> dict[str, Any]:
    """Read the arguments that a model wrote; what is no JSON object is one of itself."""
    try:
        args = json.loads(written or "{}")
    except ValueError:
        args = written
    return args if isinstance(args, dict) else {"input": args}
