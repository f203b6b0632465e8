import base64
import io
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st

from personastream.core import frame_log, ranges, zstd_format
from personastream.core.frame_log import BLOCK_BYTES, NO_TRAILER, Commit, PartName, PartRows, ReadAt, Summary
from personastream.core.outcomes import Counts, Outcomes, Usage
from tests.support.effort import tries

NAME = PartName("run-1", "personas", "data", 3)
COMPRESSOR = zstandard.ZstdCompressor(level=1, write_checksum=True)


def reader(data: bytes) -> ReadAt:
    return lambda offset, count: data[offset : offset + count]


def part(*commits: tuple[Sequence[bytes], Outcomes], name: PartName = NAME) -> bytes:
    """A part of these commits, chained as they must be."""
    content, previous = b"", NO_TRAILER
    for sequence, (lines, outcomes) in enumerate(commits):
        data, previous, _ = frame_log.encode_commit(
            name, sequence, previous, lines, outcomes, Usage(sequence, 10, 20), COMPRESSOR
        )
        content += data
    return content


def small_part(count: int, name: PartName = NAME) -> bytes:
    """A part of `count` commits of two rows each."""
    return part(
        *(([b'{"id":"%d"}' % n, b'{"id":"x"}'], Outcomes([(2 * n, 2 * n + 2)])) for n in range(count)), name=name
    )


def sealed_part(count: int) -> tuple[bytes, int]:
    """A sealed part of `count` commits, and where its seal begins."""
    content = small_part(count)
    pieces = [piece for commit in found(content) for piece in commit.pieces]
    summary = Summary(count, 2 * count, Counts(2 * count), Usage(1, 2, 3), 2 * count)
    return content + frame_log.encode_seal(NAME, summary, PartRows((), [(0, 2 * count)]), pieces), len(content)


def found(content: bytes, name: PartName = NAME) -> list[Commit]:
    return list(frame_log.commits(reader(content), name))


def stock_read(content: bytes) -> bytes:
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content), read_across_frames=True).read()


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


row_sets = st.lists(st.integers(0, 200), unique=True)
reasons = st.sampled_from(["exact", "near", "length", "überlang"])


@st.composite
def all_outcomes(draw: st.DrawFn) -> Outcomes:
    numbers = iter(draw(row_sets))
    taken = [ranges.from_numbers(islice(numbers, draw(st.integers(0, 9)))) for _ in range(3)]
    dropped, dead = ({draw(reasons): rows} if rows else {} for rows in taken[1:])
    return Outcomes(taken[0], dropped, dead)


lines = st.lists(st.binary(max_size=3000).map(lambda line: line.replace(b"\n", b"")), max_size=5)
NOISE = random.Random(0).randbytes(9000).replace(b"\n", b"")


@settings(max_examples=tries(60))
@given(st.lists(st.tuples(lines, all_outcomes()), max_size=4))
@example([([NOISE, NOISE], Outcomes([(0, 2)])), ([], Outcomes([])), ([NOISE[:4000]], Outcomes([(5, 6)]))])
def test_commits_are_read_back_as_they_were_written(written: list[tuple[list[bytes], Outcomes]]) -> None:
    content = part(*written)
    read = found(content)
    assert [commit.outcomes for commit in read] == [outcomes for _, outcomes in written]
    assert [commit.lines for commit in read] == [len(lines) for lines, _ in written]
    assert [commit.usage for commit in read] == [Usage(n, 10, 20) for n in range(len(written))]
    assert [commit.offset for commit in read] == [0, *(commit.end for commit in read)][: len(read)]
    assert sum(size for commit in read for size, _ in commit.pieces) == len(content)
    assert stock_read(content) == b"".join(line + b"\n" for lines, _ in written for line in lines)


@settings(max_examples=tries(60))
@given(st.integers(0, 3 * BLOCK_BYTES))
@example(0)
def test_a_commit_of_any_length_ends_on_a_block_boundary(size: int) -> None:
    content = part(([NOISE[:size]], Outcomes([(0, 1)])), ([b"x"], Outcomes([(1, 2)])))
    assert [commit.end % BLOCK_BYTES for commit in found(content)] == [0, 0]


def test_each_gap_up_to_the_next_block_is_filled_by_one_frame_or_none() -> None:
    for length in range(2 * BLOCK_BYTES):
        padding = frame_log._padding(length)
        assert (length + len(padding)) % BLOCK_BYTES == 0
        assert len(padding) == 0 or zstd_format.frame_length(reader(padding), 0) == len(padding)
        assert len(padding) < BLOCK_BYTES + zstd_format.SKIPPABLE_HEADER_BYTES


def wanted_bits(content: bytes, chance: random.Random) -> Iterator[int]:
    """All bits but for those within the zeros of the padding, of which some are picked."""
    for at in range(len(content)):
        inside_zeros = not any(content[max(0, at - 9) : at + 9])
        yield from [8 * at + chance.randrange(8)] if inside_zeros else range(8 * at, 8 * at + 8)


@pytest.mark.slow
def test_every_flipped_bit_ends_the_commits_before_the_one_that_it_is_in() -> None:
    content = small_part(2)
    whole = found(content)
    for bit in wanted_bits(content, random.Random(1)):
        assert found(flipped(content, bit)) == whole[: bit // 8 // BLOCK_BYTES], f"bit {bit}"


@pytest.mark.slow
def test_every_single_bit_of_a_part_is_watched_over() -> None:
    content = small_part(2)
    whole = found(content)
    for bit in range(8 * len(content)):
        assert found(flipped(content, bit)) == whole[: bit // 8 // BLOCK_BYTES], f"bit {bit}"


def test_every_truncation_leaves_the_whole_commits_before_it() -> None:
    content = small_part(3)
    whole = found(content)
    for size in range(len(content) + 1):
        if size % 16 == 0 or any(content[max(0, size - 20) : size + 20]):
            assert found(content[:size]) == whole[: size // BLOCK_BYTES], f"cut to {size}"


@pytest.mark.parametrize("gap", range(3))
def test_sectors_that_are_zero_end_the_commits_before_them(gap: int) -> None:
    content = part(([NOISE], Outcomes([(0, 1)])), ([NOISE], Outcomes([(1, 2)])))
    whole = found(content)
    for sector in range(0, len(content), 512):
        if any(content[sector : sector + 512]):
            torn = content[:sector] + bytes(512 * (gap + 1)) + content[sector + 512 * (gap + 1) :]
            assert found(torn[: len(content)]) == [commit for commit in whole if commit.end <= sector]


@pytest.mark.parametrize(
    "name",
    [
        replace(NAME, run_id="run-2"),
        replace(NAME, shard="personas-2"),
        replace(NAME, kind="dead"),
        replace(NAME, part=4),
    ],
)
def test_a_part_of_another_name_is_refused_as_a_whole(name: PartName) -> None:
    content, _ = sealed_part(2)
    assert found(content, name) == []
    assert frame_log.read_seal(reader(content), len(content), name) is None
    assert frame_log.read_rows(reader(content), len(content), name) is None
    assert frame_log.commit_after(reader(content), len(content), 0, name) is None


def test_commits_out_of_their_order_are_refused() -> None:
    content = small_part(4)
    a, b, c, d = (content[at : at + BLOCK_BYTES] for at in range(0, len(content), BLOCK_BYTES))
    for order, whole in (([b, a], 0), ([a, c], 1), ([a, a], 1), ([a, b, d, c], 2), ([a, b, c, c], 3)):
        assert len(found(b"".join(order))) == whole


def test_a_commit_that_follows_another_history_is_refused() -> None:
    ours, theirs = small_part(2), part(([b"other"], Outcomes([(0, 1)])), ([b"x"], Outcomes([(1, 2)])))
    assert len(found(theirs)) == 2
    assert len(found(ours[:BLOCK_BYTES] + theirs[BLOCK_BYTES:])) == 1


def test_a_valid_commit_behind_a_damaged_one_is_found() -> None:
    content = small_part(3)
    damaged = flipped(content, 8 * BLOCK_BYTES + 40)
    later = frame_log.commit_after(reader(damaged), len(damaged), BLOCK_BYTES, NAME)
    assert later is not None
    assert later.offset == 2 * BLOCK_BYTES
    assert frame_log.commit_after(reader(damaged), 2 * BLOCK_BYTES, BLOCK_BYTES, NAME) is None
    assert frame_log.commit_after(reader(content), len(content), 1, NAME) == found(content)[1]


def test_a_seal_is_read_back_and_stock_tools_do_not_see_it() -> None:
    content, _ = sealed_part(3)
    assert frame_log.read_seal(reader(content), len(content), NAME) == Summary(3, 6, Counts(6), Usage(1, 2, 3), 6)
    assert frame_log.read_rows(reader(content), len(content), NAME) == ([], [(0, 6)])
    assert stock_read(content).count(b"\n") == 6
    pieces = frame_log.read_pieces(reader(content), len(content))
    table = zstd_format.seek_table_bytes(content[-zstd_format.SEEKABLE_FOOTER_BYTES :])
    assert sum(size for size, _ in pieces) + (table or 0) == len(content)
    assert sum(raw for _, raw in pieces) == len(stock_read(content))


def test_counts_by_reason_and_an_open_end_survive_in_a_seal() -> None:
    content = small_part(1)
    summary = Summary(1, 2, Counts(2, {"exact": 4, "near": 0}, {"length": 5}), Usage(7, 8, 9), None)
    pieces = [piece for commit in found(content) for piece in commit.pieces]
    content += frame_log.encode_seal(NAME, summary, PartRows([(0, 1)], [(0, 2), (5, 14)]), pieces)
    assert frame_log.read_seal(reader(content), len(content), NAME) == summary
    assert frame_log.read_rows(reader(content), len(content), NAME) == ([(0, 1)], [(0, 2), (5, 14)])


def test_a_cut_seal_is_no_seal() -> None:
    content, seal_at = sealed_part(2)
    for size in range(seal_at, len(content)):
        assert frame_log.read_seal(reader(content), size, NAME) is None
        assert frame_log.read_rows(reader(content), size, NAME) is None
        assert len(found(content[:size])) == 2


def test_a_seek_table_that_does_not_cover_its_file_is_none() -> None:
    content, _ = sealed_part(2)
    for other in (b"x" + content, content[1:], content[BLOCK_BYTES:], content + content):
        assert frame_log.read_pieces(reader(other), len(other)) == []
        assert frame_log.read_seal(reader(other), len(other), NAME) is None


def test_every_flipped_bit_of_settled_rows_or_summary_is_noticed() -> None:
    content, seal_at = sealed_part(2)
    pieces = frame_log.read_pieces(reader(content), len(content))
    summary_at = seal_at + pieces[-2][0]
    table_at = summary_at + pieces[-1][0]
    for bit in range(8 * seal_at, 8 * table_at):
        damaged = flipped(content, bit)
        read = frame_log.read_rows if bit < 8 * summary_at else frame_log.read_seal
        assert read(reader(damaged), len(damaged), NAME) is None, f"bit {bit}"


@settings(max_examples=tries(200))
@given(st.binary(max_size=300), st.integers(0, 2))
def test_garbage_is_never_a_commit_nor_a_seal_nor_an_error(garbage: bytes, start: int) -> None:
    magics = (zstd_format.FRAME_MAGIC, frame_log.TRAILER_MAGIC)
    content = b"".join(magic.to_bytes(4, "little") for magic in magics[:start]) + garbage
    content += zstd_format.SEEKABLE_FOOTER_MAGIC.to_bytes(4, "little") * (start == 2)
    assert found(content) == []
    assert frame_log.read_seal(reader(content), len(content), NAME) is None
    assert frame_log.read_rows(reader(content), len(content), NAME) is None
    assert frame_log.read_pieces(reader(content), len(content)) == []


@pytest.mark.parametrize("limit", ["FRAME_BYTES_MAX", "TRAILER_BYTES_MAX", "RAW_BYTES_MAX"])
def test_a_commit_that_could_not_be_read_back_is_never_made(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(frame_log, limit, 20)
    with pytest.raises(ValueError, match="a commit of 5001 bytes in 1 lines is too large"):
        part(([b"x" * 5000], Outcomes([(0, 1)])))


WRITTEN_BY_0_1_0 = (
    "c-qt0s{dEThL@4yM72_8ijtL5L26NPeqLg+m4Q+%m!S!eU}8`Z<eTZ!cVBQ-u$HgHUj_z-fM6d(Mux{gmIhFNf)B%4Hik{-bQA*8"
    "=Q4X7Hg4(2sE^D`)!pR!{>+&h0SC)&DmWjXG4rMA<q{3<V=q>6HSfJErxelf(URlau_K?jGLAo2*=RmjB5f(7wCN4+_pW#5@iaf#"
    "sFJ)SO6=RVJuCuAw~H+~K8AQUe)`NRwBX!AjaGp$%{i$V-m1RIGUtS%7Tc`#FWT_^5VLb4`;@uQuimtF6FB&(TI*ZxonuG76>oID"
    "_I;02E}xan{a1^g)u!jK@wbm>*s%M=bS7Sgyo%EwB;1dl*WwCH+#<aGV1kx{Efaf_nqX6Q?b!pIr^I&TZ25fiRp!(U?Di8Y-Y`gn"
    "00ZGDAHygZ1*2dTjDk@x3P!;w7zLwX6pVsVFmyl|urr$r@6iWCd-Mu{p-c>uj_`{$9L<f6e<yvK>-7E<;h@?xH<z|8UeVuJ+$H=y"
    "S?|uwK(DgNzmDzcJZ-M0RI0E~bn2p+)6QyK47l%{5aul<z{GI9XX1h!#`imF?q7*?43m8@$L3J`i^ZWpOSi)<oeQ({>QWX4B`!Is"
    "g3Q}$t|~$Y)r{VU-Q52Azy3^~J#KpZ0itdF6Y^UhJ?7<N%YG$c&{VVBSHwCZnp3v-UR%Vz)9W2~%ib^kxwyLT{1eGV-Fu_GKU$ui"
    "?Qm+|?kiQoL49iXd33v-`rPJiT=#hDOHU2UeWoj)#h#bH<}9Dj@bk(KJx&Iz$rJM`{v2?Nd-L{9XYtl2B}HeCMxGWETHu=JxqGwi"
    "&RLga^;XG#jsrU15a?(<AhrQwRz^rzo`ntyltROHKa^$#5gT7k>IVR89~4U"
)
"""A sealed part with one commit, as the first version wrote it: zlib, then base 85."""


def test_what_earlier_versions_wrote_is_read_for_ever() -> None:
    content = zlib.decompress(base64.b85decode(WRITTEN_BY_0_1_0))
    (commit,) = found(content)
    assert commit.outcomes == Outcomes([(0, 2), (4, 5)], {"exact": [(2, 3)]})
    assert commit.usage == Usage(3, 210, 384)
    summary = Summary(1, 3, Counts(3, {"exact": 1}), Usage(3, 210, 384), 5)
    assert frame_log.read_seal(reader(content), len(content), NAME) == summary
    assert frame_log.read_rows(reader(content), len(content), NAME) == ([], [(0, 3), (4, 5)])
    assert stock_read(content) == b'{"id":"personas:0"}\n{"id":"personas:1"}\n{"id":"personas:4"}\n'
