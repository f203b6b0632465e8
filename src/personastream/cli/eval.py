"""`personastream eval`: what a model can do, measured by a run."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from personastream.cli.figures import figure_lines
from personastream.cli.run import carry_out, progress_option
from personastream.cli.words import json_text
from personastream.config import load
from personastream.core.accuracy import accuracy_figures
from personastream.errors import BadInput, CannotCreate, ConfigError
from personastream.launch.run_records import dead_of, records_of
from personastream.observe.progress import Style
from personastream.sources.jsonl import Jsonl

PROBLEM_COLUMNS = ("problem", "question")
ANSWER_COLUMNS = ("answer", "expected_answer", "final_answer", "solution")
GROUP_COLUMNS = ("subject", "level", "type", "category", "difficulty")
ID_COLUMNS = ("unique_id", "id")


@click.group("eval")
def command() -> None:
    """Measure what a model can do.

    \b
    personastream eval math --data math500.jsonl.zst --provider-url http://127.0.0.1:8000/v1 --model my-model
    personastream eval math --config configs/eval_math500.toml

    An evaluation is a run like any other: it stops and resumes, its rows are
    accounted for, and its replies are kept in the run directory.
    """


@command.command("math")
@click.option("--data", type=click.Path(dir_okay=False, exists=True), help="Problems with answers: .jsonl, .gz, .zst.")
@click.option("--provider-url", metavar="URL", help="Address of the API, usually ending in /v1.")
@click.option("--model", help="Model name as the server knows it.")
@click.option("--run", "run_dir", metavar="DIR", help="Run directory.  [runs/eval-<data>-<model>]")
@click.option("--config", type=click.Path(dir_okay=False), help="A configuration to start from; options override it.")
@click.option("--resume", is_flag=True, help="Continue the run; of a finished one, report again.")
@click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="As for `run`.")
@click.option("--max-problems", type=click.IntRange(1), metavar="N", help="Stop after so many problems.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@progress_option
def math(
    data: str | None,
    provider_url: str | None,
    model: str | None,
    run_dir: str | None,
    config: str | None,
    resume: bool,
    settings: tuple[str, ...],
    max_problems: int | None,
    as_json: bool,
    style: Style,
) -> int:
    """Ask a model mathematics problems, greedily and once each, and report its accuracy.

    \b
    The problem is in a column `problem` or `question`, the right answer in
    `answer` or `solution`: alone, in \\boxed{...}, or behind ####, so MATH and
    GSM8K are read as they are. Accuracy is told apart by `subject` and `level`
    where there are such columns. Answers count as right in any equivalent form.
    Exit codes are those of `run`.
    """
    given = {
        **(_data_settings(data) if data else {}),
        **({"provider.base_url": provider_url} if provider_url else {}),
        **({"provider.model": model} if model else {}),
        **({"sink.path": str(Path(run_dir).absolute())} if run_dir else {}),
    }
    if config is None:
        if not data or not provider_url or not model:
            raise click.UsageError("Give --data, --provider-url and --model, or a --config that has them.")
        given.setdefault("sink.path", str(Path("runs", f"eval-{_name(data)}-{_name(model)}").absolute()))
        config = _written(given)
        given = {}
    words = (*(f"{key}={_toml(value)}" for key, value in given.items()), *settings)
    loaded = load(config, words)
    if loaded.recipe.type != "grade":
        raise ConfigError(f'{config}: [recipe] type = "{loaded.recipe.type}"', hint='An evaluation needs "grade".')
    code = carry_out(config, words, style, resume=resume, rows_max=max_problems)
    directory = loaded.directory / str(loaded.sink.values["path"])
    figures = accuracy_figures(records_of(directory), dead_of(directory))
    click.echo(json_text({"run": str(directory), **figures}) if as_json else "\n".join(figure_lines(figures)))
    return code


def _data_settings(data: str) -> dict[str, Any]:
    """How to read a file of problems, by the columns of its first row. Raises `BadInput`."""
    source = Jsonl(paths=[data])
    batch = next(iter(source.read(source.shards()[0], 0)))
    try:
        columns = orjson.loads(batch.lines[0]) if batch.lines else {}
    except (orjson.JSONDecodeError, TypeError):
        columns = {}
    found = columns if isinstance(columns, dict) else {}
    problem = next((name for name in PROBLEM_COLUMNS if name in found), None)
    answer = next((name for name in ANSWER_COLUMNS if name in found), None)
    if problem is None or answer is None:
        names = f"{', '.join(PROBLEM_COLUMNS)}, and one of {', '.join(ANSWER_COLUMNS)}"
        raise BadInput(
            f"{data}: row 0 has the columns {', '.join(found)}" if found else f"{data}: row 0 is no object",
            hint=f"It must have one of {names}. Name others in a --config: [source] field, [recipe] answer.",
        )
    groups = [name for name in GROUP_COLUMNS if name in found]
    keep = [answer, *groups, *(name for name in ID_COLUMNS if name in found)]
    return {
        "source.paths": [str(Path(data).absolute())],
        "source.field": problem,
        "source.keep": keep,
        "recipe.answer": answer,
        "recipe.groups": groups,
    }


def _written(given: Mapping[str, Any]) -> str:
    """The configuration of an evaluation without one, kept beside the run: `retry` and `--resume` find it there."""
    sections: dict[str, dict[str, Any]] = {"source": {}, "recipe": {"type": "grade"}, "provider": {}, "sink": {}}
    for key, value in given.items():
        section, _, name = key.partition(".")
        sections[section][name] = value
    tables = [
        "\n".join([f"[{name}]", *(f"{key} = {_toml(v)}" for key, v in table.items())])
        for name, table in sections.items()
    ]
    text = "# Written by `personastream eval math`.\n\n" + "\n\n".join(tables) + "\n"
    path = Path(f"{given['sink.path']}.toml")
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        elif path.read_text("utf-8") != text:
            raise CannotCreate(f"{path} is there already, and says something else", hint="Choose another --run.")
    except (OSError, UnicodeError) as error:
        raise CannotCreate(f"cannot write {path}: {error}", hint="Choose another --run.") from error
    return str(path)


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _name(text: str) -> str:
    """What a file or a model is called, as part of a file's name."""
    stem = re.sub(r"(\.(jsonl|gz|zst|json))+$", "", Path(text).name)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip(".-") or "model"
