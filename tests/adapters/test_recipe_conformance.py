"""What every recipe promises, proven for each. A new recipe adds its line to `RECIPES`."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import anyio
import orjson
import pytest

from personastream.build import known
from personastream.core.constraints import found_in
from personastream.core.own_words import OWN_META
from personastream.engine.work import encode
from personastream.errors import ProviderDown, RowError
from personastream.launch.estimate import first_request
from personastream.ports import Recipe
from personastream.recipes.constrained import Constrained
from personastream.recipes.conversation import Conversation
from personastream.recipes.dialogue import Dialogue
from personastream.recipes.generate import Generate
from personastream.recipes.grade import Grade
from personastream.recipes.persona_to_persona import PersonaToPersona
from personastream.recipes.solve import Solve
from personastream.recipes.text_to_persona import TextToPersona
from personastream.records import Completion, Request, Row
from personastream.simulator.replies import Writer, shipped_openings, take_apart
from personastream.testing import Echo
from tests.support.virtual import on_virtual_clock

RECIPES: dict[str, Callable[[], Recipe]] = {
    "Echo": Echo,
    "generate": lambda: Generate(template="math"),
    "generate, several samples": lambda: Generate(template="instruction", samples=3, seed=7),
    "generate, with demonstrations": lambda: Generate(template="math", mode="few_shot", demonstrations=SHOWN),
    "conversation": lambda: Conversation(turns=2),
    "constrained": lambda: Constrained(answers="one"),
    "dialogue": Dialogue,
    "text_to_persona": TextToPersona,
    "text_to_persona, several personas": lambda: TextToPersona(personas=3, granularity="coarse", seed=7),
    "persona_to_persona": PersonaToPersona,
    "solve": lambda: Solve(solutions=["chain_of_thought"] * 3, held_out_share=1.0),
    "solve, once, by a program": lambda: Solve(train_solutions=["program_of_thought"], held_out_share=0.0),
    "grade": lambda: Grade(answer="meta.answer", groups=["meta.level"]),
    "persona_to_persona, in JSON": lambda: PersonaToPersona(template="persona_to_persona_json", fan_out=2),
}
FOREIGN_META = {"origin", "relationship"}
"""Words of the input and of a model, which a purge looks through: see `core.own_words`, and add to one or the other."""
SHOWN: str = str(Path(__file__).parents[2] / "configs" / "demonstrations" / "math.jsonl")
WRITER = Writer(0, 60, shipped_openings())
PERSONA = 'a night nurse who paints ships <b>\n"quotes" {persona} 老师'
KEPT = {"meta.answer": "3"}
ROW = Row(0, 5, PERSONA, origin=KEPT)


async def good(request: Request) -> Completion:
    """An answer that suits every recipe here: people are called after the row."""
    await anyio.lowlevel.checkpoint()
    content = request.user.partition(">\n")[2].partition("\n</")[0]
    people = [line for line in request.user.splitlines() if line.startswith("Person ")]
    if "response_format" in request.parameters:
        entries = [{"relation": line, "persona": f"friend of {content}"} for line in people]
        return Completion(orjson.dumps({"people": entries}).decode(), "stop", "m", 3, 5, b"{}")
    if people:
        return Completion("\n".join([f"{line}: friend of {content}" for line in people]), "stop", "m", 3, 5, b"{}")
    if "```python" in request.user:
        return Completion("```python\nprint(3)\n```", "stop", "m", 3, 5, b"{}")
    if '"Answer:' in request.user:
        return Completion(f"It is {len(request.user)}.\nAnswer: 3", "stop", "m", 3, 5, b"{}")
    if "Dialogue:" in request.user or found_in(request.user):
        key = len(request.user) + int(str(request.parameters.get("seed", 0)))
        text = WRITER.write(key, take_apart(request.system, request.user), None).text or ""
        return Completion(text, "stop", "m", 3, 5, b"{}")
    for opening in ("Math problem:", "User prompt:", ""):
        if opening in request.system + request.user:
            return Completion(f"{opening} What is {len(request.user)}?", "stop", "m", 3, 5, b"{}")
    raise AssertionError


def test_every_recipe_that_is_shipped_is_proven_here() -> None:
    assert set(known("recipe")) <= {name.partition(",")[0] for name in RECIPES}


def subject(record: Mapping[str, object]) -> str:
    """The persona that a record goes with or is about."""
    return str(record.get("input persona", record.get("persona", record.get("input text"))))


@pytest.mark.parametrize("name", RECIPES)
def test_a_row_gives_records_that_can_be_written(name: str) -> None:
    records = on_virtual_clock(RECIPES[name](), ROW, good)
    assert records
    assert all("id" not in record for record in records)
    lines = encode("people:5", records)
    assert all("a night nurse who paints ships" in subject(orjson.loads(line)) for line in lines)
    assert all(b"\n" not in line for line in lines)


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_recipe_says_in_meta_is_known_as_own_or_foreign(name: str) -> None:
    for record in on_virtual_clock(RECIPES[name](), ROW, good):
        meta = record.get("meta", {})
        assert isinstance(meta, dict)
        assert meta.keys() <= OWN_META | FOREIGN_META


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.slow
def test_rows_may_be_under_way_at_once(name: str) -> None:
    recipe = RECIPES[name]()
    seen: dict[int, str] = {}

    async def carry(number: int) -> None:
        (record, *_) = await recipe(Row(0, number, f"persona {number}", origin=KEPT), good)
        seen[number] = subject(record).removeprefix("friend of ")

    async def all_at_once() -> None:
        async with anyio.create_task_group() as rows:
            for number in range(20):
                rows.start_soon(carry, number)

    on_virtual_clock(all_at_once)
    assert seen == {number: f"persona {number}" for number in range(20)}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("error", [RowError("no", reason="refused"), ProviderDown("gone")])
def test_what_ask_raises_reaches_the_engine(name: str, error: Exception) -> None:
    async def failing(request: Request) -> Completion:
        await anyio.lowlevel.checkpoint()
        raise error

    with pytest.raises(type(error)) as caught:
        on_virtual_clock(RECIPES[name](), ROW, failing)
    assert caught.value is error


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(
    ("text", "finish_reason"),
    [("", "stop"), (" \n", "stop"), ("\ud800", "stop"), ("Math problem: \ud800 x", "length"), ("no", "content_filter")],
)
def test_a_useless_answer_is_the_rows_own_fault_or_a_record(name: str, text: str, finish_reason: str) -> None:
    async def useless(request: Request) -> Completion:
        await anyio.lowlevel.checkpoint()
        return Completion(text, finish_reason, "m\udfff", 0, 0, b"\xff")

    with suppress(RowError):
        records = on_virtual_clock(RECIPES[name](), ROW, useless)
        encode("people:5", records)


@pytest.mark.parametrize("name", RECIPES)
def test_the_first_request_is_known_without_sending_it(name: str) -> None:
    request = first_request(RECIPES[name](), Row(0, 5, "a night nurse", origin=KEPT))
    assert "a night nurse" in request.user


@pytest.mark.parametrize("name", RECIPES)
def test_a_row_asks_for_the_same_on_every_sitting(name: str) -> None:
    asked: list[Request] = []

    async def noting(request: Request) -> Completion:
        asked.append(request)
        return await good(request)

    for _ in range(2):
        on_virtual_clock(RECIPES[name](), ROW, noting)
    assert asked[: len(asked) // 2] == asked[len(asked) // 2 :]
