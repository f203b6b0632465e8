"""Simulated solutions: a problem has one true answer, whatever way it is solved; a known share misses it."""

from pathlib import Path

import orjson
import pytest
import zstandard

from personastream.core.answers import final_answer, quick_verdict
from personastream.errors import ConfigError
from personastream.recipes.solutions import ProgramOfThought
from personastream.recipes.template_files import load_template
from personastream.sandbox.programs import Programs
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.mathematics import true_answer, written
from personastream.simulator.replies import Writer, shipped_openings, take_apart
from personastream.simulator.scripted import read_replies
from personastream.simulator.service import Service

PROBLEMS = [f"A ferry takes {7 * place} cars {place} times, and {place % 5} more on Sundays." for place in range(400)]
WRONG = 0.2


def reply(template: str, content: str, number: int, wrong: float = WRONG) -> str:
    writer = Writer(1, 120, shipped_openings(), wrong)
    request = load_template(template).render(content)
    return writer.write(number * 0x9E3779B97F4A7C15 % 2**64, take_apart(request.system, request.user), None).text or ""


@pytest.mark.slow
def test_reasoning_is_right_but_for_the_share_that_is_not() -> None:
    verdicts = [
        quick_verdict(final_answer(reply("math_solution", problem, number)), str(true_answer(problem)))
        for number, problem in enumerate(PROBLEMS)
    ]
    assert set(verdicts) == {"equal", "different"}
    assert verdicts.count("different") / len(PROBLEMS) == pytest.approx(WRONG, abs=0.06)


def test_the_answer_is_written_in_many_ways() -> None:
    forms = {written(true_answer(problem), choice) for problem in PROBLEMS[1:2] for choice in range(40)}
    assert len(forms) >= 5
    assert {quick_verdict(one, other) for one in forms for other in forms} == {"equal"}


def test_programs_come_to_the_same_answer_when_they_are_run() -> None:
    solver = ProgramOfThought("math_program")
    programs = [(problem, solver.found(reply("math_program", problem, 1, 0.0))) for problem in PROBLEMS[1:200:40]]
    for problem, program in programs:
        assert Programs().run_here(program).output.strip() == str(true_answer(problem))


@pytest.mark.slow
def test_wrong_programs_give_another_answer_or_none() -> None:
    solver = ProgramOfThought("math_program")
    for number, problem in enumerate(PROBLEMS[1:9], 1):
        program = solver.found(reply("math_program", problem, number, 1.0))
        assert Programs().run_here(program).output.strip() != str(true_answer(problem))
    broken = [solver.found(reply("math_program", problem, number, 1.0)) for number, problem in enumerate(PROBLEMS)]
    assert 10 < len([program for program in broken if "/ 0)" in program]) < 100


def test_a_problem_in_other_spacing_is_the_same_problem() -> None:
    assert true_answer("12 cars,  7 boats\nand 3 bells") == true_answer("12 cars, 7 boats and 3 bells")
    assert true_answer("no numbers at all") == true_answer("no numbers at all")
    true_answer("0 and 0 and 0")
    true_answer("")


JUDGED = [("1/2\n0.5", "Yes"), ("1/2\n0.6", "No"), ("east\neast", "Yes"), ("x\n", "No")]


@pytest.mark.parametrize(("answers", "verdict"), JUDGED)
def test_judgements_are_sound(answers: str, verdict: str) -> None:
    assert reply("math_judge", answers, 1) == verdict


def test_other_templates_are_answered_as_before() -> None:
    for template in ("math", "math_olympiad", "tool_code"):
        text = reply(template, "a night nurse", 1)
        assert text.startswith(load_template(template).contract.opening)


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.zst"])
def test_replies_may_be_given_for_certain_rows(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"replies.{suffix}"
    rows = [{"text": "Is 1 < 2?", "reply": "Of course.\nAnswer: yes"}, {"text": "other\n", "reply": "x"}]
    data = b"\n".join(map(orjson.dumps, rows)) + b"\n\n"
    path.write_bytes(zstandard.compress(data) if suffix.endswith("zst") else data)
    service = Service(Behaviour(replies=path))

    def said(content: str, **more: object) -> str:
        request = load_template("math_eval").render(content)
        body = {"model": "m", "messages": [{"role": "user", "content": request.user}], **more}
        answer = orjson.loads(service.answer(orjson.dumps(body), {}, 0.0).body)
        return str(answer["choices"][0]["message"]["content"])

    assert said("Is 1 < 2?") == "Of course.\nAnswer: yes"
    assert said("Is 1 < 2?", max_tokens=2) == "Of cours"
    assert said("Is 1 < 3?") != said("Is 1 < 2?")


@pytest.mark.parametrize("content", [b"no json", b'{"text": 1, "reply": "x"}', b'{"reply": "x"}', b"[1]", b"\xff"])
def test_replies_that_cannot_be_read_are_a_mistake_with_a_hint(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_replies(path)
    assert "reply" in caught.value.hint
    with pytest.raises(ConfigError):
        read_replies(tmp_path / "gone.jsonl")
