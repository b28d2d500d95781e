"""Which file systems can hold the database. WAL needs shared memory and locks that every opener sees alike."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "beegfs", "gpfs", "glusterfs", "ocfs2", "gfs2"}
    | {"davfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph-fuse", "fuse.davfs2", "fuse.s3fs", "fuse.rclone"}
)
_SHARED_WITH_HOST = frozenset(
    {"9p", "virtiofs", "vboxsf", "vmhgfs", "fuse.vmhgfs-fuse", "prl_fs", "drvfs", "fakeowner"}
)
_FORGETFUL = frozenset(("tmpfs", "ramfs"))


class Verdict(StrEnum):
    FIT = "fit"
    DOUBTFUL = "works, with a risk the operator should know"
    UNFIT = "would corrupt the database or lose answers"


@dataclass(frozen=True, slots=True)
class Filesystem:
    """Where a path lies; `why` is a sentence for the operator, empty if FIT."""

    type: str
    mount_point: str
    verdict: Verdict
    why: str


def judge_filesystem(type_: str, mount_point: str) -> Filesystem:
    """Judge a file system by its kernel name, such as `ext4` or `nfs4`. Unknown ones are trusted."""
    where = f"{mount_point} ({type_})"
    if type_ in _NETWORK:
        why = f"{where} is a network file system, where SQLite's write-ahead log is not safe; use a local disk"
        return Filesystem(type_, mount_point, Verdict.UNFIT, why)
    if type_ in _SHARED_WITH_HOST:
        why = f"{where} is shared with another machine; never open the database from there too, or use a local disk"
        return Filesystem(type_, mount_point, Verdict.DOUBTFUL, why)
    if type_ == "zfs":
        why = f"{where}: some ZFS releases lost writes to memory-mapped files; keep ZFS up to date and take backups"
        return Filesystem(type_, mount_point, Verdict.DOUBTFUL, why)
    if type_ in _FORGETFUL:
        why = f"{where} is kept in memory: a reboot loses every session; use a disk"
        return Filesystem(type_, mount_point, Verdict.DOUBTFUL, why)
    return Filesystem(type_, mount_point, Verdict.FIT, "")


def read_filesystem(path: Path, *, mounts: Path = MOUNTS) -> Filesystem:
    """Find the file system a path lies on (the path itself may not exist yet).

    Without `/proc` (macOS, BSD) the answer is an unknown one, which is trusted: opening still verifies WAL.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return judge_filesystem("unknown", "/")
    target = path.resolve()
    mount_point, type_ = Path("/"), "unknown"
    for line in lines:
        left, _, right = line.partition(" - ")
        mounted = Path(_unescape(left.split()[4]))
        # Later lines win among equals: that mount lies on top.
        if target.is_relative_to(mounted) and mounted.is_relative_to(mount_point):
            mount_point, type_ = mounted, right.split()[0]
    return judge_filesystem(type_, str(mount_point))


def _unescape(field: str) -> str:
    r"""Undo the kernel's octal escapes: space `\040`, tab, newline, backslash."""
    for octal, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        field = field.replace(octal, character)
    return field
