"""Draws the next token of every request of a batch."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor
from townsfolk_kernels.sampling import philox
from townsfolk_kernels.sampling import reference as ops

from townsfolk.sampling.batch import DrawBatch
from townsfolk.sampling.history import History
from townsfolk.sampling.params import (
    MAX_BIAS_ENTRIES,
    SamplingParams,
)
from townsfolk.sampling.report import SampledTokens, with_logprobs

DRAW_BLOCK = 64  # random numbers made at once for a row: 0.1 ms on a CPU, however many


class Sampler:
    """One stable row of state for each request, from `admit` to `release`.

    The n-th token of a request is a function of its logits, its parameters, the tokens before and
    the n-th random number of its seed. Which rows share a batch changes nothing.
    """

    def __init__(
        self, max_rows: int, vocab_size: int, eos_ids: Collection[int], device: torch.device
    ) -> None:
        """Make the state.

        Args:
            max_rows: how many requests can be admitted at once.
            vocab_size: of the logits.
            eos_ids: tokens that end every reply, forbidden before `min_new_tokens`.
            device: where the logits are.
        """
        self._vocab_size = vocab_size
        self._eos_ids = tuple(i for i in eos_ids if i < vocab_size)
        self._device = device
        self._params: list[SamplingParams | None] = [None] * max_rows
        self._batch: DrawBatch | None = None  # of the last batch; most often the next is the same
        self._bias_ids = torch.zeros(max_rows, MAX_BIAS_ENTRIES, dtype=torch.int64, device=device)
        self._bias_values = torch.zeros(max_rows, MAX_BIAS_ENTRIES, device=device)
        self._end_ids: list[Tensor | None] = [None] * max_rows  # forbidden before `min_new_tokens`
        self._history = History(max_rows, vocab_size, device)
        self._seeds = torch.zeros(max_rows, dtype=torch.int64, device=device)
        self._uniforms = torch.zeros(max_rows, DRAW_BLOCK, dtype=torch.float64, device=device)
        self._uniform_blocks: list[int | None] = [None] * max_rows
        self._adjusted: dict[int, tuple[Tensor, Tensor]] = {}  # token ids and values, by row

    def admit(
        self,
        row: int,
        params: SamplingParams,
        seed: int,
        prompt_ids: Sequence[int],
        generated_ids: Sequence[int] = (),
        end_ids: Collection[int] = (),
    ) -> None:
        """Give a free row to a request.

        Args:
            row: from 0 to max_rows - 1.
            params: its parameters; `params.seed` is not looked at.
            seed: of its draws, 0 to 2**64 - 1.
            prompt_ids: its prompt, as far as the repetition penalty counts it.
            generated_ids: what it generated before, when it comes back after a preemption.
            end_ids: at most 64 tokens that end its reply, besides those of every reply.

        Raises:
            InvalidSamplingError: a token id in `params` is not in the vocabulary.
            ValueError: the row is taken.
        """
        if self._params[row] is not None:
            raise ValueError(f"row {row} is taken; release it first")
        params.check_vocabulary(self._vocab_size)
        biases = params.logit_bias
        ends = dict.fromkeys((*self._eos_ids, *end_ids, *params.stop_token_ids))
        self._write(self._bias_ids, row, list(biases))
        self._write(self._bias_values, row, list(biases.values()))
        self._end_ids[row] = torch.tensor(list(ends), dtype=torch.int64, device=self._device)
        if params.penalizes:
            self._history.admit(row, prompt_ids, generated_ids)
        self._seeds[row] = seed - 2**64 if seed >= 2**63 else seed
        self._uniform_blocks[row] = None
        self._params[row] = params

    def adjust(self, row: int, biases: Mapping[int, float]) -> None:
        """Set what is added to a row's logits besides its bias, until it is set anew."""
        self._adjusted.pop(row, None)
        if biases:
            ids = torch.tensor(list(biases), device=self._device)
            values = torch.tensor(list(biases.values()), dtype=torch.float32, device=self._device)
            self._adjusted[row] = ids, values

    def release(self, row: int) -> None:
        """Take a row back. A row that is free already stays so."""
        self._adjusted.pop(row, None)
        self._params[row] = None
        self._batch = None

    def sample(
        self,
        logits: Tensor,
        rows: Sequence[int],
        generated_counts: Sequence[int],
        masks: Tensor | None = None,
    ) -> SampledTokens:
        """Draw one token for each of some rows. Does not wait for the device.

        Args:
            logits: [n, vocab] float32; not changed.
            rows: the n rows, each once, each admitted.
            generated_counts: how many tokens each has generated before: the index of this draw.
            masks: [n, words] int32, which tokens may be drawn at all; see `ops.mask_`.

        Raises:
            ValueError: a row was not admitted.
        """
        batch = self._batch_for(rows)
        edited = self._edit(logits, batch, generated_counts, masks)
        token_ids = batch.draw(edited, self._draw_uniforms(batch, generated_counts))
        if batch.penalized is not None:
            self._history.append(batch.penalized, token_ids)
        sampled = with_logprobs(logits, token_ids, batch.logprobs)
        sampled.drawn_logprobs = batch.drawn_logprobs(edited, token_ids)
        return sampled

    def _batch_for(self, rows: Sequence[int]) -> DrawBatch:
        if self._batch is None or self._batch.rows != tuple(rows):
            params = [self._params[row] for row in rows]
            admitted = [p for p in params if p is not None]
            if len(admitted) < len(rows):
                raise ValueError(f"row {rows[params.index(None)]} was not admitted")
            self._batch = DrawBatch(rows, admitted, self._vocab_size, self._device)
        return self._batch

    def _edit(
        self,
        logits: Tensor,
        batch: DrawBatch,
        generated_counts: Sequence[int],
        masks: Tensor | None,
    ) -> Tensor:
        """Penalties, bias, forbidden end tokens and masks, in a copy where there are any."""
        early = [
            n for n, count in enumerate(generated_counts) if count < batch.params[n].min_new_tokens
        ]
        adjusted = [
            (n, *self._adjusted[row]) for n, row in enumerate(batch.rows) if row in self._adjusted
        ]
        is_plain = batch.penalized is None and batch.biased is None and not adjusted
        if is_plain and not early and masks is None:
            return logits
        edited = logits.clone(memory_format=torch.contiguous_format)
        if batch.penalized is not None:
            self._history.penalize_(edited, batch.penalized)
        if batch.biased is not None:
            rows = batch.row_ids[batch.biased]
            ids, values = self._bias_ids[rows], self._bias_values[rows]
            ops.add_at_(edited, batch.biased, ids, values)
        for n, token_ids, values in adjusted:
            edited[n, token_ids] += values
        for n in early:
            ends = self._end_ids[batch.rows[n]]
            assert ends is not None
            edited[n].index_fill_(0, ends, -math.inf)
        if masks is not None:
            ops.mask_(edited, torch.arange(len(masks), device=self._device), masks)
        return edited

    def _draw_uniforms(self, batch: DrawBatch, generated_counts: Sequence[int]) -> Tensor:
        """Return the random number of each row's index, from blocks made ahead: [n] float64."""
        blocks = [count // DRAW_BLOCK for count in generated_counts]
        stale = [
            (row, block)
            for row, block in zip(batch.rows, blocks, strict=True)
            if self._uniform_blocks[row] != block
        ]
        if stale:
            rows, starts = torch.tensor(stale, device=self._device).unbind(1)
            indices = starts[:, None] * DRAW_BLOCK + torch.arange(DRAW_BLOCK, device=self._device)
            seeds = self._seeds[rows][:, None].expand_as(indices)
            fresh = philox.uniforms(seeds.reshape(-1), indices.reshape(-1))
            self._uniforms[rows] = fresh.view(-1, DRAW_BLOCK)
            for row, block in stale:
                self._uniform_blocks[row] = block
        inside = [count % DRAW_BLOCK for count in generated_counts]
        return self._uniforms[batch.row_ids, torch.tensor(inside, device=self._device)]

    def _write(self, table: Tensor, row: int, values: Sequence[float]) -> None:
        """Fill a row of `table`, the rest with 0: adding 0 to token 0 changes nothing."""
        table[row] = 0
        table[row, : len(values)] = torch.tensor(values, dtype=table.dtype, device=table.device)
