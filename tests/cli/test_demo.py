"""`personastream demo`: the whole thing, with nothing but this program."""

from pathlib import Path

import pytest

from tests.support.command import personastream

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_the_demo_shows_results_counts_and_the_way_to_a_real_server(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    done = personastream("demo", "--out", out, "--latency", "0.02", "--progress", "none")
    assert done.code == 0, done.err
    assert done.out.count("Math problem:") == 3
    for words in ("delivered", "dropped", "verified  every checksum and every row", "zstd -dc", "vLLM", "Ollama"):
        assert words in done.out
    verified = personastream("verify", out / "run", "--json").json()
    counts = verified["counts"]
    settled = counts["delivered"] + sum(counts["dropped"].values()) + sum(counts["dead"].values())
    assert settled == 3000
    assert counts["dropped"]["dedup"] > 0
    assert counts["dropped"]["near_dedup"] > 0


def test_the_demo_overwrites_nothing(tmp_path: Path) -> None:
    done = personastream("demo", "--out", tmp_path)
    assert done.code == 73
    assert "exists" in done.err
    assert list(tmp_path.iterdir()) == []
