"""Traces of the daemon, sent where OpenTelemetry's own variables say (`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from greenroom.supervisor.daemon.config_problems import ConfigError, Spot, install
from greenroom.supervisor.version import VERSION

if TYPE_CHECKING:
    from greenroom.actors.store import GroupCommitted

WANTED_BY = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Exported:
    """Follows commits and sends their traces, in batches, on a thread of the library's."""

    def __init__(self, hear: Callable[[GroupCommitted], None], shutdown: Callable[[], None]) -> None:
        """See `make_exported`."""
        self.hear, self.close = hear, shutdown


def make_exported() -> Exported | None:
    """Make it where one of the variables is set. Raises ConfigError where its libraries are not installed."""
    named = next((name for name in WANTED_BY if os.environ.get(name)), None)
    if named is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - the same
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        problem = f"traces need {error.name}; {install('otel')}; or unset it"
        raise ConfigError([Spot(named, "traces").say(problem)]) from error
    from greenroom.supervisor.tracing import Traces  # noqa: PLC0415 - the same

    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "greenroom")})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Exported(Traces(provider.get_tracer("greenroom", VERSION)).hear, provider.shutdown)
