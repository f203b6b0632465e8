"""What is wanted of jobs: the file that keeps it, and what each verb makes of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.serve import wanted
from personastream.serve.course import state_of
from personastream.serve.view import ENDED, JobState
from personastream.serve.wanted import Ending, NotWanted, Wanted, Wish, wanted_of
from tests.support.effort import tries

NEW = Wanted(1, "2026-01-01T00:00:00Z", "/base", "/root/runs/math")
VERBS: dict[str, Callable[[Wanted], Wanted]] = {
    "pause": wanted.paused,
    "stop": wanted.stopped,
    "resume": wanted.resumed,
    "cancel": wanted.cancelled,
    "retry": lambda job: wanted.retried(job, ()),
}
endings = st.none() | st.builds(
    Ending, st.sampled_from(sorted(ENDED)), st.text(), st.integers(0, 255), st.text(), st.text()
)
jobs = st.builds(
    Wanted,
    order=st.integers(0, 2**40),
    submitted=st.text(),
    base=st.text(),
    directory=st.text(),
    priority=st.integers(-100, 100),
    weight=st.floats(0.001, 1000.0),
    wish=st.sampled_from(Wish),
    spend_max=st.none() | st.floats(0, 1e9),
    started=st.text(),
    revive=st.booleans(),
    reasons=st.lists(st.text()).map(tuple),
    ending=endings,
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=tries(25))
@given(jobs)
def test_what_is_written_is_read_again(job: Wanted) -> None:
    assert wanted_of(orjson.loads(orjson.dumps(job.document()))) == job


@settings(max_examples=tries(25))
@given(st.data())
def test_anything_else_is_a_value_error_at_most(data: st.DataObject) -> None:
    document: Any = NEW.document()
    for key in data.draw(st.lists(st.sampled_from(sorted(document)))):
        document[key] = data.draw(plain)
    try:
        found = wanted_of(document)
    except ValueError:
        return
    assert isinstance(found, Wanted)


@given(plain)
def test_nonsense_is_a_value_error(document: object) -> None:
    with pytest.raises(ValueError, match="it "):
        wanted_of(document)


@given(st.lists(st.sampled_from(sorted(VERBS))))
def test_whatever_people_say_cancelled_is_the_last_word_but_for_an_end(verbs: list[str]) -> None:
    job, is_cancelled = NEW, False
    for verb in verbs:
        try:
            job = VERBS[verb](job)
        except NotWanted:
            continue
        assert not is_cancelled or verb == "cancel"
        is_cancelled = verb == "cancel"
    assert (job.wish is Wish.CANCEL) == is_cancelled


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        (JobState.DONE, {"retry"}),
        (JobState.FAILED, {"resume", "retry", "cancel"}),
        (JobState.CANCELLED, set()),
    ],
)
def test_what_may_be_done_to_a_job_that_has_ended(state: JobState, allowed: set[str]) -> None:
    ended = replace(NEW, ending=Ending(state, "now"))
    found = set()
    for name, verb in VERBS.items():
        try:
            after = verb(ended)
        except NotWanted:
            continue
        found.add(name)
        assert after.ending is None or name == "cancel"
    assert found == allowed


def test_reasons_add_up_and_none_means_all() -> None:
    one = wanted.retried(NEW, ("length",))
    assert (one.revive, one.reasons) == (True, ("length",))
    assert wanted.retried(one, ("contract", "length")).reasons == ("length", "contract")
    everything = wanted.retried(one, ())
    assert (everything.revive, everything.reasons) == (True, ())
    assert wanted.retried(everything, ("length",)).reasons == ()


@given(jobs, st.booleans(), st.booleans(), st.booleans())
def test_a_job_has_one_state_and_an_end_shows_when_no_sitting_is_left(
    job: Wanted, sits: bool, waits: bool, ending_soon: bool
) -> None:
    state = state_of(job, sits=sits, phase=JobState.RUNNING, waits=waits, ending_soon=ending_soon)
    assert (state in ENDED) == (job.ending is not None and not sits)
    assert state is not JobState.RUNNING or (sits and job.wish is Wish.RUN)
    assert state is not JobState.STOPPING or sits
