"""An existing run opened between sittings, so that what is settled in it may be taken back."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from personastream.build import Parts, build, identity
from personastream.config import Config
from personastream.errors import BadInput
from personastream.launch.arrivals import grows, shards_of
from personastream.launch.audit import record
from personastream.launch.manifest import check_unchanged, read_manifest, with_contract, write_manifest
from personastream.launch.revival import revive, with_reasons
from personastream.launch.run_directory import owned
from personastream.ports import ShardState, Sink
from personastream.stages import Stage


@contextmanager
def opened(
    config: Config, parts: Parts, *, contract_may_change: bool = False
) -> Iterator[tuple[Sink, Sequence[ShardState]]]:
    """The run's sink, recovered, while nobody else works on the run. Raises `RunBusy`, `ManifestMismatch`."""
    directory, sink = Path(parts.sink.path), parts.sink
    with owned(directory):
        manifest = read_manifest(directory)
        if manifest is None:
            raise BadInput(f"{directory} holds no run", hint="Give the directory that [sink] path names.")
        now = identity(config, parts)
        if contract_may_change:
            manifest = with_contract(manifest, now)
        source = parts.source
        check_unchanged(manifest, now, shards_of(source, directory), directory, grows=grows(source))
        if contract_may_change:
            write_manifest(directory, manifest)
        sink.attach(manifest.run_id, [shard.stem for shard in manifest.shards])
        yield sink, sink.recover()


def revive_rows(stages: Sequence[Stage], directory: Path, reasons: Collection[str]) -> int:
    """Take back the end of dead rows, so that the next sitting asks them again; returns how many. Blocks.

    Of several stages, that is done in those that no later one has begun to read. Raises `RunError`.
    """
    begun = {stage.name for stage in stages if read_manifest(directory / stage.name) is not None}
    read = {name for stage in stages if stage.name in begun for name in (*stage.reads, *stage.knows)}
    revived = 0
    for stage in stages:
        if stage.config.asks and stage.name in begun - read:
            with opened(stage.config, build(stage.config)) as (sink, states):
                rows = revive(sink, states, with_reasons(reasons))
                record(directory / stage.name, "retried", rows=rows, reasons=sorted(reasons) or "all")
            revived += rows
    return revived
