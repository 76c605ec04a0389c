import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.training.encoding import Example
from townsfolk.training.packing import pack, pieces


def example(length: int, number: int) -> Example:
    return Example(np.full(length, number, np.uint32), np.full(length, 1 + number % 2, np.uint8))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_every_document_is_whole_and_there_once(lengths):
    batch = pack([example(size, at + 1) for at, size in enumerate(lengths)], length=39)
    found = []
    for row, documents in zip(batch.tokens, batch.documents, strict=True):
        for number in range(1, documents.max() + 1):
            inside = row[documents == number]
            assert len(set(inside)) == 1
            found.append((int(inside[0]), len(inside)))
    assert sorted(found) == [(at + 1, size) for at, size in enumerate(lengths)]
    assert not batch.kinds[batch.documents == 0].any()


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 5))
def test_a_fixed_number_of_rows_is_kept_to(lengths, rows):
    batch = pack([example(size, at + 1) for at, size in enumerate(lengths)], 39, rows)
    assert batch.tokens.shape == batch.kinds.shape == batch.documents.shape == (rows, 40)


def test_rows_are_filled_well():
    lengths = [30, 30, 10, 10, 20, 20, 5, 5, 5, 5]
    batch = pack([example(size, 1) for size in lengths], length=39)
    assert len(batch.tokens) == 4  # 140 tokens in rows of 40


def test_pieces_lose_nothing():
    text = Example(np.arange(101, dtype=np.uint32), np.ones(101, np.uint8))
    parts = pieces(text, 24)
    assert [len(part.tokens) for part in parts] == [25, 25, 25, 25, 1]
    assert np.array_equal(np.concatenate([part.tokens for part in parts]), text.tokens)
