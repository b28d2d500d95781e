import doctest

from tests.platforms.conformance import glass


def test_the_example_is_true() -> None:
    assert doctest.testmod(glass) == doctest.TestResults(failed=0, attempted=4)
