"""Secrets of a configuration: written as `env:VARIABLE`, `file:/path`, `credential:NAME` or the value, and never shown.

A credential is a file that the service manager laid down for this service alone (systemd's `LoadCredential=`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, get_args

from pydantic import SecretStr, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

FROM_ENVIRONMENT = "env:"
FROM_FILE = "file:"
FROM_CREDENTIAL = "credential:"

CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Where the service manager says that credentials lie."""

FILE_BYTES_MAX = 64 * 1024
"""Largest file that is taken for a secret."""

WRONG_SECRET = "wrong_secret"  # noqa: S105 - no password but a word
"""The kind of a validation error that never repeats what was written."""


WAYS = "'env:VARIABLE', 'file:/path', 'credential:NAME' or the value"
"""How a secret can be written, in words."""


class FileSecret(SecretStr):
    """A secret in a file, read anew each time: whoever changes it there need not restart anything."""

    def __init__(self, path: Path) -> None:
        """Read it once. Raises OSError, ValueError."""
        super().__init__(_read_file(path))
        self._path = path

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._path

    @property
    def known(self) -> str:
        """What it was when it was read last: to hide it, without a look at the disk."""
        return self._secret_value

    def get_secret_value(self) -> str:
        """Read it; while that is impossible, it is what it was."""
        try:
            self._secret_value = _read_file(self._path)
        except (OSError, ValueError):  # The file is being replaced: the next one to ask reads it.
            return self._secret_value
        return self._secret_value


def read_secret(written: object, _: ValidatorFunctionWrapHandler, info: ValidationInfo) -> SecretStr:
    """Resolve what was written. A relative path counts from the context's `folder`, if there is one."""
    if isinstance(written, SecretStr):  # Of a host that makes its settings itself.
        return written
    if not isinstance(written, str) or not written.strip():
        raise PydanticCustomError(WRONG_SECRET, f"must be a text in quotes: {WAYS}")
    if written.startswith(FROM_ENVIRONMENT):
        return _from_environment(written.removeprefix(FROM_ENVIRONMENT))
    if written.startswith(FROM_FILE):
        folder = (info.context or {}).get("folder", Path())
        return _from_file(Path(counted_from(folder, written).removeprefix(FROM_FILE)))
    if written.startswith(FROM_CREDENTIAL):
        return _from_credential(written.removeprefix(FROM_CREDENTIAL))
    return SecretStr(written)


Secret = Annotated[SecretStr, WrapValidator(read_secret)]
"""Type of a setting that is secret. Ask for `get_secret_value()` where you connect, each time, and keep no copy."""


def counted_from(folder: Path, written: str) -> str:
    """Let a relative path of a secret count from `folder`; what is no path stays as it is.

    >>> counted_from(Path("/etc/greenroom"), "file:token"), counted_from(Path("/etc"), "env:TOKEN")
    ('file:/etc/greenroom/token', 'env:TOKEN')
    """
    if not written.startswith(FROM_FILE):
        return written
    return f"{FROM_FILE}{folder / Path(written.removeprefix(FROM_FILE)).expanduser()}"


def holds_secret(annotation: object) -> bool:
    """Whether what is set by this type is a secret, or has one in it: then nothing of it is repeated to anybody.

    >>> holds_secret(dict[str, Secret] | None), holds_secret(dict[str, str])
    (True, False)
    """
    return annotation is SecretStr or any(holds_secret(part) for part in get_args(annotation))


def _from_environment(variable: str) -> SecretStr:
    value = os.environ.get(variable, "").strip()
    if not value:
        problem = "the environment variable {variable} is not set, or is empty; set it before greenroom starts"
        raise PydanticCustomError(WRONG_SECRET, problem, {"variable": variable})
    return SecretStr(value)


def _from_credential(name: str) -> SecretStr:
    if not name or "/" in name or name in {".", ".."}:
        raise PydanticCustomError(WRONG_SECRET, "a credential has a name without slashes, as in credential:bot-token")
    folder = os.environ.get(CREDENTIALS_VARIABLE, "")
    if not folder:
        problem = (
            "there are no credentials here ({variable} is not set): systemd gives them to a service, by"
            " LoadCredential={name}:/path/to/file; by hand, write env: or file:"
        )
        raise PydanticCustomError(WRONG_SECRET, problem, {"variable": CREDENTIALS_VARIABLE, "name": name})
    return _from_file(Path(folder) / name)


def _from_file(path: Path) -> SecretStr:
    try:
        return FileSecret(path)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        told = {"path": str(path), "why": why}
        raise PydanticCustomError(WRONG_SECRET, "the file {path} cannot be read: {why}", told) from None


def _read_file(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise ValueError("it is too large for a secret")
    try:
        value = content.decode().strip()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    if not value:
        raise ValueError("it is empty")
    return value
