"""The text of a reply, a function of the seed and of what was asked. Pure, but for reading the shipped templates."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from statistics import fmean
from typing import NamedTuple

from personastream.core.constraints import found_in
from personastream.simulator import phrases_zh
from personastream.simulator.answers import (
    DIALOGUE,
    AnswerStock,
    Composer,
    DemandingStock,
    DialogueStock,
    LinesStock,
    demands_in,
    turns_in,
)
from personastream.simulator.draws import FOR_REPLY, FOR_SENTENCES, QUANTILES, draw, following, lognormal
from personastream.simulator.mathematics import stock_for
from personastream.simulator.people import OPENING, PeopleStock, labels_in
from personastream.simulator.phrases import BANKS, CHAT, PLAIN, STYLES, Style

BYTES_PER_TOKEN = 4
"""A common rule of thumb for English text."""

PERSONA_CHARS_MAX = 200
_LENGTH_SIGMA = 0.35
_LEADS, _CLOSINGS, _SENTENCES = 512, 512, 2048  # powers of two, so that a number's bits choose evenly
_PROMPTS_REMEMBERED, _STOCKS_KEPT = 64, 16
BLOCKS = (("<persona>\n", "\n</persona>"), ("<text>\n", "\n</text>"))


class Reply(NamedTuple):
    """A reply's text, why it ends (`stop`, `length` or `content_filter`) and its length in tokens."""

    text: str | None
    finish_reason: str
    tokens: int


class Prompt(NamedTuple):
    """A prompt taken apart: the persona, or the text, and the instructions around it; `bare`, if it has no block."""

    persona: str
    instructions: str
    bare: bool = False


@lru_cache(maxsize=1)
def shipped_openings() -> tuple[str, ...]:
    """The reply openings of the templates in `personastream/templates`, in order of their file names."""
    folder = files("personastream") / "templates"
    texts = [entry.read_text("utf-8") for entry in sorted(folder.iterdir(), key=str) if entry.name.endswith(".toml")]
    openings = (tomllib.loads(text).get("reply", {}).get("opening", "") for text in texts)
    return tuple(dict.fromkeys(opening for opening in openings if opening))


@lru_cache(maxsize=1)
def shipped_lines() -> Mapping[str, tuple[str, ...]]:
    """By opening, how lines of the reply must begin, for shipped templates that say so."""
    folder = files("personastream") / "templates"
    replies = [
        tomllib.loads(entry.read_text("utf-8")).get("reply", {})
        for entry in sorted(folder.iterdir(), key=str)
        if entry.name.endswith(".toml")
    ]
    return {reply["opening"]: tuple(reply["lines"]) for reply in replies if reply.keys() >= {"opening", "lines"}}


def take_apart(system: str, user: str) -> Prompt:
    """Find the persona: what stands between the lines of one of `BLOCKS`, else the end of the message."""
    for opens, closes in BLOCKS:
        start, end = user.find(opens), user.rfind(closes)
        if 0 <= start <= end:
            return Prompt(user[start + len(opens) : end], f"{user[:start]}\n{user[end:]}\n{system}")
    return Prompt(user[-PERSONA_CHARS_MAX:].strip(), f"{user}\n{system}", bare=True)


def block_start(user: str) -> int:
    """Where the first block with a row's content starts; 0 without one."""
    return min((place for opens, _ in BLOCKS if (place := user.find(opens)) >= 0), default=0)


def token_count(text: str) -> int:
    """Tokens of a text by the rule of thumb, rounded up."""
    size_bytes = len(text) if text.isascii() else len(text.encode())
    return -(-size_bytes // BYTES_PER_TOKEN)


def cut_to(text: str, tokens_max: int) -> str:
    """The longest beginning of `text` that has at most `tokens_max` tokens."""
    if token_count(text) <= tokens_max:
        return text
    return text.encode()[: tokens_max * BYTES_PER_TOKEN].decode(errors="ignore")


def cut_reply(text: str, tokens_max: int | None) -> Reply:
    """A reply with this text, or with what `tokens_max` leaves of it."""
    tokens = token_count(text)
    if tokens_max is None or tokens <= tokens_max:
        return Reply(text, "stop", tokens)
    return Reply(cut_to(text, tokens_max), "length", tokens_max)


class Writer:
    """Writes replies that start with the opening the instructions name, mention the persona and vary in length.

    Lengths are lognormal around `tokens_mean`, but no reply has less than a lead, a sentence and a closing.
    """

    def __init__(self, seed: int, tokens_mean: int, openings: tuple[str, ...], wrong_solutions: float = 0.0) -> None:
        self._seed = seed
        self._wrong_solutions = wrong_solutions
        self._bytes_wanted = lognormal(tokens_mean * BYTES_PER_TOKEN, _LENGTH_SIGMA)
        self._openings = openings
        self._stock = lru_cache(maxsize=_PROMPTS_REMEMBERED)(self._find_stock)

    def write(self, key: int, prompt: Prompt, tokens_max: int | None, tokens_wanted: int | None = None) -> Reply:
        """The reply for a request with the 64-bit hash `key`, cut at `tokens_max` tokens.

        If its length is given as `tokens_wanted`, it has about that, and no more.
        """
        number = draw(key, FOR_REPLY, self._seed)
        bytes_wanted = self._bytes_wanted[number % QUANTILES]
        if tokens_wanted is not None:
            bytes_wanted = tokens_wanted * BYTES_PER_TOKEN
        stock = self._stock(prompt.instructions, prompt.bare)
        text = stock.compose(prompt.persona, number, bytes_wanted)
        if tokens_wanted is not None and isinstance(stock, _Stock):  # a list of people is whole or none
            text = cut_to(text, tokens_wanted)
        return cut_reply(text, tokens_max)

    def _find_stock(self, instructions: str, bare: bool) -> Composer:
        solutions = stock_for(instructions, self._wrong_solutions)
        if solutions is not None:
            return solutions
        found = [(place, opening) for opening in self._openings if (place := instructions.find(opening)) >= 0]
        opening = min(found)[1] if found else ""
        chinese = phrases_zh.is_chinese(instructions)
        if opening == OPENING:
            return PeopleStock(labels_in(instructions))
        if opening == DIALOGUE:
            return DialogueStock(_stock("", self._seed, chinese=False, style=CHAT), turns_in(instructions))
        if not opening and bare:
            chat, constraints = _stock("", self._seed, chinese=False, style=CHAT), found_in(instructions)
            return AnswerStock(chat, constraints) if constraints else chat
        stock: Composer = _stock(opening, self._seed, chinese)
        if opening not in STYLES and opening in shipped_lines():
            stock = LinesStock(_stock("", self._seed, chinese=False, style=CHAT), shipped_lines()[opening], opening)
        demands = demands_in(instructions)
        return DemandingStock(stock, demands) if demands else stock


class _Stock:
    """Ready sentences for one opening: a reply takes a lead, every n-th of the sentences from somewhere, a closing."""

    def __init__(self, opening: str, style: Style, banks: Mapping[str, Sequence[str]], seed: int) -> None:
        words = _Words(draw(0, FOR_SENTENCES, seed), banks)
        start = f"{opening} " if opening else ""
        leads = [words.fill(style.lead).partition("{persona}") for _ in range(_LEADS)]
        closings = [words.fill(style.close) for _ in range(_CLOSINGS)]
        self._gap = style.gap
        self._leads = [(_joined(start, before), bool(mentions), after) for before, mentions, after in leads]
        self._closings = [text if text.startswith("\n") else f"{style.gap}{text}" for text in closings]
        self._sentences = [words.fill(style.body) for _ in range(_SENTENCES)]
        self._sentence_bytes = fmean(len(text.encode()) for text in self._sentences) + len(style.gap)

    def compose(self, persona: str, number: int, bytes_wanted: float) -> str:
        """A text about `persona` of some `bytes_wanted` bytes, chosen by the bits of `number` from the tenth up."""
        before, mentions, after = self._leads[(number >> 10) % _LEADS]
        closing = self._closings[(number >> 19) % _CLOSINGS]
        pieces = [f"{before}{_mention(persona)}{after}" if mentions else before]
        sentences, first, step = self._sentences, number >> 28, (number >> 39) | 1  # odd: no sentence comes twice
        count = max(1, round((bytes_wanted - len(pieces[0]) - len(closing)) / self._sentence_bytes))
        pieces += [sentences[(first + place * step) % _SENTENCES] for place in range(count)]
        return self._gap.join(pieces) + closing


@lru_cache(maxsize=_STOCKS_KEPT)
def _stock(opening: str, seed: int, chinese: bool, style: Style | None = None) -> _Stock:
    if style is not None:
        return _Stock(opening, style, BANKS, seed)
    if chinese and opening in phrases_zh.STYLES:
        return _Stock(opening, phrases_zh.STYLES[opening], phrases_zh.BANKS, seed)
    return _Stock(opening, STYLES.get(opening, PLAIN), BANKS, seed)


def _joined(start: str, text: str) -> str:
    return start.rstrip() + text if text.startswith("\n") else start + text


class _Words:
    """Fills the slots of patterns with words, drawn one after another; the persona's slot stays."""

    def __init__(self, state: int, banks: Mapping[str, Sequence[str]]) -> None:
        self._state = state
        self._banks = banks

    def fill(self, patterns: Sequence[str]) -> str:
        text = self._pick(patterns).format_map(self)
        return text[0].upper() + text[1:]

    def _pick(self, words: Sequence[str]) -> str:
        self._state = following(self._state)
        return words[(self._state >> 32) % len(words)]

    def __getitem__(self, slot: str) -> str:
        return "{persona}" if slot == "persona" else self._pick(self._banks[slot])


def _mention(persona: str) -> str:
    """The persona as the end of a sentence: on one line, not too long, without the stop."""
    line = " ".join(persona[: 2 * PERSONA_CHARS_MAX].split())
    if len(line) > PERSONA_CHARS_MAX:
        line = line[:PERSONA_CHARS_MAX].rsplit(" ", 1)[0]
    line = line.rstrip(" .") or "someone of whom nothing is said"
    first, space, rest = line.partition(" ")
    return f"{first.lower()}{space}{rest}" if first in ("A", "An", "The") else line
