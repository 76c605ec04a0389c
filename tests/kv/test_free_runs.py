"""The store of empty blocks against a plain set."""

from hypothesis import given
from hypothesis import strategies as st
from townsfolk.kv.free_runs import FreeRuns


@given(
    size=st.integers(1, 40),
    operations=st.lists(st.tuples(st.booleans(), st.integers(0, 39), st.integers(1, 9))),
)
def test_it_holds_the_same_ids_as_a_set(size: int, operations: list[tuple[bool, int, int]]) -> None:
    runs, expected = FreeRuns(size), set(range(size))
    for give, block_id, count in operations:
        if give and block_id < size and block_id not in expected:
            runs.give(block_id)
            expected.add(block_id)
        elif not give and count <= len(expected):
            taken = runs.take(count, after=block_id)
            assert len(set(taken)) == count
            assert expected.issuperset(taken)
            if block_id + 1 in expected and block_id not in expected:
                assert taken[0] == block_id + 1
            expected.difference_update(taken)
        assert len(runs) == len(expected)
        assert [i for i in range(size) if i in runs] == sorted(expected)


def test_a_sequence_goes_on_behind_its_last_block() -> None:
    runs = FreeRuns(100)
    first = runs.take(4)
    runs.take(4)
    for block_id in first:
        runs.give(block_id)
    assert runs.take(3, after=7) == [8, 9, 10]
    assert runs.take(5) == [11, 12, 13, 14, 15]  # the lowest run is too short
    assert runs.take(4) == first


def test_a_run_that_is_too_short_is_used_up_and_another_begun() -> None:
    runs = FreeRuns(10)
    taken = runs.take(10)
    for block_id in (2, 3, 7, 8, 9):
        runs.give(taken[taken.index(block_id)])
    assert runs.take(4, after=1) == [2, 3, 7, 8]
