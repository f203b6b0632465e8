"""The web application: every route behind one guard."""

from collections.abc import Container, Iterator

from aiohttp import web

from personastream.serve.api.bodies import BODY_BYTES_MAX
from personastream.serve.api.endpoints import EndpointRoutes
from personastream.serve.api.guard import Answer, Guard, add_headers
from personastream.serve.api.health import health_routes
from personastream.serve.api.jobs import JobRoutes
from personastream.serve.api.rows import RowRoutes
from personastream.serve.api.whole import WholeRoutes
from personastream.serve.events import event_routes
from personastream.serve.metrics import metrics_routes
from personastream.serve.page import page_routes
from personastream.serve.service import Service


def application(service: Service, token: str, hosts: Container[str]) -> web.Application:
    """All that the service answers, to who shows the token and calls it by one of its names."""
    guard = Guard(token, hosts, service.happenings)

    @web.middleware
    async def guarded(request: web.Request, handler: Answer) -> web.StreamResponse:
        return await guard.answer(request, handler)

    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[guarded])
    app.on_response_prepare.append(add_headers)
    app.add_routes(_routes(service))
    return app


def _routes(service: Service) -> Iterator[web.RouteDef]:
    for routes in (JobRoutes(service), RowRoutes(service), EndpointRoutes(service), WholeRoutes(service)):
        yield from routes.routes()
    yield from event_routes(service)
    yield from health_routes(service)
    yield from metrics_routes(service)
    yield from page_routes(service)
