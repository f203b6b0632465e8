"""Ceilings that are changed while the service runs. They outlive it, and stand above serve.toml.

Law: a change is durable before it is answered, and in effect within a second; no request under way is dropped for it.
"""

from collections.abc import Mapping
from typing import Any

import anyio
import anyio.to_thread

from personastream.core.ceilings import checked
from personastream.core.spend import NANOS
from personastream.engine.budget import Purse
from personastream.engine.exchange import Exchange
from personastream.errors import ConfigError, CorruptOutput, StorageFailed
from personastream.serve.happenings import Happenings, Kind
from personastream.serve.root import Root
from personastream.serve.settings import Settings
from personastream.serve.supervisor import Supervisor


class LiveLimits:
    """`settings` is serve.toml as it was last read; `obey` whenever that changes."""

    def __init__(
        self,
        root: Root,
        settings: Settings,
        happenings: Happenings,
        exchange: Exchange,
        purse: Purse,
        supervisor: Supervisor,
    ) -> None:
        self._root = root
        self._settings = settings
        self._happenings = happenings
        self._exchange = exchange
        self._purse = purse
        self._supervisor = supervisor
        self._live: Mapping[str, Any] = {}
        self._changing = anyio.Lock()

    @property
    def spend_max(self) -> float:
        """The ceiling on what all jobs may cost; 0 for none."""
        return float(self._service.get("spend_max", self._settings.limits.spend_max))

    async def load(self) -> None:
        """Take up what earlier processes were told. Raises `CorruptOutput`."""
        self._live = _checked(await anyio.to_thread.run_sync(self._root.read_limits))
        self.obey(self._settings)

    def obey(self, settings: Settings) -> None:
        """These settings count from now on. Raises `ConfigError`, and changes nothing, for a ceiling without prices."""
        before, self._settings = self._settings, settings
        try:
            self._purse.ceiling = round(self.spend_max * NANOS)
        except BaseException:
            self._settings = before
            raise
        serve, supervisor = settings.serve, self._supervisor
        supervisor.jobs_max = int(self._service.get("jobs_max", serve.jobs_max))
        supervisor.retry_s, supervisor.retry_s_max = serve.retry_s, serve.retry_s_max
        supervisor.drain_s_max = serve.drain_s_max
        written, changed = {each.id: each.ceilings for each in settings.endpoints}, self._endpoints
        for name in {*written, *changed, *self._exchange.imposed}:
            self._exchange.impose(name, {**written.get(name, {}), **changed.get(name, {})})
        supervisor.changed()

    async def change(self, *, spend_max: float | None = None, jobs_max: int | None = None) -> None:
        """Ceilings of the whole. Raises `ConfigError` or `StorageFailed`."""
        given: dict[str, Any] = {"spend_max": spend_max, "jobs_max": jobs_max}
        changes = {key: value for key, value in given.items() if value is not None}
        async with self._changing:
            before = self._purse.ceiling
            if spend_max is not None:
                self._purse.ceiling = round(spend_max * NANOS)
            try:
                await self._write("service", {**self._service, **changes})
            except StorageFailed:
                self._purse.ceiling = before
                raise
        if spend_max is not None:
            self._supervisor.wake()
        self._happenings.tell(Kind.LIMITS_CHANGED, **changes)

    async def change_endpoint(self, name: str, ceilings: Mapping[str, float]) -> None:
        """Ceilings of one endpoint. Raises `StorageFailed`."""
        async with self._changing:
            own = {**self._endpoints.get(name, {}), **ceilings}
            await self._write("endpoints", {**self._endpoints, name: own})
        told: dict[str, Any] = {"endpoint": name, **ceilings}
        self._happenings.tell(Kind.LIMITS_CHANGED, **told)

    @property
    def _service(self) -> Mapping[str, Any]:
        return dict(self._live.get("service", {}))

    @property
    def _endpoints(self) -> Mapping[str, Mapping[str, float]]:
        return dict(self._live.get("endpoints", {}))

    async def _write(self, part: str, document: Mapping[str, Any]) -> None:
        live = {**self._live, part: document}
        await anyio.to_thread.run_sync(self._root.write_limits, live)
        self._live = live
        self.obey(self._settings)


def _checked(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a file said, which people may have mended by hand. Raises `CorruptOutput`."""
    service, endpoints = document.get("service", {}), document.get("endpoints", {})
    try:
        if not isinstance(service, dict) or not isinstance(endpoints, dict):
            raise ConfigError("its parts must be tables")
        if not all(isinstance(value, int | float) and 0 <= value <= 1e9 for value in service.values()):
            raise ConfigError("a ceiling of the service is no number")
        return {"service": service, "endpoints": {name: checked(dict(told)) for name, told in endpoints.items()}}
    except (ConfigError, TypeError, ValueError) as error:
        raise CorruptOutput(f"limits.json is damaged: {error}", hint="Delete it to go on with serve.toml.") from error
