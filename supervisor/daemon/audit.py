"""`greenroom audit`: every check there is, by name, and what each finds. It reads, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from greenroom.supervisor.daemon import audit_config, audit_files
from greenroom.supervisor.daemon.audited import Audited, Verdict
from greenroom.supervisor.daemon.config import Config

Check = Callable[[Config], Iterator[Audited]]

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "database-mode": audit_files.check_database_mode,
        "database-owner": audit_files.check_database_owner,
        "folder-mode": audit_files.check_folder_mode,
        "beside-mode": audit_files.check_beside_mode,
        "config-mode": audit_files.check_config_mode,
        "secrets-written-out": audit_files.check_secrets_written_out,
        "secret-files": audit_files.check_secret_files,
        "user": audit_files.check_user,
        "web-listening": audit_config.check_web_listening,
        "view-listening": audit_config.check_view_listening,
        "hooks-listening": audit_config.check_hooks_listening,
        "strangers": audit_config.check_strangers,
        "tools": audit_config.check_tools,
        "private-fetch": audit_config.check_private_fetch,
        "version": audit_config.check_version,
    }
)
"""In the order in which they are told. What a check makes sure of is the first line of its docstring."""


def audit(config: Config) -> list[Audited]:
    """Look at everything. A check that finds nothing says that it is fine."""
    return [found for name, check in CHECKS.items() for found in (list(check(config)) or [fine(name)])]


def fine(name: str) -> Audited:
    """Say what a check made sure of."""
    return Audited(name, Verdict.FINE, (CHECKS[name].__doc__ or "").partition("\n")[0])
