"""A story can be told without some of its parts, and nothing else of what its seed drew changes."""

from greenroom.supervisor.sandbox.parts import Parts
from greenroom.supervisor.sandbox.simulator import simulate

SEED = 2


def drawn_before_anything_happened(parts: tuple[str, ...]) -> list[str]:
    return [part for part in parts if part[0] == "m" or part.startswith("life")]


def test_what_is_left_out_does_not_happen_and_all_else_is_listed() -> None:
    parts = Parts({"m2"})
    assert [part for part in ("m1", "m2", "m3", "m1") if parts.happens(part)] == ["m1", "m3", "m1"]
    assert parts.happened == ("m1", "m3")


def test_one_life_less_leaves_messages_and_other_lives_as_they_were() -> None:
    whole = drawn_before_anything_happened(simulate(SEED).parts)
    assert {"life1", "life2"} <= set(whole)
    without = drawn_before_anything_happened(simulate(SEED, omitted={"life1"}).parts)
    assert without == [part for part in whole if part.split(".")[0] != "life1"]


def test_one_message_less_leaves_lives_and_other_messages_as_they_were() -> None:
    for seed in range(3):
        whole = drawn_before_anything_happened(simulate(seed).parts)
        without = drawn_before_anything_happened(simulate(seed, omitted={"m1"}).parts)
        assert "m1" in whole
        assert "m1" not in without
        assert set(without) >= {part for part in whole if part.split(".")[0] != "m1"}


def test_the_same_seed_without_the_same_parts_is_the_same_run() -> None:
    report = simulate(SEED)
    for part in report.parts[:5]:
        once, again = (simulate(SEED, omitted={part}) for _ in range(2))
        assert (once.trace, once.parts) == (again.trace, again.parts)
        assert part not in once.parts


def test_without_any_of_its_parts_a_world_is_still_and_whole() -> None:
    report = simulate(SEED, omitted=simulate(SEED).parts)
    assert (report.boots, report.crashes, report.runs, report.violations) == (1, 0, 0, ())
