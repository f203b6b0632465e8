"""Text files that shape prompts: settings of games, and files of demonstrations or partners, one JSON object a line."""

import gzip
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson
import zstandard

from personastream.core.demonstrations import Demonstration
from personastream.errors import ConfigError

BYTES_MAX = 64 << 20
_PIECE_BYTES = 1 << 14
SETTING_SUFFIX = ".txt"
SETTING_CHARACTERS_MAX = 60_000
PERSONA_KEYS = ("persona", "input persona", "input text")
TEXT_KEYS = ("text", "synthesized text")
"""Names of columns; the later ones are those of this program's own records."""


class Line(NamedTuple):
    """A JSON object and where it stands."""

    place: str
    values: dict[str, Any]


def read_demonstrations(path: str) -> list[Demonstration]:
    """Rows with a `text` (or `synthesized text`) and perhaps a `persona` (or `input persona`). Raises `ConfigError`."""
    found = []
    for place, values in _lines(path):
        text = _column(place, values, TEXT_KEYS)
        if not text:
            raise ConfigError(f"{place}: no text", hint='A demonstration is {"persona": "…", "text": "…"}.')
        found.append(Demonstration(_column(place, values, PERSONA_KEYS), text))
    return found


def read_personas(path: str) -> list[str]:
    """The `persona` of each row. Raises `ConfigError`."""
    found = []
    for place, values in _lines(path):
        persona = _column(place, values, PERSONA_KEYS)
        if not persona:
            raise ConfigError(f"{place}: no persona", hint='Each line is {"persona": "…"}.')
        found.append(persona)
    return found


def read_setting(name: str) -> str:
    """A shipped setting, by name, or the text file at a path. Raises `ConfigError`."""
    folder = files("personastream") / "templates" / "settings"
    shipped = sorted(item.name.removesuffix(SETTING_SUFFIX) for item in folder.iterdir())
    if not name.endswith(SETTING_SUFFIX) and name not in shipped:
        hint = f"Shipped settings: {', '.join(shipped)}; the path of your own must end in {SETTING_SUFFIX}."
        raise ConfigError(f"setting: none is called {name!r}", hint=hint)
    file = folder / f"{name}{SETTING_SUFFIX}" if name in shipped else Path(name)
    try:
        text = file.read_text("utf-8").removeprefix("\ufeff").strip()
    except OSError as error:
        raise ConfigError(f"setting: cannot read {name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"setting: {name} is not UTF-8 at byte {error.start}") from None
    if not 0 < len(text) <= SETTING_CHARACTERS_MAX:
        hint = f"A setting has 1 to {SETTING_CHARACTERS_MAX} characters."
        raise ConfigError(f"setting: {name} has {len(text)} characters", hint=hint)
    return text


def _lines(path: str) -> Iterator[Line]:
    for number, line in enumerate(_read(path).split(b"\n"), 1):
        if line.strip():
            place = f"{path}: line {number}"
            try:
                values = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise ConfigError(f"{place}: not valid JSON: {error}") from None
            if not isinstance(values, dict):
                raise ConfigError(f"{place}: not a JSON object")
            yield Line(place, values)


def _read(path: str) -> bytes:
    """A whole file, decompressed if its name says that it is compressed."""
    try:
        with Path(path).open("rb") as file:
            if path.endswith(".zst"):
                content = _decompressed(file)
            elif path.endswith(".gz"):
                content = gzip.GzipFile(fileobj=file).read(BYTES_MAX + 1)
            else:
                content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None
    except (EOFError, zstandard.ZstdError) as error:
        raise ConfigError(f"{path} is damaged: {error}") from None
    if len(content) > BYTES_MAX:
        raise ConfigError(f"{path} has more than {BYTES_MAX} bytes", hint="Take a sample of it.")
    return content.removeprefix(b"\xef\xbb\xbf")


def _decompressed(file: IO[bytes]) -> bytes:
    """All zstd frames of a file. Raises `EOFError` if it ends within one: no reader of the library tells."""
    content, frame = bytearray(), None
    while len(content) <= BYTES_MAX and (piece := file.read(_PIECE_BYTES)):
        while piece:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            content += frame.decompress(piece)
            piece = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
    if frame is not None and len(content) <= BYTES_MAX:
        raise EOFError("it ends within a frame")
    return bytes(content)


def _column(place: str, values: dict[str, Any], keys: tuple[str, ...]) -> str:
    """The text under the first of `keys` that is there, without surrounding space; "" if none is."""
    key = next((key for key in keys if key in values), "")
    text = values.get(key, "")
    if text is None:
        return ""
    if not isinstance(text, str):
        raise ConfigError(f"{place}: `{key}` is no text")
    return text.strip()
