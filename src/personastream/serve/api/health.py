"""`/livez`, `/readyz`, `/healthz`: for who restarts the service, and who sends it work. No token, and no secret."""

from aiohttp import web

from personastream.serve.api.replies import json
from personastream.serve.service import Service


def health_routes(service: Service) -> list[web.RouteDef]:
    """All of them. That the event loop answers at all is what being alive means."""

    async def alive(request: web.Request) -> web.Response:
        return json({"alive": True, "loop_lag_s": service.vitals.loop_lag_s})

    async def ready(request: web.Request) -> web.Response:
        why_not = service.why_not_ready()
        return json({"ready": not why_not, "why_not": why_not}, 503 if why_not else 200)

    return [web.get("/livez", alive), web.get("/readyz", ready), web.get("/healthz", ready)]
