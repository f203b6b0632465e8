"""Texts to look for, out of files of every kind; and what the transform and the screen `decontaminate` do with them."""

import gzip
from pathlib import Path

import anyio
import orjson
import pytest
import zstandard

from personastream.errors import BadInput, ConfigError
from personastream.ports import Judgement
from personastream.records import Batch, Completion, Request, Shard
from personastream.screens.decontaminate import Decontaminate as Screen
from personastream.test_sets import Against, read_items
from personastream.transforms.decontaminate import Decontaminate

QUESTION = "Omar waters 14 rows of beans every evening, each with 25 plants. How many plants does he water in a week?"
OTHER = "Omar waters 15 rows of beans each evening, all with 26 plants. How many plants get water from him in June?"
SHORT = "Evaluate $17 \\cdot 23$."
ROWS = b"\n".join(map(orjson.dumps, [{"id": 1, "question": QUESTION}, {"problem": SHORT, "question": "?"}])) + b"\n\n"
SHARD = Shard(0, "shard", "shard.jsonl", 1000, "f")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "test.jsonl"
    path.write_bytes(ROWS)
    return path


def test_files_of_every_kind_hold_the_same_texts(tmp_path: Path, rows: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "test.jsonl.gz").write_bytes(gzip.compress(ROWS))
    half = len(ROWS) // 2
    frames = [zstandard.ZstdCompressor().compress(part) for part in (ROWS[:half], ROWS[half:])]
    (tmp_path / "test.jsonl.zst").write_bytes(b"".join(frames))
    (tmp_path / "test.json").write_bytes(orjson.dumps([QUESTION, SHORT]))
    pq.write_table(pa.table({"question": [QUESTION, SHORT], "answer": ["2450", "391"]}), tmp_path / "test.parquet")
    for name in ("test.jsonl", "test.jsonl.gz", "test.jsonl.zst", "test.json", "test.parquet"):
        found = read_items([str(tmp_path / name)], ["problem", "question"])
        assert [(item.row, item.text) for item in found] == [(0, QUESTION), (1, SHORT)], name
    assert len(read_items([str(tmp_path / "test.*")], ["problem", "question"])) == 10


def test_a_text_file_is_one_text(tmp_path: Path) -> None:
    (tmp_path / "poem.txt").write_text("One line\nand another")
    assert [item.text for item in read_items([str(tmp_path / "poem.txt")], ["text"])] == ["One line\nand another"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b'{"q": "x"}\n', "row 0 has no text under question"),
        ("a.jsonl", b'{"question": "x"}\n{"question"\n', "line 2 is not JSON"),
        ("a.jsonl", b"17\n", "row 0 is neither text nor an object"),
        ("a.jsonl", b"\n \n", "holds no text"),
        ("a.jsonl.zst", b"not zstd", "cannot read"),
        ("a.jsonl.gz", b"not gzip", "cannot read"),
        ("a.txt", b"\xff\xfe", "cannot read"),
        ("a.json", b"{", "cannot read"),
        ("a.parquet", b"PAR1", "cannot read"),
        ("a.csv", b"x", "cannot tell the format"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=said) as raised:
        read_items([str(tmp_path / name)], ["question"])
    assert str(tmp_path / name) in raised.value.message


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_items([str(tmp_path / "none.jsonl")], ["question"])
    with pytest.raises(BadInput, match="no file matches"):
        read_items([str(tmp_path / "*.jsonl")], ["question"])
    with pytest.raises(ConfigError, match="may be empty"):
        read_items([], ["question"])


def test_what_is_looked_for_is_told_by_its_tokens(tmp_path: Path, rows: Path) -> None:
    (tmp_path / "same.jsonl").write_bytes(
        ROWS.upper().replace(b"QUESTION", b"question").replace(b"PROBLEM", b"problem")
    )
    (tmp_path / "other.jsonl").write_bytes(ROWS.replace(b"14", b"15"))
    told = [Against([str(tmp_path / name)]).fingerprint for name in ("test.jsonl", "same.jsonl", "other.jsonl")]
    assert told[0] == told[1] != told[2]


@pytest.mark.parametrize("rule", ["ngram", "coverage"])
def test_the_transform_drops_what_holds_a_text(rows: Path, rule: str) -> None:
    texts = [
        f"I was asked: {QUESTION}",
        QUESTION.upper().replace(",", " ,").replace(".", "!"),
        OTHER,
        "evaluate 17 × 23!",
        "evaluate 17 × 24!",
        "Express your answer as a common fraction. How many plants does he water?",
    ]
    batch = Decontaminate([str(rows)], rule=rule)(Batch(SHARD, 0, 6, range(6), texts))
    assert list(batch.numbers) == [2, 4, 5]
    assert batch.dropped == {"contaminated": [0, 1, 3]}


async def never(request: Request) -> Completion:
    raise AssertionError("nothing is to be asked")


def test_the_screen_judges_replies(rows: Path) -> None:
    screen = Screen([str(rows)])
    assert (screen.on, screen.policy, screen.name) == ("reply", "drop", "contaminated")

    async def judge() -> list[Judgement]:
        return list(await screen([f"Math problem: {QUESTION}", OTHER], never))

    assert [judgement.reasons for judgement in anyio.run(judge)] == [("contaminated",), ()]


def test_what_one_text_shares_is_not_counted_for_the_next(rows: Path) -> None:
    half = QUESTION.split()
    index = Against([str(rows)], rule="coverage", share_min=0.9).index
    for _ in range(3):
        assert index.find([" ".join(half[:11]), " ".join(half[9:])]).tolist() == [-1, -1]
        assert index.find([QUESTION]).tolist() == [0]
