"""`personastream simulate`: an LLM simulator on loopback that speaks the protocols of OpenAI and Anthropic."""

import os
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import click

from personastream.errors import ConfigError
from personastream.simulator.behaviour import PROFILES, Behaviour
from personastream.simulator.faults import FAULTS, GROUPS, Group

_COLUMNS = 78
_FILE = click.Path(dir_okay=False, path_type=Path)


def _names(group: Group) -> str:
    """The faults of one group, as a paragraph that click leaves as it is."""
    names = ", ".join(name for name, fault in FAULTS.items() if fault.group is group)
    lines = textwrap.wrap(names, _COLUMNS - 4, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join((f"  any-{group.value}-fault", *lines))


_EPILOG = """\b
Faults, each as --fault NAME=RATE; `any-row-fault=0.1` shares a rate among a
whole group. --list-faults says what each one does.
{faults}

Every choice follows from the seed, the request's body and how often it was asked before: a run can be repeated
exactly, and a retry may succeed. Only poison looks at the body alone: such a request is refused on every try.

\b
A script is a JSON list of changes over time or requests:
  [{{"at_s": 10, "until_s": 40, "requests_per_minute": 150}},
   {{"after": 1000, "until": 1200, "faults": {{"500": 1.0}}}},
   {{"at_s": 60, "dead_s": 30}}]

\b
Beside the API:
  GET  /stats             counters: requests, outcomes, tokens to be paid
  GET  /metrics           vLLM's gauges of running and waiting requests
  GET  /admin/bodies      how often each body was asked and answered
  GET  /admin/behaviour   what may be changed, as it is now
  POST /admin/behaviour   change it: {{"latency_s": 2}}, {{"dead_s": 30}}
  POST /admin/script      follow another script from the next request on

\b
Examples:
  personastream simulate --latency 1 --latency-sigma 0.3
  personastream simulate --profile vllm --slots 64 --speed 10
  personastream simulate --requests-per-minute 600 --burst-s 1
  personastream simulate --fault any-row-fault=0.1 --fault poison=0.02
  curl -s http://127.0.0.1:8000/v1/models
""".format(faults="\n".join(map(_names, Group)))


class _FaultRate(click.ParamType[tuple[str, float]]):
    """NAME=RATE, such as `500=0.05`."""

    name = "name=rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        name, _, rate = str(value).partition("=")
        if name not in FAULTS and name not in GROUPS:
            known = ", ".join((*FAULTS, *GROUPS))
            self.fail(f"There is no fault {name!r}. The faults are: {known}.", param, ctx)
        try:
            return name, float(rate)
        except ValueError:
            self.fail(f"{rate!r} is not a rate: write {name}=0.05, say.", param, ctx)


class _Number(NamedTuple):
    """An option for a number in `Behaviour`."""

    flag: str
    field: str
    help: str


_NUMBERS: dict[str, Sequence[_Number]] = {
    "Replies": (
        _Number("--seed", "seed", "Another seed gives other replies and other faults."),
        _Number("--output-tokens", "output_tokens", "Mean length of a reply, lognormal."),
        _Number("--latency", "latency_s", "Mean seconds to an answer, or to its place in the queue."),
        _Number("--latency-sigma", "latency_sigma", "Lognormal spread of the latency; 0: none."),
        _Number("--wrong-solutions", "wrong_solutions", "Share of mathematics problems solved wrongly."),
        _Number("--context-tokens", "context_tokens", "Longest prompt; 0: any."),
        _Number("--cache-tokens-min", "cache_tokens_min", "Shortest beginning of a prompt to be cached."),
    ),
    "Limits (0: none)": (
        _Number("--requests-per-minute", "requests_per_minute", "Beyond it 429 is answered."),
        _Number("--tokens-per-minute", "tokens_per_minute", "The same for prompt and reply tokens together."),
        _Number("--input-tokens-per-minute", "input_tokens_per_minute", "For prompt tokens alone."),
        _Number("--output-tokens-per-minute", "output_tokens_per_minute", "For reply tokens alone."),
        _Number("--burst-s", "burst_s", "Seconds of a limit that can be used up at once."),
    ),
    "Queue": (
        _Number("--slots", "slots", "Replies generated at once; others wait. 0: no queue."),
        _Number("--queue-max", "queue_max", "Requests that may wait, else 503; 0: any number."),
        _Number("--step-s", "step_s", "Seconds for one token of all running replies."),
        _Number("--step-growth-s", "step_growth_s", "Seconds that each of them adds."),
        _Number("--speed", "speed", "Divides both."),
    ),
    "Batches": (
        _Number("--batch-latency", "batch_latency_s", "Seconds from creation to completion."),
        _Number("--batch-window", "batch_window_s", "Seconds until a batch expires."),
        _Number("--batch-failures", "batch_failures", "Share of a batch's requests that fail."),
        _Number("--batch-requests-max", "batch_requests_max", "Requests in a batch."),
    ),
}
_SECTIONS = {number.field: section for section, numbers in _NUMBERS.items() for number in numbers} | {
    "openings": "Replies",
    "trace": "Replies",
    "replies": "Replies",
    "truncates": "Replies",
    "faults": "Faults",
    "faults_on": "Faults",
    "retry_after_s": "Faults",
    "script": "Faults",
    "list_faults": "Faults",
}


class _Sections(click.Command):
    """Options listed by what they are about."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {"Server": [], **{section: [] for section in _NUMBERS}, "Faults": []}
        for parameter in self.get_params(ctx):
            if row := parameter.get_help_record(ctx):
                rows[_SECTIONS.get(parameter.name or "", "Server")].append(row)
        for section, listed in rows.items():
            with formatter.section(section):
                formatter.write_dl(listed, col_max=28)


def _key(variable: str | None) -> str | None:
    if variable is None:
        return None
    if key := os.environ.get(variable):
        return key
    raise click.UsageError(f"The environment variable {variable} is not set. It must hold the key to demand.")


def _list_faults(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    width = max(map(len, FAULTS))
    for group in Group:
        click.echo(f"any-{group.value}-fault")
        for name, fault in FAULTS.items():
            if fault.group is group:
                click.echo(f"  {name:{width}}  {fault.effect}")
    ctx.exit()


def _numbers(command: click.Command) -> click.Command:
    """Add the options for numbers. They have no default of their own: a profile may set them."""
    defaults = {each.name: each.default for each in fields(Behaviour)}
    for numbers in _NUMBERS.values():
        for flag, field, text in numbers:
            default = defaults[field]
            kind = type(default)
            command.params.append(click.Option([flag, field], type=kind, metavar="N", help=f"{text}  [{default:g}]"))
    return command


@_numbers
@click.command("simulate", cls=_Sections, epilog=_EPILOG, short_help="An LLM simulator: latency, limits, faults.")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address; others are refused.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free port.")
@click.option("--model", default="simulated", show_default=True, help="The name that GET /v1/models lists.")
@click.option("--profile", type=click.Choice(list(PROFILES)), help="Settings that go together; options override them.")
@click.option("--require-key", "key_variable", metavar="VARIABLE", help="Environment variable with the key to demand.")
@click.option("--log", type=_FILE, help="Append one JSON line per request.")
@click.option("--opening", "openings", multiple=True, metavar="TEXT", help="Reply opening of a template of your own.")
@click.option("--trace", type=_FILE, help="Lengths and latencies from a .csv or .jsonl, also .zst.")
@click.option("--replies", type=_FILE, help="A .jsonl, also .zst: {text, reply} each, for rows with that text.")
@click.option("--truncate/--refuse-long", "truncates", default=None, help="Cut longer prompts unsaid, like Ollama.")
@click.option("--fault", "faults", multiple=True, type=_FaultRate(), help="See below; give as many as you like.")
@click.option("--fault-on", "faults_on", multiple=True, metavar="LINE", help='Only on these, as "POST /v1/batches".')
@click.option("--retry-after-s", type=float, metavar="N", help="The pause that faults ask for.  [1]")
@click.option("--script", type=_FILE, help="Changes over the run, see below.")
@click.option(
    "--list-faults", is_flag=True, is_eager=True, expose_value=False, callback=_list_faults, help="Tell them all."
)
def command(
    host: str,
    port: int,
    profile: str | None,
    key_variable: str | None,
    faults: Iterable[tuple[str, float]],
    script: Path | None,
    **given: Any,
) -> None:
    """Answer like an LLM service, without a model.

    The server speaks the protocols of OpenAI and Anthropic on this machine: chat completions, messages, embeddings,
    files and batches. Replies start as the shipped templates demand and mention the persona; the same request
    always gets the same reply. Use it to try a configuration, to see how a run copes with limits and faults, or
    to measure.

    The first line on stdout is the base URL. Ctrl-C or SIGTERM stops it.
    """
    from personastream.simulator import standalone  # an event loop and a parser that `--help` does not need

    settings: dict[str, Any] = {**PROFILES.get(profile or "", {})}
    settings |= {name: value for name, value in given.items() if value is not None}
    settings["faults"] = {**settings.get("faults", {}), **dict(faults)}
    try:
        behaviour = Behaviour(key=_key(key_variable), **settings)
        steps = standalone.read_script(script, behaviour) if script else ()
        stats = standalone.run(
            behaviour, host=host, port=port, script=steps, started=lambda server: click.echo(server.base_url)
        )
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    counts = ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(stats["outcomes"].items()))
    click.echo(f"{stats['arrivals']:,} requests{': ' if counts else ''}{counts}", err=True)
