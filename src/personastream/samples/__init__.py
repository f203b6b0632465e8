"""Sample personas of our own: a grammar that makes any number of them, and a few thousand shipped as shards.

Persona `i` of a seed depends on those two numbers alone, the same on every Python and machine: no random number
generator is involved, only xxh3 of the counter.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import chain, cycle, islice, product
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

Slots = Mapping[str, tuple[str, ...]]

_SEPARATOR = re.compile(r"\s*[|\n]\s*")
_SLOT = re.compile(r"\{(?:([aA]) )?(\w+)\}")
_AN = re.compile(r"(?!eu|one|uni|use)[aeiou]|heir|honest|hour", re.IGNORECASE)


class Form(NamedTuple):
    """A sentence to be filled: `{}` in `layout` for each slot, and every slot's options."""

    layout: str
    slots: tuple[tuple[str, ...], ...]


def personas(count: int, seed: int = 0, *, start: int = 0) -> list[str]:
    """Personas `start` to `start + count - 1` of the endless series named by `seed` (0 to 2**64 - 1)."""
    made, choices = [], forms()
    for number in range(start, start + count):
        bits = xxh3_64_intdigest(number.to_bytes(8, "little"), seed)
        bits, pick = divmod(bits, len(choices))
        layout, slots = choices[pick]
        words = []
        for options in slots:
            bits, pick = divmod(bits, len(options))
            words.append(options[pick])
        made.append(layout.format(*words))
    return made


@cache
def forms() -> tuple[Form, ...]:
    """All sentences of the grammar, each as often as its weight says."""
    grammar = tomllib.loads((files(__name__) / "grammar.toml").read_text("utf-8"))
    shared, found = _resolve(grammar["slots"]), []
    for domain in grammar["domain"]:
        own = _resolve({"role": domain["roles"], "topic": domain["topics"]})
        slots = {**shared, **own, "place": shared[domain.get("places", "place")]}
        for pattern in grammar["pattern"]:
            found += [_form(pattern["text"], slots)] * pattern["weight"]
    for language in grammar["language"]:
        slots = _resolve(language["slots"])
        for pattern in language["patterns"]:
            found += [_form(pattern, slots)] * language["weight"]
    return tuple(found)


def _form(pattern: str, slots: Slots) -> Form:
    wanted = [_articled(article, slots[name]) for article, name in _SLOT.findall(pattern)]
    return Form(_SLOT.sub("{}", pattern), tuple(wanted))


def _articled(article: str, options: tuple[str, ...]) -> tuple[str, ...]:
    """`options` with "a" or "an" before each, spelt like `article`; as they are if that is empty."""
    if not article:
        return options
    return tuple(f"{article}n {option}" if _AN.match(option) else f"{article} {option}" for option in options)


def _resolve(texts: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Every slot's options as plain strings, in equal shares whatever the options hold."""

    def expand(name: str) -> tuple[str, ...]:
        parts = [_filled(option, {slot: expand(slot) for _, slot in _SLOT.findall(option)}) for option in split(name)]
        longest = max(len(part) for part in parts)
        return tuple(chain.from_iterable(islice(cycle(part), longest) for part in parts))

    def split(name: str) -> list[str]:
        return _SEPARATOR.split(texts[name].strip())

    return {name: expand(name) for name in texts}


def _filled(option: str, slots: Slots) -> list[str]:
    """All ways to fill the slots of `option`."""
    form = _form(option, slots)
    return [form.layout.format(*words) for words in product(*form.slots)]
