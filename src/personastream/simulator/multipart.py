"""Forms as `multipart/form-data` (RFC 7578), the way clients upload files. Pure."""

from collections.abc import Mapping
from email.message import Message
from typing import NamedTuple

from personastream.simulator.dialect import InvalidRequest

PARTS_MAX = 64


class Part(NamedTuple):
    """One field of a form; `filename` is empty unless it is a file."""

    content: bytes
    filename: str = ""


def parse_form(content_type: bytes, body: bytes) -> Mapping[str, Part]:
    """The fields of a form by name. Raises `InvalidRequest`."""
    boundary = _parameters(content_type.decode("latin-1"))
    if boundary.get_content_type() != "multipart/form-data" or not boundary.get_boundary():
        raise InvalidRequest("The body must be multipart/form-data with a boundary.")
    mark = b"\r\n--" + str(boundary.get_boundary()).encode("latin-1")
    pieces = (b"\r\n" + body).split(mark, PARTS_MAX)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise InvalidRequest("The form ends too early.")
    return dict(_part(piece) for piece in pieces[1:-1])


def _part(piece: bytes) -> tuple[str, Part]:
    head, empty_line, content = piece.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.decode("utf-8", "replace").partition(":")
        if name.strip().lower() == "content-disposition":
            disposition = _parameters(value.strip())
            field = disposition.get_param("name")
            if empty_line and isinstance(field, str):
                return field, Part(content, str(disposition.get_param("filename") or ""))
    raise InvalidRequest("A part of the form has no name.")


def _parameters(value: str) -> Message:
    """A header value whose parameters can be asked for; those of Content-Disposition read the same."""
    message = Message()
    message["content-type"] = value.replace("\r", " ").replace("\n", " ") if "/" in value else f"x/{value}"
    return message
