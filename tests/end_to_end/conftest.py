"""What end-to-end tests share: a shell with a home of its own, and a small disk that can be filled."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.supervisor.cli.conftest import shell

__all__ = ["shell", "small_disk"]

MOUNT = "mount -t tmpfs -o size=8m,mode=700 greenroom-test"


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 8 MB. Not among pytest's folders, which it removes, mounted or not."""
    with tempfile.TemporaryDirectory(prefix="greenroom-disk-") as name:
        folder = Path(name)
        if os.geteuid() != 0:
            pytest.skip(f"needs root to mount a small disk: sudo {MOUNT} {folder}")
        done = subprocess.run([*MOUNT.split(), folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"needs the right to mount: {MOUNT} {folder} said {done.stderr.strip()}")
        try:
            yield folder
        finally:  # Lazily: a daemon that is yet to be killed may hold it.
            subprocess.run(["umount", "--lazy", folder], check=True)
