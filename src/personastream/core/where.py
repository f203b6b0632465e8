"""Row filters: a small expression over the columns of a row, compiled to closures.

    occupation in ["nurse", "surgeon"] and age >= 30 and not (`general domain (top 1 percent)` == "None")

The law: an expression never fails on a row, whatever the row holds. A missing column is null; values of different
kinds are never equal, and compare as neither less nor greater; a condition holds only if it is true. Nothing in an
expression is ever Python code. Text patterns are those of RE2, which takes linear time on every text.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from personastream.core.columns import column
from personastream.core.where_tokens import Token, WhereError, tokens

DEPTH_MAX = 50
PATTERN_BYTES_MAX = 8 << 20  # what RE2 may use for one compiled pattern

Row = Mapping[str, Any]
Value = Callable[[Row], Any]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class Where:
    """A compiled expression. `columns` are the paths it looks at, each as a tuple of keys."""

    columns: frozenset[tuple[str, ...]]
    _condition: Value

    def __call__(self, row: Row) -> bool:
        """Whether the row is wanted."""
        return self._condition(row) is True


def compile_where(text: str) -> Where:
    """Compile an expression. Raises `WhereError`, which says where in the text it is wrong."""
    parser = _Parser(text)
    condition = parser.whole()
    return Where(frozenset(parser.columns), condition)


@dataclass(frozen=True, slots=True)
class _Node:
    """Part of an expression: what computes it, and its value if that is the same for all rows."""

    value: Value
    literal: bool = False

    @property
    def constant(self) -> Any:
        """The value of a literal."""
        return self.value({})


class _Parser:
    """Recursive descent, one method a level of precedence."""

    def __init__(self, text: str) -> None:
        self.columns: set[tuple[str, ...]] = set()
        self._text = text
        self._tokens = tokens(text)
        self._at = self._depth = 0

    def whole(self) -> Value:
        node = self._either()
        if self._token.kind != "end":
            raise self._wrong(self._token, f"unexpected {self._token.shown}", "Join conditions with `and` or `or`.")
        return node.value

    def _either(self) -> _Node:
        return self._joined("or", self._both, _either)

    def _both(self) -> _Node:
        return self._joined("and", self._negation, _both)

    def _joined(self, word: str, part: Callable[[], _Node], join: Callable[[Value, Value], Value]) -> _Node:
        nodes = [part()]
        while self._take("word", word):
            nodes.append(part())
        return nodes[0] if len(nodes) == 1 else _Node(_halved([node.value for node in nodes], join))

    def _negation(self) -> _Node:
        token = self._token
        if not self._take("word", "not"):
            return self._comparison()
        inner = self._nested(token, self._negation).value
        return _Node(lambda row: inner(row) is not True)

    def _comparison(self) -> _Node:
        left = self._operand()
        word = self._operator()
        if word is None:
            return left
        token = self._token
        right = self._operand()
        if (again := self._token) and self._operator() is not None:
            raise self._wrong(again, "a second comparison", "Write `a < b and b < c`, not `a < b < c`.")
        return _Node(self._compared(word, left, right, token))

    def _operator(self) -> str | None:
        token = self._token
        if token.kind == "symbol" and token.text in ("==", "!=", *_ORDER):
            self._at += 1
            return token.text
        if token.kind == "word" and token.text == "not" and self._tokens[self._at + 1].text == "in":
            self._at += 2
            return "not in"
        if token.kind == "word" and token.text in ("in", "contains", "matches"):
            self._at += 1
            return token.text
        return None

    def _compared(self, word: str, left: _Node, right: _Node, token: Token) -> Value:
        if word in _ORDER:
            return _ordered(_ORDER[word], left.value, right)
        if word == "matches":
            return self._matched(left.value, right, token)
        if word == "contains":
            return _contained(right, left)
        if word in ("in", "not in"):
            inside = _contained(left, right)
            return inside if word == "in" else lambda row: not inside(row)
        same = _same_as(left.value, right.constant) if right.literal else _equal(left.value, right.value)
        return same if word == "==" else lambda row: not same(row)

    def _matched(self, value: Value, pattern: _Node, token: Token) -> Value:
        import re2

        if not pattern.literal or not isinstance(pattern.constant, str):
            raise self._wrong(
                token, "`matches` needs a pattern in quotes", 'For example: occupation matches "nurs(e|ing)".'
            )
        options = re2.Options()
        options.max_mem, options.log_errors = PATTERN_BYTES_MAX, False
        try:
            search = re2.compile(pattern.constant, options).search
        except re2.error as error:
            what = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
            hint = "RE2's syntax: no back references, no look-around."
            raise self._wrong(token, f"the pattern is wrong: {what}", hint) from error
        return lambda row: isinstance(text := value(row), str) and search(text) is not None

    def _operand(self) -> _Node:
        token = self._token
        self._at += 1
        if token.kind == "literal":
            return _literal(token.value)
        if token.kind == "column":
            return self._column(token)
        if token.text == "(":
            node = self._nested(token, self._either)
            self._expect(")", token)
            return _Node(node.value)
        if token.text == "[":
            return self._list(token)
        if token.kind == "function":
            self._expect("(", token)
            node = self._nested(token, self._operand)
            self._expect(")", token)
            return _Node(_FUNCTIONS[token.text](node.value))
        what = "the expression ends too early" if token.kind == "end" else f"unexpected {token.shown}"
        raise self._wrong(token, what, 'A column, "text", a number, true, false, null or a [list] belongs here.')

    def _column(self, token: Token) -> _Node:
        path: tuple[str, ...] = token.value
        self.columns.add(path)
        key = path[0]
        if len(path) == 1:
            return _Node(lambda row: row.get(key))
        return _Node(lambda row: column(row, path))

    def _list(self, opening: Token) -> _Node:
        items: list[Any] = []
        while not self._take("symbol", "]"):
            token = self._token
            if items and not self._take("symbol", ","):
                raise self._wrong(
                    token, f"unexpected {token.shown} in the list that starts at {opening.place}", _LIST_HINT
                )
            token = self._token
            if token.kind != "literal":
                raise self._wrong(token, f"unexpected {token.shown} in a list", _LIST_HINT)
            items.append(token.value)
            self._at += 1
        return _literal(items)

    def _nested(self, token: Token, part: Callable[[], _Node]) -> _Node:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise self._wrong(token, f"nested more than {DEPTH_MAX} levels deep", "Write it flatter: `x in [a, b, c]`.")
        node = part()
        self._depth -= 1
        return node

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _take(self, kind: str, text: str) -> bool:
        taken = (self._token.kind, self._token.text) == (kind, text)
        self._at += taken
        return taken

    def _expect(self, symbol: str, opening: Token) -> None:
        if not self._take("symbol", symbol):
            what = f"`{symbol}` is missing for {opening.shown} at {opening.place}"
            raise self._wrong(self._token, what, "")

    def _wrong(self, token: Token, what: str, hint: str) -> WhereError:
        return WhereError(self._text, token.start, what, hint)


_LIST_HINT = 'A list holds values with commas between them: ["a", "b"].'


def _halved(conditions: Sequence[Value], join: Callable[[Value, Value], Value]) -> Value:
    """All of them joined, as a tree that is no deeper than it has to be."""
    if len(conditions) == 1:
        return conditions[0]
    half = len(conditions) // 2
    return join(_halved(conditions[:half], join), _halved(conditions[half:], join))


def _either(one: Value, other: Value) -> Value:
    return lambda row: one(row) is True or other(row) is True


def _both(one: Value, other: Value) -> Value:
    return lambda row: one(row) is True and other(row) is True


def _literal(value: Any) -> _Node:
    return _Node(lambda row: value, literal=True)


def _kind(value: object) -> object:
    """Values of one kind can be compared; a boolean is no number."""
    return float if type(value) is int else type(value)


def _same(left: Any, right: Any) -> bool:
    try:
        if isinstance(left, list) and isinstance(right, list):
            return len(left) == len(right) and all(map(_same, left, right))
        return _kind(left) is _kind(right) and bool(left == right)
    except RecursionError:  # two columns, nested without end
        return False


def _same_as(value: Value, constant: Any) -> Callable[[Row], bool]:
    if isinstance(constant, str):
        return lambda row: bool(value(row) == constant)  # nothing but a text equals a text
    return lambda row: _same(value(row), constant)


def _equal(left: Value, right: Value) -> Callable[[Row], bool]:
    return lambda row: _same(left(row), right(row))


def _ordered(compare: Callable[[Any, Any], bool], left: Value, right: _Node) -> Value:
    if right.literal and _kind(right.constant) is float:
        limit = right.constant
        return lambda row: (type(one := left(row)) is int or type(one) is float) and compare(one, limit)

    def holds(row: Row) -> bool:
        one, other = left(row), right.value(row)
        kind = _kind(one)
        return (kind is float or kind is str) and kind is _kind(other) and compare(one, other)

    return holds


def _contained(item: _Node, whole: _Node) -> Callable[[Row], bool]:
    """Whether a value is in a list, or a text in a text."""
    value, inside = item.value, whole.value
    if whole.literal and isinstance(whole.constant, list) and all(isinstance(one, str) for one in whole.constant):
        texts = frozenset(whole.constant)
        return lambda row: isinstance(one := value(row), str) and one in texts

    def holds(row: Row) -> bool:
        one, many = value(row), inside(row)
        if isinstance(many, str):
            return isinstance(one, str) and one in many
        return isinstance(many, list) and any(_same(one, each) for each in many)

    return holds


def _length(value: Value) -> Value:
    return lambda row: len(each) if isinstance(each := value(row), str | list) else None


def _lower(value: Value) -> Value:
    return lambda row: each.lower() if isinstance(each := value(row), str) else None


_FUNCTIONS: dict[str, Callable[[Value], Value]] = {"length": _length, "lower": _lower}
