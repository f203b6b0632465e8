"""`personastream simulate`: an OpenAI-compatible LLM simulator on loopback."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from personastream.errors import ConfigError
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.faults import FAULTS

_WIDTH = max(map(len, FAULTS))
_EPILOG = """\b
Faults, each as --fault NAME=RATE:
{faults}

Every choice follows from the seed, the request's body and how often it was asked before: a run can be repeated
exactly, and a retry may succeed. Only poison looks at the body alone: such a request is refused on every try.

GET /stats counts arrivals, requests in flight, outcomes, repeated bodies and tokens. --log FILE gets one JSON line
per request: when it arrived and ended, a hash of its body, the persona, the outcome.

\b
Examples:
  personastream simulate --latency 1 --latency-sigma 0.3
  personastream simulate --requests-per-minute 600 --burst-s 1
  personastream simulate --fault 500=0.05 --fault drop=0.01 --fault poison=0.02 --log asked.jsonl
  curl -s http://127.0.0.1:8000/v1/models
""".format(faults="\n".join(f"  {name:{_WIDTH}}  {fault.effect}" for name, fault in FAULTS.items()))


class _FaultRate(click.ParamType[tuple[str, float]]):
    """NAME=RATE, such as `500=0.05`."""

    name = "name=rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        name, _, rate = str(value).partition("=")
        if name not in FAULTS:
            self.fail(f"There is no fault {name!r}. The faults are: {', '.join(FAULTS)}.", param, ctx)
        try:
            return name, float(rate)
        except ValueError:
            self.fail(f"{rate!r} is not a rate: write {name}=0.05, say.", param, ctx)


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    if key := os.environ.get(variable):
        return key
    raise click.UsageError(f"The environment variable {variable} is not set. It must hold the key to demand.")


@click.command("simulate", epilog=_EPILOG, short_help="An OpenAI-compatible LLM simulator: latency, limits, faults.")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address; others are refused.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free port.")
@click.option("--model", default="simulated", show_default=True, help="The name that GET /v1/models lists.")
@click.option("--seed", default=0, show_default=True, help="Another seed gives other replies and other faults.")
@click.option("--output-tokens", default=120, show_default=True, help="Mean length of a reply, lognormal.")
@click.option("--opening", "openings", multiple=True, metavar="TEXT", help="Reply opening of a template of your own.")
@click.option("--latency", "latency_s", default=0.0, show_default=True, help="Mean seconds to an answer.")
@click.option("--latency-sigma", default=0.0, show_default=True, help="Lognormal spread of the latency; 0: none.")
@click.option("--requests-per-minute", default=0, show_default=True, help="Beyond it 429 is answered; 0: no limit.")
@click.option("--tokens-per-minute", default=0, show_default=True, help="The same for prompt and reply tokens.")
@click.option("--burst-s", default=60.0, show_default=True, help="Seconds of a limit that can be used up at once.")
@click.option("--fault", "faults", multiple=True, type=_FaultRate(), help="See below; give as many as you like.")
@click.option("--require-key", "key_variable", metavar="VARIABLE", help="Environment variable with the key to demand.")
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Append one JSON line per request.")
def command(
    host: str, port: int, key_variable: str | None, faults: Iterable[tuple[str, float]], **settings: Any
) -> None:
    """Answer chat completions like an LLM service, without a model.

    The server speaks the OpenAI protocol on this machine: POST /v1/chat/completions and GET /v1/models. Replies
    start as the shipped templates demand and mention the persona; the same request always gets the same reply.
    Use it to try a configuration, to see how a run copes with limits and faults, or to measure.

    The first line on stdout is the base URL. Ctrl-C or SIGTERM stops it.
    """
    from personastream.simulator import standalone  # an event loop and a parser that `--help` does not need

    try:
        behaviour = Behaviour(faults=dict(faults), key=_key(key_variable), **settings)
        stats = standalone.run(behaviour, host=host, port=port, started=lambda server: click.echo(server.base_url))
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    counts = ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(stats["outcomes"].items()))
    click.echo(f"{stats['arrivals']:,} requests{': ' if counts else ''}{counts}", err=True)
