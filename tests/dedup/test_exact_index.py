import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personastream.dedup import KeyTable, SnapshotDamaged, hash_texts
from personastream.dedup.snapshot import write_snapshot

TOP = (1 << 64) - 1
# Few values, so that they repeat; those next to 0 and to 2^64 share a home, the last ones run over the table's end.
KEYS = st.one_of(st.integers(0, 5), st.integers(TOP - 5, TOP), st.integers(0, TOP))
BATCHES = st.lists(st.tuples(st.lists(KEYS, max_size=30), st.booleans()), max_size=6)


def reloaded(table: KeyTable) -> KeyTable:
    file = io.BytesIO()
    table.save(file)
    file.seek(0)
    copy = KeyTable()
    copy.load(file)
    return copy


@settings(max_examples=50, deadline=None)
@given(BATCHES)
def test_a_key_is_new_once_whatever_the_batches_and_restarts(batches: list[tuple[list[int], bool]]) -> None:
    table, seen = KeyTable(), set[int]()
    for keys, restart in batches:
        expected = [key not in seen and key not in keys[:place] for place, key in enumerate(keys)]
        assert table.insert(np.array(keys, np.uint64)).tolist() == expected
        seen |= set(keys)
        assert len(table) == len(seen)
        table = reloaded(table) if restart else table


def test_growing_changes_no_decision() -> None:
    keys = np.random.default_rng(1).integers(0, 40_000, 100_000).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    table, seen = KeyTable(), set[int]()
    for start in range(0, len(keys), 7001):
        batch = keys[start : start + 7001]
        _, first = np.unique(batch, return_index=True)
        expected = np.zeros(len(batch), np.bool_)
        expected[[place for place in first.tolist() if int(batch[place]) not in seen]] = True
        assert (table.insert(batch) == expected).all()
        seen.update(batch.tolist())
    assert len(table) == len(seen)


def test_keys_that_crowd_the_end_of_the_table_go_round_to_its_start() -> None:
    keys = np.arange(TOP - 300, TOP, dtype=np.uint64)
    table = KeyTable()
    assert table.insert(keys).all()
    assert not reloaded(table).insert(keys).any()
    assert table.insert(np.arange(1, 300, dtype=np.uint64)).all()
    assert not table.insert(keys).any()


def test_what_is_saved_does_not_depend_on_the_order_of_insertion() -> None:
    files = []
    for keys in ([3, 0, TOP, 7], [7, TOP, 3, 0]):
        table, file = KeyTable(), io.BytesIO()
        table.insert(np.array(keys, np.uint64))
        table.save(file)
        files.append(file.getvalue())
    assert files[0] == files[1]


def test_keys_out_of_order_in_a_snapshot_are_refused_and_nothing_changes() -> None:
    file = io.BytesIO()
    write_snapshot(file, "exact xxh3-64", [np.array([2, 1], np.uint64)])
    file.seek(0)
    table = KeyTable()
    table.insert(np.array([9], np.uint64))
    with pytest.raises(SnapshotDamaged):
        table.load(file)
    assert not table.insert(np.array([9], np.uint64)).any()


def test_texts_with_one_normal_form_have_one_key() -> None:
    keys = hash_texts(["A Teacher", " a  teacher ", "a teacher.", "", "\ud800"]).tolist()
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
