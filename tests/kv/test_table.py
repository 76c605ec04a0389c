"""What one sequence finds of another's, and what happens to shared blocks."""

import itertools

import pytest
from townsfolk.kv import BlockPool, BlockTable, OutOfBlocksError
from townsfolk.kv.table import GROWTH


@pytest.fixture
def copies() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def pool(copies: list[tuple[int, int]]) -> BlockPool:
    return BlockPool(16, 4, lambda source, target: copies.append((source, target)))


def filled(pool: BlockPool, tokens: list[int], namespace: str = "") -> BlockTable:
    table = BlockTable(pool, namespace)
    cached = table.open(tokens, len(tokens))
    table.commit(tokens[cached:])
    return table


def test_the_next_turn_finds_all_tokens_of_the_last(pool: BlockPool, copies: list) -> None:
    filled(pool, list(range(10))).release()
    table = BlockTable(pool, "")
    assert table.open(list(range(13)), capacity=13) == 10
    assert copies == []  # nobody held the half-filled block, so it is simply taken over


def test_a_held_last_block_is_copied(pool: BlockPool, copies: list) -> None:
    first = filled(pool, list(range(10)))
    first.publish()
    second = BlockTable(pool, "")
    assert second.open([*range(10), 77], capacity=11) == 10
    assert second.block_ids[:2] == first.block_ids[:2]
    assert copies == [(first.block_ids[2], second.block_ids[2])]


def test_a_block_that_differs_halfway_is_copied_up_to_there(pool: BlockPool, copies: list) -> None:
    first = filled(pool, [1, 2, 3, 4, 5, 6, 7, 8])
    second = BlockTable(pool, "")
    assert second.open([1, 2, 3, 4, 5, 6, 70, 80, 90], capacity=9) == 6
    assert copies == [(first.block_ids[1], second.block_ids[1])]


def test_a_whole_hit_still_leaves_the_tokens_asked_for(pool: BlockPool) -> None:
    filled(pool, [1, 2, 3, 4, 5, 6, 7, 8]).release()
    table = BlockTable(pool, "")
    assert table.open([1, 2, 3, 4, 5, 6, 7, 8], capacity=8, reuse=7) == 7


def test_namespaces_share_nothing(pool: BlockPool) -> None:
    filled(pool, list(range(8)), "one").release()
    assert BlockTable(pool, "other").open(list(range(8)), capacity=8) == 0
    assert BlockTable(pool, "one").open(list(range(8)), capacity=8) == 8


def test_the_end_of_the_oldest_sequence_is_evicted_first(pool: BlockPool) -> None:
    filled(pool, [1] * 16).release()
    filled(pool, [2] * 16).release()
    held = BlockTable(pool, "")
    held.open([3] * 40, capacity=40)  # ten blocks: eight were free
    held.release()
    assert BlockTable(pool, "").open([1] * 16, capacity=16) == 8
    assert BlockTable(pool, "").open([2] * 16, capacity=16) == 16


def test_a_refused_open_changes_nothing(pool: BlockPool) -> None:
    first = filled(pool, list(range(8)))
    table = BlockTable(pool, "")
    with pytest.raises(OutOfBlocksError):
        table.open(list(range(8)), capacity=8 + 4 * 14 + 1)
    assert table.block_ids == []
    assert pool.num_available == 14
    with pytest.raises(OutOfBlocksError):
        table.open([9], capacity=4, spare=14)
    first.release()
    assert pool.num_used == 0


def test_the_whole_pool_goes_to_one_sequence_that_would_copy_from_a_cached_block(
    pool: BlockPool, copies: list
) -> None:
    filled(pool, [1, 2, 3]).release()
    table = BlockTable(pool, "")
    # The block with [1, 2, 3] is the sixteenth that the sequence needs, so nothing can be copied.
    assert table.open([1, 2, 9], capacity=64) == 0
    assert copies == []
    assert pool.num_available == 0


def test_growing_takes_runs_of_neighbours_and_leaves_no_holes() -> None:
    pool = BlockPool(256, 4, lambda source, target: None)
    tables = [filled(pool, [table] * 9) for table in range(4)]
    for length in range(10, 80):
        for number, table in enumerate(tables):
            table.grow(length)
            table.commit([number])
    for table in tables:
        ids = table.block_ids
        breaks = sum(after != before + 1 for before, after in itertools.pairwise(ids))
        assert breaks <= len(ids) // GROWTH
    used = sorted(block_id for table in tables for block_id in table.block_ids)
    assert used == list(range(len(used)))
