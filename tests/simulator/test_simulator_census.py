"""What the simulator remembers and counts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.simulator.census import Census, Stats
from personastream.simulator.dialect import Tokens
from tests.support.effort import tries


@settings(max_examples=tries(50))
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=40))
def test_asks_and_answers_are_counted_per_body(events: list[tuple[int, bool]]) -> None:
    census, asked, answered = Census(), dict.fromkeys(range(10), 0), set[int]()
    for key, is_answered in events:
        assert census.ask(key) == (asked[key], key in answered)
        asked[key] += 1
        if is_answered:
            census.mark(key, answered=True)
            answered.add(key)


def test_old_bodies_are_forgotten_but_never_the_last_ones() -> None:
    census = Census(bodies_max=10)
    for key in range(1000):
        assert census.ask(key) == (0, False)
        census.mark(key, answered=True)
        for recent in range(max(0, key - 3), key + 1):
            assert census.ask(recent)[1]
    assert census.ask(5) == (0, False)


def test_a_body_keeps_its_count_when_the_generation_changes_before_it_is_answered() -> None:
    census = Census(bodies_max=2)
    census.ask(1)
    census.ask(1)
    census.ask(2)
    census.ask(3)  # a new generation begins: 1 is in the old one
    census.mark(1, answered=True)
    assert census.ask(1) == (2, True)


def test_statistics_add_up() -> None:
    stats = Stats()
    stats.arrived(1.0, asked_before=False, answered_before=False)
    stats.arrived(2.0, asked_before=True, answered_before=False)
    stats.arrived(3.0, asked_before=True, answered_before=True)
    stats.ended("ok")
    stats.made(Tokens(10, 3, 20), whole=True)
    stats.made(Tokens(5, 0, 7), whole=False)
    stats.ended("500")
    shown = stats.snapshot()
    assert shown["outcomes"] == {"ok": 1, "500": 1}
    assert shown["arrivals"] == 3 == shown["in_flight"] + sum(shown["outcomes"].values())
    assert (shown["in_flight"], shown["in_flight_max"]) == (1, 3)
    assert (shown["repeats"], shown["repeats_of_answered"]) == (2, 1)
    assert (shown["input_tokens"], shown["output_tokens"]) == (10, 20)
    assert (shown["generated"], shown["generated_input_tokens"], shown["generated_output_tokens"]) == (2, 15, 27)
    assert shown["generated_cached_tokens"] == 3
    assert (shown["first_arrival_s"], shown["last_arrival_s"]) == (1.0, 3.0)
