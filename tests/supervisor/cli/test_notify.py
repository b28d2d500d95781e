"""The real daemon under a service manager and a scraper: what they hear of start, reload, life and end."""

import signal
import socket

import httpx
from tests.supervisor.cli.shell import CONFIG, WAIT_S, Shell

TOKEN = "the-token-of-these-tests"


def test_a_service_manager_hears_of_start_life_reload_and_end(shell: Shell) -> None:
    (shell.home / "greenroom.toml").write_text(f"{CONFIG}[view]\nenabled = true\nport = 0\ntoken = '{TOKEN}'\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(shell.home / "notify"))
        manager.settimeout(WAIT_S)

        def until(word: str) -> list[str]:
            while word not in (words := manager.recv(65_536).decode().split("\n")):
                assert not {"READY=1", "STOPPING=1"} & set(words), words
            return words

        daemon = shell.up(NOTIFY_SOCKET=str(shell.home / "notify"), WATCHDOG_USEC="3000000")
        assert until("READY=1")[1] == f"STATUS=serving at {daemon.address}"
        assert until("WATCHDOG=1")[1] == f"STATUS=serving at {daemon.address}"
        daemon.say("oslo", "hello")
        daemon.see("oslo", "echo: hello")
        view = next(line for line in daemon.said.splitlines() if "the live view is at " in line).split()[-1]
        assert httpx.get(f"{view}metrics", timeout=WAIT_S).status_code == 401
        page = httpx.get(f"{view}metrics", headers={"authorization": f"Bearer {TOKEN}"}, timeout=WAIT_S).text
        assert 'greenroom_inbound_total{platform="web"} 1.0' in page
        assert "greenroom_ready 1.0" in page
        assert "process_resident_memory_bytes" in page
        assert TOKEN not in page
        assert shell.run("status", "--ready").stdout == "ready\n"
        assert shell.json("status", "--ready") == {"ready": True, "why_not": None}
        daemon.tell(signal.SIGHUP)
        assert until("RELOADING=1")[1].startswith("MONOTONIC_USEC=")
        until("READY=1")
        daemon.tell(signal.SIGTERM)
        assert until("STOPPING=1")[1] == "EXTEND_TIMEOUT_USEC=90000000"
        assert daemon.wait() == 0
    assert "nothing runs on" in shell.run("status", "--ready", code=3).stderr
