"""`personastream ctl`: commands a service that runs."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from personastream.cli.ctl_words import (
    aside_lines,
    endpoint_row,
    for_stdout,
    job_lines,
    job_row,
    json_line,
    one_line,
    table,
)
from personastream.cli.words import json_text
from personastream.config import CONFIG_BYTES_MAX
from personastream.errors import ConfigError, ExitCode
from personastream.observe.rates import duration
from personastream.observe.snapshot import printable

if TYPE_CHECKING:
    from personastream.serve.client import Client

COMMANDS = {
    "pause": "Send no further request for the job NAME; its sitting stays.",
    "resume": "Go on with the job NAME after a pause, a stop or a failure, or try again now.",
    "stop": "End the sitting of the job NAME in order, and let go of its run.",
    "cancel": "End the job NAME for good; its output stays.",
}


@click.group("ctl")
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar="PERSONASTREAM_ROOT",
    help="Folder of the service; or $PERSONASTREAM_ROOT, or the present folder.",
)
@click.option("--json", "as_json", is_flag=True, help="What the service answers, as JSON.")
@click.pass_context
def command(ctx: click.Context, root: Path, as_json: bool) -> None:
    """Command a service: submit, list, pause, resume, limits.

    \b
    Exit codes: 0 done, 64 the service declines, 65 there is no such job, 69
    nobody serves the folder, 77 the token is refused, 78 what was given is wrong.
    """
    ctx.obj = _Service(root, as_json)


class _Service:
    """The service of a folder, asked when it is needed."""

    def __init__(self, root: Path, as_json: bool) -> None:
        self.root = root
        self.as_json = as_json

    @property
    def client(self) -> "Client":
        """Raises `RunError` if nobody serves the folder."""
        from personastream.serve.client import Client

        return Client.of_root(self.root)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Raises `RunError`."""
        return self.client.call(method, path, body)

    def tell(self, document: Any, lines: Iterable[str]) -> None:
        """On stdout: the document if JSON is wanted, else words for people."""
        click.echo(for_stdout(json_text(document) if self.as_json else "\n".join(lines)))


pass_service = click.make_pass_decorator(_Service)


@command.command("submit")
@click.argument("config", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option("--name", help="What the job is called.  [default: the file's name]")
@click.option("--priority", type=int, help="A job of a higher priority goes first.  [default: what [job] says, or 0]")
@click.option("--weight", type=float, help="Share among jobs of one priority.  [default: what [job] says, or 1]")
@click.option("--paused", is_flag=True, help="Wait to be resumed.")
@pass_service
def submit(
    service: _Service, config: Path, name: str | None, priority: int | None, weight: float | None, paused: bool
) -> int:
    """Submit the configuration CONFIG as a job. Relative paths in it are taken from its own folder."""
    content = config.read_bytes()
    if len(content) > CONFIG_BYTES_MAX:
        raise ConfigError(f"{config} is larger than {CONFIG_BYTES_MAX} bytes")
    body = {
        "name": name or config.stem.lower(),
        "config": content.decode("utf-8", "replace"),
        "base": str(config.absolute().parent),
        "priority": priority,
        "weight": weight,
        "paused": paused,
    }
    job = service.call("POST", "/v1/jobs", body)
    service.tell(job, [f"submitted {job['name']}: {job['state']}", *aside_lines(job)])
    return ExitCode.DONE


@command.command("list")
@pass_service
def every(service: _Service) -> int:
    """List all jobs."""
    jobs = service.call("GET", "/v1/jobs")["jobs"]
    service.tell(jobs, table(("job", "state", "done", "rows/s", "left", "spent", "why"), map(job_row, jobs)))
    return ExitCode.DONE


@command.command("state")
@pass_service
def state(service: _Service) -> int:
    """Show the service as a whole."""
    seen = service.call("GET", "/v1/state")
    ready = "ready" if seen["ready"] else "not ready: " + ", ".join(seen["why_not"])
    lines = [
        f"service   {seen['state']}, {ready}, up for {duration(seen['uptime_s'])}",
        f"jobs      {len(seen['jobs']):,}",
        f"memory    {seen['memory_bytes'] / 1e6:,.0f} of at most {seen['memory_bytes_max'] / 1e6:,.0f} MB",
        f"files     {seen['descriptors']:,} open of {seen['descriptors_max']:,}",
        f"disk      {seen['disk_free_bytes'] / 1e9:,.1f} GB free",
        f"spent     {seen['spend']:,.4g}" + (f" of {seen['spend_max']:,.4g}" if seen["spend_max"] else ""),
    ]
    service.tell(seen, lines)
    return ExitCode.DONE


@command.command("show")
@click.argument("name")
@pass_service
def show(service: _Service, name: str) -> int:
    """Show the job NAME."""
    job = service.call("GET", f"/v1/jobs/{_part(name)}")
    service.tell(job, job_lines(job))
    return ExitCode.DONE


@command.command("config")
@click.argument("name")
@pass_service
def config(service: _Service, name: str) -> int:
    """Print the configuration of the job NAME."""
    click.echo(for_stdout(service.call("GET", f"/v1/jobs/{_part(name)}/config")), nl=False)
    return ExitCode.DONE


@command.command("set")
@click.argument("name")
@click.option("--priority", type=int, help="A job of a higher priority goes first.")
@click.option("--weight", type=float, help="Share among jobs of one priority.")
@click.option("--spend-max", type=float, help="Ceiling on what the job may cost; 0: none.")
@pass_service
def change(service: _Service, name: str, priority: int | None, weight: float | None, spend_max: float | None) -> int:
    """Change the job NAME while it runs."""
    body = _some({"priority": priority, "weight": weight, "spend_max": spend_max})
    job = service.call("PATCH", f"/v1/jobs/{_part(name)}", body)
    service.tell(job, [f"{job['name']}: priority {job['priority']}, weight {job['weight']:g}"])
    return ExitCode.DONE


@command.command("retry")
@click.argument("name")
@click.option("--reason", "reasons", multiple=True, help="Only rows that died for it; repeatable.")
@pass_service
def retry(service: _Service, name: str, reasons: tuple[str, ...]) -> int:
    """Ask the dead rows of the job NAME again."""
    job = service.call("POST", f"/v1/jobs/{_part(name)}/retry", {"reasons": list(reasons)})
    service.tell(job, [f"{job['name']}: {job['state']}"])
    return ExitCode.DONE


@command.command("forget")
@click.argument("name")
@pass_service
def forget(service: _Service, name: str) -> int:
    """Forget the job NAME, which has ended: its name is free again, its run stays where it is."""
    job = service.call("DELETE", f"/v1/jobs/{_part(name)}")
    service.tell(job, [f"{job['name']}: forgotten; its run stays in {job['directory']}"])
    return ExitCode.DONE


@command.command("dead")
@click.argument("name")
@click.option("--reason", help="Only rows that died for it.")
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--after", default="", help="Go on behind a page, with the `next` that it told.")
@pass_service
def dead(service: _Service, name: str, reason: str | None, limit: int, after: str) -> int:
    """Show dead rows of the job NAME."""
    query = urlencode({"limit": limit, "after": after, **({"reason": reason} if reason else {})})
    page = service.call("GET", f"/v1/jobs/{_part(name)}/dead?{query}")
    lines = [f"{each['id']}  {each['reason']}  {one_line(each['detail'])}" for each in page["letters"]]
    more = [f"more: --after {page['next']}"] if page["next"] else []
    service.tell(page, [*map(printable, lines), *more] or ["no row is dead"])
    return ExitCode.DONE


@command.command("records")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 200), default=5, show_default=True)
@pass_service
def records(service: _Service, name: str, limit: int) -> int:
    """Print the latest records of the job NAME, as JSON, one a line."""
    for record in service.call("GET", f"/v1/jobs/{_part(name)}/records?limit={limit}")["records"]:
        click.echo(for_stdout(json_line(record)))
    return ExitCode.DONE


@command.command("endpoints")
@pass_service
def endpoints(service: _Service) -> int:
    """List the model services that jobs share."""
    found = service.call("GET", "/v1/endpoints")["endpoints"]
    head = ("id", "endpoint", "state", "in flight", "requests/min", "tokens/min", "answered", "429s", "jobs", "why")
    service.tell(found, table(head, map(endpoint_row, found)))
    return ExitCode.DONE


@command.command("limit")
@click.argument("endpoint")
@click.option("--in-flight-max", type=int, help="Most requests at once.")
@click.option("--requests-per-minute", type=float, help="0: no limit.")
@click.option("--tokens-per-minute", type=float, help="0: no limit.")
@click.option("--input-tokens-per-minute", type=float, help="0: no limit.")
@click.option("--output-tokens-per-minute", type=float, help="0: no limit.")
@pass_service
def limit(service: _Service, /, endpoint: str, **ceilings: float | None) -> int:
    """Change the ceilings of ENDPOINT (its id, as `endpoints` shows it) while jobs run."""
    seen = service.call("PATCH", f"/v1/endpoints/{_part(endpoint)}", _some(ceilings))
    service.tell(seen, [f"{seen['label']}: at most {seen['in_flight_max']} in flight"])
    return ExitCode.DONE


@command.command("service")
@click.option("--spend-max", type=float, help="Ceiling on what all jobs together may cost; 0: none.")
@click.option("--jobs-max", type=int, help="Jobs that run side by side.")
@pass_service
def whole(service: _Service, spend_max: float | None, jobs_max: int | None) -> int:
    """Change ceilings of the whole service."""
    seen = service.call("PATCH", "/v1/service", _some({"spend_max": spend_max, "jobs_max": jobs_max}))
    service.tell(seen, ["done"])
    return ExitCode.DONE


@command.command("reload")
@pass_service
def reload(service: _Service) -> int:
    """Read serve.toml and all keys again."""
    seen = service.call("POST", "/v1/service/reload")
    service.tell(seen, ["reloaded"])
    if seen["key_errors"]:
        raise ConfigError("; ".join(seen["key_errors"]), hint="All else is reloaded; the keys before stay in use.")
    return ExitCode.DONE


@command.command("drain")
@pass_service
def drain(service: _Service) -> int:
    """End the service in order; jobs go on when it is started again."""
    service.tell(service.call("POST", "/v1/service/drain"), ["it ends as soon as rows in flight have"])
    return ExitCode.DONE


@command.command("page")
@pass_service
def page(service: _Service) -> int:
    """Tell the address of the page, with the token: whoever has it may command the service."""
    client = service.client
    if client.is_local:
        raise ConfigError(
            f"the service listens on {client.address}, which no browser can open",
            hint='Set [api] listen = "127.0.0.1:8765" in serve.toml, then restart the service.',
        )
    service.tell({"url": f"{client.base}/#token={client.token}"}, [f"{client.base}/#token={client.token}"])
    return ExitCode.DONE


def _add(verb: str, words: str) -> None:
    """A command that is one verb of the API."""

    @command.command(verb, help=words)
    @click.argument("name")
    @pass_service
    def commanded(service: _Service, name: str) -> int:
        job = service.call("POST", f"/v1/jobs/{_part(name)}/{verb}")
        service.tell(job, [f"{job['name']}: {job['state']}"])
        return ExitCode.DONE


for _verb, _words in COMMANDS.items():
    _add(_verb, _words)


def _some(changes: Mapping[str, float | None]) -> Mapping[str, float | None]:
    """Raises `UsageError` if nothing is to change."""
    if all(value is None for value in changes.values()):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in changes)
        raise click.UsageError(f"nothing to change: give one of {names}")
    return changes


def _part(name: str) -> str:
    """As one part of an address, whatever it holds."""
    return quote(name, safe="")
