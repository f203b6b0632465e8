"""The answer that a reply ends in, and whether two answers are the same as far as that can be told without algebra."""

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Literal

Verdict = Literal["equal", "different", "unknown"]

ANSWER_CHARACTERS_MAX = 1_000
_DIGITS_MAX = 60
_EXPONENT_MAX = 40
_LONG_DECIMAL = 10  # digits of a float that was printed
_FLOAT_ERROR = Fraction(1, 10**9)

_ANSWER = re.compile(r"(?:answer|答案)[ \t*_]*(?:(?:is|为|是)[ \t*_]*)?[:：][ \t*_]*([^\n]*)", re.IGNORECASE)
_HASHES = re.compile(r"^[ \t]*####[ \t]*(\S[^\n]*)$", re.MULTILINE)
_BOXES = ("\\boxed", "\\fbox")

_WRAPPINGS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"))
_WORDS_IN = re.compile(r"\\(?:text|mbox|textbf|textrm|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}")
_SPACING = re.compile(r"\\[!,;: ]|~|\\q?quad\b|\\displaystyle\b")
_DEGREES = re.compile(r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|°|\\degree\b|\bdegrees?\b)")
_MONEY = re.compile(r"\\\$|[€£¥]|\bUSD\b")
_NAMED = re.compile(r"^(?:\\[A-Za-z]{2,8}|[A-Za-z]\w{0,3})(?:\([a-z]\))?\s*(?:=|\\in\b|:)\s*(?=\S)")
_UNIT = re.compile(
    r"^(-?[\d.,/]*\d|-?\\frac\s*\{\d+\}\s*\{\d+\})(?:\s+([A-Za-z][A-Za-z. ]+)|\s*(?:[ckm]m|kg|ft))(?:\^?\{?[23]\}?)?$"
)
_NO_UNITS = {"pi", "and", "or", "to", "mod"}
_GROUPED = re.compile(r"^-?\d{1,3}(?:,\d{3})+(?:\.\d+)?$")
_SYMBOLS = str.maketrans(
    {"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "π": "\\pi", "∞": "\\infty", "（": "(", "）": ")"}
)

_NUMBER = re.compile(r"^([+-]?)(\d*)(?:\.(\d+))?(?:e([+-]?\d{1,4})|(?:\*|\\times|\\cdot)10\^\{?([+-]?\d{1,4})\}?)?$")
_RATIO = re.compile(r"^([+-]?)(?:(\d+) ?(?=\\frac))?\\frac(?:\{([+-]?\d+)\}|(\d))(?:\{(\d+)\}|(\d))$")
_SLASHED = re.compile(r"^([+-]?\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)$")
_MIXED = re.compile(r"^([+-]?)(\d+) (\d+)/(\d+)$")
_IN_BASE = re.compile(r"^([0-9A-F]+)(?:_\{?(\d{1,2})\}?)?$")
_LETTER_CHOICE = re.compile(r"^\(([A-Za-z])\)$")
_PROSE = re.compile(r"^[^\W\d_]{2,}(?:[ '’-]+[^\W\d_]+)*$")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_FUNCTIONS = {
    *("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "log", "exp", "sqrt", "abs"),
    *("max", "min", "gcd", "lcm", "mod", "pmod", "and"),
}
_OPEN, _CLOSE = "([{", ")]}"


def final_answer(reply: str) -> str:
    """The answer that a reply gives last: behind `Answer:`, in a box, or behind `####`; "" if there is none."""
    found = [*_ANSWER.finditer(reply)]
    if found:
        stated = found[-1][1].strip() or _next_line(reply, found[-1].end())
        answer = boxed(stated) or stated
    else:
        hashes = _HASHES.findall(reply)
        answer = boxed(reply) or (hashes[-1] if hashes else "")
    answer = answer.strip().strip("*").strip()
    return answer if len(answer) <= ANSWER_CHARACTERS_MAX else ""


def boxed(text: str) -> str:
    """What stands in the last `\\boxed{…}` of a text; "" if nothing does."""
    start = max(text.rfind(box) for box in _BOXES)
    brace = text.find("{", start) if start >= 0 else -1
    if brace < 0 or text[start:brace].strip() not in _BOXES:
        return ""
    depth = 0
    for place in range(brace, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[brace + 1 : place].strip()
    return ""


def reference_answer(text: str) -> str:
    """The answer in a data set's column: what stands behind `####` or in a box, else all of it."""
    hashes = _HASHES.findall(text)
    return hashes[-1].strip() if hashes else boxed(text) or text.strip()


def _next_line(text: str, start: int) -> str:
    lines = (line.strip() for line in text[start:].split("\n"))
    return next((line for line in lines if line and line not in ("$$", "\\[", "**")), "")


def plain(answer: str) -> str:
    """An answer as an expression alone: without wrappings, units, names of what is asked for, and spacing."""
    text = answer.strip()[:ANSWER_CHARACTERS_MAX].translate(_SYMBOLS)
    text = boxed(text) or text
    text = _unwrapped(text.rstrip(".").strip()).rstrip(".")
    text = _SPACING.sub(" ", text).replace("{,}", ",").replace("\\left", "").replace("\\right", "")
    text = re.sub(r"\\[dtc]frac", r"\\frac", text).replace("**", "^")
    text = _WORDS_IN.sub(r" \1 ", text)
    text = _DEGREES.sub("", _MONEY.sub("", text)).replace("$", "")
    text = _NAMED.sub("", text.strip())
    unit = _UNIT.match(text)
    if unit and (unit[2] or "unit").split()[0].lower() not in _NO_UNITS:
        text = unit[1]
    choice = _LETTER_CHOICE.match(text)
    return choice[1] if choice else " ".join(text.split())


def _unwrapped(text: str) -> str:
    for opens, closes in _WRAPPINGS:
        inner = text[len(opens) : -len(closes)]
        if len(text) > len(opens) + len(closes) and text.startswith(opens) and text.endswith(closes):
            return text if opens in inner else _unwrapped(inner.strip())
    return text


def quick_verdict(first: str, second: str) -> Verdict:
    """Whether two answers are the same, by their wording, as numbers, or as lists of numbers."""
    one, other = plain(first), plain(second)
    if not one or not other:
        return "unknown"
    if _same_words(one, other):
        return "equal"
    numbers = number(one), number(other)
    if numbers[0] is not None and numbers[1] is not None:
        return _same_number(one, numbers[0], other, numbers[1])
    return _same_in_base(one, other) or _same_list(one, other)


def is_prose(answer: str) -> bool:
    """Whether an answer is words, in which algebra would see products of letters."""
    return _PROSE.match(plain(answer)) is not None


def has_words(answer: str) -> bool:
    """Whether an answer has words in it that algebra would make something else of."""
    return any(word.lower() not in _FUNCTIONS for word in _WORD.findall(plain(answer)))


def number(text: str) -> Fraction | None:
    """The rational number that a plain answer is, whether it is a percentage or not; None if it is none."""
    text = text.removesuffix("%").removesuffix("\\").strip()
    if len(text) > 2 * _DIGITS_MAX:
        return None
    if _GROUPED.match(text):
        text = text.replace(",", "")
    compact = text.replace(" ", "")
    if found := _NUMBER.match(compact):
        return _decimal(*found.groups(default=""))
    if found := _RATIO.match(text):
        sign, whole, *parts = found.groups(default="")
        above, below = int(parts[0] or parts[1]), int(parts[2] or parts[3])
        value = None if below == 0 else int(whole or 0) + Fraction(above, below)
        return value if value is None or sign != "-" else -value
    if found := _MIXED.match(text):
        sign, whole, above_text, below_text = found.groups()
        below = int(below_text)
        value = None if below == 0 else int(whole) + Fraction(int(above_text), below)
        return value if value is None or sign != "-" else -value
    if found := _SLASHED.match(compact):
        divisor = Fraction(found[2])
        return Fraction(found[1]) / divisor if divisor else None
    return None


def _decimal(sign: str, whole: str, part: str, exponent: str, power: str) -> Fraction | None:
    shift = int(exponent or power or 0)
    if not (whole or part) or len(whole) + len(part) > _DIGITS_MAX or abs(shift) > _EXPONENT_MAX:
        return None
    value = Fraction(int(f"{whole}{part}"), 10 ** len(part)) * Fraction(10) ** shift
    return -value if sign == "-" else value


def _same_words(one: str, other: str) -> bool:
    one, other = "".join(one.split()), "".join(other.split())
    return one == other or (_PROSE.match(one) is not None and one.casefold() == other.casefold())


def _same_number(one: str, value: Fraction, other: str, another: Fraction) -> Verdict:
    if value == another:
        return "equal"
    if (one.endswith("%") and value / 100 == another) or (other.endswith("%") and another / 100 == value):
        return "equal"  # the problem may ask for a percentage or a share; the answer says which it is
    printed = any(len(re.sub(r"\D", "", each.partition(".")[2])) >= _LONG_DECIMAL for each in (one, other))
    close = abs(value - another) <= _FLOAT_ERROR * max(abs(value), abs(another))
    return "equal" if printed and close else "different"


def _same_in_base(one: str, other: str) -> Verdict | None:
    """For numbers with a base, which one of them may leave out: the problem has named it."""
    first, second = _IN_BASE.match(one), _IN_BASE.match(other)
    bases = {found[2] for found in (first, second) if found} - {None}
    if not first or not second or not bases:
        return None
    return "equal" if first[1] == second[1] and len(bases) == 1 else "different"


def _same_list(one: str, other: str) -> Verdict:
    """Lists in brackets are the same item by item; without brackets, in any order."""
    ends, items = _taken_apart(one)
    other_ends, other_items = _taken_apart(other)
    if min(len(items), len(other_items)) < 2 or ends != other_ends:
        return "unknown"
    if len(items) != len(other_items):
        return "different" if all(number(each) is not None for each in (*items, *other_items)) else "unknown"
    if not ends:
        values = [[value for each in those if (value := number(each)) is not None] for those in (items, other_items)]
        if len(values[0]) < len(items) or len(values[1]) < len(items):
            return "unknown"
        return "equal" if sorted(values[0]) == sorted(values[1]) else "different"
    verdicts = [quick_verdict(*pair) for pair in zip(items, other_items, strict=True)]
    if "different" in verdicts:
        return "different"
    return "equal" if set(verdicts) == {"equal"} else "unknown"


def _taken_apart(text: str) -> tuple[str, Sequence[str]]:
    """The brackets around a list, and its items."""
    ends = ""
    if text[0] in "([" and text[-1] in ")]" and _closes_at_end(text):
        ends, text = text[0] + text[-1], text[1:-1]
    return ends, [item.strip() for item in _items(text)]


def _items(text: str) -> Iterator[str]:
    """Pieces between commas that stand in no brackets."""
    depth = start = 0
    for place, character in enumerate(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if character == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def _closes_at_end(text: str) -> bool:
    depth = 0
    for place, character in enumerate(text):
        depth += (character in _OPEN) - (character in _CLOSE)
        if depth == 0:
            return place == len(text) - 1
    return False
