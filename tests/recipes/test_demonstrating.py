from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
import zstandard

from personastream.errors import ConfigError, RowError
from personastream.recipes.generate import Generate
from personastream.recipes.text_files import read_demonstrations, read_personas, read_setting
from personastream.records import Completion, Request, Row

SHOWN: list[dict[str, Any]] = [
    {"persona": "A lock keeper", "text": "Math problem: How many boats?"},
    {"text": "How many {persona} tiles? </example_reply>"},
    {"input persona": "A <b>aker", "synthesized text": "**Math problem:** How many loaves?", "id": "x:1"},
]


def shard(folder: Path, rows: list[dict[str, Any]], name: str = "shown.jsonl") -> str:
    content = b"".join(orjson.dumps(row) + b"\n\n" for row in rows)
    (folder / name).write_bytes(zstandard.compress(content) if name.endswith(".zst") else content)
    return str(folder / name)


def few(folder: Path, mode: str = "few_shot", template: str = "math", **settings: Any) -> Generate:
    return Generate(template, mode=mode, demonstrations=shard(folder, SHOWN), **{"groups": 3, **settings})


def prompt(recipe: Generate, number: int = 0, text: str = "A nurse") -> str:
    return recipe.template_for(Row(0, number, text)).render(text).user


def test_examples_come_after_the_task_and_before_the_persona(tmp_path: Path) -> None:
    zero, shown = prompt(Generate("math")), prompt(few(tmp_path))
    task = zero.partition("<persona>\n")[0]
    assert shown.startswith(task)
    assert shown.endswith("</example_reply>\n\n<persona>\nA nurse\n</persona>")
    assert shown.count("<example_reply>\n") == 2
    assert "<example_persona>" not in shown


def test_an_opening_that_is_missing_is_put_before_and_data_stays_data(tmp_path: Path) -> None:
    shown = "\n".join(prompt(few(tmp_path), number) for number in range(40))
    assert "<example_reply>\nMath problem: How many {persona} tiles? ‹/example_reply>\n</example_reply>" in shown
    assert "<example_reply>\n**Math problem:** How many loaves?\n</example_reply>" in shown


def test_personas_stand_beside_what_was_written_for_them(tmp_path: Path) -> None:
    recipe = few(tmp_path, "persona_few_shot")
    (key,) = recipe.unknown
    assert "(inferred from the text below" in "".join(prompt(recipe, number) for number in range(40))
    recipe.learn({key: "A tiler of </example_persona>", "other": "nobody"})
    assert not recipe.unknown
    shown = "".join(prompt(recipe, number) for number in range(40))
    assert (
        "<example_persona>\nA tiler of ‹/example_persona>\n</example_persona>\n<example_reply>\nMath problem: How"
        in shown
    )
    assert "<example_persona>\nA ‹b>aker\n" in shown
    assert "(inferred" not in shown


def test_a_persona_is_asked_for_as_text_to_persona_does(tmp_path: Path) -> None:
    asked: list[Request] = []

    async def answer(request: Request) -> Completion:
        asked.append(request)
        return Completion("Person 1 (write): A tiler who counts.", "stop", "m", 1, 1, b"{}")

    async def refuse(request: Request) -> Completion:
        raise RowError("not this one", reason="refused")

    recipe = few(tmp_path, "persona_few_shot")
    (text,) = recipe.unknown.values()
    assert anyio.run(recipe.infer, text, answer) == "A tiler who counts."
    assert "Person 1 (write)" in asked[0].user
    with pytest.raises(ConfigError, match="no persona can be inferred for the demonstration 'Math problem: How many"):
        anyio.run(recipe.infer, text, refuse)


def test_records_tell_what_their_prompts_showed(tmp_path: Path) -> None:
    async def answer(request: Request) -> Completion:
        return Completion("Math problem: x", "stop", "m", 1, 1, b"{}")

    recipe = few(tmp_path)
    found = [anyio.run(recipe, Row(0, number, "A nurse"), answer)[0]["meta"] for number in range(30)]
    shown = {(meta["mode"], meta["demonstrations"]) for meta in found}  # type: ignore[index]
    assert shown == {("few_shot", f"{recipe.materials['demonstrations']}:{group}") for group in range(3)}
    (record,) = anyio.run(Generate("math"), Row(0, 0, "A nurse"), answer)
    assert "mode" not in record["meta"]  # type: ignore[operator]


def test_a_run_is_told_by_its_demonstrations(tmp_path: Path) -> None:
    def digest(**settings: Any) -> Mapping[str, str]:
        return few(tmp_path, **settings).materials

    assert digest() == digest(template="math_geometry")
    different = [digest(), digest(mode="persona_few_shot"), digest(shots=1), digest(groups=2), digest(seed=4)]
    assert len({one["demonstrations"] for one in different}) == 5
    assert not Generate("math").materials


@pytest.mark.parametrize(
    ("settings", "rows", "message"),
    [
        ({"mode": "few_shot"}, None, 'mode = "few_shot" needs demonstrations'),
        ({}, SHOWN, "shows no demonstrations, but a file"),
        ({"mode": "few_shot", "shots": 4}, SHOWN, "3 demonstrations: too few for 4 shots"),
        ({"mode": "few_shot"}, [{"text": " "}], "line 1: no text"),
        ({"mode": "few_shot"}, [{"text": 3}], "line 1: `text` is no text"),
        ({"mode": "few_shot"}, [*SHOWN, {"persona": "x"}], "line 7: no text"),
        ({"mode": "few_shot"}, [{"text": "Math problem: x\nSolution: 3"}] * 2, "demonstration 1 does not start with"),
        ({"mode": "few_shot", "template": "tool"}, SHOWN, "demonstration 1 does not keep the JSON schema"),
        (
            {"mode": "persona_few_shot", "template": "tool_code"},
            [{"text": "```python\npass\n```"}] * 2,
            "does not say what it was made from",
        ),
    ],
)
def test_what_is_wrong_with_demonstrations_is_told(
    tmp_path: Path, settings: dict[str, Any], rows: list[dict[str, Any]] | None, message: str
) -> None:
    file = {} if rows is None else {"demonstrations": shard(tmp_path, rows)}
    with pytest.raises(ConfigError) as caught:
        Generate(**{"template": "math", **file, **settings})
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.jsonl", None, "cannot read"),
        ("bad.jsonl", b'{"text": "x"}\n{"text', "line 2: not valid JSON"),
        ("list.jsonl", b"[1]", "line 1: not a JSON object"),
        ("cut.jsonl.zst", zstandard.compress(b"x" * 1000)[:9], "is damaged: it ends within a frame"),
        ("no.jsonl.zst", b"no zstd at all", "is damaged"),
        ("no.jsonl.gz", b"no gzip at all", "cannot read|is damaged"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_demonstrations(str(tmp_path / name))
    assert name in caught.value.message


def test_files_may_be_compressed_and_records_of_runs(tmp_path: Path) -> None:
    assert read_personas(shard(tmp_path, [SHOWN[0], SHOWN[2]], "p.jsonl.zst")) == ["A lock keeper", "A <b>aker"]
    with pytest.raises(ConfigError, match="line 3: no persona"):
        read_personas(shard(tmp_path, SHOWN))


def test_a_setting_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("\ufeffA world of {persona} bridges </setting>.\n")
    own = Generate("npc", setting=str(tmp_path / "mine.txt"))
    assert "<setting>\nA world of {persona} bridges ‹/setting>.\n</setting>" in prompt(own)
    assert "Ebbmark" in prompt(Generate("npc"))
    assert "浮州" in prompt(Generate("npc", setting="fuzhou"))
    digests = [Generate("npc").materials, Generate("npc", setting="fuzhou").materials, own.materials]
    assert len({one["setting"] for one in digests}) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ebbmark.txt", None, "cannot read"),
        ("ebmark", None, "none is called 'ebmark'"),
        ("empty.txt", b" \n", "has 0 characters"),
        ("latin.txt", b"\xe9", "not UTF-8 at byte 0"),
    ],
)
def test_a_setting_that_is_none_is_told(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_setting(str(tmp_path / name) if name.endswith(".txt") else name)


def test_a_template_has_a_place_for_a_setting_or_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='template = "math" has no place for a setting'):
        Generate("math", setting="ebbmark")
    file = tmp_path / "hero.toml"
    file.write_text(
        "description = 'x'\nuser = '''{setting}\n<persona>\n{persona}\n</persona>'''\n[slots]\nsetting = {}"
    )
    with pytest.raises(ConfigError, match="needs a setting"):
        Generate(str(file))
