"""Documents laid into rows of equal length, none cut where it can be avoided.

Documents never see each other: attention is block-diagonal and positions start anew in each.
Without that, a character would learn from the personas of strangers that happen to lie before it
in the row.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from townsfolk.training.encoding import Example


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of documents; all [rows, length + 1], the last column only as a target.

    ``documents`` numbers the documents of a row from 1; 0 is padding.
    """

    tokens: NDArray[np.uint16 | np.uint32]
    kinds: NDArray[np.uint8]
    documents: NDArray[np.int16]

    @classmethod
    def empty(cls, rows: int, length: int) -> "Batch":
        """Return a batch of padding."""
        shape = (rows, length + 1)
        return cls(np.zeros(shape, np.uint32), np.zeros(shape, np.uint8), np.zeros(shape, np.int16))

    def rows(self, index: Sequence[int] | NDArray[np.int64]) -> "Batch":
        """Some of the rows, in this order."""
        return Batch(self.tokens[index], self.kinds[index], self.documents[index])


def pack(examples: Iterable[Example], length: int, rows: int | None = None) -> Batch:
    """Best-fit packing, longest first.

    Args:
        examples: The documents; one longer than a row is cut at the row's end.
        length: Tokens in a row that have a successor to predict.
        rows: How many rows to fill; documents that find no room are left out. None: as many as it
            takes.
    """
    width = length + 1
    free: list[tuple[int, int]] = [(width, row) for row in range(rows or 0)]  # sorted (room, row)
    placed: list[list[Example]] = [[] for _ in free]
    for example in sorted(examples, key=lambda item: -len(item.tokens)):
        size = min(len(example.tokens), width)
        at = bisect_left(free, (size, -1))
        if at < len(free):
            room, row = free.pop(at)
        elif rows is None:
            room, row = width, len(placed)
            placed.append([])
        else:
            continue
        placed[row].append(example)
        insort(free, (room - size, row))
    batch = Batch.empty(len(placed), length)
    for row, documents in enumerate(placed):
        start = 0
        for number, example in enumerate(documents, 1):
            span = slice(start, min(start + len(example.tokens), width))
            batch.tokens[row, span] = example.tokens[:width]
            batch.kinds[row, span] = example.kinds[:width]
            batch.documents[row, span] = number
            start = span.stop
    return batch


def pieces(example: Example, length: int) -> list[Example]:
    """Return a long plain text in pieces that fit a row, so that none of it is lost."""
    width = length + 1
    return [
        Example(example.tokens[at : at + width], example.kinds[at : at + width])
        for at in range(0, len(example.tokens), width)
    ]
