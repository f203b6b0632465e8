"""docs/operations.md and docs/troubleshooting.md are whole, and what they say is so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from personastream import errors
from personastream.errors import ExitCode, RunError
from personastream.serve.webhooks import signature

ROOT = Path(__file__).parent.parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
TROUBLES = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")


def rows(text: str) -> Iterator[list[str]]:
    """Rows of all tables, as cells."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| --"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def kinds(of: type[RunError]) -> Iterator[type[RunError]]:
    for each in of.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
            yield from kinds(each)


def test_every_exit_code_is_explained_once() -> None:
    codes = [row[0] for row in rows(TROUBLES) if re.fullmatch(r"\d+", row[0])]
    assert sorted(codes, key=int) == [str(int(code)) for code in sorted(ExitCode)]


@pytest.mark.parametrize("kind", [*kinds(RunError)], ids=lambda kind: kind.__name__)
def test_every_error_that_ends_a_run_is_explained_under_its_exit_code(kind: type[RunError]) -> None:
    (row,) = [row for row in rows(TROUBLES) if row[0] == f"`{kind.__name__}`"]
    assert row[1] == str(int(kind.exit_code))
    assert all(row)


def test_what_to_do_is_said_of_every_alert() -> None:
    alerts = yaml.safe_load((ROOT / "configs" / "prometheus" / "alerts.yml").read_text("utf-8"))
    names = [rule["alert"] for group in alerts["groups"] for rule in group["rules"] if "alert" in rule]
    assert re.findall(r"^### (\w+)$", OPERATIONS, re.MULTILINE) == names


def test_the_way_to_check_a_signature_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", OPERATIONS, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    is_ours = names["is_ours"]
    assert callable(is_ours)
    headers = {"webhook-id": "1", "webhook-timestamp": "2", "webhook-signature": signature(b"key" * 8, "1", "2", b"{}")}
    secret = "whsec_a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5"
    assert is_ours(secret, headers, b"{}")
    assert not is_ours(secret, headers, b"{ }")
