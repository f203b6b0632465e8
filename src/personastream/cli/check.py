"""`personastream check`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from personastream.build import Parts, Thinning, build, build_thinning, effective, sections
from personastream.cli.words import json_text
from personastream.errors import BadInput
from personastream.launch import estimate as estimates
from personastream.launch.arrivals import grows
from personastream.launch.endpoints import check_prices
from personastream.launch.estimate import Estimate, estimate
from personastream.launch.extraction_guard import check_protected
from personastream.launch.licence_gate import Finding, check_licences, gated, licence_lines
from personastream.launch.run_directory import check_place
from personastream.observe.rates import duration
from personastream.observe.snapshot import printable
from personastream.records import Shard
from personastream.stages import Stage, load_stages

NOTHING_KEPT = "none of the first rows can be asked: are `field` and `where` in [source] right?"


@click.command("check")
@click.argument("config", type=click.Path(dir_okay=False))
@click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="As for `run`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(config: str, settings: tuple[str, ...], as_json: bool) -> int:
    """Show what CONFIG would do: its settings with all defaults, the graph, the shards, the first prompt, and an
    estimate of requests, tokens, cost and time. Sends nothing and writes nothing.
    """
    stages = load_stages(config, settings)
    checked = [_look(stage) for stage in stages]
    if as_json:
        documents = [one.document() for one in checked]
        click.echo(json_text({"stages": documents} if stages[0].name else documents[0]))
        return 0
    for one in checked:
        for line in one.lines():
            click.echo(line)
    return 0


@dataclass(frozen=True, slots=True)
class Checked:
    """A run, or a stage of one, as far as it can be looked at: of what earlier stages will write, nothing is known."""

    stage: Stage
    sections: Mapping[str, Mapping[str, Any]]
    thinning: Thinning
    parts: Parts | None
    shards: Sequence[Shard] | None
    guess: Estimate | None
    findings: Sequence[Finding]

    def document(self) -> dict[str, Any]:
        """For programs."""
        shards = None if self.shards is None else [asdict(shard) for shard in self.shards]
        estimate = None if self.guess is None else asdict(self.guess)
        name = {"stage": self.stage.name} if self.stage.name else {}
        licences = [each.document() for each in self.findings]
        return {**name, "config": self.sections, "shards": shards, "licences": licences, "estimate": estimate}

    def lines(self) -> Iterator[str]:
        """For people."""
        if self.stage.name:
            yield from (f"stage     {self.stage.name}", "")
        for name, values in self.sections.items():
            kind, several, _ = name.partition("[")
            yield f"[[{kind}]]" if several else f"[{name}]"
            for key, value in values.items():
                yield f"# {key} is not set" if value is None else f"{key} = {_toml(value)}"
            yield ""
        if self.shards is None:
            names = self.stage.reads
            until = f"until {', '.join(names)} {'is' if len(names) == 1 else 'are'} finished" if names else "none yet"
            yield f"shards         unknown  {until}"
        else:
            yield f"shards    {len(self.shards):>12,}  {sum(shard.size_bytes for shard in self.shards):,} bytes"
        yield from licence_lines(self.findings)
        yield from (f"graph     {_graph(self.thinning, self.parts)}", "")
        if self.parts is not None and self.guess is not None:
            yield from _estimate_lines(self.parts, self.guess)
        if self.stage.name:
            yield ""


def _look(stage: Stage) -> Checked:
    config = stage.config
    parts = build(config) if config.asks else None
    thinning = build_thinning(config)
    if parts is not None:
        check_prices(parts.limits, parts.providers)
        check_protected(parts.guard)
    check_place(Path(thinning.sink.path))
    try:
        shards = thinning.source.shards()
    except BadInput:
        if not stage.reads:
            raise
        shards = None
    if not shards and grows(thinning.source):
        shards = None
    findings = check_licences(parts, shards or ()) if parts is not None else ()
    guess = None if parts is None or shards is None else estimate(gated(parts), shards)
    shown = {section.name: effective(section, part) for section, part in sections(config, parts or thinning)}
    return Checked(stage, shown, thinning, parts, shards, guess, findings)


def _graph(thinning: Thinning, parts: Parts | None) -> str:
    steps = ["source", *(type(transform).__name__ for transform in thinning.transforms)]
    if parts is not None:
        workers = sum(provider.in_flight_max for provider in parts.providers)
        steps += [type(screen).__name__ for screen in parts.screens if screen.on != "reply"]
        steps.append(f"{type(parts.recipe).__name__} × {workers:,} in flight")
        steps += [type(screen).__name__ for screen in parts.screens if screen.on != "row"]
    return " → ".join([*steps, thinning.sink.path])


def _estimate_lines(parts: Parts, guess: Estimate) -> list[str]:
    cost = "      unknown  set [provider] input_price and output_price"
    if guess.cost is not None and guess.cost_most is not None:
        cost = f"{guess.cost:>12,.2f}  at most about {guess.cost_most:,.2f}, if no request is repeated"
    return [
        "first prompt:",
        *(f"  | {printable(line)}" for line in guess.first_prompt.splitlines()),
        "",
        f"rows      {guess.rows:>12,}  about, of which {_percent(guess.kept_share)} kept (by the first rows)",
        *([] if guess.kept_share else [f"          {NOTHING_KEPT}"]),
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


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{100 * share:.2g}%"


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
