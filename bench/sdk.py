"""The floor's work done with the official SDK: N workers on one iterator, but `AsyncOpenAI` does the asking.

    python -m bench.sdk SHARD.jsonl.zst OUTPUT.jsonl.zst BASE_URL [--in-flight 64]

Prints one JSON object: rows, wall seconds and CPU seconds after a warm-up of two requests per worker, because the
SDK takes seconds to import.
"""

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Iterator
from itertools import islice

import orjson
import uvloop
from openai import AsyncOpenAI

from bench import floor


async def work(rows: Iterator[bytes], client: AsyncOpenAI, output: floor.Output) -> None:
    """One of the workers: a row at a time until there are none."""
    for line in rows:
        user = floor.USER_BEFORE + orjson.loads(line)["persona"] + floor.USER_AFTER
        completion = await client.chat.completions.create(
            model="bench",
            messages=[{"role": "system", "content": floor.SYSTEM}, {"role": "user", "content": user}],
            temperature=0.8,
            max_tokens=256,
        )
        content, usage = completion.choices[0].message.content, completion.usage
        output.add(line, content or "", usage.model_dump() if usage else {})


async def work_all(rows: Iterator[bytes], output: floor.Output, base_url: str, in_flight: int) -> dict[str, float]:
    """Share `rows` among `in_flight` workers, which share a client; returns what that cost after the warm-up."""
    async with AsyncOpenAI(base_url=base_url, api_key="bench-key-0123456789", max_retries=0, timeout=600) as client:
        await _share(islice(rows, 2 * in_flight), client, output, in_flight)
        gc.collect()
        gc.freeze()
        before, started_s, cpu_s = output.rows, time.perf_counter(), time.process_time()
        await _share(rows, client, output, in_flight)
    return {
        "rows": output.rows - before,
        "wall_s": time.perf_counter() - started_s,
        "cpu_s": time.process_time() - cpu_s,
    }


async def _share(rows: Iterator[bytes], client: AsyncOpenAI, output: floor.Output, in_flight: int) -> None:
    async with asyncio.TaskGroup() as workers:
        for _ in range(in_flight):
            workers.create_task(work(rows, client, output))


def main() -> None:
    """Run it and say what it cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("base_url")
    parser.add_argument("--in-flight", type=int, default=64)
    options = parser.parse_args()
    with open(options.source, "rb") as file, open(options.target, "wb") as target:
        output = floor.Output(target)
        cost = uvloop.run(work_all(floor.lines(file), output, options.base_url, options.in_flight))
        output.close()
    print(json.dumps(cost))


if __name__ == "__main__":
    main()
