"""Traces of the daemon go where OpenTelemetry's variables say, and only then."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from greenroom.actors import facts as f
from greenroom.actors.model import Ending, Epoch, Generation, OpenRun, RunCause, SessionId, Tail
from greenroom.actors.store import GroupCommitted
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.exporting import WANTED_BY, make_exported

SESSION, ONE = SessionId(1), Generation(1)


class Collector(HTTPServer):
    """Takes whatever is posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken: list[tuple[str, bytes]] = []


class Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, name="collector")
        thread.start()
        yield collector
        collector.shutdown()
        thread.join(30)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*WANTED_BY, "OTEL_SDK_DISABLED", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)


def test_what_was_heard_is_sent_before_the_end(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
    exported = make_exported()
    assert exported is not None
    run = OpenRun(ONE, Epoch(1), ONE, RunCause.INBOUND, 1, opened_at=1.0, last_progress_at=1.0)
    closed = f.RunClosed(SESSION, ONE, Ending.ANSWERED, 2.0)
    exported.hear(GroupCommitted((f.RunOpened(SESSION, run, Tail()), closed), 2.0, 0.001, 1))
    exported.close()
    ((path, body),) = collector.taken
    assert path == "/v1/traces"
    assert b"greenroom.ending" in body


def test_without_a_word_of_where_nothing_is_made() -> None:
    assert make_exported() is None


def test_a_library_that_is_missing_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ConfigError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT: traces: .*greenroom\[otel\]"):
        make_exported()
