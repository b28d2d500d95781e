"""What a transcript says to a model: rows become a conversation. Pure.

Each call of a tool is a row of its own, and its result one that comes later, perhaps after a question to the user or
calls beside it. Models want the results right after the calls, so they are put there; a call without one gets a word.
"""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence

from greenroom.actors.model import Attachment, Message, MessageKind, Role
from greenroom.actors.naming import with_names
from greenroom.platforms.agents.talk import Call, Calls, Item, Result, Speaker, Words

NOTE = "[automatic note, not from the user]"
"""How what the house tells begins, so that nobody takes it for the user's words."""

SUMMARY = f"{NOTE} What was said before, in short:"

NO_RESULT = "[no result]"

Addresses = Mapping[str, str]
"""Where an attachment is -> the URL under which a model is shown it."""


def read_rows(
    rows: Sequence[Message], addresses: Addresses | None = None, *, before: Sequence[Message] = ()
) -> tuple[Item, ...]:
    """Make a conversation of rows, oldest first. What is not in `addresses` is named in words.

    Who wrote what is `before` them counts for whether people are named. Of notes that tell of several interruptions in
    a row the last is told.
    """
    named = _without_repeated_notes(with_names((*before, *rows))[len(before) :])
    results = _results(named)
    items: list[Item] = []
    batch: list[Message] = []
    for row in named:
        if row.tool_calls:
            batch.append(row)
            continue
        items += _called(batch, results)
        batch.clear()
        words = _words(row, addresses or {})
        if words is not None:
            items.append(words)
    items += _called(batch, results)
    return _joined(items)


def read_result(stored: str) -> str:
    """Give a model what it was given of a result when the tool returned it: a text is stored as JSON."""
    try:
        value = json.loads(stored)
    except ValueError:
        return stored
    return value if isinstance(value, str) else stored


def _without_repeated_notes(rows: Iterable[Message]) -> list[Message]:
    kept: list[Message] = []
    for row in rows:
        if kept and row.kind is kept[-1].kind is MessageKind.RECOVERY_NOTE:
            kept.pop()
        kept.append(row)
    return kept


def _results(rows: Iterable[Message]) -> Mapping[str, deque[Message]]:
    """The results of each key, oldest first: a call that was interrupted, and made again, has two."""
    found: defaultdict[str, deque[Message]] = defaultdict(deque)
    for row in rows:
        if row.role is Role.TOOL and row.tool_key is not None:
            found[row.tool_key].append(row)
    return found


def _called(batch: Sequence[Message], results: Mapping[str, deque[Message]]) -> list[Item]:
    """Tell calls that were made at once as one item, and after it what came of each."""
    if not batch:
        return []
    calls: list[Call] = []
    outcomes: list[Item] = []
    for row in batch:
        for n, call in enumerate(row.tool_calls):
            made = Call(f"call_{row.seq}_{n}", call.name, call.args, call.beside)
            waiting = results.get(call.key)
            calls.append(made)
            outcomes.append(Result(made.id, read_result(waiting.popleft().text) if waiting else NO_RESULT))
    text = "\n\n".join(row.text for row in batch if row.text.strip())
    return [Calls(tuple(calls), text), *outcomes]


def _words(row: Message, addresses: Addresses) -> Words | None:
    match row.role:
        case Role.USER:
            images = tuple(addresses[each.where] for each in row.attachments if each.where in addresses)
            named = [_name(each) for each in row.attachments if each.where not in addresses]
            text = "\n".join(part for part in (row.text, *named) if part)
            return Words(Speaker.USER, text, images) if text or images else None
        case Role.ASSISTANT:
            return Words(Speaker.ASSISTANT, row.text) if row.text.strip() else None
        case Role.SYSTEM:
            return Words(Speaker.USER, _note(row)) if row.text.strip() else None
        case Role.TOOL:  # It stands after its call.
            return None


def _note(row: Message) -> str:
    if row.kind is MessageKind.SUMMARY:
        return f"{SUMMARY}\n{row.text}"
    return row.text if row.text.startswith(NOTE) else f"{NOTE} {row.text}"


def _name(attachment: Attachment) -> str:
    name = f"{attachment.name}, " if attachment.name else ""
    return f"[attached: {name}{attachment.media_type}, {attachment.where}]"


def _joined(items: Sequence[Item]) -> tuple[Item, ...]:
    """Join what one speaker said in a row: some servers insist on turns."""
    joined: list[Item] = []
    for item in items:
        last = joined[-1] if joined else None
        if isinstance(item, Words) and isinstance(last, Words) and item.speaker is last.speaker:
            text = "\n\n".join(part for part in (last.text, item.text) if part)
            joined[-1] = Words(item.speaker, text, last.images + item.images)
        else:
            joined.append(item)
    return tuple(joined)
