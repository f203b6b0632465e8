"""`personastream review`: who is answered, who goes on where, and what is told at the end."""

import http.client
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from tests.cli.test_review_in_browser import ended, reviewed
from tests.support.command import personastream
from tests.support.ended_run import record, write_run

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", {"a": [record(f"Text {row}") for row in range(8)]})


def asked(
    url: str, path: str = "", *, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and content of an answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    own = {"Origin": f"http://{parts.netloc}", "Content-Type": "application/json"} if body is not None else {}
    data = None if body is None else orjson.dumps(body)
    connection.request("GET" if body is None else "POST", parts.path + path, data, {**own, **(headers or {})})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def mark(url: str, identity: str, value: str | None, note: object = "") -> int:
    return asked(url, "marks", body={"id": identity, "mark": value, "note": note})[0]


def test_only_those_are_answered_that_know_the_address_and_mean_it(run: Path) -> None:
    with reviewed(run, "--n", "8", "--as", "anna") as (url, process):
        host = urlsplit(url).netloc
        root = f"http://{host}/"
        assert asked(url)[0] == 200
        for other in (root, root + "page.js", root + "x" * 32 + "/", url + "../../etc/passwd", url + "records/99.json"):
            assert asked(other)[0] == 404
        assert asked(url, headers={"Host": "evil.example"})[0] == 421
        assert asked(url, headers={"Origin": "http://evil.example"})[0] == 403
        good = {"id": "a:0", "mark": "valid", "note": ""}
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Content-Type": "text/plain"},
            {"Host": "evil.example"},
        ):
            assert asked(url, "marks", body=good, headers=headers)[0] in (403, 421)
        bodies: list[object] = [
            [],
            {},
            {**good, "id": "a:99"},
            {**good, "mark": "good"},
            {**good, "note": "x" * 2001},
            5,
        ]
        for bad in bodies:
            assert asked(url, "marks", body=bad)[0] == 400
        assert asked(url, "marks", body={**good, "note": "x" * 100_000})[0] == 413
        assert not (run / "review" / "anna.jsonl").read_bytes()
        assert mark(url, "a:0", "valid") == 200
        assert ended(process)[0] == 75


def test_two_reviewers_judge_the_same_records(run: Path) -> None:
    for name, values in (("anna", "vvvviu"), ("ben", "vvvivu")):
        with reviewed(run, "--n", "8", "--seed", "3", "--as", name) as (url, process):
            there = [each["id"] for each in orjson.loads(asked(url, "sample.json")[1])["records"]]
            for identity, value in zip(there, values, strict=False):
                named = {"v": "valid", "i": "invalid", "u": "unsafe"}[value]
                assert mark(url, identity, named) == 200
            code, said = ended(process)
    assert code == 75
    assert "Cohen's kappa" in said
    told = personastream("review", run, "--result").json()
    assert told["agreement"][0]["records"] == 6
    assert told["agreement"][0]["agreed"] == 4
    assert told["valid"]["share"] == pytest.approx(3 / 6)
    assert told["reviewers"]["anna"] == {"marked": 6, "valid": 4, "invalid": 1, "unsafe": 1}


def test_a_review_goes_on_with_its_sample_and_no_other(run: Path) -> None:
    with reviewed(run, "--n", "5", "--as", "anna") as (url, process):
        first = asked(url, "sample.json")[1]
        busy = personastream("review", run, "--as", "anna")
        assert (busy.code, "reviews this run already" in busy.err) == (73, True)
        ended(process)
    with reviewed(run, "--as", "anna") as (url, process):
        assert asked(url, "sample.json")[1] == first
        ended(process)
    other = personastream("review", run, "--n", "6")
    assert other.code == 78
    assert "--n 5" in other.err


def test_mistakes_are_told(run: Path, tmp_path: Path) -> None:
    assert personastream("review", run, "--result").code == 65
    assert personastream("review", run, "--as", "../anna").code == 78
    assert personastream("review", run, "--n", "3", "--by", "synthesized text").code == 78
    assert personastream("review", tmp_path / "none").code == 65
