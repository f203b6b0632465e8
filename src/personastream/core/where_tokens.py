"""The words of a row filter: from text to tokens, each with its place."""

import re
from typing import Any, NamedTuple

CHARACTERS_MAX = 10_000
FUNCTIONS = ("length", "lower")

_WORDS = ("and", "or", "not", "in", "contains", "matches")
_CONSTANTS = {"true": True, "false": False, "null": None}
_MEANT = {"None": "null", "NULL": "null", "nil": "null", "undefined": "null"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_KEY = r"(?:[^\W\d]\w*|`[^`]+`)"
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<column>{_KEY}(?:\.{_KEY})*)
    | (?P<symbol>==|!=|<=|>=|[<>()\[\],])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_PARTS = re.compile(r"`([^`]+)`|([^.`]+)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_HINTS = {
    "=": "Write == to compare.",
    "&": "Write `and`.",
    "|": "Write `or`.",
    "!": "Write `not`.",
    '"': "The text in quotes does not end.",
    "'": "The text in quotes does not end.",
    "`": "The name in backticks does not end.",
}


class WhereError(ValueError):
    """An expression that cannot be read: `place` counts characters from 1, `what` and `hint` are for people."""

    def __init__(self, text: str, start: int, what: str, hint: str) -> None:
        self.place, self.what = start + 1, what
        shown = text[max(0, start - 30) : start + 30]
        marker = " " * min(start, 30) + "^"
        self.hint = "\n  ".join(line for line in (hint, shown.translate(_ONE_LINE), marker) if line)
        super().__init__(f"character {self.place}: {what}")


_ONE_LINE = dict.fromkeys([*range(32), 127], " ")


class Token(NamedTuple):
    """`kind` is literal, column, function, word, symbol or end; `start` counts characters from 0."""

    kind: str
    text: str
    start: int
    value: Any = None

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"character {self.start + 1}"

    @property
    def shown(self) -> str:
        """What it is, for people."""
        return "end" if self.kind == "end" else f"`{self.text[:40]}`"


def tokens(text: str) -> list[Token]:
    """All tokens, the last of them of kind `end`. Raises `WhereError`."""
    if len(text) > CHARACTERS_MAX:
        raise WhereError(text, CHARACTERS_MAX, f"longer than {CHARACTERS_MAX} characters", "")
    found: list[Token] = []
    at = 0
    while not found or found[-1].kind != "end":
        match = _TOKEN.match(text, at)
        if match is None:
            start = at + len(text[at:]) - len(text[at:].lstrip())
            hint = _HINTS.get(text[start], "Names with other characters than letters, digits and _ go in `backticks`.")
            raise WhereError(text, start, f"unexpected {text[start]!r}", hint)
        found.append(_token(text, match))
        at = match.end()
    return found


def _token(text: str, match: "re.Match[str]") -> Token:
    kind = str(match.lastgroup)
    word, start = match[kind], match.start(kind)
    if kind == "text":
        return Token("literal", word, start, _ESCAPE.sub(lambda one: _ESCAPES.get(one[1], one[1]), word[1:-1]))
    if kind == "number":
        return Token("literal", word, start, _number(text, word, start))
    if kind != "column":
        return Token(kind, word, start)
    if word in _CONSTANTS:
        return Token("literal", word, start, _CONSTANTS[word])
    if word in _WORDS:
        return Token("word", word, start)
    if word in FUNCTIONS and text[match.end() :].lstrip().startswith("("):
        return Token("function", word, start)
    meant = _MEANT.get(word, word.lower())
    if meant != word and meant in (*_WORDS, *_CONSTANTS):
        raise WhereError(text, start, f"unexpected `{word}`", f"Write `{meant}`, or the name of a column in backticks.")
    return Token("column", word, start, tuple(quoted or plain for quoted, plain in _PARTS.findall(word)))


def _number(text: str, word: str, start: int) -> int | float:
    try:
        value = float(word)
        if word.lstrip("-").isdigit():
            return int(word)
    except ValueError as error:  # more digits than Python is willing to read
        raise WhereError(text, start, "too many digits", "") from error
    if value in (float("inf"), float("-inf")):
        raise WhereError(text, start, "the number is too large", "")
    return value
