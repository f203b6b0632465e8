"""Personas of demonstrations: inferred before the first row of a run, and kept in `demonstrations.json` ever after.

What they are is part of every prompt that follows, so each is durable before it is used: a run that is continued sends
the prompts that it would have sent, and pays for none twice.
"""

from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import orjson

from personastream.engine.pool import Abandoned
from personastream.engine.run import Prepare, nothing_to_prepare
from personastream.errors import CorruptOutput, RunError, StorageFailed
from personastream.launch.durable_file import replace_durably
from personastream.ports import Ask, Inferring, Recipe

NAME = "demonstrations.json"


def inference(recipe: Recipe, directory: Path) -> Prepare:
    """What is to be asked before the first row of the run in `directory`. Raises `CorruptOutput`."""
    if not isinstance(recipe, Inferring) or not recipe.unknown:
        return nothing_to_prepare
    personas = _read(directory / NAME)
    recipe.learn(personas)
    return partial(_infer_all, recipe, personas, directory / NAME) if recipe.unknown else nothing_to_prepare


async def _infer_all(recipe: Inferring, personas: dict[str, str], path: Path, ask: Ask) -> None:
    """All at once, as far as the endpoints allow. Raises `RunError`."""
    writing, failures = anyio.Lock(), list[BaseException]()

    async def infer(key: str, text: str) -> None:
        try:
            personas[key] = await recipe.infer(text, ask)
            async with writing:
                await anyio.to_thread.run_sync(_write, path, dict(personas))
        except (RunError, Abandoned) as error:  # kept for below: a group would wrap it
            failures.append(error)

    async with anyio.create_task_group() as inferring:
        for key, text in recipe.unknown.items():
            inferring.start_soon(infer, key, text)
    if failures:
        raise failures[0]
    recipe.learn(personas)


def _read(path: Path) -> dict[str, str]:
    try:
        personas = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        hint = "Restore it from a copy: it says which personas the run's prompts show."
        raise CorruptOutput(f"{path} is damaged: {error}", hint=hint) from error
    if not isinstance(personas, dict) or not all(isinstance(one, str) for one in personas.values()):
        raise CorruptOutput(f"{path} is damaged: it is no table of texts")
    return personas


def _write(path: Path, personas: dict[str, str]) -> None:
    try:
        replace_durably(path, orjson.dumps(personas, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    except OSError as error:
        raise StorageFailed(f"cannot write {path}: {error.strerror}", hint="Make room, then resume the run.") from error
