"""Which tokens each request has seen and said, for the penalties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from townsfolk_kernels.sampling import reference as ops

from townsfolk.sampling.params import SamplingParams

FIRST_CAPACITY = 256


@dataclass(slots=True)
class Penalized:
    """The rows of a batch that have penalties, and how strong these are."""

    places: Tensor
    """[m] int64: where they are in the batch."""
    rows: tuple[int, ...]
    row_ids: Tensor
    """[m] int64: `rows` on the device."""
    repetition: Tensor
    """[m] float32, as the next two."""
    presence: Tensor
    frequency: Tensor

    @classmethod
    def of(
        cls, rows: Sequence[int], params: Sequence[SamplingParams], device: torch.device
    ) -> Penalized | None:
        """Find them among the rows of a batch; None when there are none."""
        places = [n for n, p in enumerate(params) if p.penalizes]
        if not places:
            return None
        chosen = tuple(rows[n] for n in places)
        return cls(
            torch.tensor(places, device=device),
            chosen,
            torch.tensor(chosen, device=device),
            torch.tensor([params[n].repetition_penalty for n in places], device=device).float(),
            torch.tensor([params[n].presence_penalty for n in places], device=device).float(),
            torch.tensor([params[n].frequency_penalty for n in places], device=device).float(),
        )


class History:
    """The tokens of each row's prompt and reply, kept on the device.

    The counts take four bytes for each row and token of the vocabulary, so they are made when the
    first request with penalties comes.
    """

    def __init__(self, max_rows: int, vocab_size: int, device: torch.device) -> None:
        self._max_rows = max_rows
        self._vocab_size = vocab_size
        self._device = device
        self._lengths = [0] * max_rows
        self._seen_ids = self._zeros(0, torch.int64)  # [max_rows, capacity]
        self._reply_counts = self._zeros(0, torch.int32)  # [max_rows, vocab], or none yet

    def admit(self, row: int, prompt_ids: Sequence[int], generated_ids: Sequence[int]) -> None:
        """Start a row anew."""
        if self._reply_counts.shape[1] == 0:
            self._reply_counts = self._zeros(self._vocab_size, torch.int32)
        seen = list(dict.fromkeys((*prompt_ids, *generated_ids)))
        self._reserve(len(seen))
        self._lengths[row] = len(seen)
        # What is not used yet repeats a token that was seen, which `penalize_` allows; where none
        # was, `append` sees to it.
        self._seen_ids[row] = seen[0] if seen else 0
        self._seen_ids[row, : len(seen)] = self._tensor(seen)
        said = self._tensor(generated_ids)
        self._reply_counts[row] = torch.bincount(said, minlength=self._vocab_size)

    def penalize_(self, logits: Tensor, batch: Penalized) -> None:
        """Apply the penalties to a batch's logits [n, vocab], in place."""
        lengths = [self._lengths[row] for row in batch.rows]
        longest = max(lengths)
        if longest == 0:
            return
        repetition = batch.repetition
        if 0 in lengths:  # the row holds no token yet, and so must not change any
            repetition = torch.where(self._tensor(lengths) > 0, repetition, 1.0)
        seen_ids = self._seen_ids[batch.row_ids, :longest]  # [m, longest]
        ops.penalize_(
            logits,
            batch.places,
            seen_ids,
            self._reply_counts[batch.row_ids[:, None], seen_ids],
            repetition,
            batch.presence,
            batch.frequency,
        )

    def append(self, batch: Penalized, token_ids: Tensor) -> None:
        """Note the tokens [n] just drawn for a batch."""
        said = token_ids[batch.places]
        lengths = [self._lengths[row] for row in batch.rows]
        self._reserve(max(lengths) + 1)
        self._reply_counts[batch.row_ids, said] += 1
        if 0 in lengths:
            first = self._tensor(lengths) == 0
            self._seen_ids[batch.row_ids[first]] = said[first, None]
        self._seen_ids[batch.row_ids, self._tensor(lengths)] = said
        for row in batch.rows:
            self._lengths[row] += 1

    def _reserve(self, length: int) -> None:
        """Make room, doubling; the room that is new repeats each row's first token."""
        capacity = self._seen_ids.shape[1]
        if length <= capacity:
            return
        wider = self._zeros(max(length, 2 * capacity, FIRST_CAPACITY), torch.int64)
        if capacity:
            wider[:] = self._seen_ids[:, :1]
            wider[:, :capacity] = self._seen_ids
        self._seen_ids = wider

    def _zeros(self, width: int, dtype: torch.dtype) -> Tensor:
        return torch.zeros(self._max_rows, width, dtype=dtype, device=self._device)

    def _tensor(self, values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self._device)
