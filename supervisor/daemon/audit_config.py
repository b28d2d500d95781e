"""What an audit finds in the configuration: who reaches what, who may write, and what an agent may do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from greenroom.actors.session_key import SessionKey
from greenroom.storage.lock import read_holder
from greenroom.storage.sqlite import CannotOpen
from greenroom.storage.views import open_views, read_store_status
from greenroom.supervisor.daemon.audited import Audited, note, wrong
from greenroom.supervisor.daemon.config import Config
from greenroom.supervisor.daemon.config_judge import is_local
from greenroom.supervisor.daemon.equipping import read_tools
from greenroom.supervisor.daemon.offering import read_platforms
from greenroom.supervisor.version import VERSION

NOBODY = "a-chat-that-nobody-named"

CAN_DO = {
    "shell": "run commands",
    "processes": "leave commands running",
    "files": "read files below its root",
    "fetch": "read pages of the web",
}
"""Tools that reach beyond a conversation."""

COMMANDS = frozenset({"shell", "processes"})


def check_web_listening(config: Config) -> Iterator[Audited]:
    """The web chat, which has no sign-in, is reached from this machine alone."""
    web = config.web
    if web.enabled and not is_local(web.host):
        told = f"[web] listens on {web.host}: whoever reaches it reads and writes every chat there, without a sign-in"
        yield wrong("web-listening", told, "write host = '127.0.0.1', and put a proxy that asks who it is before it")


def check_view_listening(config: Config) -> Iterator[Audited]:
    """The live view is reached from this machine alone, or through a proxy that speaks TLS."""
    view = config.view
    if view.enabled and not is_local(view.host):
        told = f"[view] listens on {view.host}: its token can be read on the way"
        yield note("view-listening", told, "write host = '127.0.0.1', and put a proxy that speaks TLS before it")


def check_hooks_listening(config: Config) -> Iterator[Audited]:
    """What platforms are posted to is signed; without TLS it can be read on the way."""
    for wanted in read_platforms(config):
        host = getattr(wanted.settings, "host", None)
        if isinstance(host, str) and not is_local(host):
            told = f"[{wanted.name}] listens on {host}: what it is sent is signed, and can be read on the way"
            yield note("hooks-listening", told, "put a proxy that speaks TLS before it")


def check_strangers(config: Config) -> Iterator[Audited]:
    """Nobody writes whom nobody let in; above all not where an agent can run commands."""
    open_to_all = [name for name, key in _accounts(config) if config.policy.allows(key)]
    if not open_to_all:
        return
    dangerous = sorted({each.kind for each in read_tools(config)} & set(CAN_DO))
    fix = "name chats in policy.allow; others get in by `greenroom pair approve CODE`"
    told = f"anybody may write on {', '.join(open_to_all)}"
    if dangerous:
        yield wrong("strangers", f"{told}, to an agent that can {_list(dangerous)}", fix)
    else:
        yield note("strangers", told, fix)


def check_tools(config: Config) -> Iterator[Audited]:
    """What an agent may do beyond the conversation, and whether a person is asked before."""
    for wanted in read_tools(config):
        if wanted.kind in COMMANDS and not wanted.settings.approve:
            told = f"[{wanted.name}] may {CAN_DO[wanted.kind]} as this user, and nobody is asked before"
            yield wrong("tools", told, "remove approve = false, or run greenroom where nothing can be harmed")
        elif wanted.kind in CAN_DO or wanted.kind == "mcp":
            yield note("tools", f"[{wanted.name}] may {_what(wanted.kind, wanted.settings)}")


def check_private_fetch(config: Config) -> Iterator[Audited]:
    """A model does not reach into this machine's own network."""
    for wanted in read_tools(config):
        if wanted.kind == "fetch" and wanted.settings.private:
            told = f"[{wanted.name}] may read pages of this machine and its network, such as a cloud's own secrets"
            yield wrong("private-fetch", told, "remove private = true")


def check_version(config: Config) -> Iterator[Audited]:
    """What runs is what is installed: an update is in force only after a restart."""
    if read_holder(config.database) is None:
        return
    try:
        db = open_views(config.database)
    except CannotOpen:
        return  # Another check, or the daemon itself, says so.
    try:
        boots = read_store_status(db).boots
    finally:
        db.close()
    if boots and boots[0].version != VERSION:
        told = f"what runs is greenroom {boots[0].version}, and {VERSION} is installed"
        yield wrong("version", told, "restart it: greenroom stop --for-restart; greenroom up")


def _accounts(config: Config) -> Iterator[tuple[str, SessionKey]]:
    """A chat of each account that nobody has named. Of the web chat where others reach it."""
    for wanted in read_platforms(config):
        key = SessionKey(wanted.kind, wanted.settings.account, NOBODY)
        yield f"{key.platform}:{key.account}", key
    if config.web.enabled and not is_local(config.web.host):
        yield "web", SessionKey("web", "local", NOBODY)


def _what(kind: str, settings: Any) -> str:
    match kind:
        case "mcp":
            return "call the tools of another program, as its policies say"
        case "files" if settings.write:
            return f"read and write files below {settings.root}"
        case "shell" | "processes":
            return f"{CAN_DO[kind]} as this user; a person is asked before each"
        case _:
            return CAN_DO[kind]


def _list(kinds: list[str]) -> str:
    return ", ".join(CAN_DO[kind] for kind in kinds)
