"""Make or renew the virtual environment beside bin: `_environment.py ROOT EXTRA`, with the standard library only.

One at a time: an advisory lock, which the system gives back when its holder dies, keeps two first uses apart.
All or nothing: `.venv/unfinished` stands from the first change to the last; an environment that holds it is remade.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
EXTRAS_WITHIN = {"web": ["web"], "dev": ["web", "dev"], "dev-all": ["web", "dev", "dev-all"]}
"""What each extra brings along: whoever has `dev` has `web`."""


def say(text: str) -> None:
    print(f"greenroom: {text}", file=sys.stderr, flush=True)


def stamp_text(root: Path) -> bytes:
    return f"{root}\n".encode() + (root / "pyproject.toml").read_bytes()


def is_stamped(root: Path, extra: str) -> bool:
    stamp = root / ".venv" / f"stamp-{extra}"
    if (root / ".venv" / "unfinished").exists() or not os.access(root / ".venv" / "bin" / "python", os.X_OK):
        return False
    return stamp.exists() and stamp.read_bytes() == stamp_text(root)


def is_usable(home: Path, *, needs_pip: bool) -> bool:
    """Whether an environment stands there, whole, and runs."""
    if (home / "unfinished").exists() or not (home / "pyvenv.cfg").exists():
        return False
    probe = "import sys; assert sys.prefix != sys.base_prefix and sys.version_info >= (3, 11)"
    try:
        command = [home / "bin" / "python", "-I", "-c", f"import pip; {probe}" if needs_pip else probe]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(command: list[str | Path], root: Path) -> None:
    surroundings = {**os.environ, "PIP_USER": "0", "PYTHONNOUSERSITE": "1"}
    surroundings.pop("PYTHONPATH", None)
    done = subprocess.run(
        command, cwd=root, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        say(f"could not install; this is what {Path(command[0]).name} said:\n{done.stdout.strip()}")
        raise SystemExit(1)


def make(root: Path, extra: str, uv: str | None) -> None:
    home = root / ".venv"
    started = time.monotonic()
    tool = "uv" if uv else "pip"
    if is_usable(home, needs_pip=uv is None):
        say(f"bringing .venv up to date with pyproject.toml ({tool}) ...")
        (home / "unfinished").touch()
    else:
        version = ".".join(map(str, sys.version_info[:3]))
        say(f"first use: making .venv with Python {version} ({tool}; needs the network, takes less than a minute) ...")
        if home.is_symlink() or home.is_file():
            home.unlink()
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        (home / "unfinished").touch()
        create(home, with_pip=uv is None)
    python = home / "bin" / "python"
    target = ["--editable", f"{root}[{extra}]"]
    if uv:
        run([uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--python", python, *target], root)
    else:
        run([python, "-I", *PIP, *target], root)
    for name in EXTRAS_WITHIN[extra]:
        (home / f"stamp-{name}").write_bytes(stamp_text(root))
    (home / "unfinished").unlink()
    say(f"ready after {time.monotonic() - started:.0f} s.")


def create(home: Path, *, with_pip: bool) -> None:
    try:
        venv.EnvBuilder(with_pip=with_pip, symlinks=True).create(home)
    except subprocess.CalledProcessError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        say(f"Python {version} came without venv and pip. Debian or Ubuntu: apt-get install python{version}-venv")
        raise SystemExit(1) from None


def main(root: Path, extra: str) -> None:
    with (root / ".venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is making .venv; waiting for it ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_stamped(root, extra):
            make(root, extra, shutil.which("uv"))


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except KeyboardInterrupt:
        say("interrupted; the next use starts over.")
        raise SystemExit(130) from None
    except OSError as error:
        say(f"cannot make .venv: {error}")
        raise SystemExit(1) from None
