"""Continuous batching, against a simulation that takes every step one by one."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.simulator.batching import Batch
from tests.support.effort import tries


def batch(slots: int, queue_max: int = 0, step_s: float = 1.0, growth_s: float = 0.0) -> Batch:
    made = Batch()
    made.change(slots=slots, queue_max=queue_max, step_s=step_s, growth_s=growth_s)
    return made


def ends(made: Batch) -> dict[int, float]:
    """When each sequence ends if nothing else comes."""
    found: dict[int, float] = {}
    while (next_s := made.next_s()) is not None:
        for ticket in made.finished(next_s + 1e-9):
            found[ticket] = next_s
    return found


def stepwise(tokens: list[int], slots: int, step_s: float, growth_s: float) -> dict[int, float]:
    """The same, token by token: all come at time 0."""
    waiting, running, now_s, found = deque(enumerate(tokens)), dict[int, int](), 0.0, dict[int, float]()
    while waiting or running:
        while waiting and len(running) < slots:
            ticket, left = waiting.popleft()
            running[ticket] = left
        now_s += step_s + growth_s * len(running)
        running = {ticket: left - 1 for ticket, left in running.items()}
        found.update((ticket, now_s) for ticket, left in running.items() if left == 0)
        running = {ticket: left for ticket, left in running.items() if left}
    return found


@settings(max_examples=tries(50))
@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(1, 6), st.floats(0, 0.5))
def test_sequences_end_when_a_server_that_steps_would_end_them(tokens: list[int], slots: int, growth_s: float) -> None:
    made = batch(slots, growth_s=growth_s)
    for ticket, each in enumerate(tokens):
        made.add(ticket, each, 0.0)
    assert ends(made) == pytest.approx(stepwise(tokens, slots, 1.0, growth_s), abs=1e-6)
    assert made.running == made.waiting == 0


def test_the_queue_is_first_come_first_served() -> None:
    made = batch(1)
    for ticket in range(3):
        made.add(ticket, 5, 0.0)
    assert (made.running, made.waiting) == (1, 2)
    assert made.finished(4.9) == []
    assert made.finished(10.1) == [0, 1]
    assert (made.running, made.waiting) == (1, 0)


def test_a_fuller_batch_is_slower_for_all() -> None:
    alone, crowd = batch(8, growth_s=0.5), batch(8, growth_s=0.5)
    alone.add(0, 10, 0.0)
    for ticket in range(4):
        crowd.add(ticket, 10, 0.0)
    assert ends(alone)[0] == pytest.approx(15)
    assert ends(crowd)[0] == pytest.approx(30)


def test_one_that_comes_later_slows_those_that_run() -> None:
    made = batch(8, growth_s=1.0)
    made.add(0, 10, 0.0)  # 2 s a token
    assert made.finished(10.0) == []  # half done
    made.add(1, 100, 10.0)  # from now on 3 s a token
    assert made.next_s() == pytest.approx(25.0)


def test_removing_makes_room() -> None:
    made = batch(1)
    for ticket in range(3):
        made.add(ticket, 10, 0.0)
    made.remove(1)
    assert made.waiting == 1
    assert made.finished(4.0) == []
    made.remove(0)
    assert ends(made) == {2: pytest.approx(14.0)}


def test_a_full_queue_says_so() -> None:
    made = batch(1, queue_max=2)
    for ticket in range(3):
        assert not made.is_full()
        made.add(ticket, 10, 0.0)
    assert made.is_full()
    made.change(slots=2, queue_max=2, step_s=1.0, growth_s=0.0)
    assert not made.is_full()


def test_idle_time_gives_nothing() -> None:
    made = batch(1)
    assert made.finished(100.0) == []
    made.add(0, 5, 100.0)
    assert made.next_s() == pytest.approx(105.0)
    assert made.finished(106.0) == [0]
    assert made.finished(200.0) == []
    made.add(1, 5, 200.0)
    assert made.next_s() == pytest.approx(205.0)
