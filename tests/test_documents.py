"""What the documents say of the repository is so."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from docs import configuration
from personastream.build import build, build_thinning
from personastream.config import load
from personastream.core.template import parse_template
from personastream.recipes.generate import Generate
from personastream.stages import load_stages

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
PATH = re.compile(r"`((?:src|tests|bench|docs|configs)/[\w./*-]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    missing = [path for path in PATH.findall(text) if "NAME" not in path and not list(ROOT.glob(path.rstrip("/")))]
    missing += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not missing


def test_the_page_of_all_keys_is_up_to_date() -> None:
    assert configuration.TARGET.read_text(encoding="utf-8") == configuration.page(), "run `make docs`"


RUNS = [path for path in sorted((ROOT / "configs").glob("*.toml")) if path.name != "serve.toml"]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_shipped_configurations_build_and_find_their_shards(path: Path) -> None:
    for stage in load_stages(str(path)):
        config = stage.config
        source = (build(config) if config.asks else build_thinning(config)).source
        if "../runs/" not in config.source.values["paths"][0] and not stage.reads:  # what another one writes
            assert len(source.shards()) == (1 if re.search("texts|problems", str(config.source.values)) else 4)


def test_the_configuration_in_the_readme_builds(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    file = tmp_path / "readme.toml"
    file.write_text(example)
    build(load(str(file)))


def test_the_template_in_the_documents_works_with_either_contract() -> None:
    page = (ROOT / "docs" / "templates.md").read_text("utf-8")
    prompt, recipe, examples, schema, people = re.findall(r"```toml\n(.*?)```", page, re.S)
    assert set(tomllib.loads(recipe)["recipe"]) <= {field.name for field in fields(Generate)}
    assert "Zwei Beispiele" in parse_template(f"{prompt}\n{examples}", "riddle.toml").examples["few_shot"]
    assert parse_template(people, "people.toml", ("people", "granularity")).filled(granularity="coarse", people="x")
    assert parse_template(prompt, "riddle.toml").contract.problem("Riddle: what is it?", "stop") is None
    before, _, after = prompt.partition('[reply]\nopening = "Riddle:"\n')
    card = parse_template(f"{before}{after}{schema}", "riddle.toml")
    assert card.contract.problem('{"question": "what?", "answer": "it"}', "stop") is None
    assert card.contract.problem('{"question": "what?"}', "stop") == "contract"
