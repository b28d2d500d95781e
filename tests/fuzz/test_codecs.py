"""Whatever comes in is read, or refused in the words of who reads it: each row of the table that the fuzzer asks, too."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.codecs import CODECS
from tests.fuzz.garbling import garble, long_ones


@pytest.mark.parametrize("name", CODECS)
def test_each_is_asked_what_it_was_made_for(name: str) -> None:
    codec = CODECS[name]
    assert codec.samples
    assert all(map(codec.take, codec.samples))


@pytest.mark.parametrize("name", CODECS)
def test_what_is_garbled_is_read_or_refused(name: str) -> None:
    codec = CODECS[name]

    @settings(max_examples=25, derandomize=True, database=None)
    @given(
        st.binary(max_size=50) | st.builds(garble, st.sampled_from(codec.samples), st.builds(Random, st.integers(0)))
    )
    def check(wire: bytes) -> None:
        codec.take(wire)

    check()


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", CODECS)
def test_what_is_garbled_thousands_of_times_is_read_or_refused(name: str) -> None:
    codec = CODECS[name]
    for seed in range(3_000):
        dice = Random(seed)
        wire = garble(dice.choice(codec.samples), dice)
        try:
            codec.take(wire)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {wire[:1000]!r}") from error


@pytest.mark.soak
@pytest.mark.parametrize("name", CODECS)
def test_what_is_large_takes_no_more_than_it_has_to(name: str) -> None:
    codec = CODECS[name]
    for sample in codec.samples[:2]:
        for wire in long_ones(sample):
            codec.take(wire)


DEEP = b"[" * 100_000
MATRIX_EVENT = (
    b'{"next_batch": "n", "rooms": {"join": {"!r:e": {"timeline": {"events": ['
    b'{"event_id": "$1", "type": "m.room.message", "sender": "@a:b", "content": WORDS}]}}}}}'
)
HALF = b'"\\ud800"'
FOUND: list[tuple[str, bytes]] = [
    ("web", b'{"id": "a", "text": "b", "more": ' + DEEP),
    ("webhook", b'{"chat": ' + DEEP),
    ("program lines", DEEP),
    ("order", DEEP),
    ("slack", DEEP),
    ("slack", b'{"event": [1]}'),
    ("slack", b'{"event": {"type": "message", "channel": "C1", "user": "U1", "ts": "1", ' + HALF + b": 1}}"),
    ("slack", b'{"event": {"type": "message", "channel": "\\u202e", "user": "U1", "ts": "1", "text": "<@UBOT>"}}'),
    ("slack forms", b"payload=%7B%22type%22%3A+%22block_actions%22%2C+%22container%22%3A+%5B1%5D%7D"),
    ("slack forms", b"hello=1"),
    ("telegram", b'{"update_id": 1, "message": {"message_id": 1, "date": 1, "text": "hi"}}'),
    ("telegram", b"[1]"),
    ("telegram", DEEP),
    ("matrix", HALF),
    ("matrix", b'{"next_batch": "n", "rooms": ' + HALF + b"}"),
    ("import of an export", b'{"type": "export", "format": 1, "at": ' + DEEP),
    ("config", b"[view]\nport = " + DEEP),
    ("openai chat", b"data: " + DEEP + b"\n\n"),
]
"""What once ended in another exception than the codec's own."""


@pytest.mark.parametrize("name, wire", FOUND, ids=[f"{name} {number}" for number, (name, _) in enumerate(FOUND)])
def test_what_was_found_once_is_refused(name: str, wire: bytes) -> None:
    assert not CODECS[name].take(wire)


READ: list[tuple[str, bytes]] = [
    ("slack", b'{"event": {"type": ["message"]}}'),
    ("slack", b'{"event": {"type": "message", "channel": "C1", "user": "U1", "ts": "1e999", "text": "<@UBOT>"}}'),
    ("matrix", MATRIX_EVENT.replace(b"WORDS", b'{"msgtype": "m.text", "body": "b", "m.relates_to": ' + HALF + b"}")),
    ("mcp tool", b'{"name": "n", "inputSchema": {"properties": 5, "required": 5}}'),
    ("mcp tool", b'{"name": "n", "inputSchema": {"properties": {"idempotency_key": {}}, "required": 5}}'),
    ("browser headers", b"host: localhost\norigin: http://["),
]


@pytest.mark.parametrize("name, wire", READ, ids=[f"{name} {number}" for number, (name, _) in enumerate(READ)])
def test_what_was_found_once_is_read(name: str, wire: bytes) -> None:
    assert CODECS[name].take(wire)
