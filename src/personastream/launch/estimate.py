"""What a run would take, from a look at the first rows; nothing is sent."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat

from personastream.build import Parts
from personastream.core.ledger import LengthEstimate
from personastream.errors import RowError
from personastream.launch.endpoints import prices
from personastream.launch.strangers import introduce
from personastream.ports import Embedding, Recipe
from personastream.records import NO_ORIGIN, Completion, Request, Row, Shard

SAMPLE_BATCHES = 4
SAMPLE_BATCHES_MAX = 100
KEPT_ENOUGH = 100
"""Where few rows are wanted, more are looked at, until so many are."""
PROMPTS = 200
BYTES_PER_TOKEN = 4.0
OUTPUT_SHARE = 0.5
"""Of `max_tokens`, for want of knowledge: replies vary most of all."""
TOKENS_PER_S = 40.0
"""A usual speed of one reply on today's servers."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Rough figures, in rows, requests, tokens, seconds and the currency of the prices; see the module's constants."""

    rows: int
    kept_share: float
    requests: int
    input_tokens: int
    output_tokens: int
    output_tokens_most: int
    seconds: float
    cost: float | None
    cost_most: float | None
    first_prompt: str


class _Captured(Exception):
    def __init__(self, request: Request) -> None:
        super().__init__()
        self.request = request


def estimate(parts: Parts, shards: Sequence[Shard]) -> Estimate:
    """Read the first batches, thin them, build their prompts, and extrapolate to all shards."""
    introduce(parts.recipe, parts.source, shards)
    length = LengthEstimate(sum(shard.size_bytes for shard in shards))
    rows = kept = read_bytes = 0
    requests: list[Request] = []
    batches = itertools.islice(parts.source.read(shards[0], 0), SAMPLE_BATCHES_MAX) if shards else ()
    for place, batch in enumerate(batches, 1):
        thinned = batch
        for transform in parts.transforms:
            if not isinstance(transform, Embedding):  # that one would have to ask a service
                thinned = transform(thinned)
        rows, kept = batch.stop, kept + len(thinned.numbers)
        read_bytes = shards[0].size_bytes if batch.last else batch.bytes_read
        for number, text, origin in zip(
            thinned.numbers, thinned.texts, thinned.origins or repeat(NO_ORIGIN), strict=False
        ):
            if len(requests) < PROMPTS:
                row = Row(0, number, text, id=f"{shards[0].stem}:{number}", origin=origin)
                with suppress(RowError):  # such a row will be a dead one
                    requests.append(first_request(parts.recipe, row))
        if place >= SAMPLE_BATCHES and kept >= KEPT_ENOUGH:
            break
    total_rows = length.rows(rows, read_bytes)
    kept_share = kept / rows if rows else 0.0
    asked = round(total_rows * kept_share * _requests_per_row(parts.recipe))
    prompt_tokens = _mean([one.characters / BYTES_PER_TOKEN for one in requests])
    tokens_most = _mean([float(str(one.parameters.get("max_tokens", 1024))) for one in requests])
    output_tokens = round(asked * tokens_most * OUTPUT_SHARE)
    return Estimate(
        rows=total_rows,
        kept_share=kept_share,
        requests=asked,
        input_tokens=round(asked * prompt_tokens),
        output_tokens=output_tokens,
        output_tokens_most=round(asked * tokens_most),
        seconds=_seconds(parts, asked, asked * prompt_tokens, output_tokens),
        cost=_cost(parts, asked * prompt_tokens, output_tokens),
        cost_most=_cost(parts, asked * prompt_tokens, asked * tokens_most),
        first_prompt=requests[0].user if requests else "",
    )


def first_request(recipe: Recipe, row: Row) -> Request:
    """The first request that a recipe would make for a row."""

    async def ask(request: Request) -> Completion:
        raise _Captured(request)

    try:
        recipe(row, ask).send(None)
    except _Captured as captured:
        return captured.request
    raise TypeError(f"{type(recipe).__name__} waits for something before it asks")


def _requests_per_row(recipe: Recipe) -> int:
    """As the recipe says; one that says nothing asks once a record."""
    return int(getattr(recipe, "requests_per_row", getattr(recipe, "samples", 1)))


def _seconds(parts: Parts, requests: int, input_tokens: float, output_tokens: float) -> float:
    """By the tightest of all bounds; a ceiling that one of several providers does not have bounds nothing."""
    providers = parts.answering
    amounts = {
        "requests_per_minute": requests,
        "tokens_per_minute": input_tokens + output_tokens,
        "input_tokens_per_minute": input_tokens,
        "output_tokens_per_minute": output_tokens,
    }
    bounds = [output_tokens / TOKENS_PER_S / sum(each.in_flight_max for each in providers)]
    for name, amount in amounts.items():
        ceilings = [getattr(each, name, 0) for each in providers]
        if all(ceilings):
            bounds.append(60 * amount / sum(ceilings))
    return max(bounds)


def _cost(parts: Parts, input_tokens: float, output_tokens: float) -> float | None:
    """At the mean of the providers' prices, with nothing cached."""
    named = [prices(provider) for provider in parts.answering]
    if not any(each.input or each.output for each in named):
        return None
    return (input_tokens * _mean([p.input for p in named]) + output_tokens * _mean([p.output for p in named])) / 1e6


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
