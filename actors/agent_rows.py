"""Rows of the transcript as an agent writes them itself: what is one, and which of them are new. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from greenroom.actors.keys import canonical_args
from greenroom.actors.mending import mend
from greenroom.actors.model import Message, Role, ToolCall, ToolPolicy
from greenroom.actors.rules import Rules
from greenroom.actors.tail import concludes

KEY_MAX = 200
"""Characters of a row's key, or of a call's."""

NAME_MAX = 200
"""Characters of a tool's name, and of a finish."""

CALLS_MAX = 100
"""Tool calls of one row."""

WRITE_ROWS_MAX = 100
"""Rows of one transaction; more become several, in order."""

WRITE_LENGTH_MAX = 1_000_000
"""Characters of one transaction, unless a single row has more."""

ROLES = {role.value: role for role in (Role.ASSISTANT, Role.TOOL, Role.SYSTEM)}
FIELDS = frozenset({"key", "role", "text", "finish", "tool_calls", "tool_key"})
CALL_FIELDS = frozenset({"key", "name", "args", "policy"})


class AgentRow(Struct, frozen=True):
    """One row as its agent writes it; it becomes a `Message`. `key` is the same whenever this row is written again."""

    key: str
    role: Role
    text: str
    finish: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_key: str | None = None

    @property
    def length(self) -> int:
        """How many characters are stored of it, about."""
        return len(self.text) + sum(len(call.args) for call in self.tool_calls)

    @property
    def concludes(self) -> bool:
        """Whether it is an answer."""
        return self.role is Role.ASSISTANT and concludes(self.text, self.finish, self.tool_calls)


def row_of(message: Message, key: str) -> AgentRow:
    """Read back what the agent wrote under `key`."""
    return AgentRow(key, message.role, message.text, message.finish, message.tool_calls, message.tool_key)


def read_rows(given: Sequence[Mapping[str, Any]], rules: Rules) -> tuple[AgentRow, ...]:
    """Make rows of what an agent gives. Raises TypeError and ValueError, which say which row and what to write."""
    if len(given) > rules.append_max:
        msg = f"append_many: {len(given):,} rows at once, the limit is {rules.append_max:,}; append them in parts"
        raise ValueError(msg)
    return tuple(_read_row(f"append_many: row {n}", row, rules) for n, row in enumerate(given))


def pick_new(rows: Sequence[AgentRow], known: Mapping[str, AgentRow]) -> tuple[AgentRow, ...]:
    """Leave out what is stored already. Raises ValueError for a key that names another row there.

    A row that concludes must be the last new one: with it the run is over.
    """
    new: dict[str, AgentRow] = {}
    for row in rows:
        stored = known.get(row.key) or new.get(row.key)
        if stored is None:
            new[row.key] = row
        elif stored != row:
            msg = f"append_many: {row.key!r} is the key of another row; give each row a key of its own"
            raise ValueError(msg)
    picked = tuple(new.values())
    for row in picked[:-1]:
        if row.concludes:
            msg = f"append_many: {row.key!r} concludes, and rows follow; only the last has a finish such as 'stop'"
            raise ValueError(msg)
    return picked


def split_rows(rows: Sequence[AgentRow]) -> Iterator[tuple[AgentRow, ...]]:
    """Divide rows into what one transaction takes, in order."""
    part: list[AgentRow] = []
    length = 0
    for row in rows:
        if part and (len(part) == WRITE_ROWS_MAX or length + row.length > WRITE_LENGTH_MAX):
            yield tuple(part)
            part, length = [], 0
        part.append(row)
        length += row.length
    if part:
        yield tuple(part)


def _read_row(what: str, given: object, rules: Rules) -> AgentRow:
    if not isinstance(given, Mapping):
        msg = f"{what}: must be a mapping with {', '.join(sorted(FIELDS))}, got {type(given).__name__}"
        raise TypeError(msg)
    _refuse_unknown(what, given, FIELDS)
    row = AgentRow(
        key=_read_text(f"{what}: key", given.get("key"), KEY_MAX),
        role=_read_role(what, given.get("role")),
        text=mend(given.get("text"), f"{what}: text"),
        finish=_read_optional(f"{what}: finish", given.get("finish"), NAME_MAX),
        tool_calls=_read_calls(what, given.get("tool_calls") or ()),
        tool_key=_read_optional(f"{what}: tool_key", given.get("tool_key"), KEY_MAX),
    )
    _check_parts(what, row)
    limit = rules.tool_result_max if row.role is Role.TOOL else rules.answer_max
    if row.length > limit:
        msg = f"{what}: it has {row.length:,} characters, the limit is {limit:,}"
        raise ValueError(msg)
    return row


def _check_parts(what: str, row: AgentRow) -> None:
    """Each role has its parts: calls are an assistant's, and only a tool's row is the result of one."""
    if (row.tool_key is not None) is not (row.role is Role.TOOL):
        msg = f"{what}: tool_key names the call that a tool's row answers; role is {row.role.value!r}"
        raise ValueError(msg)
    if row.tool_calls and row.role is not Role.ASSISTANT:
        msg = f"{what}: only an assistant's row has tool_calls; role is {row.role.value!r}"
        raise ValueError(msg)


def _read_role(what: str, given: object) -> Role:
    if given == Role.USER:
        msg = f"{what}: what the user said is in the transcript already; leave rows of the user out"
        raise ValueError(msg)
    role = ROLES.get(str(given))
    if role is None:
        msg = f"{what}: role must be one of {', '.join(ROLES)}, got {given!r:.40}"
        raise ValueError(msg)
    return role


def _read_calls(what: str, given: Sequence[Any]) -> tuple[ToolCall, ...]:
    if len(given) > CALLS_MAX:
        msg = f"{what}: {len(given):,} tool calls, the limit is {CALLS_MAX}"
        raise ValueError(msg)
    return tuple(_read_call(f"{what}: call {n}", call) for n, call in enumerate(given))


def _read_call(what: str, given: object) -> ToolCall:
    """Read a call. Its policy is for whoever reads the transcript: nothing of it is ever called by greenroom."""
    if isinstance(given, ToolCall):  # Whoever made it was asked nothing.
        given = asdict(given)
    if not isinstance(given, Mapping):
        msg = f"{what}: must be a mapping with {', '.join(sorted(CALL_FIELDS))}, got {type(given).__name__}"
        raise TypeError(msg)
    _refuse_unknown(what, given, CALL_FIELDS)
    args = given.get("args", "{}")
    call = ToolCall(
        key=_read_text(f"{what}: key", given.get("key"), KEY_MAX),
        name=_read_text(f"{what}: name", given.get("name"), NAME_MAX),
        args=args if isinstance(args, str) else canonical_args(args),
        policy=ToolPolicy(given.get("policy", ToolPolicy.ONCE)),
    )
    json.loads(call.args)
    return replace(call, args=mend(call.args, f"{what}: args"))


def _refuse_unknown(what: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        msg = f"{what}: there is no {unknown[0]!r:.40}; write {', '.join(sorted(known))}"
        raise ValueError(msg)


def _read_text(what: str, given: object, limit: int) -> str:
    text = mend(given, what)
    if not text or len(text) > limit:
        msg = f"{what}: must have 1 to {limit} characters, got {text[:40]!r}"
        raise ValueError(msg)
    return text


def _read_optional(what: str, given: object, limit: int) -> str | None:
    return None if given is None else _read_text(what, given, limit)
