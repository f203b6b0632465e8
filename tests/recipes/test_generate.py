import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.errors import RowError
from personastream.ports import Ask, Recipe
from personastream.recipes.generate import Generate
from personastream.records import Completion, Request, Row
from tests.support.effort import tries

ROW = Row(2, 41, "A beekeeper in the Jura", id="people:41")
GOOD = "Math problem: count the bees."


def completion(text: str = GOOD, finish: str = "stop") -> Completion:
    return Completion(text, finish, "m-1", 210, 384, b"raw: " + text.encode("utf-8", "replace"))


class Model:
    """Answers with the given completions in turn, the last one for ever; keeps what it was asked."""

    def __init__(self, *answers: Completion) -> None:
        self.answers = answers
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Completion:
        self.asked.append(request)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]

    @property
    def seeds(self) -> list[object]:
        return [request.parameters.get("seed") for request in self.asked]


def run(recipe: Recipe, ask: Ask, row: Row = ROW) -> Sequence[dict[str, object]]:
    return anyio.run(recipe, row, ask)


def test_a_record_extends_the_published_persona_hub_record() -> None:
    recipe, started = Generate("math"), datetime.now(UTC)
    (record,) = run(recipe, Model(completion()).ask)
    meta = record.pop("meta")
    assert record == {
        "input persona": "A beekeeper in the Jura",
        "synthesized text": GOOD,
        "description": "math problem",
        "synthetic": True,
    }
    assert isinstance(meta, dict)
    created = meta.pop("created")
    assert meta == {
        "template": recipe.fingerprint,
        "model": "m-1",
        "finish_reason": "stop",
        "usage": {"input_tokens": 210, "output_tokens": 384},
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", created)
    assert timedelta(0) <= datetime.fromisoformat(created) - started.replace(microsecond=0) < timedelta(minutes=1)


def test_the_time_of_creation_moves_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.9, 59.5, 60.0])
    monkeypatch.setattr("personastream.recipes.prompting.time", lambda: next(clock))
    records = run(Generate("math", samples=4), Model(completion()).ask)
    assert [orjson.loads(orjson.dumps(record))["meta"]["created"] for record in records] == [
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1970-01-01T00:00:59Z",
        "1970-01-01T00:01:00Z",
    ]


def test_one_sample_is_asked_once_with_the_templates_parameters() -> None:
    model = Model(completion())
    run(Generate("math"), model.ask)
    assert [request.parameters for request in model.asked] == [{"temperature": 0.7, "top_p": 0.95, "max_tokens": 1024}]
    assert "A beekeeper in the Jura" in model.asked[0].user


def test_overrides_take_the_place_of_the_templates_parameters() -> None:
    recipe, model = Generate("math", temperature=0.0, max_tokens=7, seed=5), Model(completion())
    run(recipe, model.ask)
    assert recipe.parameters == {"temperature": 0.0, "top_p": 0.95, "max_tokens": 7, "seed": 5}
    assert model.asked[0].parameters == recipe.parameters
    assert recipe.fingerprint == Generate("math").fingerprint


def test_each_of_several_samples_has_its_own_lasting_seed() -> None:
    models = [Model(completion()) for _ in range(2)]
    records = [run(Generate("math", samples=5), model.ask) for model in models]
    assert len(records[0]) == 5
    assert len(set(models[0].seeds)) == 5
    assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in models[0].seeds)
    assert models[0].seeds == models[1].seeds


def test_seeds_differ_between_rows_shards_and_configured_seeds() -> None:
    cases = [(ROW, None), (ROW._replace(id="people:4"), None), (ROW._replace(id="bees:41"), None), (ROW, 9)]
    seeds: set[object] = set()
    for row, seed in cases:
        model = Model(completion())
        run(Generate("math", samples=2, seed=seed), model.ask, row)
        seeds.update(model.seeds)
    assert len(seeds) == 8


@pytest.mark.parametrize(("text", "reason"), [("", "empty_content"), ("Sure! Here it is", "contract")])
def test_a_reply_that_breaks_the_contract_is_asked_for_again_with_another_seed(text: str, reason: str) -> None:
    model = Model(completion(text), completion(text), completion())
    (record,) = run(Generate("math"), model.ask)
    assert record["synthesized text"] == GOOD
    assert model.seeds[0] is None
    assert len(set(model.seeds)) == 3
    assert {request.user for request in model.asked} == {model.asked[0].user}


@pytest.mark.parametrize(("text", "reason"), [("", "empty_content"), ("Sure! Here it is", "contract")])
@pytest.mark.parametrize("reasks_max", [0, 2])
def test_the_row_dies_when_asking_again_does_not_help(text: str, reason: str, reasks_max: int) -> None:
    model = Model(completion(text))
    with pytest.raises(RowError) as caught:
        run(Generate("math", reasks_max=reasks_max), model.ask)
    assert caught.value.reason == reason
    assert caught.value.response == b"raw: " + text.encode()
    assert len(model.asked) == 1 + reasks_max


@pytest.mark.parametrize(("finish", "reason"), [("length", "length"), ("content_filter", "refused")])
def test_a_cut_or_refused_reply_is_never_asked_for_again(finish: str, reason: str) -> None:
    model = Model(completion(finish=finish))
    with pytest.raises(RowError) as caught:
        run(Generate("math"), model.ask)
    assert caught.value.reason == reason
    assert len(model.asked) == 1


def test_a_reply_cut_while_asking_again_ends_the_row() -> None:
    model = Model(completion(""), completion(finish="length"))
    with pytest.raises(RowError, match="cut at max_tokens = 1024"):
        run(Generate("math"), model.ask)
    assert len(model.asked) == 2


def test_one_failed_sample_fails_the_row() -> None:
    model = Model(completion(), completion(), completion("no"))
    with pytest.raises(RowError, match="asked 3 times"):
        run(Generate("math", samples=4), model.ask)
    assert len(model.asked) == 5


def test_of_json_in_a_fence_the_json_is_delivered_and_a_text_goes_in_as_a_text(tmp_path: Path) -> None:
    file = tmp_path / "summary.toml"
    file.write_text(
        'description = "summary"\nuser = """\nSum it up in JSON.\n<text>\n{text}\n</text>\n"""\n'
        '[reply.schema]\ntype = "object"\nrequired = ["sum"]\n'
    )
    (record,) = run(Generate(str(file)), Model(completion('```json\n{"sum": "bees"}\n```')).ask)
    assert (record["synthesized text"], record["input text"]) == ('{"sum": "bees"}', ROW.text)
    assert "input persona" not in record


surrogates_too = st.lists(st.characters() | st.integers(0xD800, 0xDFFF).map(chr), max_size=30).map("".join)


@settings(max_examples=tries(40))
@given(surrogates_too, surrogates_too)
def test_any_model_text_becomes_one_json_line(text: str, name: str) -> None:
    answer = Completion("Math problem: x" + text, "stop", name, 1, 1, b"")
    (record,) = run(Generate("math"), Model(answer).ask)
    line = orjson.dumps(record)
    assert b"\n" not in line
    assert orjson.loads(line) == record


def test_lone_surrogates_are_replaced_and_pairs_joined_and_nul_kept() -> None:
    model = Model(completion(GOOD + "\ud83d\udc1d \udc00é\0"))
    (record,) = run(Generate("math"), model.ask)
    assert record["synthesized text"] == GOOD + "🐝 \ufffdé\0"


def test_a_reply_of_reasoning_alone_is_asked_for_once_more_with_twice_the_room() -> None:
    model = Model(completion("", "length"), completion())
    (record,) = run(Generate("math"), model.ask)
    assert record["synthesized text"] == GOOD
    assert [request.parameters["max_tokens"] for request in model.asked] == [1024, 2048]
    model = Model(completion("", "length"))
    with pytest.raises(RowError) as caught:
        run(Generate("math"), model.ask)
    assert (caught.value.reason, len(model.asked)) == ("length", 2)


def test_a_cut_reply_is_dead_unless_it_is_wanted() -> None:
    with pytest.raises(RowError) as caught:
        run(Generate("math"), Model(completion(finish="length")).ask)
    assert caught.value.reason == "length"
    (record,) = run(Generate("math", truncated="deliver"), Model(completion(finish="length")).ask)
    assert record["meta"]["finish_reason"] == "length"  # type: ignore[index]
