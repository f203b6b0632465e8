"""Whether a reply keeps a constraint: one function a kind, over the stripped reply and the constraint's value. Pure."""

import re
from collections.abc import Mapping

import orjson

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_SENTENCE = re.compile(r"[^.!?。！？…।؟۔\n]*\w[^.!?。！？…।؟۔\n]*")
_GAP = re.compile(r"\n\s*\n")
_BULLET = re.compile(r"^\s*[-*•]\s+\S", re.MULTILINE)
_NUMBERED = re.compile(r"^\s*(\d{1,3})[.):]\s+\S", re.MULTILINE)
_SECTION = re.compile(r"^[\s*_#]*Part (\d{1,2})\b", re.MULTILINE)
_SEPARATOR = re.compile(r"^\s*\*{6}\s*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]+\]")
_EMPHASISED = re.compile(r"(?<!\*)\*(?!\s)[^*\n]+(?<!\s)\*(?!\*)")
_QUESTION = re.compile("[?？؟]")
_QUOTES = ('""', "“”", "„“", "«»", "「」")

SCRIPTS: Mapping[str, re.Pattern[str]] = {
    "Chinese": re.compile("[\u3400-\u4dbf\u4e00-\u9fff]"),
    "Russian": re.compile("[\u0400-\u04ff]"),
    "Greek": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "Arabic": re.compile("[\u0600-\u06ff\u0750-\u077f]"),
    "Korean": re.compile("[\uac00-\ud7af\u1100-\u11ff]"),
    "Hindi": re.compile("[\u0900-\u097f]"),
}
"""Languages that can be told by their script."""

_SCRIPT_SHARE_MIN = 0.7


def words_min(reply: str, value: str) -> bool:
    """At least so many words."""
    return len(_WORD.findall(reply)) >= int(value)


def words_max(reply: str, value: str) -> bool:
    """At most so many words, but some."""
    return 0 < len(_WORD.findall(reply)) <= int(value)


def sentences_max(reply: str, value: str) -> bool:
    """At most so many sentences, but some."""
    return 0 < len(_SENTENCE.findall(reply)) <= int(value)


def paragraphs(reply: str, value: str) -> bool:
    """So many pieces between empty lines."""
    return len([piece for piece in _GAP.split(reply) if piece.strip()]) == int(value)


def bullets(reply: str, value: str) -> bool:
    """So many lines that begin with a hyphen, or with what stands for one."""
    return len(_BULLET.findall(reply)) == int(value)


def numbered(reply: str, value: str) -> bool:
    """Lines numbered from 1 to the value, each number once and in order."""
    return [int(number) for number in _NUMBERED.findall(reply)] == list(range(1, int(value) + 1))


def sections(reply: str, value: str) -> bool:
    """Parts numbered from 1 to the value, in order."""
    return [int(number) for number in _SECTION.findall(reply)] == list(range(1, int(value) + 1))


def two_answers(reply: str, _: str) -> bool:
    """Two pieces around one line of asterisks, which differ."""
    pieces = [piece.strip() for piece in _SEPARATOR.split(reply)]
    return len(pieces) == 2 and all(pieces) and pieces[0] != pieces[1]


def keyword(reply: str, value: str) -> bool:
    """The word, whatever its case."""
    return _times(reply, value) >= 1


def keyword_twice(reply: str, value: str) -> bool:
    """The word, twice and no more."""
    return _times(reply, value) == 2


def word_absent(reply: str, value: str) -> bool:
    """Not the word, whatever its case."""
    return _times(reply, value) == 0


def begins(reply: str, value: str) -> bool:
    """These words come first."""
    return reply.lstrip('*_#"“ ').startswith(value)


def ends(reply: str, value: str) -> bool:
    """These words come last."""
    return reply.rstrip('*_"” ').endswith(value)


def postscript(reply: str, _: str) -> bool:
    """A line that begins with P.S., and something behind it."""
    return re.search(r"^[\s*_]*P\.\s?S\.[\s*_:]*\w", reply, re.MULTILINE) is not None


def lower_case(reply: str, _: str) -> bool:
    """Letters, and no capital among them."""
    return any(map(str.isalpha, reply)) and reply == reply.lower()


def upper_case(reply: str, _: str) -> bool:
    """Letters, and none but capitals where the script has them."""
    return any(map(str.isalpha, reply)) and reply == reply.upper()


def no_commas(reply: str, _: str) -> bool:
    """No comma of any script."""
    return not set(",，、،") & set(reply)


def no_questions(reply: str, _: str) -> bool:
    """No question mark of any script."""
    return _QUESTION.search(reply) is None


def quoted(reply: str, _: str) -> bool:
    """Quotation marks around all of it."""
    return len(reply) > 2 and any(reply[0] == pair[0] and reply[-1] == pair[1] for pair in _QUOTES)


def placeholders(reply: str, value: str) -> bool:
    """At least so many of them."""
    return len(_PLACEHOLDER.findall(reply)) >= int(value)


def emphasis(reply: str, value: str) -> bool:
    """At least so many pieces between single asterisks."""
    return len(_EMPHASISED.findall(reply)) >= int(value)


def is_json(reply: str, _: str) -> bool:
    """One JSON object, fenced or not."""
    if reply.startswith("```") and reply.endswith("```"):
        reply = reply[3:-3].removeprefix("json")
    try:
        return isinstance(orjson.loads(reply), dict)
    except orjson.JSONDecodeError:
        return False


def in_script(reply: str, value: str) -> bool:
    """Most letters are of the language's script."""
    letters = sum(map(str.isalpha, reply))
    return letters > 0 and len(SCRIPTS[value].findall(reply)) >= _SCRIPT_SHARE_MIN * letters


def _times(reply: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", reply, re.IGNORECASE))
