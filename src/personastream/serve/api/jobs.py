"""`/v1/jobs`: submit, look, command."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import anyio.to_thread
from aiohttp import web

from personastream.config import CONFIG_BYTES_MAX
from personastream.serve.api.bodies import JobChange, NewJob, Nothing, Retry, read_body
from personastream.serve.api.replies import json
from personastream.serve.live_job import LiveJob
from personastream.serve.pictures import job_view
from personastream.serve.root import read_small
from personastream.serve.service import Service

VERBS = ("pause", "resume", "stop", "cancel")


@dataclass(frozen=True, slots=True)
class JobRoutes:
    """One method a route."""

    service: Service

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        verbs: dict[str, Callable[[str], Awaitable[LiveJob]]] = {
            verb: getattr(self.service.jobs, verb) for verb in VERBS
        }
        return [
            web.get("/v1/jobs", self.every),
            web.post("/v1/jobs", self.submit),
            web.get("/v1/jobs/{name}", self.one),
            web.patch("/v1/jobs/{name}", self.change),
            web.delete("/v1/jobs/{name}", self.forget),
            web.get("/v1/jobs/{name}/config", self.config),
            web.post("/v1/jobs/{name}/retry", self.retry),
            *(web.post(f"/v1/jobs/{{name}}/{verb}", self._commanded(call)) for verb, call in verbs.items()),
        ]

    async def every(self, request: web.Request) -> web.Response:
        """All jobs."""
        return json({"jobs": [_seen(job) for job in self.service.jobs]})

    async def submit(self, request: web.Request) -> web.Response:
        """A new one."""
        new = await read_body(request, NewJob)
        job = await self.service.jobs.submit(
            new.name,
            new.config.encode(),
            base=new.base,
            priority=new.priority,
            weight=new.weight,
            hold=new.paused,
        )
        response = json(_seen(job), 201)
        response.headers["Location"] = f"/v1/jobs/{job.name}"
        return response

    async def one(self, request: web.Request) -> web.Response:
        """A job."""
        return json(_seen(self._named(request)))

    async def change(self, request: web.Request) -> web.Response:
        """Priority, weight, ceiling."""
        job = self._named(request)
        change = await read_body(request, JobChange)
        changed = await self.service.jobs.change(
            job.name, priority=change.priority, weight=change.weight, spend_max=change.spend_max
        )
        return json(_seen(changed))

    async def forget(self, request: web.Request) -> web.Response:
        """It has ended, and is no job any more."""
        job = self._named(request)
        await read_body(request, Nothing, optional=True)
        return json(_seen(await self.service.forget(job.name)))

    async def config(self, request: web.Request) -> web.Response:
        """The configuration, as it was submitted: text, whatever a browser might take it for."""
        file = self.service.root / "jobs" / self._named(request).name / "job.toml"
        content = await anyio.to_thread.run_sync(read_small, file, CONFIG_BYTES_MAX)
        return web.Response(text=content.decode("utf-8", "replace"), content_type="text/plain")

    async def retry(self, request: web.Request) -> web.Response:
        """Dead rows are asked again."""
        job = self._named(request)
        wanted = await read_body(request, Retry, optional=True)
        return json(_seen(await self.service.jobs.retry(job.name, wanted.reasons)), 202)

    def _commanded(self, call: Callable[[str], Awaitable[LiveJob]]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def commanded(request: web.Request) -> web.Response:
            job = self._named(request)
            await read_body(request, Nothing, optional=True)
            return json(_seen(await call(job.name)), 202)

        return commanded

    def _named(self, request: web.Request) -> LiveJob:
        return self.service.jobs.named(request.match_info["name"])


def _seen(job: LiveJob) -> object:
    return job_view(job, anyio.current_time())
