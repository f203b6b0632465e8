"""Finding templates: those shipped as data in `personastream/templates/`, and the user's own files."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from personastream.core.template import Template, parse_template
from personastream.errors import ConfigError

SUFFIX = ".toml"


def template_names() -> list[str]:
    """Names of the shipped templates, sorted."""
    folder = files("personastream") / "templates"
    return sorted(item.name.removesuffix(SUFFIX) for item in folder.iterdir() if item.name.endswith(SUFFIX))


def load_template(template: str, fills: Iterable[str] = (), may_fill: Iterable[str] = ()) -> Template:
    """Load the shipped template of that name or, where `template` ends in `.toml`, the file at that path.

    Its slots must be those that the recipe `fills`, and may be those that it `may_fill`. Raises `ConfigError` naming
    the template, file and key.
    """
    if template.endswith(SUFFIX):
        return parse_template(_read(Path(template)), template, fills, may_fill)
    names = template_names()
    if template not in names:
        nearest = get_close_matches(template, names, n=1)
        hint = f'did you mean "{nearest[0]}"? ' if nearest else ""
        hint += f"shipped templates: {', '.join(names)}; a path to your own must end in {SUFFIX}"
        raise ConfigError(f'no template is called "{template}"', hint=hint)
    shipped = files("personastream") / "templates" / f"{template}{SUFFIX}"
    return parse_template(shipped.read_text("utf-8"), shipped.name, fills, may_fill)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")  # editors on Windows may put a byte order mark first
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the template: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the template is not UTF-8 at byte {error.start}") from None
