"""The page of metrics, for Prometheus: behind the token, as every page that tells of what happens here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

METRICS = "/metrics"


def metrics_route(read: Callable[[], Awaitable[bytes]], content_type: str) -> Route:
    """Answer with what `read` writes down."""

    async def metrics(_: Request) -> Response:
        return Response(await read(), headers={"content-type": content_type})

    return Route(METRICS, metrics)
