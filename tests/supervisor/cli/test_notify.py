"""The real daemon under a service manager: what it hears of start, reload, life and end."""

import signal
import socket

from tests.supervisor.cli.shell import WAIT_S, Shell


def test_a_service_manager_hears_of_start_life_reload_and_end(shell: Shell) -> None:
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
        daemon.tell(signal.SIGHUP)
        assert until("RELOADING=1")[1].startswith("MONOTONIC_USEC=")
        until("READY=1")
        daemon.tell(signal.SIGTERM)
        assert until("STOPPING=1")[1] == "EXTEND_TIMEOUT_USEC=90000000"
        assert daemon.wait() == 0
