"""Lengths and latencies taken from a trace."""

from pathlib import Path

import orjson
import pytest
import zstandard

from personastream.errors import ConfigError
from personastream.simulator.behaviour import Behaviour
from personastream.simulator.service import Service
from personastream.simulator.trace import Sample, read_trace

TRACES = Path(__file__).parents[2].parent / "shared" / "data" / "traces"


@pytest.mark.parametrize(
    ("name", "text", "samples"),
    [
        ("a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\r\nx,374,44\r\ny,1,2", [(44, None), (2, None)]),
        ("b.jsonl", '{"input_length":1,"output_length":500}\n{"output_length":7}\n', [(500, None), (7, None)]),
        ("c.jsonl", '{"end_to_end_latency_s":1.5,"number_output_tokens":151,"error_code":null}\n', [(151, 1.5)]),
        ("d.jsonl", '{"latency_s":2,"error_code":429}\n{"processing_ms":250}\n', [(None, 0.25)]),
        ("e.csv", "latency_s,output_tokens\n0.5,\n,9\n", [(None, 0.5), (9, None)]),
    ],
)
def test_columns_are_found_by_name(
    tmp_path: Path, name: str, text: str, samples: list[tuple[int | None, float | None]]
) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / f"{name}.zst").write_bytes(
        zstandard.compress(text[:20].encode()) + zstandard.compress(text[20:].encode())
    )
    for path in tmp_path / name, tmp_path / f"{name}.zst":
        assert read_trace(path) == tuple(Sample(*sample) for sample in samples)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("missing.csv", None),
        ("other.txt", b"output_tokens\n5\n"),
        ("empty.csv", b""),
        ("columns.csv", b"a,b\n1,2\n"),
        ("words.csv", b"output_tokens\nmany\n"),
        ("list.jsonl", b"[1]\n"),
        ("broken.jsonl", b'{"output_tokens":\n'),
        ("late.csv", b"latency_s\n-1\n"),
        ("nan.csv", b"latency_s\nnan\n"),
        ("latin.csv", b"output_tokens\n\xff\n"),
        ("plain.csv.zst", b"output_tokens\n5\n"),
    ],
)
def test_an_unfit_trace_is_an_error_that_names_it(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=name):
        read_trace(tmp_path / name)


def body(number: int) -> bytes:
    user = f'Start with "Title:".\n<persona>\nPerson {number}\n</persona>\n'
    return orjson.dumps({"model": "m", "messages": [{"role": "user", "content": user}]})


def test_replies_follow_the_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("output_tokens,latency_s\n30,3.0\n200,20.0\n")
    service = Service(Behaviour(trace=path))
    answers = [service.answer(body(number), {}, 0.0) for number in range(100)]
    assert {answer.delay_s for answer in answers} == {3.0, 20.0}
    for answer in answers:
        wanted = answer.delay_s * 10
        assert 0.6 * wanted <= answer.tokens.output <= wanted


@pytest.mark.parametrize("name", ["azure-llm-2023-conv.csv.zst", "llmperf-latencies.jsonl.zst"])
def test_recorded_traces_are_read(name: str) -> None:
    if not (TRACES / name).exists():
        pytest.skip(f"{TRACES / name} is not there")
    samples = read_trace(TRACES / name)
    assert len(samples) > 1000
    assert all(sample.output_tokens for sample in samples)
