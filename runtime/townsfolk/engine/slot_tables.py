"""The block tables of the batch, on the device."""

from __future__ import annotations

import numpy as np
import torch
from townsfolk_kernels import upload

from townsfolk.engine.step import StepPlan

_SPARE_BLOCKS = 8  # a table may be a few blocks ahead of its sequence


def table_width(context_length: int, block_size: int) -> int:
    """Return blocks that the table of a sequence of so many tokens may have.

    It is a multiple of 16, for which kernels need be compiled but once.
    """
    return -(-(-(-context_length // block_size) + _SPARE_BLOCKS) // 16) * 16


class SlotTables:
    """The block table of each slot.

    Attributes:
        blocks: [max_slots, max_blocks], int32.
    """

    def __init__(self, max_slots: int, max_blocks: int, device: torch.device) -> None:
        """Make empty tables."""
        self.blocks = torch.zeros(max_slots, max_blocks, dtype=torch.int32, device=device)

    def update(self, plan: StepPlan) -> None:
        """Write the tables of sequences that join, and the blocks that others have got since."""
        width = self.blocks.shape[1]
        places: list[int] = []
        blocks: list[int] = []
        joined = [(each.sampling.slot, 0, each.block_ids) for each in plan.admitted]
        for slot, first, ids in (*joined, *plan.grown):
            own = ids[: max(width - first, 0)]
            places.extend(range(slot * width + first, slot * width + first + len(own)))
            blocks.extend(own)
        if places:
            both = upload(np.array([places, blocks], dtype=np.int64), self.blocks.device)
            self.blocks.view(-1).index_copy_(0, both[0], both[1].int())
