"""`/v1/jobs/{name}/records` and `…/dead`: rows to look at."""

from dataclasses import dataclass

import anyio.to_thread
from aiohttp import web

from personastream.serve.api.bodies import page_limit
from personastream.serve.api.replies import json
from personastream.serve.rows import dead_letters, latest_records
from personastream.serve.service import Service


@dataclass(frozen=True, slots=True)
class RowRoutes:
    """One method a route."""

    service: Service

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [web.get("/v1/jobs/{name}/records", self.records), web.get("/v1/jobs/{name}/dead", self.dead)]

    async def records(self, request: web.Request) -> web.Response:
        """The latest ones."""
        job, limit = self.service.jobs.named(request.match_info["name"]), page_limit(request)
        found = await anyio.to_thread.run_sync(latest_records, job.directory, job.stages, limit)
        return json({"records": found})

    async def dead(self, request: web.Request) -> web.Response:
        """A page of dead letters."""
        job, limit = self.service.jobs.named(request.match_info["name"]), page_limit(request)
        after, reason = request.query.get("after", ""), request.query.get("reason", "")
        letters, then = await anyio.to_thread.run_sync(dead_letters, job.directory, job.stages, after, reason, limit)
        return json({"letters": letters, "next": then})
