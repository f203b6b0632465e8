"""`/v1/endpoints`: the model services that jobs share, and their ceilings."""

from dataclasses import asdict, dataclass

import anyio
from aiohttp import web

from personastream.serve.api.bodies import EndpointChange, read_body
from personastream.serve.api.replies import json
from personastream.serve.pictures import endpoint_views
from personastream.serve.refusals import NotThere
from personastream.serve.service import Service
from personastream.serve.view import EndpointView


@dataclass(frozen=True, slots=True)
class EndpointRoutes:
    """One method a route."""

    service: Service

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [web.get("/v1/endpoints", self.every), web.patch("/v1/endpoints/{id}", self.change)]

    async def every(self, request: web.Request) -> web.Response:
        """All endpoints."""
        return json({"endpoints": self._views()})

    async def change(self, request: web.Request) -> web.Response:
        """New ceilings for one."""
        name = request.match_info["id"]
        self._view(name)
        change = await read_body(request, EndpointChange)
        await self.service.limits.change_endpoint(
            name, {key: value for key, value in asdict(change).items() if value is not None}
        )
        return json(self._view(name))

    def _views(self) -> list[EndpointView]:
        return endpoint_views(self.service.exchange, anyio.current_time())

    def _view(self, name: str) -> EndpointView:
        for view in self._views():
            if view.id == name:
                return view
        raise NotThere(f"there is no endpoint {name[:100]!r}", hint="`personastream ctl endpoints` shows all.")
