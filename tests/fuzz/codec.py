"""What a row of the table of codecs is, and what those that read for it share."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from greenroom.actors.model import Inbound

T = TypeVar("T")


class NotOursError(Exception):
    """A library refused it, before anything of ours was to read it."""


def posted(read: Callable[..., T], *args: object) -> T:
    """Read a body that is answered with 400 where it is none."""
    try:
        return read(*args)
    except ValueError as error:
        raise NotOursError from error


def library(read: Callable[..., T], *args: object, **more: object) -> T:
    try:
        return read(*args, **more)
    except Exception as error:  # Invariant: what a library cannot read is refused, in whatever words it has.
        raise NotOursError from error


@dataclass(frozen=True, slots=True)
class Codec:
    """What reads, what it may raise, and what it was made for."""

    read: Callable[[bytes], object]
    refuses: tuple[type[Exception], ...]
    samples: tuple[bytes, ...]

    def take(self, wire: bytes) -> bool:
        """Read, or refuse; whatever else is raised is a defect."""
        refusals: tuple[type[Exception], ...] = (*self.refuses, NotOursError)
        try:
            self.read(wire)
        except refusals:
            return False
        return True


def js(*values: object) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


def fits(inbound: Inbound | None) -> None:
    """What is taken to the door has words where words belong; halves of characters are mended behind it."""
    if inbound is not None:
        str(inbound.key).encode()
        json.dumps(msgspec.to_builtins(inbound), allow_nan=False)
