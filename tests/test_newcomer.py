"""CONTRIBUTING's steps, followed word by word in a copy of the project: one TOML file and one test file are enough."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.support.command import personastream

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Add a template")[2].partition("\n## ")[0]
COOKS = {
    "packing_list": "cook_recipe",
    "packing list": "recipe for cooks",
    "Journey:": "Dish:",
    "Things:": "Steps:",
}


def written(language: str) -> str:
    """The one block of this language in the steps, with a use case of a newcomer's own."""
    (block,) = re.findall(rf"```{language}\n(.*?)   ```", PAGE, re.DOTALL)
    text = dedent(f"   {block.lstrip()}")
    for old, new in COOKS.items():
        assert old in PAGE
        text = text.replace(old, new)
    return text


@pytest.mark.slow
def test_a_template_with_contract_and_test_is_two_files(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "src/personastream/templates/cook_recipe.toml").write_text(written("toml"), "utf-8")
    (tmp_path / "tests/recipes").mkdir(parents=True)
    test = tmp_path / "tests/recipes/test_cook_recipe.py"
    test.write_text(written("python"), "utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
    assert "......." in done.stdout
    (line,) = re.findall(r"personastream (check .*)", PAGE)
    words = line.replace("NAME", str(tmp_path / "src/personastream/templates/cook_recipe.toml")).split()
    shown = personastream(*words, folder=ROOT)
    assert shown.code == 0, shown.err
    assert "| Dish: where to" in shown.out
