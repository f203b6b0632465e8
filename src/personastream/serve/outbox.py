"""Messages that wait to be delivered: one small file each, so that no kill loses one.

Law: a message is in its folder, whole, before `put` returns, and until it is delivered or given up. `put` costs a
write and a rename; making files survive a power cut is left to `sync`, which may take its time.
"""

import os
import re
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

MESSAGE_BYTES_MAX = 64 << 10
MESSAGES_MAX = 1000
"""For each target; beyond, the oldest are given up."""

_NAME = re.compile(r"(?P<id>(?P<at_ms>\d{13})-[0-9a-f]{16})\.(?P<target>[0-9a-f]{12})\.json\Z")


@dataclass(slots=True)
class Message:
    """What one target is to be told. `id` is the same for all targets, and at each attempt."""

    id: str
    target: str
    at_s: float = field(compare=False)
    body: bytes = field(compare=False)
    tries: int = field(default=0, compare=False)
    due_s: float = field(default=0.0, compare=False)
    is_on_disk: bool = field(default=True, compare=False)

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.id}.{self.target}.json"


class Outbox:
    """A folder of messages."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, body: bytes, targets: Iterable[str]) -> list[Message]:
        """Keep a message for each target. Where the disk refuses, it is kept in memory alone."""
        at_s = time.time()
        id = f"{int(at_s * 1000):013d}-{secrets.token_hex(8)}"
        messages = [Message(id, target, at_s, body) for target in targets]
        for message in messages:
            message.is_on_disk = self._write(message)
        return messages

    def waiting(self) -> list[Message]:
        """All messages that an earlier process has left, the oldest first. What is no message is left alone."""
        try:
            names = sorted(os.listdir(self._folder))
        except OSError:
            return []
        found = (self._read(name) for name in names)
        return [message for message in found if message is not None]

    def drop(self, message: Message) -> None:
        """It is delivered, or given up."""
        with suppress(OSError):
            (self._folder / message.name).unlink()

    def sync(self, messages: Iterable[Message]) -> None:
        """Make messages survive a power cut; those that could not be written are written now. Blocks."""
        for message in messages:
            message.is_on_disk = message.is_on_disk or self._write(message)
            for path, flags in ((self._folder / message.name, os.O_RDONLY), (self._folder, os.O_DIRECTORY)):
                with suppress(OSError):
                    descriptor = os.open(path, flags)
                    try:
                        os.fsync(descriptor)
                    finally:
                        os.close(descriptor)

    def _write(self, message: Message) -> bool:
        path = self._folder / message.name
        temporary = path.with_suffix(".tmp")
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            temporary.write_bytes(message.body)
            temporary.replace(path)
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            return False
        return True

    def _read(self, name: str) -> Message | None:
        matched = _NAME.match(name)
        if matched is None:
            if name.endswith(".tmp"):  # an earlier process was killed as it wrote
                with suppress(OSError):
                    (self._folder / name).unlink()
            return None
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                body = file.read(MESSAGE_BYTES_MAX + 1)
        except OSError:
            return None
        if not 0 < len(body) <= MESSAGE_BYTES_MAX:
            return None
        return Message(matched["id"], matched["target"], int(matched["at_ms"]) / 1000, body)
