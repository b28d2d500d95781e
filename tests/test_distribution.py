"""What is installed is what stands in the rooms, and it disturbs nobody. Needs the package index, as any installation does."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import pytest
from filelock import FileLock
from tests.tidy.source import ROOMS, ROOT

SHIPPED = {".toml", ".py", ".sql", ".html", ".css", ".js", ".svg", ".txt", ".webmanifest"}
MEMORY_MAX_MB = 60


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Return what a command printed; fail with all of it when it fails."""
    surroundings = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV"))
    }
    done = subprocess.run(command, cwd=cwd, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Fill a folder once, for all test processes of this run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base

    def fill(name: str, make: Callable[[Path], None]) -> Path:
        folder = shared / name
        with FileLock(f"{folder}.lock"):
            if not (folder / "done").exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                (folder / "done").touch()
        return folder

    return fill


@pytest.fixture(scope="session")
def built(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A folder `wheel` with the wheel of this tree, and `sdist` with the sdist and the wheel made from that."""

    def build(folder: Path) -> None:
        copy = folder / "copy"
        copy.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, copy)
        for name in ("src", *ROOMS):
            unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=unwanted)
        run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder / "wheel", copy, cwd=folder)
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "sdist", copy, cwd=folder)

    return once("built", build)


@pytest.fixture(scope="session")
def installed(once: Callable[[str, Callable[[Path], None]], Path], built: Path) -> Path:
    """An environment that held nothing, with the wheel and then with supervisord's own distribution."""

    def install(folder: Path) -> None:
        venv.create(folder / "env", with_pip=True, symlinks=True)
        pip: list[str | Path] = [
            folder / "env" / "bin" / "python",
            "-I",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        wheel = next((built / "wheel").glob("*.whl"))
        run(*pip, wheel)
        run(*pip, "supervisor", "setuptools<81")  # supervisor may ask for pkg_resources.

    return once("installed", install) / "env" / "bin"


def in_the_rooms() -> set[str]:
    """Name every file of the rooms that must be shipped, as it is called in the package."""
    rooms = {
        f"greenroom/{p.relative_to(ROOT).as_posix()}"
        for room in ROOMS
        for p in (ROOT / room).rglob("*")
        if p.suffix in SHIPPED
    }
    return rooms | {f"greenroom/{name}" for name in ("__init__.py", "__main__.py", "py.typed")}


def in_the_archive(names: Iterable[str]) -> set[str]:
    return {name for name in names if ".dist-info/" not in name and not name.endswith("/")}


def test_the_wheel_holds_every_file_of_the_rooms_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(next((built / "wheel").glob("*.whl"))) as wheel:
        assert in_the_archive(wheel.namelist()) == in_the_rooms()


def test_a_wheel_made_from_the_source_distribution_is_the_same(built: Path) -> None:
    with zipfile.ZipFile(next((built / "sdist").glob("*.whl"))) as wheel:
        assert in_the_archive(wheel.namelist()) == in_the_rooms()


def test_the_source_distribution_holds_files_where_the_clone_holds_links(built: Path) -> None:
    with tarfile.open(next((built / "sdist").glob("*.tar.gz"))) as archive:
        held = {PurePosixPath(*PurePosixPath(m.name).parts[1:]).as_posix() for m in archive if m.isfile()}
    assert {f"src/{name}" for name in in_the_rooms()} <= held


def test_no_room_is_without_files_to_ship() -> None:
    assert {PurePosixPath(name).parts[1] for name in in_the_rooms()} >= set(ROOMS)
    assert any(name.endswith(".sql") for name in in_the_rooms())


def test_the_command_runs_in_an_empty_environment(installed: Path, tmp_path: Path) -> None:
    told = run(installed / "greenroom", "--version", cwd=tmp_path)
    assert told.startswith("greenroom 0.")
    assert run(installed / "python", "-m", "greenroom", "--version", cwd=tmp_path) == told


def test_supervisord_keeps_its_name_beside_us(installed: Path, tmp_path: Path) -> None:
    where = "import supervisor.{0}, greenroom.supervisor; print(supervisor.{0}.__file__); print(greenroom.supervisor.__file__)"
    theirs, ours = run(installed / "python", "-c", where.format("options"), cwd=tmp_path).splitlines()
    assert Path(theirs).parts[-2:] == ("supervisor", "options.py")
    assert Path(ours).parts[-3:] == ("greenroom", "supervisor", "__init__.py")
    assert run(installed / "supervisord", "--version", cwd=tmp_path).strip()


LOOK_AT_IMPORT = """
import sys, resource
import greenroom
from pathlib import Path
status = Path("/proc/self/status")
peak_kb = int(status.read_text().split("VmHWM:")[1].split()[0]) if status.exists() else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(peak_kb / 1024, *sys.modules)
"""


def test_importing_the_core_is_light(tmp_path: Path) -> None:
    peak_mb, *modules = run(sys.executable, "-c", LOOK_AT_IMPORT, cwd=tmp_path).split()
    assert "greenroom" in modules
    assert not {"starlette", "uvicorn", "jinja2", "prometheus_client", "typer", "click", "pytest"} & set(modules)
    assert float(peak_mb) < MEMORY_MAX_MB
