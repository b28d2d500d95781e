"""What came over a wire, and is no longer what it was: garbled where it has parts, and where it has bytes."""

import json
from random import Random
from typing import Any

from tests.fuzz.asking import NASTY

DEEP = 3_000
LONG = 20_000

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 0.5, 2**31, 2**63, -(2**70), 1e308, float("nan"), float("inf"), "", [], {}, [[]], [None], {"": None}, *NASTY
)  # fmt: skip


def garble(wire: bytes, dice: Random) -> bytes:
    """Change it in one to three places."""
    for _ in range(dice.randint(1, 3)):
        wire = _garble_line(wire, dice) if dice.random() < 0.7 else _garble_bytes(wire, dice)
    return wire


def _garble_line(wire: bytes, dice: Random) -> bytes:
    """Change one line: a part of its JSON, with what stands before it left as it is."""
    lines = wire.split(b"\n")
    number = dice.randrange(len(lines))
    start = min((at for at in (lines[number].find(b"{"), lines[number].find(b"[")) if at >= 0), default=0)
    try:
        value = json.loads(lines[number][start:])
    except (ValueError, RecursionError):
        return _garble_bytes(wire, dice)
    lines[number] = lines[number][:start] + json.dumps(_garble_part(value, dice)).encode()
    return b"\n".join(lines)


def _garble_part(value: Any, dice: Random) -> Any:
    """Replace, drop, or add one part, however deep."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        name = dice.choice(sorted(value))
        match dice.randrange(12):
            case 0:
                return {key: part for key, part in value.items() if key != name}
            case 1:
                return {**value, dice.choice(NASTY): dice.choice(ODD)}
            case _:
                return {**value, name: _garble_part(value[name], dice)}
    if isinstance(value, list) and value and dice.random() < 0.9:
        at = dice.randrange(len(value))
        garbled = _garble_part(value[at], dice)
        return [*value[:at], garbled, *value[at + dice.randrange(2) :]]
    return dice.choice(ODD)


def _garble_bytes(wire: bytes, dice: Random) -> bytes:
    at = dice.randrange(len(wire) + 1)
    match dice.randrange(6):
        case 0:
            return wire[:at]
        case 1:
            return wire[:at] + wire[at + dice.randrange(1, 9) :]
        case 2:
            return wire[:at] + dice.randbytes(dice.randrange(1, 9)) + wire[at:]
        case 3:
            return wire[:at] + dice.choice(NASTY).encode(errors="surrogatepass") + wire[at:]
        case 4:
            return wire[:at] + bytes([dice.randrange(256)]) + wire[at + 1 :]
        case _:
            return wire[:at] + dice.choice((b"[", b'{"a":', b'"', b"(", b">", b"%", b":", b" ")) * DEEP + wire[at:]


def long_ones(wire: bytes) -> list[bytes]:
    """The same with one part after the other grown large: whoever reads it in more than linear time does not end."""
    found = [grown.join((wire[:at], wire[at:])) for grown in _GROWN for at in (0, len(wire) // 2, len(wire))]
    try:
        value = json.loads(wire)
    except (ValueError, RecursionError):
        return found
    return found + [json.dumps(each).encode() for grown in _GROWN for each in _grow(value, grown.decode())]


_GROWN = tuple(
    each * LONG for each in (b"a", b"[", b'{"a":', b"> ", b"<@U1", b" @", b"%", b"\n", b"/x ", b"=&", b"a:b")
)


def _grow(value: Any, grown: str) -> list[Any]:
    if isinstance(value, dict):
        return [{**value, name: each} for name, part in value.items() for each in _grow(part, grown)]
    if isinstance(value, list):
        return [[*value[:at], each, *value[at + 1 :]] for at, part in enumerate(value) for each in _grow(part, grown)]
    return [grown] if isinstance(value, str) else []
