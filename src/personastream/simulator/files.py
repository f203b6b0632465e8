"""Files as OpenAI's API keeps them, in memory. Pure: time is an argument."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from orjson import dumps

from personastream.simulator.api_error import ApiError
from personastream.simulator.dialect import InvalidRequest
from personastream.simulator.multipart import parse_form

FILES_BYTES_MAX = 1 << 30
PURPOSES = {"batch", "user_data"}


class File(NamedTuple):
    """A file; `created_at` is in seconds since 1970."""

    id: str
    filename: str
    purpose: str
    content: bytes
    created_at: int

    def shown(self) -> dict[str, Any]:
        """What the API tells of it."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "expires_at": None,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class Files:
    """Keeps files by id. `tag` tells the ids of one server from those of another."""

    def __init__(self, tag: int) -> None:
        self._tag = tag
        self._files: dict[str, File] = {}
        self._made = 0
        self._bytes = 0

    def upload(self, content_type: bytes, body: bytes, *, bytes_max: int, wall_s: float) -> File:
        """Take a form with a file and its purpose. Raises `ApiError`."""
        try:
            form = parse_form(content_type, body)
        except InvalidRequest as flaw:
            raise ApiError(400, flaw.message) from None
        purpose = form["purpose"].content.decode("utf-8", "replace") if "purpose" in form else ""
        if purpose not in PURPOSES:
            raise ApiError(400, f"'purpose' must be one of: {', '.join(sorted(PURPOSES))}.", param="purpose")
        if "file" not in form or not form["file"].filename:
            raise ApiError(400, "'file' must be a file.", param="file")
        if len(form["file"].content) > bytes_max:
            raise ApiError(413, f"The file is larger than {bytes_max} bytes.", param="file")
        return self.add(form["file"].filename, purpose, form["file"].content, wall_s)

    def add(self, filename: str, purpose: str, content: bytes, wall_s: float) -> File:
        """Keep a file. Raises `ApiError` when there is no room."""
        if self._bytes + len(content) > FILES_BYTES_MAX:
            raise ApiError(413, "The files take up all the room there is: delete some.")
        self._made += 1
        self._bytes += len(content)
        file = File(f"file-{self._tag:08x}{self._made:08x}", filename, purpose, content, int(wall_s))
        self._files[file.id] = file
        return file

    def get(self, file_id: str) -> File:
        """The file of that id. Raises `ApiError`."""
        if file_id not in self._files:
            raise ApiError(404, f"No such File object: {file_id[:100]}", param="id")
        return self._files[file_id]

    def delete(self, file_id: str) -> Mapping[str, Any]:
        """Forget a file, and say so. Raises `ApiError`."""
        file = self.get(file_id)
        del self._files[file_id]
        self._bytes -= len(file.content)
        return {"id": file_id, "object": "file", "deleted": True}

    def listed(self) -> bytes:
        """All files, the newest first."""
        data = [file.shown() for file in reversed(self._files.values())]
        return dumps({"object": "list", "data": data, "has_more": False})
