"""Prompts for models that judge texts, as data: shipped in `screens/prompts/`, or a file of the user's own.

format = "llama_guard"        how the answer is read: see `core.verdicts`
user = "… {text} …"           what is sent; the text is put in place of {text}, and is never read as a template
system = ""                   optional
categories = { S1 = "violent_crimes" }     optional: reasons for the labels of the answer
[parameters]                  optional: of sampling
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import xxhash

from personastream.core.inert import inert
from personastream.core.verdicts import FORMATS
from personastream.errors import ConfigError
from personastream.records import Request

SLOT = "{text}"
KEYS = {"format", "user", "system", "categories", "parameters"}
SEED = "seed"


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """A prompt and how its answers are read."""

    format: str
    user: str
    system: str
    categories: Mapping[str, str]
    parameters: Mapping[str, Any]
    fingerprint: str

    def request(self, text: str, provider: str, asked: int = 0) -> Request:
        """What is sent about a text; asked again, it is another request, so that no cache answers it."""
        before, _, behind = self.user.partition(SLOT)
        data = inert(text) if before else text  # alone, it is a message as it stands
        parameters = {**self.parameters, SEED: asked} if asked else self.parameters
        return Request(self.system, f"{before}{data}{behind}", parameters, provider)


def load_prompt(prompt: str) -> JudgePrompt:
    """The shipped prompt of that name, or the file at that path if it ends in `.toml`. Raises `ConfigError`."""
    own = prompt.endswith(".toml")
    folder = files("personastream") / "screens" / "prompts"
    names = sorted(each.name.removesuffix(".toml") for each in folder.iterdir() if each.name.endswith(".toml"))
    if not own and prompt not in names:
        hint = f"Shipped: {', '.join(names)}; the path of your own must end in .toml."
        raise ConfigError(f"prompt = {prompt!r} is not there", hint=hint)
    try:
        text = Path(prompt).read_text("utf-8-sig") if own else (folder / f"{prompt}.toml").read_text("utf-8")
        return _parsed(text, tomllib.loads(text))
    except OSError as error:
        hint = f"The path of your own, beside the configuration or absolute; shipped: {', '.join(names)}."
        raise ConfigError(f"prompt = {prompt!r} cannot be read: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise ConfigError(f"the prompt {prompt} cannot be used: {error}") from error


def _parsed(text: str, told: Mapping[str, Any]) -> JudgePrompt:
    """Raises `ValueError` that says what is wrong."""
    if unknown := sorted(told.keys() - KEYS):
        raise ValueError(f"there is no key {unknown[0]!r}; there may be {', '.join(sorted(KEYS))}")
    if told.get("format") not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}")
    if not isinstance(told.get("user"), str) or told["user"].count(SLOT) != 1:
        raise ValueError(f"user must be a text with one {SLOT} in it")
    categories, parameters = told.get("categories", {}), told.get("parameters", {})
    if not isinstance(categories, dict) or not all(
        isinstance(value, str) and value.isidentifier() for value in categories.values()
    ):
        raise ValueError("categories must be a table of labels and reasons, such as S1 = 'violent_crimes'")
    if not isinstance(parameters, dict) or not isinstance(told.get("system", ""), str):
        raise ValueError("parameters must be a table, system a text")
    digest = f"{xxhash.xxh3_64_intdigest(text.encode()):016x}"
    return JudgePrompt(told["format"], told["user"], told.get("system", ""), categories, parameters, digest)
