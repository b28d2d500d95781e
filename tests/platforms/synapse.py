"""A real home server on loopback: Synapse with SQLite, a process of its own that can be killed and begins again."""

import atexit
import base64
import hashlib
import hmac
import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from greenroom.supervisor.sandbox.storm_daemon import free_port

NAME = "localhost"
SECRET = "sesame"
START_S = 60.0
LOOK_S = 0.05
ASK_S = 10.0
_OFTEN = {"per_second": 1_000_000, "burst_count": 1_000_000}
_PROGRAM = """
import os, runpy, sys, threading

def outlive_nobody():
    sys.stdin.buffer.read()
    os._exit(1)

threading.Thread(target=outlive_nobody, daemon=True).start()
runpy.run_module("synapse.app.homeserver", run_name="__main__", alter_sys=True)
"""
"""Synapse, until whoever started it closes its stdin or dies, however that was."""

_LOGGING = {
    "version": 1,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"level": "WARNING", "handlers": ["console"]},
}


@dataclass(frozen=True, slots=True)
class Signed:
    """A user, as registered: on a device of his own."""

    user: str
    token: str
    device: str
    password: str


@dataclass(slots=True)
class Synapse:
    """One home server in one folder. `settings` are more of its configuration, such as rate limits."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "synapse.log"

    def start(self) -> None:
        """Start it, and return when it answers."""
        config = self._write_config()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, "-c", str(config)],
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        pause = threading.Event()
        for _ in range(int(START_S / LOOK_S)):
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                self.ask("/_matrix/client/versions")
                return
            if self.process.poll() is not None:
                break
            pause.wait(LOOK_S)
        raise RuntimeError(f"Synapse does not start:\n{self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.communicate()

    def register(self, name: str) -> Signed:
        """Make a user."""
        path, password = "/_synapse/admin/v1/register", "open"
        nonce = self.ask(path)["nonce"]
        said = f"{nonce}\0{name}\0{password}\0notadmin".encode()
        mac = hmac.new(SECRET.encode(), said, hashlib.sha1).hexdigest()
        asked = {"nonce": nonce, "username": name, "password": password, "admin": False, "mac": mac}
        made = self.ask(path, asked)
        return Signed(made["user_id"], made["access_token"], made["device_id"], password)

    def ask(self, path: str, body: dict[str, Any] | None = None, token: str = "") -> Any:
        """Make a request: GET, or with a body PUT to where messages are sent, else POST. Raises URLError."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        method = "GET" if body is None else "PUT" if "/send/" in path else "POST"
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=ASK_S) as answer:
            return json.load(answer)

    def _write_config(self) -> Path:
        path, logging = self.folder / "homeserver.json", self.folder / "logging.json"
        if not path.exists():
            logging.write_text(json.dumps(_LOGGING))
            path.write_text(json.dumps(self._config(str(logging))))
        return path

    def _config(self, logging: str) -> dict[str, Any]:
        listener = {"port": self.port, "bind_addresses": ["127.0.0.1"], "type": "http", "tls": False}
        often = {"rc_message": _OFTEN, "rc_room_creation": _OFTEN, "rc_joins": {"local": _OFTEN}}
        often["rc_login"] = {"address": _OFTEN, "account": _OFTEN, "failed_attempts": _OFTEN}
        often["rc_invites"] = {"per_room": _OFTEN, "per_user": _OFTEN, "per_issuer": _OFTEN}
        return {
            "server_name": NAME,
            "report_stats": False,
            "listeners": [{**listener, "resources": [{"names": ["client"], "compress": False}]}],
            "database": {"name": "sqlite3", "args": {"database": str(self.folder / "synapse.db")}},
            "media_store_path": str(self.folder / "media"),
            "pid_file": str(self.folder / "pid"),
            "log_config": logging,
            "signing_key": f"ed25519 a_key {base64.b64encode(secrets.token_bytes(32)).decode().rstrip('=')}",
            "macaroon_secret_key": SECRET,
            "form_secret": SECRET,
            "registration_shared_secret": SECRET,
            "bcrypt_rounds": 4,
            "trusted_key_servers": [],
            "presence": {"enabled": False},
            "caches": {"sync_response_cache_duration": 0},
            **often,
            **self.settings,
        }


_shared: list[Synapse] = []


def shared_server() -> Synapse:
    """One for all tests of a process: it starts in three seconds, and takes 120 MB. Ends with the process."""
    if not _shared:
        server = Synapse(Path(tempfile.mkdtemp(prefix="greenroom-synapse-")))
        server.start()
        _shared.append(server)
        atexit.register(_end, server)
    return _shared[0]


def _end(server: Synapse) -> None:
    server.kill()
    shutil.rmtree(server.folder, ignore_errors=True)


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Synapse]:
    """Keep a home server while the block runs."""
    folder.mkdir(exist_ok=True)
    server = Synapse(folder, settings)
    try:
        server.start()
        yield server
    finally:
        server.kill()
