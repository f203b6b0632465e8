"""Recipes in which an assistant answers, and dialogues: what is asked step by step, and what a record holds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from personastream.core.constraints import Constraint, broken, found_in
from personastream.engine.work import encode
from personastream.errors import ConfigError, RowError
from personastream.launch.estimate import first_request
from personastream.launch.revival import whose_reply_is_good
from personastream.ports import Recipe
from personastream.recipes.constrained import Constrained
from personastream.recipes.conversation import Conversation
from personastream.recipes.dialogue import Dialogue
from personastream.records import Completion, DeadRow, Request, Row
from personastream.simulator.replies import Writer, shipped_openings, take_apart

ROW = Row(2, 41, "A beekeeper in the Jura", id="s:41", origin={"url": "u"})
WRITER = Writer(0, 80, shipped_openings())


class Model:
    """Answers with texts in turn, the last one for ever."""

    def __init__(self, *texts: str, finish: str = "stop") -> None:
        self.texts, self.finish, self.asked = texts, finish, list[Request]()

    async def ask(self, request: Request) -> Completion:
        self.asked.append(request)
        return Completion(self.texts[min(len(self.asked), len(self.texts)) - 1], self.finish, "m", 10, 5, b"raw")


def run(recipe: Recipe, ask: Callable[[Request], Any], row: Row = ROW) -> dict[str, Any]:
    (record,) = anyio.run(recipe, row, ask)
    encode("s:41", [record])
    return record


CHAT = ("User prompt: When do I swarm?", "In May.\n", "**User prompt:** Why <|im_end|> not in June?", " Too late. ")


def test_a_conversation_goes_to_and_fro() -> None:
    model = Model(*CHAT)
    record = run(Conversation(turns=2, system="Be brief."), model.ask)
    said = ["When do I swarm?", "In May.", "Why <|im_end|> not in June?", "Too late."]
    assert [message["content"] for message in record["messages"]] == said
    assert [message["role"] for message in record["messages"]] == ["user", "assistant"] * 2
    assert (record["input persona"], record["synthesized text"]) == (ROW.text, CHAT[0])
    assert record["meta"]["usage"] == {"input_tokens": 40, "output_tokens": 20}
    assert record["meta"]["template"] == Conversation().fingerprint
    assert (record["meta"]["turns"], record["meta"]["origin"]) == (2, {"url": "u"})
    first, answer, goes_on, last = model.asked
    assert (first.history, answer.history, goes_on.history) == ((), (), ())
    assert (answer.system, answer.user) == ("Be brief.", said[0])
    assert "[user]\nWhen do I swarm?\n\n[assistant]\nIn May.\n</conversation>" in goes_on.user
    assert (last.history, last.user) == ((said[0], said[1]), "Why ‹|im_end|> not in June?")
    assert last.parameters == {"temperature": 0.7, "max_tokens": 1024}


def test_each_step_is_asked_again_by_itself() -> None:
    model = Model(CHAT[0], "", CHAT[1], "no", "", CHAT[2], CHAT[3])
    record = run(Conversation(turns=2), model.ask)
    assert record["messages"][-1]["content"] == "Too late."
    seeds = [request.parameters.get("seed") for request in model.asked]
    assert len({seed for seed in seeds if seed}) == 3
    with pytest.raises(RowError, match="asked 3 times, the reply is empty") as caught:
        run(Conversation(turns=2), Model(CHAT[0], "").ask)
    assert (caught.value.reason, caught.value.response) == ("empty_content", b"raw")
    with pytest.raises(RowError, match="max_tokens = 9"):
        run(Conversation(turns=2, answer_tokens=9), _cut_answers)


async def _cut_answers(request: Request) -> Completion:
    return Completion("User prompt: x", "stop" if "<persona>" in request.user else "length", "m", 1, 1, b"raw")


async def simulated(request: Request) -> Completion:
    key = len(request.user) * 31 + int(str(request.parameters.get("seed", 1)))
    text = WRITER.write(key, take_apart(request.system, request.user), None).text
    return Completion(text or "", "stop", "m", 1, 1, b"")


@pytest.mark.parametrize("answers", ["none", "one", "pair"])
@pytest.mark.parametrize("number", range(12))
def test_constraints_are_held_kept_and_broken(answers: str, number: int) -> None:
    record = run(Constrained(answers=answers), simulated, Row(0, number, "A beekeeper"))
    constraints = [Constraint(**one) for one in record["meta"]["constraints"]]
    assert record["constraints"] == [one.sentence for one in constraints]
    assert found_in(record["synthesized text"]) == constraints
    if answers == "one":
        assert [message["role"] for message in record["messages"]] == ["user", "assistant"]
        assert not broken(constraints, record["messages"][1]["content"])
    if answers == "pair":
        (dropped,) = found_in(record["dropped constraint"])
        assert not broken(constraints, record["chosen"])
        assert broken([dropped], record["rejected"]) == [dropped]
        assert found_in(record["relaxed prompt"]) == [one for one in constraints if one != dropped]
        assert found_in(record["prompt"]) == constraints
    assert (
        run(Constrained(answers=answers), simulated, Row(0, number, "A beekeeper"))["constraints"]
        == record["constraints"]
    )


@pytest.mark.parametrize(
    ("prompt", "relaxed"),
    [
        ("Help me. {} Thanks.", "Help me. Thanks."),
        ("{} Help me.", "Help me."),
        ("Help me. {}", "Help me."),
        ("Help me:\n- {}\n- Be kind.", "Help me:\n- Be kind."),
        ("Help me.\n\n{}\n\nThanks.", "Help me.\nThanks."),
    ],
)
def test_a_dropped_constraint_leaves_no_gap(prompt: str, relaxed: str) -> None:
    recipe = Constrained(answers="pair", constraints=1)
    (sentence,) = (
        line for line in first_request(recipe, ROW).user.splitlines() if line.startswith("- ") and found_in(line)
    )
    sentence = sentence.removeprefix("- ")
    good = WRITER.write(3, take_apart("", sentence), None).text or ""
    texts = [f"User prompt: {prompt.format(sentence)}", good, "No. " * 200]
    assert broken(found_in(sentence), texts[2])
    assert run(recipe, Model(*texts).ask)["relaxed prompt"] == relaxed


def test_a_message_without_its_constraints_or_with_others_is_asked_for_again() -> None:
    recipe = Constrained(constraints=1)
    model = Model("User prompt: Help me.", "User prompt: Help! Do not use a single comma. Do not ask any question.")
    with pytest.raises(RowError, match="hold each of the demands once, word by word") as caught:
        run(recipe, model.ask)
    assert (caught.value.reason, len(model.asked)) == ("contract", 3)


TURNS = "\nA: Yes?\n**B:** No.\n\nA： Why?\nB: So.\n"


def dialogue(**settings: Any) -> Dialogue:
    recipe = Dialogue(turns=4, **settings)
    recipe.meet(["A beekeeper in the Jura", "A judge of </partner> {turns}", "A judge of </partner> {turns}"])
    return recipe


def test_a_dialogue_is_one_reply_of_two_people() -> None:
    model = Model("Dialogue:" + TURNS)
    record = run(dialogue(), model.ask)
    assert record["second persona"] == "A judge of </partner> {turns}"
    assert [message["content"] for message in record["messages"]] == ["Yes?", "No.", "Why?", "So."]
    assert "<partner>\nA judge of ‹/partner> {turns}\n</partner>\n\n<persona>\n" in model.asked[0].user
    assert "Write 4 turns" in model.asked[0].user


def test_a_dialogue_is_under_the_licences_of_both_people() -> None:
    recipe = Dialogue(turns=4)
    recipe.meet(["A beekeeper in the Jura", "A judge"], ["MIT", "CC-BY-NC-4.0"])
    row = Row(0, 0, "A beekeeper in the Jura", licence="MIT")
    assert run(recipe, Model("Dialogue:" + TURNS).ask, row)["meta"]["licence"] == "CC-BY-NC-4.0 AND MIT"


@pytest.mark.parametrize(
    "text",
    [
        "A: Yes?\nB: No.",
        "Dialogue:\nA: Yes?\nB: No.\nA: Why?",
        "Dialogue:\nA: Yes?\nA: No.\nA: Why?\nB: So.",
        "Dialogue:\nB: Yes?\nA: No.\nB: Why?\nA: So.",
        "Dialogue:\n(in a garden)\nA: Yes?\nB: No.\nA: Why?\nB: So.",
        "Dialogue:\nA: Yes?\nB:\nA: Why?\nB: So.",
    ],
)
def test_a_dialogue_of_another_shape_is_none(text: str) -> None:
    with pytest.raises(RowError, match="4 turns, one a line, of A and B alternately"):
        run(dialogue(), Model(text).ask)


def test_partners_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "partners.jsonl"
    file.write_bytes(b"\n".join(orjson.dumps({"persona": f"A judge, number {number}"}) for number in range(50)))
    recipe, other = Dialogue(turns=4, partners=str(file)), Dialogue(turns=4, partners=str(file), seed=3)
    assert recipe.strangers == 0
    assert set(recipe.materials) == {"partners"}
    drawn = [_partners(one, range(30)) for one in (recipe, recipe, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) > 15
    file.write_bytes(b'{"persona": "A judge"}\n')
    with pytest.raises(ConfigError, match="two different personas"):
        Dialogue(partners=str(file))


def _partners(recipe: Dialogue, numbers: Sequence[int]) -> list[str]:
    users = [first_request(recipe, Row(0, number, "x")).user for number in numbers]
    return [user.partition("<partner>\n")[2].partition("\n")[0] for user in users]


def test_the_kept_reply_of_one_of_several_steps_is_not_used() -> None:
    dead = DeadRow(3, "contract", "", "A beekeeper", "User prompt: x")

    def parse(body: bytes) -> Completion:
        return Completion(body.decode(), "stop", "m", 1, 1, body)

    assert whose_reply_is_good(Conversation(turns=1), parse)(0, dead) is False
    assert [Conversation(turns=3).requests_per_row, Constrained(answers="pair").requests_per_row] == [6, 3]
