"""How an adapter declares its configuration: a frozen dataclass whose fields are made by `setting`."""

from collections.abc import Callable
from dataclasses import MISSING, field
from typing import Any

CREDENTIALS = "$CREDENTIALS_DIRECTORY/"
"""With this begins the name of a file that systemd hands to a service; it is no path relative to anything."""


def setting(
    doc: str,
    *,
    default: Any = MISSING,
    default_factory: Callable[[], Any] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    identity: bool = True,
    path: bool = False,
) -> Any:
    """A configuration key: one sentence of documentation, its default (none: the key is required) and its bounds.

    `minimum` and `maximum` are inclusive. `identity` is true if the key shapes the output, so that a resume under
    another value is refused; limits and addresses are not identity and may change between sittings. `path` marks file
    names, which are taken relative to the configuration file.
    """
    metadata = {
        "doc": doc,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "identity": identity,
        "path": path,
    }
    if default_factory is not None:
        return field(default_factory=default_factory, metadata=metadata)
    return field(default=default, metadata=metadata)
