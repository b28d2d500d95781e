"""The audit: what each check finds, with what to do; and that it says nothing where all is well."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.actors.pool import PoolRuntime
from greenroom.storage.sqlite import open_writer
from greenroom.storage.store import SqliteStore
from greenroom.storage.writer import Place
from greenroom.supervisor.daemon import audit_files
from greenroom.supervisor.daemon.audit import CHECKS, audit
from greenroom.supervisor.daemon.audited import Audited, Verdict
from greenroom.supervisor.daemon.config import load_config

TELEGRAM = "[platforms.telegram]\ntoken = 'file:token'\n"
HOOK = "[platforms.webhook]\nport = 0\nsecret = 'file:token'\n"
OPENAI = "[agent.openai]\nmodel = 'm'\nkey = 'file:token'\n"
TOKEN = "123456789:a-token-of-these-tests"


@pytest.fixture(autouse=True)
def _not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the tests in a container is root, and is told so; here it is somebody else, who owns the same files."""
    me = os.geteuid()
    monkeypatch.setattr(audit_files, "ROOT_UID", me + 1)


def at_home(folder: Path, text: str = "") -> list[Audited]:
    """Audit a configuration in a folder in which all is as it should be, unless it was spoilt before."""
    file, token = folder / "greenroom.toml", folder / "token"
    if not token.exists():
        token.write_text(TOKEN)
        token.chmod(0o600)
    file.write_text(f"[store]\npath = 'room.db'\n{text}")
    if (folder / "mode").exists():
        file.chmod(int((folder / "mode").read_text(), 8))
    else:
        file.chmod(0o600)
    return audit(load_config(file))


def found(folder: Path, text: str = "") -> dict[str, Audited]:
    """What is not fine, by check."""
    return {each.check: each for each in at_home(folder, text) if each.verdict is not Verdict.FINE}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    open_writer(str(tmp_path / "room.db")).close()
    return tmp_path


def test_where_all_is_well_every_check_says_so_once(home: Path) -> None:
    told = at_home(home, TELEGRAM + OPENAI + f"[tools.clock]\n[view]\nenabled = true\ntoken = 'file:{home}/token'\n")
    assert [each.check for each in told] == list(CHECKS)
    assert {each.verdict for each in told} == {Verdict.FINE}
    assert all(each.what.endswith(".") for each in told)


def spoil(name: str, mode: int) -> Callable[[Path], None]:
    def do(home: Path) -> None:
        (home / name).touch()
        (home / name).chmod(mode)

    return do


def write_token(home: Path) -> None:
    (home / "token").write_text(TOKEN)


def nothing(_: Path) -> None:
    """All is as it should be on disk."""


def both(*each: Callable[[Path], None]) -> Callable[[Path], None]:
    def do_all(home: Path) -> None:
        for do in each:
            do(home)

    return do_all


def config_mode(mode: str) -> Callable[[Path], None]:
    def do(home: Path) -> None:
        (home / "mode").write_text(mode)

    return do


PLAIN = "[platforms.telegram]\ntoken = '123:sesame'\n"
SHELL = "[tools.shell]\nroot = '.'\n"
CASES = [
    ("database-mode", "wrong", spoil("room.db", 0o644), "", "others may read it (644)", "chmod 600"),
    ("database-mode", "wrong", spoil("room.db-wal", 0o640), "", "room.db-wal: others may read it (640)", "chmod 600"),
    ("folder-mode", "wrong", spoil(".", 0o777), "", "and so replace the database", "chmod 700"),
    ("folder-mode", "note", spoil(".", 0o1777), "", "everybody may put files beside", "chmod 700"),
    ("folder-mode", "note", spoil(".", 0o755), "", "others may enter", "chmod 700"),
    ("beside-mode", "wrong", both(spoil(".", 0o755), spoil("room.db.view-token", 0o644)), "", "view-token: others may read", "chmod"),
    ("beside-mode", "wrong", both(spoil(".", 0o755), spoil("matrix-me.device.json", 0o644)), "", "device.json: others", "chmod"),
    ("config-mode", "wrong", config_mode("620"), "", "others may write it (620)", "chmod go-w"),
    ("config-mode", "wrong", config_mode("644"), PLAIN, "secrets stand in it (platforms.telegram.token)", "chmod 600"),
    ("secrets-written-out", "note", nothing, PLAIN, "platforms.telegram.token stands in the file itself", "token = 'env:VARIABLE'"),
    ("secrets-written-out", "note", nothing, f"[view]\ntoken = '{TOKEN}'\n", "view.token stands in", "token = "),
    ("secret-files", "wrong", both(write_token, spoil("token", 0o644)), TELEGRAM, "token: others may read it", "chmod 600"),
    ("web-listening", "wrong", nothing, "[web]\nhost = '0.0.0.0'\n[policy]\nallow = ['web:*']\n", "without a sign-in", "127.0.0.1"),
    ("view-listening", "note", nothing, "[view]\nenabled = true\nhost = '0.0.0.0'\n", "can be read on the way", "127.0.0.1"),
    ("hooks-listening", "note", nothing, HOOK.replace("port", "host = '::'\nport"), "can be read on the way", "TLS"),
    ("strangers", "note", nothing, TELEGRAM + "[policy]\nallow = ['telegram:*']\n", "anybody may write on telegram:me", "policy.allow"),
    ("strangers", "wrong", nothing, TELEGRAM + OPENAI + SHELL + "[policy]\nallow = ['*']\n", "to an agent that can run commands", "policy.allow"),
    ("tools", "note", nothing, OPENAI + SHELL, "run commands as this user; a person is asked before each", ""),
    ("tools", "wrong", nothing, OPENAI + SHELL + "approve = false\n", "nobody is asked before", "approve"),
    ("tools", "note", nothing, OPENAI + "[tools.files]\nroot = '.'\nwrite = true\n", "read and write files below", ""),
    ("private-fetch", "wrong", nothing, OPENAI + "[tools.fetch]\nprivate = true\n", "a cloud's own secrets", "private"),
]  # fmt: skip


@pytest.mark.parametrize(
    "check, verdict, spoilt, text, what, fix", CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)]
)
def test_each_check_finds_what_it_is_for_and_says_what_to_do(
    home: Path, check: str, verdict: str, spoilt: Callable[[Path], None], text: str, what: str, fix: str
) -> None:
    spoilt(home)
    told = found(home, text)[check]
    assert (told.verdict, what in told.what, fix in told.fix) == (verdict, True, True), told
    assert TOKEN not in f"{told}"
    assert "sesame" not in f"{told}"


def test_no_check_is_without_its_case() -> None:
    elsewhere = {"database-owner", "user", "version"}
    assert {case[0] for case in CASES} | elsewhere == set(CHECKS)


def test_whoever_runs_it_as_root_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_files, "ROOT_UID", os.geteuid())
    assert "this is root" in found(home)["user"].what


def test_a_database_of_another_user_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    me = os.geteuid()
    monkeypatch.setattr(audit_files, "find_stranger", lambda path: f"{path}: belongs to {me}; run it as {me}")
    told = found(home)["database-owner"]
    assert (told.verdict, told.fix) == (Verdict.WRONG, f"run it as {me}")


def test_what_runs_and_is_not_what_is_installed_is_told(home: Path) -> None:
    runtime = PoolRuntime()
    try:
        store = SqliteStore.open(Place(str(home / "room.db")), runtime, version="0.0.1")
        assert store.lock is not None
        told = found(home)["version"]
        assert "what runs is greenroom 0.0.1" in told.what
        store.close("over")
        assert "version" not in found(home)
    finally:
        runtime.close(10)
