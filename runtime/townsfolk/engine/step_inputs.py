"""A step as one flat batch: the one builder for the CPU, a GPU's eager steps and its graphs.

In a flat batch of `tokens` places the first `decodes` belong to sequences that decode, a place
each; the others to prompts, one after the other. Graphs have shapes of a few sizes, in which what
is not used is marked so; an eager step has its exact shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from townsfolk_kernels import PagedLayout

from townsfolk.engine.step import StepItem
from townsfolk.models import ModelBatch

Ints = NDArray[np.int32]

DECODES = (8, 16, 32, 64, 128)
TOKENS = (64, 128, 256, 512)
LARGE_TOKENS = (1024, 2048)
"""Places for tokens in graphs of many prompts, where there is memory for them: launched one by one,
such a step takes the host 11 ms and the device 7.3 (2,048 tokens of Llama-3.2-1B, H200)."""
PREFILLS = 16
"""Prompts in a graph at most."""


def is_decode(item: StepItem) -> bool:
    """Return whether an item computes its slot's latest token alone: the one it drew last."""
    return item.count == 1 and item.draws and not item.token_ids


@dataclass(frozen=True, slots=True)
class StepShape:
    """The size of a step.

    Attributes:
        decodes: places for sequences that decode.
        tokens: places for tokens in all.
        prefills: places for sequences with prompts.
        longest: the most tokens of a sequence.
    """

    decodes: int
    tokens: int
    prefills: int
    longest: int

    @property
    def chunk(self) -> int:
        """Places for tokens of prompts."""
        return self.tokens - self.decodes

    @property
    def sequences(self) -> int:
        """Places for sequences: those that decode, then prompts."""
        return self.decodes + self.prefills

    @classmethod
    def graph(cls, decodes: int, tokens: int) -> StepShape:
        """Return the shape of a graph."""
        chunk = tokens - decodes
        return cls(decodes, tokens, PREFILLS if chunk else 0, chunk)

    @classmethod
    def fitting(
        cls, decodes: int, prefills: int, prompt_tokens: int, most: int = TOKENS[-1]
    ) -> StepShape | None:
        """Return the smallest shape of a graph for a step; None where it is too large for any.

        Args:
            decodes: sequences that decode.
            prefills: prompts.
            prompt_tokens: tokens of all prompts.
            most: the most places of a graph.
        """
        places = decode_places(decodes)
        if places is None or prefills > PREFILLS:
            return None
        for tokens in TOKENS:
            if tokens >= places + prompt_tokens:
                return cls.graph(places, tokens)
        if not decodes:
            places = 0  # so that the largest step of prompts alone fits
        for tokens in LARGE_TOKENS:
            if most >= tokens >= places + prompt_tokens:
                return cls.graph(places, tokens)
        return None

    @classmethod
    def exact(
        cls, decodes: Sequence[StepItem], prompts: Sequence[StepItem], multiple: int = 1
    ) -> StepShape:
        """Return the shape of just these items, padded to multiples of some number."""
        counts = [item.count for item in prompts]
        tokens, sequences = len(decodes) + sum(counts), len(decodes) + len(prompts)
        return cls(
            len(decodes),
            -(-tokens // multiple) * multiple,
            -(-sequences // multiple) * multiple - len(decodes),
            max(counts, default=1),
        )


def graph_sizes(most: int) -> list[tuple[int, int]]:
    """Return places for decodes, and places in all, of graphs of up to `most` places."""
    large = [tokens for tokens in LARGE_TOKENS if tokens <= most]
    sizes = [(decodes, tokens) for decodes in DECODES for tokens in (*TOKENS, *large)]
    return [*sizes, *((0, tokens) for tokens in large)]


def decode_places(decodes: int) -> int | None:
    """Return the places that a graph has for so many that decode; None where they are too many."""
    return next((places for places in DECODES if places >= decodes), None)


class StepInputs:
    """The inputs of a step, one after the other in one array.

    Attributes:
        shape: of the step.
        flat: all of them, [sum(sizes)], int32.
        token_ids: [tokens]: token ids; -1 - slot for the token that a slot has drawn last.
        positions: [tokens].
        owners: [tokens]: slots; -1 for a place that is not used.
        lengths: [sequences]: positions of each sequence, its new tokens included.
        slots: [sequences]: -1 for a place that is not used.
        last: [sequences]: the place of the token from which a sequence draws.
        draws: [sequences]: the slot that draws; -1 for one that doesn't, or waits for a mask.
        indices: [sequences]: how many tokens the slot has drawn before.
        starts: [sequences + 1]: sequence s has the tokens `starts[s] : starts[s + 1]`. It comes
            last, so that all others begin at multiples of 16 bytes, as kernels like it.
    """

    __slots__ = (
        "draws", "flat", "indices", "last", "lengths", "owners", "positions", "shape", "slots",
        "starts", "token_ids",
    )  # fmt: skip

    @staticmethod
    def sizes(shape: StepShape) -> tuple[int, ...]:
        """Return the lengths of the arrays, in the order of the attributes above."""
        return (shape.tokens,) * 3 + (shape.sequences,) * 5 + (shape.sequences + 1,)

    @classmethod
    def pack(
        cls, shape: StepShape, decodes: Sequence[StepItem], prompts: Sequence[StepItem]
    ) -> StepInputs:
        """Lay out the items of a step."""
        inputs = cls(np.full(sum(cls.sizes(shape)), -1, dtype=np.int32), shape)
        inputs.token_ids[:] = inputs.positions[:] = inputs.lengths[:] = inputs.last[:] = 0
        count = len(decodes)
        slots = [item.slot for item in decodes]
        inputs.token_ids[:count] = [-1 - slot for slot in slots]
        inputs.positions[:count] = [item.start for item in decodes]
        inputs.owners[:count] = inputs.slots[:count] = slots
        inputs.draws[:count] = [-1 if item.masked else item.slot for item in decodes]
        inputs.lengths[:count] = inputs.positions[:count] + 1
        inputs.indices[:count] = [item.index for item in decodes]
        inputs.starts[: shape.decodes + 1] = np.arange(shape.decodes + 1)
        inputs.last[: shape.decodes] = inputs.starts[: shape.decodes]
        end = shape.decodes
        for sequence, item in enumerate(prompts, shape.decodes):
            own = slice(end, end + item.count)
            end += item.count
            known = item.token_ids
            inputs.token_ids[own] = [*known, *[-1 - item.slot] * (item.count - len(known))]
            inputs.positions[own] = np.arange(item.start, item.start + item.count)
            inputs.owners[own] = inputs.slots[sequence] = item.slot
            inputs.starts[sequence + 1] = end
            inputs.lengths[sequence] = item.start + item.count
            inputs.last[sequence] = end - 1
            if item.draws and not item.drafts:
                inputs.draws[sequence] = -1 if item.masked else item.slot
                inputs.indices[sequence] = item.index
        inputs.starts[shape.decodes + 1 + len(prompts) :] = end
        return inputs

    def __init__(self, flat: Ints, shape: StepShape) -> None:
        """Make views of one array."""
        self.flat, self.shape = flat, shape
        tokens, wide = shape.tokens, 3 * shape.tokens
        self.token_ids, self.positions, self.owners = flat[:wide].reshape(3, tokens)
        end = wide + 5 * shape.sequences
        self.lengths, self.slots, self.last, self.draws, self.indices = flat[wide:end].reshape(
            5, shape.sequences
        )
        self.starts = flat[end:]

    def to_batch(
        self, tables: Tensor, drawn: Tensor, block_size: int, device: torch.device
    ) -> ModelBatch:
        """Look up tokens that were drawn last, and where keys and values go.

        Args:
            tables: [max_slots, max_blocks], int32, block tables.
            drawn: [max_slots], int64: the token that each slot has drawn last.
            block_size: tokens in a block.
            device: of the model.
        """
        if device.type == "cpu":
            return self._to_host_batch(tables.numpy(), drawn.numpy(), block_size)
        flat = torch.from_numpy(self.flat).to(device)
        token_ids, positions, owners = flat[: 3 * self.shape.tokens].view(3, -1).long()
        if (self.token_ids < 0).any():
            drawn = drawn[(-1 - token_ids).clamp(min=0)]
            token_ids = torch.where(token_ids < 0, drawn, token_ids)
        blocks = tables[owners, positions // block_size]
        sequences = flat[3 * self.shape.tokens :]
        count = self.shape.sequences
        lengths, slots = sequences[:count], sequences[count : 2 * count]
        width = -(-int(self.lengths.max()) // block_size)
        return ModelBatch(
            token_ids,
            positions,
            blocks.long() * block_size + positions % block_size,
            PagedLayout(
                query_starts=sequences[5 * count :],
                kv_lengths=lengths,
                block_tables=tables[:, :width].index_select(0, slots),
                block_size=block_size,
                longest=self.shape.longest,
                singles=self.shape.decodes,
            ),
        )

    def _to_host_batch(self, tables: Ints, drawn: NDArray[np.int64], block_size: int) -> ModelBatch:
        """See `to_batch`: in NumPy, whose operations on a few numbers cost far less."""
        token_ids, positions = self.token_ids.astype(np.int64), self.positions.astype(np.int64)
        unknown = token_ids < 0
        token_ids[unknown] = drawn[-1 - token_ids[unknown]]
        blocks = tables[self.owners, positions // block_size].astype(np.int64)
        width = -(-int(self.lengths.max()) // block_size)
        return ModelBatch(
            torch.from_numpy(token_ids),
            torch.from_numpy(positions),
            torch.from_numpy(blocks * block_size + positions % block_size),
            PagedLayout(
                query_starts=torch.from_numpy(self.starts),
                kv_lengths=torch.from_numpy(self.lengths),
                block_tables=torch.from_numpy(tables[self.slots, :width]),
                block_size=block_size,
                longest=self.shape.longest,
                singles=self.shape.decodes,
            ),
        )
