"""Secrets: where they come from, and that nobody sees them."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from greenroom.platforms.chats.account import AccountSettings
from greenroom.platforms.chats.secret import FILE_BYTES_MAX, Secret


class Settings(AccountSettings):
    token: Secret


def read(written: object, folder: Path | None = None) -> Settings:
    return Settings.model_validate({"token": written}, context=None if folder is None else {"folder": folder})


def refused(written: object, folder: Path | None = None) -> str:
    with pytest.raises(ValidationError) as caught:
        read(written, folder)
    (error,) = caught.value.errors()
    return error["msg"]


def test_a_value_may_stand_in_the_file_itself() -> None:
    assert read("123:abc").token.get_secret_value() == "123:abc"


def test_a_secret_that_is_one_already_is_taken_as_it_is() -> None:
    assert read(SecretStr("env:NOT_READ")).token.get_secret_value() == "env:NOT_READ"


def test_a_value_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "123:abc\n")
    assert read("env:MY_TOKEN").token.get_secret_value() == "123:abc"


def test_a_value_may_lie_in_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("123:abc\n")
    assert read(f"file:{tmp_path}/token").token.get_secret_value() == "123:abc"
    assert read("file:token", tmp_path).token.get_secret_value() == "123:abc"


def test_a_changed_file_is_read_and_a_missing_one_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    token = read(f"file:{file}").token
    file.write_text("new")
    assert token.get_secret_value() == "new"
    file.unlink()
    assert token.get_secret_value() == "new"


def test_nobody_sees_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sesame")
    for settings in (read("sesame"), read("file:token", tmp_path)):
        assert "sesame" not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


def test_each_mistake_is_told_without_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLANK", " ")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "huge").write_bytes(b"x" * (FILE_BYTES_MAX + 1))
    assert "NOT_SET_AT_ALL is not set, or is empty" in refused("env:NOT_SET_AT_ALL")
    assert "BLANK is not set, or is empty" in refused("env:BLANK")
    assert refused("file:none", tmp_path).endswith("none cannot be read: No such file or directory")
    assert refused("file:empty", tmp_path).endswith("it is empty")
    assert refused("file:binary", tmp_path).endswith("it is not UTF-8 text")
    assert refused("file:huge", tmp_path).endswith("it is too large for a secret")
    assert "must be a text in quotes" in refused(987654321)
    assert "987654321" not in refused(987654321)
    assert "must be a text in quotes" in refused(" ")


def test_a_value_may_be_a_credential_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "bot-token").write_text("123:abc\n")
    assert read("credential:bot-token").token.get_secret_value() == "123:abc"
    assert refused("credential:other").endswith("other cannot be read: No such file or directory")
    for wrong in ("credential:", "credential:..", "credential:../bot-token", "credential:/etc/passwd"):
        assert "a name without slashes" in refused(wrong)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert "LoadCredential=bot-token:/path/to/file" in refused("credential:bot-token")
