"""What the device knows of each request in the batch: its block table and how it samples."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from townsfolk_kernels.triton.sampling import MAX_CANDIDATES, MAX_ENDS, SamplingRows

from townsfolk.engine.request import Request
from townsfolk.sampling.params import SamplingParams


def upload(values: NDArray[np.generic], device: torch.device) -> Tensor:
    """A copy on the device, made in the order of its stream; the host does not wait."""
    return torch.from_numpy(values).pin_memory().to(device, non_blocking=True)


class DeviceRows:
    """A row for each request in the batch.

    Attributes:
        tables: [max_rows, max_blocks], int32, block tables.
        sampling: how each row draws, and what it has drawn last.
        maxima: [places, groups of the vocabulary], fp32: where draws work.
    """

    def __init__(
        self,
        max_rows: int,
        max_blocks: int,
        vocab_size: int,
        places: int,
        eos_ids: Collection[int],
        device: torch.device,
    ) -> None:
        """Makes empty rows.

        Args:
            max_rows: requests in the batch.
            max_blocks: blocks of a request.
            vocab_size: tokens that may be drawn.
            places: the most rows that draw at once.
            eos_ids: tokens that end a reply.
            device: where they are.
        """
        self.tables = torch.zeros(max_rows, max_blocks, dtype=torch.int32, device=device)
        self.sampling = SamplingRows.allocate(max_rows, device)
        self.maxima = torch.empty(places, -(-vocab_size // 64), device=device)
        self._eos_ids = tuple(eos_ids)
        self._known = [0] * max_rows  # blocks of each row that the device has

    def forget(self, row: int) -> None:
        """Empties a row."""
        self._known[row] = 0

    def admit(self, requests: Sequence[Request]) -> None:
        """Writes how requests that join the batch sample, and the token that each computes next."""
        if requests:
            write_sampling_rows(self.sampling, requests, self._eos_ids)

    def update(self, requests: Sequence[Request]) -> None:
        """Writes the blocks that these requests have got since."""
        width = self.tables.shape[1]
        places: list[int] = []
        blocks: list[int] = []
        for request in requests:
            row = request.row
            assert row is not None
            known, table = self._known[row], request.table.block_ids
            count = min(len(table), width)
            if known < count:
                places.extend(range(row * width + known, row * width + count))
                blocks.extend(table[known:count])
                self._known[row] = count
        if places:
            both = upload(np.array([places, blocks], dtype=np.int64), self.tables.device)
            self.tables.view(-1).index_copy_(0, both[0], both[1].int())


def samples_in_kernel(params: SamplingParams, num_ends: int) -> bool:
    """Whether the sampling kernel can draw for a request; else the general sampler does."""
    few = params.temperature == 0 or 1 <= params.top_k <= MAX_CANDIDATES
    plain = not params.penalizes and not params.logit_bias and params.logprobs is None
    return few and plain and (params.min_new_tokens == 0 or num_ends <= MAX_ENDS)


def write_sampling_rows(
    state: SamplingRows, requests: Sequence[Request], eos_ids: Collection[int]
) -> None:
    """Writes how these requests sample, and the token that each computes next."""
    count, device = len(requests), state.drawn.device
    numbers = np.ones((count, 4))
    whole = np.zeros((count, 4 + MAX_ENDS), dtype=np.int64)
    whole[:, 4:] = -1
    for index, request in enumerate(requests):
        params = request.params
        numbers[index, :3] = params.temperature or 1.0, params.top_p, params.min_p
        top_k = 1 if params.temperature == 0 else min(max(params.top_k, 1), MAX_CANDIDATES)
        seed = request.seed - 2**64 if request.seed >= 2**63 else request.seed
        assert request.row is not None
        whole[index, :3] = request.row, top_k, min(params.min_new_tokens, 2**31 - 1)
        whole[index, 3] = seed
        ends = list(dict.fromkeys((*eos_ids, *params.stop_token_ids)))[:MAX_ENDS]
        whole[index, 4 : 4 + len(ends)] = ends
    tokens = np.array([request.token_ids[-1] for request in requests], dtype=np.int32)
    fields = upload(whole, device)
    rows = fields[:, 0].contiguous()
    state.numbers.index_copy_(0, rows, upload(numbers, device))
    state.counts.index_copy_(0, rows, fields[:, 1:3].int())
    state.seeds.index_copy_(0, rows, fields[:, 3].contiguous())
    state.ends.index_copy_(0, rows, fields[:, 4:].int())
    state.drawn.index_copy_(0, rows, upload(tokens, device))
