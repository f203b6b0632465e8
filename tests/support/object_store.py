"""An S3 server on this machine, as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.request import Request, urlopen

PROGRAM = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running server; `env` is what makes programs find it."""

    url: str
    process: "subprocess.Popen[bytes]"

    @property
    def env(self) -> Mapping[str, str]:
        """For processes that are to read from it."""
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        return {
            **keys,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def put(self, path: str, content: bytes = b"") -> None:
        """Make a bucket, or an object in one."""
        headers = {"Content-Type": "application/octet-stream", "x-amz-acl": "public-read-write"}
        with urlopen(Request(f"{self.url}/{path}", content, headers, method="PUT"), timeout=10) as reply:
            assert reply.status == 200


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A server without anything in it, for as long as the block lasts."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            assert process.stdout is not None
            yield ObjectStore(f"http://127.0.0.1:{int(process.stdout.readline())}", process)
        finally:
            process.kill()
