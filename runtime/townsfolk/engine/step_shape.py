"""Mixed steps in shapes of a few sizes, as graphs need them, and their inputs on the host.

In a flat batch of `tokens` places the first `speakers` belong to requests that decode, a place
each; the others to prompts, one after the other. What is not used is marked so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from townsfolk.engine.scheduler import StepItem

Ints = NDArray[np.int32]

SPEAKERS = (8, 16, 32, 64, 128)
TOKENS = (64, 128, 256, 512)
PROMPTS = 16
"""Prompts in a mixed step at most."""


@dataclass(frozen=True, slots=True)
class StepShape:
    """The size of a mixed step: places in all, and of these places for requests that decode."""

    speakers: int
    tokens: int

    @property
    def chunk(self) -> int:
        """Places for prompts."""
        return self.tokens - self.speakers

    @property
    def sequences(self) -> int:
        """Places for sequences: those that decode, then prompts."""
        return self.speakers + (PROMPTS if self.chunk else 0)

    @classmethod
    def fitting(cls, speakers: int, prompts: int, prompt_tokens: int) -> StepShape | None:
        """The smallest shape for a step; None where it is too large for any."""
        places = speaker_places(speakers)
        if places is None or prompts > PROMPTS:
            return None
        for tokens in TOKENS:
            if tokens >= places + prompt_tokens:
                return cls(places, tokens)
        return None


def speaker_places(speakers: int) -> int | None:
    """Places that a mixed step has for so many who decode; None where they are too many."""
    return next((places for places in SPEAKERS if places >= speakers), None)


class StepInputs:
    """The inputs of a mixed step, one after the other in one array.

    Attributes:
        token_ids: [tokens]: token ids; -1 - row for the token that a row has drawn last.
        positions: [tokens].
        owners: [tokens]: rows of the block tables; -1 for a place that is not used.
        lengths: [sequences]: positions of each sequence, its new tokens included.
        rows: [sequences]: rows of the block tables; -1 for a place that is not used.
        last: [sequences]: the place of the token from which a sequence draws.
        draws: [sequences]: the row that draws; -1 for one that doesn't.
        indices: [sequences]: how many tokens the row has drawn before.
        starts: [sequences + 1]: sequence s has the tokens `starts[s] : starts[s + 1]`. It comes
            last, so that all others begin at multiples of 16 bytes, as kernels like it.
    """

    __slots__ = (
        "draws", "indices", "last", "lengths", "owners", "positions", "rows", "starts", "token_ids",
    )  # fmt: skip

    @staticmethod
    def sizes(shape: StepShape) -> tuple[int, ...]:
        """Lengths of the arrays, in the order of the attributes above."""
        return (shape.tokens,) * 3 + (shape.sequences,) * 5 + (shape.sequences + 1,)

    @classmethod
    def pack(
        cls, shape: StepShape, speakers: Sequence[StepItem], prompts: Sequence[StepItem]
    ) -> Ints:
        """The inputs of a step in one array: [sum(sizes)], int32."""
        flat = np.full(sum(cls.sizes(shape)), -1, dtype=np.int32)
        inputs = cls(flat, shape)
        inputs.token_ids[:] = inputs.positions[:] = inputs.lengths[:] = inputs.last[:] = 0
        count = len(speakers)
        rows = [row_of(item) for item in speakers]
        inputs.token_ids[:count] = [-1 - row for row in rows]
        inputs.positions[:count] = [item.start for item in speakers]
        inputs.owners[:count] = inputs.rows[:count] = inputs.draws[:count] = rows
        inputs.lengths[:count] = inputs.positions[:count] + 1
        inputs.indices[:count] = [index_of(item) for item in speakers]
        inputs.starts[: shape.speakers + 1] = np.arange(shape.speakers + 1)
        inputs.last[: shape.speakers] = np.arange(shape.speakers)
        end = shape.speakers
        for sequence, item in enumerate(prompts, shape.speakers):
            own = slice(end, end + item.count)
            end += item.count
            row, length = row_of(item), item.start + item.count
            known = item.request.token_ids[item.start : length]
            inputs.token_ids[own] = known + [-1 - row] * (item.count - len(known))
            inputs.positions[own] = np.arange(item.start, length)
            inputs.owners[own] = inputs.rows[sequence] = row
            inputs.starts[sequence + 1] = end
            inputs.lengths[sequence] = length
            inputs.last[sequence] = end - 1
            if item.samples:
                inputs.draws[sequence], inputs.indices[sequence] = row, index_of(item)
        inputs.starts[shape.speakers + 1 + len(prompts) :] = end
        return flat

    def __init__(self, flat: Ints, shape: StepShape) -> None:
        """Views of one array."""
        ends = np.cumsum(self.sizes(shape))[:-1]
        (
            self.token_ids, self.positions, self.owners, self.lengths, self.rows,
            self.last, self.draws, self.indices, self.starts,
        ) = np.split(flat, ends)  # fmt: skip


def row_of(item: StepItem) -> int:
    """The row of an item's request."""
    assert item.request.row is not None
    return item.request.row


def index_of(item: StepItem) -> int:
    """How many tokens the request has drawn before the item's."""
    return item.start + item.count - item.request.prompt_length
