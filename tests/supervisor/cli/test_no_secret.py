"""The real daemon with a secret of every kind, none of whose servers can be reached: nothing of it holds a secret afterwards."""

import signal

import httpx
import pytest
from tests.supervisor.cli.shell import WAIT_S, Shell

NOWHERE = "http://127.0.0.1:9"  # Nobody listens on the port of `discard`.
SECRETS = [f"sesame-{name}-0123456789" for name in ("view", "hook", "slack", "socket", "matrix", "model", "header")]
TELEGRAM = "123456789:sesame-telegram-0123456789"
CONFIG = """
[store]
path = "data/room.db"
[log]
level = "debug"
[web]
port = 0
[view]
enabled = true
port = 0
token = "{0}"
[policy]
restart_backoff_s = 0.01
drain_s = 0
[platforms.webhook]
port = 0
secret = "{1}"
[platforms.telegram]
token = "{telegram}"
api_url = "{nowhere}"
[platforms.slack]
bot_token = "{2}"
app_token = "{3}"
api_url = "{nowhere}/api/"
[platforms.matrix]
homeserver = "{nowhere}"
token = "{4}"
[agent.openai]
model = "m"
base_url = "{nowhere}/v1"
key = "{5}"
retries = 0
[mcp.one]
url = "{nowhere}/mcp"
headers = {{ Authorization = "{6}" }}
"""


@pytest.mark.slow
def test_no_secret_is_in_what_is_said_logged_served_or_kept(shell: Shell) -> None:
    (shell.home / "greenroom.toml").write_text(CONFIG.format(*SECRETS, telegram=TELEGRAM, nowhere=NOWHERE))
    daemon = shell.up()
    daemon.say("oslo", "hello")
    view = next(line for line in daemon.said.splitlines() if "the live view is at " in line).split()[-1]
    headers = {"authorization": f"Bearer {SECRETS[0]}"}
    pages = [
        httpx.get(f"{view}{path}", headers=headers, timeout=WAIT_S) for path in ("", "metrics", "readyz", "sessions")
    ]
    assert pages[1].is_success
    shown = [page.text for page in pages]
    for command in (["status", "--json"], ["show", "web:local:oslo", "--json"], ["config", "check", "--all"]):
        done = shell.run(*command)
        shown += [done.stdout, done.stderr]
    daemon.tell(signal.SIGUSR1)
    daemon.read_until("dump: ")
    daemon.tell(signal.SIGHUP)
    daemon.read_until("the configuration was read again: nothing has changed")
    daemon.end(signal.SIGTERM)
    kept = {path: path.read_bytes() for path in (shell.home / "data").rglob("*") if path.is_file()}
    shown += [daemon.said, (shell.home / "stderr.txt").read_text(encoding="utf-8")]
    assert len(kept) > 0
    assert "127.0.0.1" in shown[-1]
    for secret in (*SECRETS, TELEGRAM, TELEGRAM.partition(":")[2]):
        assert [text[max(0, text.find(secret) - 80) :][:200] for text in shown if secret in text] == []
        assert [path for path, content in kept.items() if secret.encode() in content] == []
