"""An existing run, found by its directory, and gone on with: what `retry` and `reparse` share."""

import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import click

from personastream.build import Parts, build
from personastream.cli.run import carry_out
from personastream.config import Config
from personastream.errors import BadInput, ConfigError
from personastream.launch.manifest import read_manifest
from personastream.launch.reopening import opened
from personastream.launch.stage_list import read_stages
from personastream.observe.progress import Style
from personastream.ports import ShardState, Sink
from personastream.stages import load_stages, stage_of

settings_option = click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="As for `run`.")


@dataclass(frozen=True, slots=True)
class Reopened:
    """A run's configuration and parts, built anew."""

    config: Config
    parts: Parts
    settings: tuple[str, ...]
    contract_may_change: bool

    def owned(self) -> AbstractContextManager[tuple[Sink, Sequence[ShardState]]]:
        """The run's sink, recovered, while nobody else works on the run. Raises `RunBusy`, `ManifestMismatch`."""
        return opened(self.config, self.parts, contract_may_change=self.contract_may_change)


def reopened(run: str, settings: tuple[str, ...], *, contract_may_change: bool = False) -> Reopened:
    """The run in a directory. Raises `BadInput` if there is none, `ConfigError` if its configuration is gone."""
    names = read_stages(Path(run))
    if names:
        raise BadInput(f"{run} holds stages: {', '.join(names)}", hint=f"Name one: {Path(run, names[0])}")
    manifest = read_manifest(Path(run))
    if manifest is None:
        raise BadInput(f"{run} holds no run", hint="Give the directory that [sink] path names.")
    if "output" in manifest.identity:
        raise BadInput(f"{run} is a dedup job: no model was asked, so there is nothing to ask again")
    config = _config_of(run, manifest.config, settings)
    parts = build(config)
    there = Path(parts.sink.path)
    if not there.exists() or not there.samefile(run):
        raise ConfigError(
            f"{manifest.config} writes to {parts.sink.path}, not to {run}",
            hint=f"If the run was moved, add: --set sink.path={shlex.quote(str(Path(run).absolute()))}",
        )
    return Reopened(config, parts, settings, contract_may_change)


def _config_of(run: str, path: str, settings: tuple[str, ...]) -> Config:
    """The configuration of a run; of several stages, that which is named like its folder.

    Raises `BadInput` if a later stage has read this one: its rows would not be all there are any more.
    """
    stages = load_stages(path, settings)
    if not stages[0].name:
        return stages[0].config
    here = Path(run).absolute()
    stage = stage_of(path, here.name, settings)
    later = [each.name for each in stages if here.name in (*each.reads, *each.knows)]
    begun = [name for name in later if read_manifest(here.parent / name) is not None]
    if begun:
        raise BadInput(
            f"{run} has been read by later stages: {', '.join(begun)}",
            hint="Delete the folders of these stages first, and of all that read them; or leave this one as it is.",
        )
    return stage.config


def continue_run(job: Reopened, style: Style, rows_max: int | None = None) -> int:
    """Bring what is left to its end, as `run --resume` does; the exit code is the same."""
    path, stage = str(job.config.path), job.config.stage
    return carry_out(path, job.settings, style, resume=True, rows_max=rows_max, only=stage, once=True)
