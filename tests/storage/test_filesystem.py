"""The file system under a path is found and judged."""

from pathlib import Path

import pytest

from greenroom.storage.filesystem import MOUNTS, Verdict, judge_filesystem, read_filesystem

MOUNTINFO = r"""
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 27 0:25 / /home rw - btrfs /dev/vdb rw
31 27 0:26 / /home/ann/nas rw shared:9 master:2 - nfs4 server:/export rw
32 27 0:27 / /home/ann/my\040share rw - virtiofs host rw
33 27 0:28 / /covered rw - nfs4 server:/old rw
34 33 0:29 / /covered rw - ext4 /dev/vdc rw
"""


@pytest.mark.parametrize(
    "path,type_,mount_point",
    [
        ("/var/lib/bot.db", "ext4", "/"),
        ("/home/ann/bot.db", "btrfs", "/home"),
        ("/home/ann/nas/deep/bot.db", "nfs4", "/home/ann/nas"),
        ("/home/ann/nasty/bot.db", "btrfs", "/home"),
        ("/home/ann/my share/bot.db", "virtiofs", "/home/ann/my share"),
        ("/covered/bot.db", "ext4", "/covered"),
    ],
)
def test_the_innermost_and_topmost_mount_is_found(tmp_path: Path, path: str, type_: str, mount_point: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTINFO.lstrip(), encoding="utf-8")
    found = read_filesystem(Path(path), mounts=mounts)
    assert (found.type, found.mount_point) == (type_, mount_point)


@pytest.mark.parametrize("type_", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"])
def test_network_file_systems_are_unfit(type_: str) -> None:
    found = judge_filesystem(type_, "/mnt/nas")
    assert found.verdict is Verdict.UNFIT
    assert found.why.startswith(f"/mnt/nas ({type_}) is a network file system")


@pytest.mark.parametrize("type_", ["9p", "virtiofs", "zfs", "tmpfs"])
def test_odd_ones_come_with_a_warning(type_: str) -> None:
    found = judge_filesystem(type_, "/mnt")
    assert found.verdict is Verdict.DOUBTFUL
    assert type_ in found.why


@pytest.mark.parametrize("type_", ["ext4", "xfs", "btrfs", "overlay", "apfs", "unknown"])
def test_local_and_unknown_ones_are_trusted(type_: str) -> None:
    assert judge_filesystem(type_, "/").verdict is Verdict.FIT


def test_without_proc_the_answer_is_unknown(tmp_path: Path) -> None:
    found = read_filesystem(tmp_path, mounts=tmp_path / "missing")
    assert (found.type, found.verdict) == ("unknown", Verdict.FIT)


@pytest.mark.skipif(not MOUNTS.exists(), reason="needs Linux's /proc; run the tests on Linux")
def test_this_machines_own_mounts_can_be_read(tmp_path: Path) -> None:
    found = read_filesystem(tmp_path)
    assert found.type != "unknown"
    assert tmp_path.resolve().is_relative_to(found.mount_point)
