"""A batch in real time."""

import asyncio
from functools import partial
from time import monotonic

from personastream.simulator.batching import Batch
from personastream.simulator.queueing import Queueing


def queueing(step_s: float) -> tuple[Queueing, Batch]:
    batch = Batch()
    batch.change(slots=1, queue_max=0, step_s=step_s, growth_s=0.0)
    return Queueing(batch, asyncio.get_running_loop()), batch


def test_sequences_call_back_in_their_order() -> None:
    async def main() -> None:
        queue, batch = queueing(0.0005)
        ended: list[int] = []
        for number in range(5):
            queue.add(3, partial(ended.append, number))
        last = asyncio.Event()
        queue.add(3, last.set)
        await asyncio.wait_for(last.wait(), 30)
        assert ended == [0, 1, 2, 3, 4]
        assert batch.running == batch.waiting == 0

    asyncio.run(main())


def test_what_is_removed_does_not_call_back_even_when_it_had_just_ended() -> None:
    async def main() -> None:
        queue, batch = queueing(0.02)
        ended: list[str] = []
        first = queue.add(1, lambda: ended.append("first"))
        second = queue.add(10**9, lambda: ended.append("second"))
        due_s = batch.next_s() or 0.0
        while monotonic() <= due_s:  # without the loop: its timer must not come first
            continue
        queue.remove(first)
        queue.remove(second)
        assert ended == []
        assert batch.running == batch.waiting == 0

    asyncio.run(main())
