"""`/v1/state`, `/v1/service`: the service as a whole."""

from dataclasses import dataclass

from aiohttp import web

from personastream.serve.api.bodies import Nothing, ServiceChange, read_body
from personastream.serve.api.openapi import document
from personastream.serve.api.replies import json
from personastream.serve.service import Service


@dataclass(frozen=True, slots=True)
class WholeRoutes:
    """One method a route."""

    service: Service

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/v1/state", self.state),
            web.get("/v1/openapi.json", self.openapi),
            web.patch("/v1/service", self.change),
            web.post("/v1/service/reload", self.reload),
            web.post("/v1/service/drain", self.drain),
        ]

    async def state(self, request: web.Request) -> web.Response:
        """All there is to see."""
        return json(self.service.view())

    async def openapi(self, request: web.Request) -> web.Response:
        """What this API is."""
        return json(document())

    async def change(self, request: web.Request) -> web.Response:
        """Ceilings of the whole."""
        change = await read_body(request, ServiceChange)
        await self.service.limits.change(spend_max=change.spend_max, jobs_max=change.jobs_max)
        return json(self.service.view())

    async def reload(self, request: web.Request) -> web.Response:
        """Settings and keys are read again."""
        await read_body(request, Nothing, optional=True)
        await self.service.reload()
        return json(self.service.view(), 202)

    async def drain(self, request: web.Request) -> web.Response:
        """The service ends in order."""
        await read_body(request, Nothing, optional=True)
        self.service.drain()
        return json(self.service.view(), 202)
