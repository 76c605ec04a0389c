"""Decode steps as CUDA graphs, one for each size of batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels.triton.sampling import SamplingRows, draw

from townsfolk.models.fused_decode import DecodeInputs, FusedDecode

# Below 8 a row more costs the most; above, groups of 8 share a graph.
_SMALL = (1, 2, 4, 8)


def bucket(batch: int) -> int:
    """The size of the graph that runs a batch."""
    fitting = [size for size in _SMALL if size >= batch]
    return fitting[0] if fitting else -(-batch // 8) * 8


class DecodeGraph:
    """A captured step: model, and sampling if it draws."""

    def __init__(
        self,
        size: int,
        decode: FusedDecode,
        tables: Tensor,
        state: SamplingRows,
        maxima: Tensor,
        pool: Any,
        draws: bool,
    ) -> None:
        """Captures the step; the first time, its kernels are compiled."""
        device = tables.device
        # [3, size]: rows, positions, numbers of tokens drawn before
        self._inputs = torch.full((3, size), -1, dtype=torch.int32, device=device)
        rows, positions, indices = self._inputs
        inputs = DecodeInputs(rows, positions, tables, state.drawn)
        self.tokens = torch.zeros(size, dtype=torch.int32, device=device)

        dependent = decode.is_dependent(size)

        def step() -> Tensor:
            logits = decode.logits(inputs)
            if draws:
                draw(logits, rows, indices, state, maxima[:size], self.tokens, dependent)
            return logits

        step()  # no row is in use: this compiles, and changes nothing
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
            self.logits = step()

    def launch(self, rows: list[int], positions: list[int], indices: list[int]) -> None:
        """Starts a step of up to `size` rows; `tokens` or `logits` hold the result after it."""
        host = np.full(self._inputs.shape, -1, dtype=np.int32)
        host[:, : len(rows)] = rows, positions, indices
        self._inputs.copy_(torch.from_numpy(host).pin_memory(), non_blocking=True)
        self._graph.replay()
