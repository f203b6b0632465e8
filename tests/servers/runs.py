"""Small runs with a template that takes any text for a good reply."""

from pathlib import Path
from typing import Any, NamedTuple

from tests.support.command import personastream
from tests.support.outputs import read_records
from tests.support.workspace import write_config, write_shard

TEMPLATE = """\
description = "greeting"
user = '''
Greet this person.
<persona>
{persona}
</persona>'''
[parameters]
max_tokens = 16
"""


def job(folder: Path, base_url: str, lines: list[bytes], **sections: Any) -> Path:
    """A configuration that asks for these rows. A reply that is cut at `max_tokens` is as good as any."""
    write_shard(folder / "in" / "rows.jsonl.zst", lines)
    (folder / "own.toml").write_text(TEMPLATE, "utf-8")
    recipe = {"template": "own.toml", "truncated": "deliver", "seed": 1, "reasks_max": 10}
    return write_config(folder / "job.toml", base_url, recipe=recipe, **sections)


class Settled(NamedTuple):
    """What a finished run wrote."""

    records: list[dict[str, Any]]
    dead: list[dict[str, Any]]


def settled(config: Path) -> Settled:
    """The records and the dead letters of a run that `verify` finds whole."""
    run = config.parent / "run"
    checked = personastream("verify", run)
    assert checked.code == 0, checked.out
    dead = run / "dead"
    return Settled(read_records(run / "data"), read_records(dead) if dead.is_dir() else [])
