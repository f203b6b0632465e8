"""The smallest program that does the whole job: read personas, ask for each, write the answers.

    python -m bench.floor SHARD.jsonl.zst OUTPUT.jsonl.zst BASE_URL [--in-flight 64]

Rows are pulled from one iterator by N workers, which share one aiohttp session; answers are compressed 256 at a time.
There are no commits, limits, retries or duplicates: what the engine costs above this is the price of its promises.
Prints one JSON object: rows, wall seconds, CPU seconds (user and system) of the whole process.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from typing import BinaryIO

import aiohttp
import orjson
import uvloop
import xxhash
import zstandard
from yarl import URL

CHUNK_BYTES = 1 << 20
ROWS_PER_WRITE = 256
SYSTEM = "Each answer is exact, brief and honest and it suits its readers. " * 12
USER_BEFORE = "Math problem: write one that the person below would meet in a week of work.\n<persona>\n"
USER_AFTER = "\n</persona>"
PARAMETERS = {"temperature": 0.8, "max_tokens": 256}


def lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a compressed file, without line feeds."""
    reader, tail = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True), b""
    while chunk := reader.read(CHUNK_BYTES):
        *whole, tail = (tail + chunk).split(b"\n")
        yield from whole
    if tail:
        yield tail


def body(model: str, line: bytes) -> bytes:
    """The request that asks for one row."""
    user = USER_BEFORE + orjson.loads(line)["persona"] + USER_AFTER
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}]
    return orjson.dumps({"model": model, "messages": messages, **PARAMETERS})


class Output:
    """Compressed JSON lines, written a few hundred at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self.rows = 0
        self._writer = zstandard.ZstdCompressor(level=3).stream_writer(file)
        self._waiting: list[bytes] = []

    def add(self, line: bytes, content: str, usage: dict[str, object]) -> None:
        """Take the answer to one row."""
        row = {"id": xxhash.xxh3_64_hexdigest(line), "text": content, "usage": usage}
        self._waiting.append(orjson.dumps(row))
        self.rows += 1
        if len(self._waiting) >= ROWS_PER_WRITE:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        if self._waiting:
            self._flush()
        self._writer.flush(zstandard.FLUSH_FRAME)

    def _flush(self) -> None:
        self._writer.write(b"\n".join(self._waiting) + b"\n")
        self._waiting.clear()


async def work(rows: Iterator[bytes], session: aiohttp.ClientSession, url: URL, output: Output) -> None:
    """One of the workers: a row at a time until there are none."""
    for line in rows:
        async with session.post(url, data=body("bench", line)) as response:
            content = await response.read()
            if response.status != 200:
                raise RuntimeError(f"status {response.status}")
        reply = orjson.loads(content)
        output.add(line, reply["choices"][0]["message"]["content"], reply["usage"])


async def work_all(rows: Iterator[bytes], output: Output, base_url: str, in_flight: int) -> None:
    """Share `rows` among `in_flight` workers, which share a session."""
    url = URL(base_url + "/chat/completions")
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=600),
        headers={"Content-Type": "application/json", "Authorization": "Bearer bench"},
    )
    async with session, asyncio.TaskGroup() as workers:
        for _ in range(in_flight):
            workers.create_task(work(rows, session, url, output))


def answer(source: str, target: str, base_url: str, in_flight: int) -> int:
    """Answer every row of the file `source` into the file `target`; returns how many."""
    with open(source, "rb") as file, open(target, "wb") as target_file:
        output = Output(target_file)
        uvloop.run(work_all(lines(file), output, base_url, in_flight))
        output.close()
    return output.rows


def main() -> None:
    """Run it and say what it cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("base_url")
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    started_s = time.perf_counter()
    rows = answer(options.source, options.target, options.base_url, options.in_flight)
    result = {"rows": rows, "wall_s": time.perf_counter() - started_s, "cpu_s": time.process_time()}
    with open(options.source, "rb") as file:
        assert rows == sum(1 for _ in lines(file)), f"{rows} rows came out, others went in"
    print(json.dumps(result))


if __name__ == "__main__":
    main()
