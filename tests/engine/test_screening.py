"""Screens at work in the engine: what they see, what becomes of rows, and what happens when they cannot judge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from personastream.core.pace import Pace
from personastream.core.retry import Health, RetryPolicy
from personastream.engine.endpoint import Endpoint
from personastream.engine.screening import NOT_SAMPLED, UNSCREENED
from personastream.errors import (
    AttemptError,
    ProviderDown,
    ProviderRejected,
    Refused,
    RequestsRefused,
    RowError,
    RunError,
    Unauthorized,
    Unreachable,
)
from personastream.launch.revival import revive, with_reasons
from personastream.ports import Ask
from personastream.records import Completion, Request, Row
from personastream.testing import Echo, ScriptedProvider
from tests.support.adapters import Forbidden
from tests.support.virtual import Bench, duration_s, on_virtual_clock

ROWS = [[f"row {row}{' bad' if row % 4 == 0 else ''}" for row in range(40)]]
BAD = sorted(f"shard-0:{row}" for row in range(0, 40, 4))


@dataclass
class Nested:
    """Two records a row, with texts in every place, and columns of the row."""

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        reply = (await ask(Request("", row.text, {}))).text
        meta = {"model": "bad model", "origin": {"id": "bad:1", "meta.root": "bad:2", "job": ["bad job"]}}
        return [
            {
                "messages": [{"role": "user", "content": reply}, {"bad key": [reply, 7, None]}],
                "description": "bad",
                "synthetic": True,
                "meta": dict(meta),
            },
            {"synthesized text": "fine", "meta": dict(meta)},
        ]


@dataclass
class Screened(Bench):
    """A bench with a second provider, that only the screen asks."""

    judge: ScriptedProvider = field(default_factory=lambda: ScriptedProvider(in_flight_max=100))

    def endpoints(self) -> list[Endpoint]:
        now_s = anyio.current_time()
        pace = Pace(self.workers, adaptive=False, now_s=now_s)
        health = Health(self.retry, now_s)
        named = Endpoint(self.judge, pace, health, label="127.0.0.1:9 guard", name="judge", reserved=True)
        return [named, *super().endpoints()]


def dropped(bench: Bench) -> dict[str, int]:
    return dict(bench.statistics.committed.dropped)


def documents(bench: Bench) -> list[dict[str, Any]]:
    return sorted(bench.sink.documents(), key=lambda record: int(record["id"].partition(":")[2].partition("#")[0]))


@pytest.mark.parametrize(("on", "asked"), [("row", 30), ("reply", 40), ("both", 30)])
def test_a_row_that_is_found_out_is_dropped(on: str, asked: int) -> None:
    bench = Bench(ROWS, screens=[Forbidden(word="bad", on=on)])
    assert bench.sit().finished
    assert dropped(bench) == {"adapters_found": 10}
    assert not set(bench.delivered()) & set(BAD)
    assert len(bench.delivered()) == 30
    assert len(bench.provider.requests) == asked
    assert bench.statistics.committed_usage.requests == asked


def test_dropped_rows_are_not_dead_ones() -> None:
    texts = [["bad"] * 1000]
    assert Bench(texts, screens=[Forbidden(word="bad")], dead_share_max=0.0).sit().finished


def test_marks_take_the_place_of_what_is_found_before_anything_is_asked() -> None:
    bench = Bench(ROWS, screens=[Forbidden(word="bad", policy="redact")])
    assert bench.sit().finished
    assert len(bench.delivered()) == 40
    assert not [request for request in bench.provider.requests if "bad" in request.user]
    first = documents(bench)[0]
    assert first == {"id": "shard-0:0", "input persona": "row 0 [word]", "synthesized text": "row 0 [word]"}


def test_texts_are_redacted_wherever_they_stand_and_nothing_else_is() -> None:
    bench = Bench([["row bad"]], recipe=Nested(), screens=[Forbidden(word="bad", policy="redact", on="reply")])
    assert bench.sit().finished
    first, second = documents(bench)
    meta = {"model": "bad model", "origin": {"id": "bad:1", "meta.root": "bad:2", "job": ["[word] job"]}}
    assert first["id"] == "shard-0:0#0"
    assert first["messages"] == [
        {"role": "user", "content": "row [word]"},
        {"[word] key": ["row [word]", 7, None]},
    ]
    assert (first["description"], first["synthetic"], first["meta"]) == ("bad", True, meta)
    assert second["meta"] == meta


def test_one_bad_record_of_several_drops_the_row() -> None:
    bench = Bench([["row bad", "row good"]], recipe=Nested(), screens=[Forbidden(word="row bad", on="reply")])
    assert bench.sit().finished
    assert bench.delivered() == ["shard-0:1#0", "shard-0:1#1"]


def test_flagged_records_tell_of_it() -> None:
    bench = Bench(ROWS, screens=[Forbidden(word="bad", policy="flag")])
    assert bench.sit().finished
    flags = {record["id"]: record["meta"]["screens"] for record in documents(bench) if "meta" in record}
    assert flags == {each: {"adapters": ["found"]} for each in BAD}


def test_a_screen_sees_what_the_one_before_has_left() -> None:
    screens = [Forbidden(word="bad", policy="redact"), Forbidden(word="bad"), Forbidden(word="[word]", policy="flag")]
    bench = Bench(ROWS, screens=screens)
    assert bench.sit().finished
    assert len(bench.delivered()) == 40
    assert sum("meta" in record for record in documents(bench)) == 10


def test_what_is_judged_as_a_row_is_not_judged_again_as_a_part_of_the_record() -> None:
    screen = Forbidden(word="bad")
    assert Bench([["good"]], screens=[screen]).sit().finished
    assert screen.judged == ["good"]


def test_a_sampled_screen_judges_its_share_and_records_say_so() -> None:
    def run() -> list[dict[str, Any]]:
        bench = Bench([["good"] * 400], screens=[Forbidden(word="bad", sample=0.25)])
        assert bench.sit().finished
        return documents(bench)

    found = run()
    left_out = [record for record in found if record.get("meta") == {"screens": {"adapters": NOT_SAMPLED}}]
    assert 250 < len(left_out) < 350
    assert all("meta" not in record for record in found if record not in left_out)
    assert run() == found


def test_requests_of_the_recipe_do_not_go_to_a_reserved_provider() -> None:
    bench = Screened(ROWS, screens=[Forbidden(word="bad", asks="judge")])
    assert bench.sit().finished
    assert {request.provider for request in bench.judge.requests} == {"judge"}
    assert {request.provider for request in bench.provider.requests} == {""}
    assert len(bench.provider.requests) == 30


def failing(error: Callable[[], AttemptError]) -> ScriptedProvider:
    return ScriptedProvider(fault=lambda request, asked: error())


class Nonsense(ScriptedProvider):
    async def complete(self, request: Request) -> Completion:
        return (await super().complete(request))._replace(text="nonsense")


@pytest.mark.parametrize(
    ("error", "raised"), [(Unreachable, ProviderDown), (Unauthorized, ProviderRejected)], ids=["down", "refused"]
)
def test_closed_nothing_goes_out_unscreened(error: type[AttemptError], raised: type[RunError]) -> None:
    bench = Screened(
        ROWS,
        judge=failing(lambda: error("no")),
        screens=[Forbidden(word="bad", asks="judge", on="reply")],
        retry=RetryPolicy(outage_s_max=60),
    )
    with pytest.raises(raised) as caught:
        bench.sit()
    assert "the provider 'judge' (127.0.0.1:9 guard)" in caught.value.message
    assert bench.delivered() == []
    assert bench.dead() == {}
    bench.judge = ScriptedProvider()
    assert bench.sit().finished
    assert len(bench.delivered()) == 30


def test_closed_a_service_that_refuses_everything_is_named_and_rows_are_where_it_says() -> None:
    screens = [Forbidden(word="bad", asks="judge", on="reply")]
    refusing = failing(lambda: Refused("no", reason="bad_request"))
    bench = Screened(ROWS, judge=refusing, screens=screens, dead_share_max=1.0)
    with pytest.raises(RequestsRefused) as caught:
        bench.sit()
    assert "the provider 'judge' (127.0.0.1:9 guard): the first 20 requests" in caught.value.message
    assert "if any" in caught.value.hint
    assert bench.delivered() == []


def test_closed_an_outage_that_ends_in_time_is_waited_for() -> None:
    def fault(request: Request, asked: int) -> AttemptError | None:
        return Unreachable("down") if anyio.current_time() - started[0] < 20 else None

    started: list[float] = []

    async def run() -> float:
        started.append(anyio.current_time())
        return await duration_s(bench)

    bench = Screened(ROWS, judge=ScriptedProvider(fault=fault), screens=[Forbidden(word="bad", asks="judge")])
    assert on_virtual_clock(run) > 19
    assert len(bench.delivered()) == 30
    assert all("meta" not in record for record in documents(bench))


def test_closed_nonsense_ends_a_row_so_that_it_can_be_retried() -> None:
    screens = [Forbidden(word="bad", asks="judge", on="reply")]
    bench = Screened(ROWS, judge=Nonsense(), screens=screens, dead_share_max=1.0)
    assert bench.sit().finished
    assert set(bench.dead().values()) == {UNSCREENED}
    assert len(bench.dead()) == 40
    letters = bench.sink.documents("dead")
    assert {letter["response"] for letter in letters} == set(ROWS[0]), "what is kept is the reply to the row"
    assert revive(bench.sink, bench.sink.recover(), with_reasons([UNSCREENED])) == 40
    bench.judge = ScriptedProvider()
    reading_kept_replies(bench)
    asked = len(bench.provider.requests)
    assert bench.sit().finished
    assert len(bench.provider.requests) == asked, "it is paid for already"
    assert len(bench.delivered()) == 30
    assert dropped(bench) == {"adapters_found": 10}


def hanging() -> ScriptedProvider:
    return ScriptedProvider(in_flight_max=100, latency_s=1e6)


JUDGES: Sequence[Callable[[], ScriptedProvider]] = (
    lambda: failing(lambda: Unreachable("down")),
    lambda: failing(lambda: Unauthorized("no")),
    hanging,
    Nonsense,
    lambda: failing(lambda: Refused("no", reason="bad_request")),
)


@pytest.mark.parametrize("judge", JUDGES, ids=["down", "refused", "hanging", "nonsense", "bad"])
def test_open_each_unscreened_record_says_so(judge: Callable[[], ScriptedProvider]) -> None:
    screen = Forbidden(word="bad", asks="judge", on="reply", unavailable="open", patience_s=3.0)
    bench = Screened(ROWS, judge=judge(), screens=[screen])
    assert bench.sit().finished
    assert len(bench.delivered()) == 40
    assert {str(record["meta"]) for record in documents(bench)} == {str({"screens": {"adapters": UNSCREENED}})}


def test_open_what_was_judged_is_not_called_unscreened() -> None:
    screen = Forbidden(word="bad", asks="judge", on="reply", unavailable="open", patience_s=3.0, policy="flag")
    bench = Screened(ROWS, screens=[screen])
    assert bench.sit().finished
    assert {record["id"]: record["meta"]["screens"] for record in documents(bench) if "meta" in record} == {
        each: {"adapters": ["found"]} for each in BAD
    }


class Dying:
    """No reply is good enough."""

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        reply = await ask(Request("", row.text, {}))
        raise RowError("no good", reason="contract", response=reply.body)


def reading_kept_replies(bench: Bench) -> None:
    graph = bench.graph

    def with_parse() -> Any:
        made = graph()
        made.parse = lambda body: Completion(body.decode(), "stop", "m", 0, 0, body)
        return made

    bench.graph = with_parse  # type: ignore[method-assign]


@dataclass
class Twice:
    """Two requests a row: nobody knows which one a kept reply answers."""

    requests_per_row: int = 2

    async def __call__(self, row: Row, ask: Ask) -> list[dict[str, object]]:
        replies = [(await ask(Request("", row.text, {}))).text for _ in range(2)]
        return [{"synthesized text": reply} for reply in replies]


def test_a_row_of_several_requests_that_cannot_be_screened_keeps_no_reply() -> None:
    screens = [Forbidden(word="bad", asks="judge", on="reply")]
    bench = Screened([["a"]], recipe=Twice(), judge=Nonsense(), screens=screens, dead_share_max=1.0)
    assert bench.sit().finished
    assert [letter["response"] for letter in bench.sink.documents("dead")] == [""]


def test_a_paid_reply_outlives_a_retry_whose_row_cannot_be_screened() -> None:
    bench = Screened([["a"]], screens=[Forbidden(word="bad", asks="judge", on="row")], dead_share_max=1.0)
    reading_kept_replies(bench)
    bench.recipe = Dying()
    assert bench.sit().finished
    for _ in range(2):
        bench.recipe, bench.judge = Echo(), Nonsense()
        assert revive(bench.sink, bench.sink.recover(), with_reasons([])) == 1
        assert bench.sit().finished
        assert bench.sink.documents("dead")[-1]["reason"] == UNSCREENED
        assert bench.sink.documents("dead")[-1]["response"] == "a"
    bench.judge = ScriptedProvider()
    assert revive(bench.sink, bench.sink.recover(), with_reasons([])) == 1
    assert bench.sit().finished
    assert len(bench.delivered()) == len(bench.provider.requests) == 1


def test_redacted_rows_that_cannot_be_screened_stay_redacted_in_their_letters() -> None:
    screens = [Forbidden(word="bad", policy="redact"), Forbidden(word="x", asks="judge", on="reply")]
    bench = Screened([["bad"]], judge=Nonsense(), screens=screens, dead_share_max=1.0)
    assert bench.sit().finished
    assert [(letter["text"], letter["response"]) for letter in bench.sink.documents("dead")] == [("[word]", "[word]")]


def test_kept_replies_go_through_the_screens() -> None:
    bench = Bench(ROWS, screens=[Forbidden(word="bad", on="reply")])
    reading_kept_replies(bench)
    bench.recipe = Dying()
    bench.dead_share_max = 1.0
    assert bench.sit().finished
    assert revive(bench.sink, bench.sink.recover(), with_reasons([])) == 40
    bench.recipe, asked = Echo(), len(bench.provider.requests)
    assert bench.sit().finished
    assert len(bench.provider.requests) == asked
    assert dropped(bench) == {"adapters_found": 10}
    assert len(bench.delivered()) == 30
