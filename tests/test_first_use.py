"""The first use of a fresh clone, in every way it can begin and be cut off. Needs the package index."""

import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.tidy.source import ROOMS, ROOT

SAYS = "greenroom: first use: making .venv"
TIMEOUT_S = 110


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What git would check out, in a folder whose name has a blank."""
    clone = tmp_path / "a clone"
    clone.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    for name in ("src", "bin", *ROOMS):
        shutil.copytree(
            ROOT / name, clone / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    return clone


def start(command: Path, path: str = os.environ["PATH"]) -> subprocess.Popen[str]:
    surroundings = {"PATH": path, "HOME": os.environ["HOME"]}
    return subprocess.Popen(
        [command, "--version"],
        cwd=command.parent,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(started: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = started.communicate(timeout=TIMEOUT_S)
    return started.returncode, out, err


@pytest.mark.slow
def test_a_clone_runs_through_a_link_and_twice_at_once_and_says_so_once(clone: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere"
    link.symlink_to(clone / "bin" / "greenroom")
    with ThreadPoolExecutor(2, thread_name_prefix="first-use") as both:
        ends = list(both.map(finish, [start(link), start(clone / "bin" / "greenroom")]))
    assert [(code, out) for code, out, _ in ends] == [(0, "greenroom 0.1.0\n")] * 2
    assert sum(SAYS in err for _, _, err in ends) == 1
    assert finish(start(link)) == (0, "greenroom 0.1.0\n", "")


@pytest.mark.slow
def test_a_first_use_that_was_killed_is_made_again(clone: Path) -> None:
    killed = start(clone / "bin" / "greenroom")
    assert killed.stderr is not None
    assert SAYS in killed.stderr.readline()
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate(timeout=TIMEOUT_S)
    code, out, err = finish(start(clone / "bin" / "greenroom"))
    assert (code, out, SAYS in err) == (0, "greenroom 0.1.0\n", True)


@pytest.mark.slow
def test_a_changed_pyproject_brings_the_environment_up_to_date(clone: Path) -> None:
    assert finish(start(clone / "bin" / "greenroom"))[0] == 0
    pyproject = clone / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('version = "0.1.0"', 'version = "0.1.7"'))
    code, out, err = finish(start(clone / "bin" / "greenroom"))
    assert (code, out) == (0, "greenroom 0.1.7\n")
    assert "up to date" in err


def test_without_a_python_it_says_what_to_install(clone: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "dirname", "readlink", "cat", "cmp"):
        (programs / name).symlink_to(shutil.which(name) or name)
    (programs / "python3").write_text("#!/bin/sh\nexit 1\n")  # As an old Python answers the question for its version.
    (programs / "python3").chmod(0o755)
    code, out, err = finish(start(clone / "bin" / "greenroom", path=str(programs)))
    assert (code, out) == (1, "")
    assert "needs Python 3.11 or newer" in err
    assert "apt-get install python3" in err


def test_the_environment_is_made_by_the_standard_library_alone() -> None:
    source = (ROOT / "bin" / "_environment.py").read_text()
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)
