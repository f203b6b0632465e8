"""Data in a page of Markdown with YAML before it: whatever a name holds, it is shown as it is and forms nothing."""

import json
import re

SHOWN_CHARACTERS_MAX = 120
_PLAIN = frozenset(" -+=/,;()%.")
_ADDRESS = re.compile(r"(?i)(?<=www)\.")
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def inert_markdown(text: str) -> str:
    """A text that stands for itself in Markdown, in a table too: no markup, link, HTML, line end or other direction."""
    shown = text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[: SHOWN_CHARACTERS_MAX - 1]}…"
    return _ADDRESS.sub("&#46;", "".join(map(_inert, shown)))


def _inert(character: str) -> str:
    if character.isascii():
        if character.isalnum() or character in _PLAIN:
            return character
        return f"&#{ord(character)};" if character.isprintable() else f"&#92;x{ord(character):02x}"
    return character if character.isprintable() else f"&#92;u{ord(character):04x}"


def yaml_text(text: str) -> str:
    """A text as a YAML scalar: JSON is YAML, but for a few characters that YAML does not allow to stand in it."""
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def json_block(document: object) -> str:
    """A document as JSON in a block of code that nothing in it can end."""
    return "```json\n" + json.dumps(document, indent=2, ensure_ascii=True).replace("`", "\\u0060") + "\n```"
