"""Ask every codec what coverage leads to: python -m tests.fuzz.fuzzer [--minutes 10] [--only NAME]..., with `greenroom[fuzz]`.

atheris watches which lines of ours an input reaches, and goes on from those that reach new ones. Each has a
process of its own, which ends after its share of the time, or at its first defect, whose input it names.
"""

import argparse
import sys
from multiprocessing import get_context
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["greenroom"], enable_loader_override=False):
    from tests.fuzz.codecs import CODECS
from tests.fuzz.garbling import garble

LENGTH_MAX = 65_536
INPUT_S_MAX = 20
MEMORY_MB_MAX = 2_048


def ask(name: str, seconds: int, found: Path) -> None:
    """Ask one codec in this process, which ends with it."""
    codec, corpus = CODECS[name], found / name.replace(" ", "-")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(codec.samples):
        (corpus / f"sample-{number}").write_bytes(sample)

    def mutate(wire: bytes, size_max: int, seed: int) -> bytes:
        dice = Random(seed)
        changed = garble(wire, dice) if dice.random() < 0.5 else atheris.Mutate(wire, size_max)
        return changed[:size_max]

    limits = {
        "max_total_time": seconds,
        "max_len": LENGTH_MAX,
        "timeout": INPUT_S_MAX,
        "rss_limit_mb": MEMORY_MB_MAX,
        "print_final_stats": 1,
    }
    flags = [f"-{limit}={value}" for limit, value in limits.items()]
    argv = [sys.argv[0], *flags, f"-artifact_prefix={corpus.parent}/{corpus.name}-", str(corpus)]

    def take(wire: bytes) -> None:
        codec.take(wire)

    atheris.Setup(argv, take, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="for all that are asked together")
    parser.add_argument("--only", choices=CODECS, action="append", help="ask this one; may be repeated")
    parser.add_argument("--found", type=Path, default=Path("build/fuzz"), help="what was found, and is gone on from")
    given = parser.parse_args()
    names, broken = given.only or list(CODECS), list[str]()
    for name in names:
        print(f"== {name}", flush=True)  # noqa: T201 - a program's own words
        share = max(1, int(given.minutes * 60 / len(names)))
        process = get_context("fork").Process(target=ask, args=(name, share, given.found))  # All is imported already.
        process.start()
        process.join()
        if process.exitcode:
            broken.append(name)
    print("defects:", ", ".join(broken) or "none")  # noqa: T201
    return len(broken)


if __name__ == "__main__":
    sys.exit(main())
