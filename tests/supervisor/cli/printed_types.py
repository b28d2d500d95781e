"""What a program is promised, read from the types themselves: their fields, what each may be, and its sentence."""

import inspect
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from tests.supervisor.written_words import words_of

from greenroom.supervisor.cli.paper import as_plain
from greenroom.supervisor.cli.printed_by import PRINTED_BY

PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean", Path: "string (path)", Any: "any value"}
UNITS = {"at": "UTC epoch seconds", "since": "UTC epoch seconds", "s": "seconds", "seconds": "seconds"}
UNITS |= {"minutes": "minutes", "hours": "hours", "bytes": "bytes", "size": "bytes"}
"""By the last word of a field's name."""
UNITS_OF = {"Happening.at": "seconds"}
WITHOUT_UNIT = {"RunRow.cost", "Summary.crashes_per_seed", "Measurement.value"}
"""Numbers that are no integers, and whose sentence says what they are in, if in anything."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record. `hint` is its type as Python has it."""

    name: str
    hint: Any
    unit: str
    sentence: str


def is_record(hint: Any) -> bool:
    return inspect.isclass(hint) and (issubclass(hint, Struct) or is_dataclass(hint))


@cache
def fields_of(record: type) -> tuple[Field, ...]:
    """The fields of a record, in order."""
    shape: Any = record
    names = [each.name for each in (msgspec.structs.fields if issubclass(record, Struct) else fields)(shape)]
    hints, sentences = get_type_hints(record), _sentences(record)
    return tuple(Field(name, hints[name], _unit(record, name), sentences.get(name, "")) for name in names)


def _unit(record: type, name: str) -> str:
    owner = f"{record.__name__}.{name}"
    return UNITS_OF.get(owner) or UNITS.get(name.rpartition("_")[2], "")


def _sentences(record: type) -> dict[str, str]:
    """The comment behind each field, also of those that it inherits."""
    found: dict[str, str] = {}
    for base in reversed(record.__mro__):
        if base is object or not is_record(base) or base.__module__.startswith("msgspec"):
            continue
        found |= words_of(base)
    return found


def bare(hint: Any) -> Any:
    """What a new type of ours is made of."""
    while isinstance(hint, NewType):
        hint = hint.__supertype__
    return hint


def parts(hint: Any) -> tuple[Any, ...]:
    """What a value of this type holds: the cases of a union, what is in an array or an object."""
    return tuple(each for each in get_args(bare(hint)) if each is not Ellipsis)


def is_union(hint: Any) -> bool:
    return get_origin(hint) in {Union, types.UnionType}


def is_object(hint: Any) -> bool:
    return get_origin(hint) is not None and issubclass(get_origin(hint), Mapping)


def is_array(hint: Any) -> bool:
    return get_origin(hint) is not None and not is_union(hint) and issubclass(get_origin(hint), Sequence)


def records(hint: Any) -> Iterator[type]:
    """All records that such a value holds, itself first; some more than once."""
    if is_record(hint := bare(hint)):
        yield hint
        for field in fields_of(hint):
            yield from records(field.hint)
    for each in parts(hint):
        yield from records(each)


def promises(hint: Any, path: str) -> Iterator[str]:
    """A line for each thing that a program finds at a path, with what it may be."""
    hint = bare(hint)
    if is_union(hint):
        cases = [bare(each) for each in parts(hint)]
        yield f"{path}: {' or '.join(_kind(each) for each in cases)}"
        inner = [each for each in cases if not is_null(each)]
    else:
        yield f"{path}: {_kind(hint)}"
        inner = [hint]
    for each in inner:
        if is_record(each):
            for field in fields_of(each):
                yield from promises(field.hint, f"{path}.{field.name}")
        elif is_array(each) or is_object(each):
            yield from promises(parts(each)[-1], f"{path}[]" if is_array(each) else f"{path}.*")


def _kind(hint: Any) -> str:
    if is_null(hint):
        return "null"
    if is_record(hint) or is_object(hint):
        return "object"
    if is_array(hint):
        return "array"
    return "string" if is_enum(hint) else PLAIN[hint].partition(" (")[0]


def is_null(hint: Any) -> bool:
    return hint is types.NoneType


def is_enum(hint: Any) -> bool:
    return inspect.isclass(hint) and issubclass(hint, Enum)


def all_promises() -> list[str]:
    """Everything that programs are promised, a line each."""
    return [line for command, hint in PRINTED_BY.items() for line in promises(hint, command)]


def command_of(args: Sequence[str]) -> str:
    """Which entry of the table some typed words are of."""
    for command in sorted(PRINTED_BY, key=len, reverse=True):
        words = command.split()
        names = [word for word in words if not word.startswith("-")]
        if list(args[: len(names)]) == names and set(words) <= set(args):
            return command
    raise AssertionError(f"{' '.join(args)} prints JSON, and is not in PRINTED_BY")


def check_printed(args: Sequence[str], out: str) -> Any:
    """What a command printed, which must be a value of its type: nothing missing, nothing left over."""
    value = json.loads(out)
    command = command_of(args)
    read = msgspec.convert(value, PRINTED_BY[command], dec_hook=lambda kind, found: kind(found))
    assert as_plain(read) == value, f"`greenroom {command} --json` prints what {PRINTED_BY[command]} does not say"
    return value
