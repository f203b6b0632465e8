"""`personastream check`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from personastream.build import Parts, build, effective
from personastream.cli.words import json_text
from personastream.config import Config, load
from personastream.launch import estimate as estimates
from personastream.launch.endpoints import check_prices
from personastream.launch.estimate import Estimate, estimate
from personastream.observe.rates import duration
from personastream.observe.snapshot import printable
from personastream.records import Shard


@click.command("check")
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="As for `run`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(config: str, settings: tuple[str, ...], as_json: bool) -> int:
    """Show what CONFIG would do: its settings with all defaults, the graph, the shards, the first prompt, and an
    estimate of requests, tokens, cost and time. Sends nothing and writes nothing.
    """
    loaded = load(config, settings)
    parts = build(loaded)
    check_prices(parts.limits, parts.providers)
    shards = parts.source.shards()
    guess = estimate(parts, shards)
    sections = _sections(loaded, parts)
    if as_json:
        document = {"config": sections, "shards": [asdict(shard) for shard in shards], "estimate": asdict(guess)}
        click.echo(json_text(document))
        return 0
    for name, values in sections.items():
        kind, several, _ = name.partition("[")
        click.echo(f"[[{kind}]]" if several else f"[{name}]")
        for key, value in values.items():
            click.echo(f"# {key} is not set" if value is None else f"{key} = {_toml(value)}")
        click.echo()
    for line in (*_graph(parts, shards), *_estimate_lines(parts, guess)):
        click.echo(line)
    return 0


def _sections(config: Config, parts: Parts) -> dict[str, dict[str, Any]]:
    pairs = [
        (config.source, parts.source),
        *zip(config.transforms, parts.transforms, strict=True),
        (config.recipe, parts.recipe),
        *zip(config.providers, parts.providers, strict=True),
        (config.sink, parts.sink),
        (config.limits, parts.limits),
    ]
    return {section.name: effective(section, part) for section, part in pairs}


def _graph(parts: Parts, shards: Sequence[Shard]) -> list[str]:
    size = sum(shard.size_bytes for shard in shards)
    workers = sum(provider.in_flight_max for provider in parts.providers)
    chain = ["source", *(type(transform).__name__ for transform in parts.transforms)]
    return [
        f"shards    {len(shards):>12,}  {size:,} bytes",
        f"graph     {' → '.join(chain)} → {type(parts.recipe).__name__} × {workers:,} in flight → {parts.sink.path}",
        "",
    ]


def _estimate_lines(parts: Parts, guess: Estimate) -> list[str]:
    cost = "      unknown  set [provider] input_price and output_price"
    if guess.cost is not None and guess.cost_most is not None:
        cost = f"{guess.cost:>12,.2f}  at most about {guess.cost_most:,.2f}, if no request is repeated"
    return [
        "first prompt:",
        *(f"  | {printable(line)}" for line in guess.first_prompt.splitlines()),
        "",
        f"rows      {guess.rows:>12,}  about, of which {guess.kept_share:.0%} kept (by the first rows)",
        *(["          none of the first rows can be asked: is [source] field right?"] if not guess.kept_share else []),
        f"requests  {guess.requests:>12,}",
        f"tokens    {guess.input_tokens:>12,}  in, {guess.output_tokens:,} out (at most {guess.output_tokens_most:,})",
        f"cost      {cost}",
        *_ceiling_lines(parts.limits.spend_max, guess),
        f"time      {duration(guess.seconds):>12}  by in_flight_max and limits",
        f"assumed: {estimates.BYTES_PER_TOKEN:g} bytes a token, replies of {estimates.OUTPUT_SHARE:.0%} of max_tokens "
        f"at {estimates.TOKENS_PER_S:g} tokens/s",
    ]


def _ceiling_lines(spend_max: float, guess: Estimate) -> list[str]:
    if not spend_max or guess.cost is None or guess.cost_most is None or guess.cost_most <= spend_max:
        return []
    verb = "will" if guess.cost > spend_max else "may"
    return [f"          {verb} stop at spend_max = {spend_max:,.2f}, before all rows are asked (exit 75)"]


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
