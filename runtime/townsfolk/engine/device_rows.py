"""What the device knows of each request in the batch: its block table and how it samples."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from townsfolk_kernels.triton.general_sampling import SamplingSpace
from townsfolk_kernels.triton.sampling_rows import (
    IN_PROMPT,
    MAX_CANDIDATES,
    MOST_SAID,
    SamplingRows,
)

from townsfolk.engine.request import Request
from townsfolk.sampling.params import (
    MAX_BIAS_ENTRIES,
    MAX_END_TOKENS,
    MAX_STOP_TOKENS,
    SamplingParams,
)


def upload(values: NDArray[np.generic], device: torch.device) -> Tensor:
    """A copy on the device, made in the order of its stream; the host does not wait."""
    own = torch.from_numpy(values)
    if device.type != "cuda":
        return own.to(device)
    return own.pin_memory().to(device, non_blocking=True)


class DeviceRows:
    """A row for each request in the batch.

    Attributes:
        tables: [max_rows, max_blocks], int32, block tables.
        sampling: how each row draws, and what it has drawn last.
        space: where draws work.
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
            places: the most rows that draw in one call.
            eos_ids: tokens that end a reply.
            device: where they are.
        """
        self._eos_ids = tuple(each for each in eos_ids if each < vocab_size)
        self.space = SamplingSpace.allocate(places, vocab_size, device)
        self.tables = torch.zeros(max_rows, max_blocks, dtype=torch.int32, device=device)
        most_ends = len(self._eos_ids) + MAX_END_TOKENS + MAX_STOP_TOKENS
        self.sampling = SamplingRows.allocate(
            max_rows, vocab_size, most_ends, MAX_BIAS_ENTRIES, device
        )
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


def is_plain(params: SamplingParams, vocab_size: int) -> bool:
    """Whether the two kernels that most requests need can draw for this one."""
    few = params.temperature == 0 or 1 <= params.top_k < min(MAX_CANDIDATES + 1, vocab_size)
    return few and not params.penalizes and not params.logit_bias and params.logprobs is None


def write_sampling_rows(
    state: SamplingRows, requests: Sequence[Request], eos_ids: Sequence[int]
) -> None:
    """Writes how these requests sample, and the token that each computes next."""
    count, device = len(requests), state.drawn.device
    most_ends, most_biases = state.ends.shape[1], state.biases.shape[1]
    numbers = np.ones((count, 4))
    # Row, counts, seed, end tokens, biased tokens, the token.
    whole = np.zeros((count, 8 + most_ends + most_biases), dtype=np.int64)
    small = np.zeros((count, 4 + most_biases), dtype=np.float32)  # penalties, biases
    for index, request in enumerate(requests):
        params = request.params
        ends = list(dict.fromkeys((*eos_ids, *request.rules.end_ids, *params.stop_token_ids)))
        biases = params.logit_bias
        top_k = params.top_k if params.top_k < state.said.shape[1] else 0
        top_k = top_k if params.temperature > 0 else 1
        seed = request.seed - 2**64 if request.seed >= 2**63 else request.seed
        reported = -1 if params.logprobs is None else params.logprobs
        least = min(params.min_new_tokens, 2**31 - 1)
        assert request.row is not None
        numbers[index, :3] = params.temperature or 1.0, params.top_p, params.min_p
        whole[index, :6] = request.row, top_k, least, len(ends), len(biases), reported
        whole[index, 6], whole[index, 7] = seed, request.token_ids[-1]
        whole[index, 8 : 8 + len(ends)] = ends
        whole[index, 8 + most_ends : 8 + most_ends + len(biases)] = list(biases)
        small[index, :3] = (
            params.repetition_penalty,
            params.presence_penalty,
            params.frequency_penalty,
        )
        small[index, 3] = params.penalizes
        small[index, 4 : 4 + len(biases)] = list(biases.values())
    fields, reals = upload(whole, device), upload(small, device)
    rows = fields[:, 0].contiguous()
    state.numbers.index_copy_(0, rows, upload(numbers, device))
    state.counts.index_copy_(0, rows, fields[:, 1:6].int())
    state.seeds.index_copy_(0, rows, fields[:, 6].contiguous())
    state.drawn.index_copy_(0, rows, fields[:, 7].int())
    state.ends.index_copy_(0, rows, fields[:, 8 : 8 + most_ends].int())
    state.bias_ids.index_copy_(0, rows, fields[:, 8 + most_ends :].int())
    state.penalties.index_copy_(0, rows, reals[:, :4].contiguous())
    state.biases.index_copy_(0, rows, reals[:, 4:].contiguous())
    for request in requests:
        if request.params.penalizes:
            _write_said(state, request)


def _write_said(state: SamplingRows, request: Request) -> None:
    """Notes which tokens a request's prompt and, if it was preempted, its reply have."""
    assert request.row is not None
    said = np.zeros(state.said.shape[1], dtype=np.int16)
    reply = np.array(request.token_ids[request.prompt_length :], dtype=np.int64)
    times = np.bincount(reply, minlength=len(said))
    said[:] = np.minimum(times, MOST_SAID)
    said[request.penalized_prompt] |= np.int16(IN_PROMPT)
    state.said[request.row].copy_(upload(said, state.said.device))
