"""What the simulated service decides, without network or clock."""

from collections import Counter
from typing import Any

import orjson
import pytest

from personastream.errors import ConfigError
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.fault_errors import ERRORS
from personastream.simulator.faults import FAULTS, Work
from personastream.simulator.service import Answer, Service


def body(persona: str = "A nurse", **more: Any) -> bytes:
    user = f'Start with "Title:".\n<persona>\n{persona}\n</persona>\n'
    return orjson.dumps({"model": "gpt-x", "messages": [{"role": "user", "content": user}], **more})


def content(answer: Answer) -> str:
    text = orjson.loads(answer.body)["choices"][0]["message"]["content"]
    assert isinstance(text, str)
    return text


def test_the_same_request_gets_the_same_bytes_from_any_service_of_that_seed() -> None:
    first, second = Service(Behaviour(seed=4)), Service(Behaviour(seed=4))
    second.answer(body("Somebody else"), {}, 0.0)
    assert first.answer(body(), {}, 0.0).body == second.answer(body(), {}, 99.0).body
    assert first.answer(body(), {}, 1.0).body == Service(Behaviour(seed=4)).answer(body(), {}, 0.0).body
    assert content(first.answer(body(), {}, 1.0)) != content(Service(Behaviour(seed=5)).answer(body(), {}, 0.0))


def test_a_reply_echoes_the_model_and_counts_its_tokens() -> None:
    answer = Service(Behaviour()).answer(body(), {}, 0.0)
    read = orjson.loads(answer.body)
    assert read["model"] == "gpt-x"
    assert read["usage"]["completion_tokens"] == answer.tokens.output == -(-len(content(answer).encode()) // 4)
    assert read["usage"]["prompt_tokens"] == answer.tokens.input > 10
    assert answer.persona == "A nurse"


def test_several_choices_differ() -> None:
    read = orjson.loads(Service(Behaviour()).answer(body(n=3), {}, 0.0).body)
    assert len({choice["message"]["content"] for choice in read["choices"]}) == 3


def test_max_tokens_cuts() -> None:
    read = orjson.loads(Service(Behaviour()).answer(body(max_tokens=10), {}, 0.0).body)
    assert read["choices"][0]["finish_reason"] == "length"
    assert read["usage"]["completion_tokens"] == 10


def test_the_key_is_demanded() -> None:
    service = Service(Behaviour(key="s3cret"))
    assert [
        service.answer(body(), {b"authorization": header}, 0.0).status for header in (b"", b"Bearer s3cre", b"s3cret")
    ] == [401] * 3
    assert service.answer(body(), {b"authorization": b"Bearer s3cret"}, 0.0).status == 200
    assert "s3cret" not in repr(Behaviour(key="s3cret"))


def test_latency_is_drawn_anew_for_every_attempt_around_its_mean() -> None:
    service = Service(Behaviour(latency_s=2.0, latency_sigma=0.5))
    delays = [service.answer(body(), {}, 0.0).delay_s for _ in range(2000)]
    assert sum(delays) / len(delays) == pytest.approx(2.0, rel=0.1)
    assert len(set(delays)) > 500
    assert Service(Behaviour(latency_s=2.0)).answer(body(), {}, 0.0).delay_s == 2.0


def test_beyond_the_limit_429_says_when_to_come_back() -> None:
    service = Service(Behaviour(requests_per_minute=60, burst_s=1, latency_s=1.0))
    first, second = service.answer(body(), {}, 0.0), service.answer(body(), {}, 0.25)
    assert (first.status, second.status) == (200, 429)
    assert b"x-ratelimit-remaining-requests: 0\r\n" in first.headers
    assert b"x-ratelimit-reset-requests: 750ms\r\n" in second.headers
    assert b"retry-after: 1\r\nretry-after-ms: 750\r\n" in second.headers
    error = orjson.loads(second.body)["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert error["message"].endswith(
        "gpt-x on requests per min (RPM): Limit 60, Used 45, Requested 1. Please try again in 750ms."
    )
    assert (second.outcome, second.delay_s, second.tokens.output) == ("429", 0.0, 0)
    assert service.answer(body(), {}, 1.01).status == 200


def test_tokens_are_limited_by_what_a_request_really_uses() -> None:
    probe = Service(Behaviour()).answer(body(), {}, 0.0)
    used = probe.tokens.input + probe.tokens.output
    service = Service(Behaviour(tokens_per_minute=2 * used))
    answers = [service.answer(body(), {}, 0.0) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert orjson.loads(answers[2].body)["error"]["type"] == "tokens"


def test_a_request_above_the_token_limit_is_told_so() -> None:
    answer = Service(Behaviour(tokens_per_minute=20)).answer(body(), {}, 0.0)
    assert answer.status == 429
    assert "too large" in orjson.loads(answer.body)["error"]["message"]
    assert b"retry-after" not in answer.headers


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_has_its_status_and_its_time(name: str) -> None:
    fault = FAULTS[name]
    answer = Service(Behaviour(faults={name: 1.0}, latency_s=1.0)).answer(body(), {}, 0.0)
    assert answer.outcome == name
    assert answer.status == (ERRORS[name].status if name in ERRORS else 200)
    assert answer.delay_s == (0.0 if fault.at_once else 1.0)
    assert answer.work is fault.work
    assert (answer.tokens.output > 0) == (fault.work is not Work.NONE)


def test_malformed_is_half_a_reply_and_cut_is_a_whole_one() -> None:
    whole, malformed, cut = (
        Service(Behaviour(faults=faults)).answer(body(), {}, 0.0).body
        for faults in ({}, {"malformed": 1.0}, {"cut": 1.0})
    )
    assert cut == whole
    assert malformed == whole[: len(whole) // 2]
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(malformed)


def test_refused_and_empty_replies_are_whole_completions_without_text() -> None:
    refused, empty = (
        orjson.loads(Service(Behaviour(faults={name: 1.0})).answer(body(), {}, 0.0).body)["choices"][0]
        for name in ("refuse", "empty")
    )
    assert (refused["finish_reason"], refused["message"]["content"]) == ("content_filter", None)
    assert (empty["finish_reason"], empty["message"]["content"].strip()) == ("stop", "")


def test_retries_pass_in_the_end_and_a_poisoned_row_never_does() -> None:
    faults = {"500": 0.3, "badrequest": 0.2, "poison": 0.1}
    service = Service(Behaviour(faults=faults))
    outcomes = {
        number: [service.answer(body(f"Person {number}"), {}, 0.0).outcome for _ in range(30)] for number in range(200)
    }
    poisoned = [number for number, seen in outcomes.items() if "poison" in seen]
    assert 5 < len(poisoned) < 50
    assert all(set(outcomes[number]) == {"poison"} for number in poisoned)
    assert all("ok" in seen for number, seen in outcomes.items() if number not in poisoned)


def test_fates_are_the_same_in_another_order_of_arrival() -> None:
    faults = {"500": 0.3, "cut": 0.2, "poison": 0.1}
    asked = [body(f"Person {number % 50}") for number in range(150)]
    forward, backward = Service(Behaviour(faults=faults)), Service(Behaviour(faults=faults))
    assert Counter((each, forward.answer(each, {}, 0.0).outcome) for each in asked) == Counter(
        (each, backward.answer(each, {}, 0.0).outcome) for each in reversed(asked)
    )


def test_another_seed_means_other_fates_and_delays() -> None:
    def fates(seed: int) -> list[tuple[str, float]]:
        service = Service(Behaviour(seed=seed, faults={"500": 0.5}, latency_s=1.0, latency_sigma=1.0))
        answers = [service.answer(body(f"Person {number}"), {}, 0.0) for number in range(50)]
        return [(answer.outcome, answer.delay_s) for answer in answers]

    assert fates(1) == fates(1)
    outcomes = [[outcome for outcome, _ in fates(seed)] for seed in (1, 2)]
    assert outcomes[0] != outcomes[1]
    assert not {delay_s for _, delay_s in fates(1)} <= {delay_s for _, delay_s in fates(2)}


def test_answers_know_whether_they_are_repeats() -> None:
    service = Service(Behaviour())
    first = service.answer(body(), {}, 0.0)
    service.mark_made(first)
    second = service.answer(body(), {}, 0.0)
    assert (first.asked_before, first.answered_before) == (0, False)
    assert (second.asked_before, second.answered_before) == (1, True)
    assert first.headers != second.headers


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"output_tokens": 0},
        {"latency_s": -1.0},
        {"latency_s": float("nan")},
        {"latency_sigma": float("inf")},
        {"requests_per_minute": -1},
        {"burst_s": 0.0},
        {"key": ""},
        {"faults": {"nonsense": 0.1}},
    ],
)
def test_a_behaviour_out_of_bounds_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=str(next(iter(wrong)))[:5]):
        Behaviour(**wrong)
