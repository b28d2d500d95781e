"""Times that others wrote."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom.actors.times import AHEAD_MAX_S, read_time

NOW = 1_800_000_000.0
AT = 1_700_000_000.0


@pytest.mark.parametrize(
    "value",
    [
        AT,
        int(AT),
        AT * 1e3,
        AT * 1e6,
        AT * 1e9,
        "1700000000",
        "1700000000000",
        "2023-11-14T22:13:20Z",
        "2023-11-14 22:13:20",
        "2023-11-14T23:13:20+01:00",
    ],
)
def test_s031_one_moment_may_be_written_in_many_ways(value: object) -> None:
    assert read_time(value, now=NOW) == pytest.approx(AT, abs=1e-3)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "soon",
        [],
        {},
        True,
        math.nan,
        math.inf,
        -math.inf,
        0,
        -1.0,
        1e300,
        10**400,
        "nan",
        "0001-01-01T00:00:00+23:00",
    ],
)
def test_s023_garbage_is_no_time(value: object) -> None:
    assert read_time(value, now=NOW) is None


def test_a_time_a_little_ahead_is_now_and_one_far_ahead_is_none() -> None:
    assert read_time(NOW + AHEAD_MAX_S, now=NOW) == NOW
    assert read_time(NOW + AHEAD_MAX_S + 1, now=NOW) is None


@given(st.floats() | st.integers() | st.text() | st.none(), st.floats(0, 1e11))
def test_what_is_read_is_never_ahead(value: object, now: float) -> None:
    at = read_time(value, now=now)
    assert at is None or 0 <= at <= now
