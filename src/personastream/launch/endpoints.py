"""From providers to the engine's endpoints: their pace, limits, prices and share of the load."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio.to_thread

from personastream.build import is_reserved
from personastream.core.ceilings import Ceilings
from personastream.core.pace import Pace
from personastream.core.retry import Health, RetryPolicy
from personastream.core.spend import NANOS, shown
from personastream.engine.budget import Budget, Purse
from personastream.engine.endpoint import Endpoint
from personastream.engine.work import Parse
from personastream.errors import ConfigError
from personastream.launch.spend_file import read_authorised, write_authorised
from personastream.limits import Limits
from personastream.ports import Provider
from personastream.providers.limit import ProviderLimit
from personastream.records import Prices

FREE = Prices()
BATCH_OUTAGE_S = 2 * 86_400.0
"""A batch may take a day before any of it is answered."""


def retry_policy(limits: Limits) -> RetryPolicy:
    """The part of `[limits]` that says how patient a run is."""
    return RetryPolicy(
        attempts_max=limits.attempts_max,
        backoff_s=limits.backoff_s,
        backoff_s_max=limits.backoff_s_max,
        outage_s_max=limits.outage_s_max,
        pause_s_max=limits.pause_s_max,
    )


def endpoints(providers: Sequence[Provider], policy: RetryPolicy) -> list[Endpoint]:
    """One for each provider. What somebody else's provider does not say of itself has a default."""
    now_s = time.monotonic()
    slow = replace(policy, outage_s_max=max(policy.outage_s_max, BATCH_OUTAGE_S))
    return [
        Endpoint(
            provider=provider,
            pace=Pace(provider.in_flight_max, getattr(provider, "pacing", "fixed") == "adaptive", now_s),
            health=Health(slow if keeps_batches(provider) else policy, now_s),
            limit=ProviderLimit(ceilings(provider), now_s),
            weight=getattr(provider, "weight", 1.0),
            resumable=keeps_batches(provider),
            prices=prices(provider),
            label=getattr(provider, "label", type(provider).__name__),
            name=getattr(provider, "name", ""),
            reserved=is_reserved(provider),
            service=getattr(provider, "service", ""),
            model=getattr(provider, "model", ""),
            ceilings=ceilings(provider),
        )
        for provider in providers
    ]


def keeps_batches(provider: Provider) -> bool:
    """Whether a provider's requests go on at the service while nobody waits for them."""
    return hasattr(provider, "batch_dir")


def prices(provider: Provider) -> Prices:
    """Per million tokens; nothing if the provider names none."""
    return getattr(provider, "prices", FREE)


def parse_of(providers: Sequence[Provider]) -> Parse | None:
    """How to read a kept reply again, if the provider can."""
    return getattr(providers[0], "parse", None)


def budget(directory: Path, limits: Limits, providers: Sequence[Provider], purse: Purse | None = None) -> Budget | None:
    """The run's ceiling on spending, if it has one, or shares one. Use inside the running event loop."""
    if not limits.spend_max and purse is None:
        return None
    return Budget(
        ceiling=round(limits.spend_max * NANOS),
        authorised=read_authorised(directory),
        authorise=partial(write_authorised, directory),
        offload=anyio.to_thread.run_sync,
        workers=sum(provider.in_flight_max for provider in providers),
        purse=purse,
        run=str(directory),
        priced=not _unpriced(providers),
    )


def check_prices(limits: Limits, providers: Sequence[Provider], purse: Purse | None = None) -> None:
    """A ceiling on spending means nothing without prices. Raises `ConfigError`."""
    shared = purse.ceiling if purse is not None else 0
    if (limits.spend_max or shared) and _unpriced(providers):
        whose = f"[limits] spend_max = {limits.spend_max:g}" if limits.spend_max else f"the ceiling of {shown(shared)}"
        raise ConfigError(
            f"{whose} needs the prices of every provider",
            hint="Set [provider] input_price and output_price, per million tokens.",
        )


def _unpriced(providers: Sequence[Provider]) -> bool:
    return any(prices(each) == FREE and not getattr(each, "free", False) for each in providers)


def ceilings(provider: Provider) -> Ceilings:
    """What the configuration lets a provider be sent at most."""
    return Ceilings(
        in_flight_max=provider.in_flight_max,
        requests_per_minute=provider.requests_per_minute,
        tokens_per_minute=provider.tokens_per_minute,
        input_tokens_per_minute=getattr(provider, "input_tokens_per_minute", 0),
        output_tokens_per_minute=getattr(provider, "output_tokens_per_minute", 0),
    )
