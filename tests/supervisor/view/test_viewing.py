"""The live view as the daemon makes it: its token, where it is kept, and what is wrong with a configuration."""

import contextlib
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from greenroom.platforms.chats.web.server import PortInUseError, listen
from greenroom.supervisor.daemon.config import Config, load_config
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.viewing import CREDENTIAL, LiveView, make_view, token_path
from greenroom.supervisor.feed import Feed


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def load(folder: Path, view: str = "") -> Config:
    file = folder / "greenroom.toml"
    file.write_text(f'[store]\npath = "deep/room.db"\n[view]\nenabled = true\nport = 0\n{view}')
    return load_config(file)


async def ready() -> str | None:
    return None


def make(config: Config) -> LiveView:
    view = make_view(config, Feed(), ready)
    assert view is not None
    return view


@contextlib.asynccontextmanager
async def opened(config: Config) -> AsyncIterator[tuple[LiveView, str]]:
    view = make(config)
    address = view.bind()
    async with view.serving():
        yield view, address


async def signed_in(address: str, token: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as browser:
        return (await browser.post(f"{address}sign-in", data={"token": token})).status_code == 303


def test_it_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    (tmp_path / "greenroom.toml").write_text("")
    assert make_view(load_config(tmp_path / "greenroom.toml"), Feed(), ready) is None


async def test_a_token_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    config = load(tmp_path)
    async with opened(config) as (view, address):
        kept = token_path(config.database)
        token = kept.read_text().strip()
        assert len(token) >= 32
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert str(kept) in view.where_token_is
        assert token not in view.where_token_is
        assert await signed_in(address, token)
        assert not await signed_in(address, token[:-1])
    async with opened(config) as (_, address):
        assert await signed_in(address, token)


async def test_who_writes_another_token_into_the_file_need_not_restart(tmp_path: Path) -> None:
    config = load(tmp_path)
    async with opened(config) as (_, address):
        token_path(config.database).write_text("a token that I like better")
        assert await signed_in(address, "a token that I like better")


async def test_a_token_of_the_environment_and_a_credential_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "sixteen characters and more")
    config = load(tmp_path, 'token = "env:MY_TOKEN"')
    async with opened(config) as (view, address):
        assert await signed_in(address, "sixteen characters and more")
        assert view.where_token_is == ""
    (tmp_path / CREDENTIAL).write_text("given by the service manager\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    config = load(tmp_path)
    async with opened(config) as (_, address):
        assert await signed_in(address, "given by the service manager")
    assert not token_path(config.database).exists()


@pytest.mark.parametrize("written", ["hunter2", "env:NOWHERE_SET", "file:/nowhere/at/all", ""])
def test_a_token_that_is_none_is_refused_and_not_repeated(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, f'token = "{written}"')
    assert str(refused.value).startswith(f"{tmp_path / 'greenroom.toml'}:6: view.token: ")
    assert "hunter2" not in str(refused.value)


def test_where_no_token_can_be_kept_the_port_is_free_again(tmp_path: Path) -> None:
    config = load(tmp_path)
    token_path(config.database).mkdir(parents=True)
    view = make(config)
    with pytest.raises(ConfigError, match=r"view\.token: none can be read or kept"):
        view.bind()


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    taken = listen("127.0.0.1", 0)
    try:
        config = load(tmp_path)
        port = taken.getsockname()[1]
        (tmp_path / "greenroom.toml").write_text(f"[view]\nenabled = true\nport = {port}\n")
        with pytest.raises(PortInUseError):
            make(load_config(tmp_path / "greenroom.toml", database=config.database)).bind()
    finally:
        taken.close()
