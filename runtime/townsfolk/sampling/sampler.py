"""Draws the next token of every request of a batch."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from townsfolk_kernels import philox
from townsfolk_kernels import sampling as ops

from townsfolk.sampling.params import MAX_BIAS_ENTRIES, MAX_STOP_TOKENS, SamplingParams

DRAW_BLOCK = 64  # random numbers made at once for a row: 0.1 ms on a CPU, however many


@dataclass(slots=True)
class SampledTokens:
    """Tokens and how likely they were; on the sampler's device, not yet waited for."""

    token_ids: Tensor
    """[n] int64."""
    logprobs: Tensor
    """[n] float32 in nats, of the model's own distribution: before temperature, penalties, bias
    and filters. NaN for a request that did not ask."""
    top_ids: Tensor | None
    """[n, k] int64, likeliest first, where k is the most that any request of the batch asked for;
    None when none asked. A request's own are the first of its row."""
    top_logprobs: Tensor | None
    """[n, k] float32; NaN for a request that did not ask."""


class Sampler:
    """One stable row of state for each request, from `admit` to `release`.

    The n-th token of a request is a function of its logits, parameters, earlier tokens and the
    n-th random number of its seed. Which rows share a batch changes nothing.
    """

    def __init__(
        self, max_rows: int, vocab_size: int, eos_ids: Collection[int], device: torch.device
    ) -> None:
        self._vocab_size = vocab_size
        self._eos_ids = tuple(sorted(i for i in eos_ids if i < vocab_size))
        self._device = device
        self._max_rows = max_rows
        self._params: list[SamplingParams | None] = [None] * max_rows

        def numbers(dtype: torch.dtype, *shape: int) -> Tensor:
            return torch.zeros(max_rows, *shape, dtype=dtype, device=device)

        self._temperature = numbers(torch.float64)
        self._top_k = numbers(torch.int64)
        self._top_p = numbers(torch.float64)
        self._min_p = numbers(torch.float64)
        self._repetition = numbers(torch.float32)
        self._presence = numbers(torch.float32)
        self._frequency = numbers(torch.float32)
        self._seeds = numbers(torch.int64)
        self._bias_ids = numbers(torch.int64, MAX_BIAS_ENTRIES)
        self._bias_values = numbers(torch.float32, MAX_BIAS_ENTRIES)
        self._end_ids = numbers(torch.int64, MAX_STOP_TOKENS + len(self._eos_ids))
        self._end_values = numbers(torch.float32, MAX_STOP_TOKENS + len(self._eos_ids))
        self._uniforms = numbers(torch.float64, DRAW_BLOCK)
        self._uniform_blocks: list[int | None] = [None] * max_rows
        # Five bytes for each row and token of the vocabulary: made when a request first needs it.
        self._in_prompt: Tensor | None = None  # [max_rows, vocab] bool
        self._reply_counts: Tensor | None = None  # [max_rows, vocab] int32

    def admit(
        self,
        row: int,
        params: SamplingParams,
        seed: int,
        prompt_ids: Sequence[int],
        generated_ids: Sequence[int] = (),
    ) -> None:
        """Gives a free row to a request.

        Args:
            row: from 0 to max_rows - 1.
            params: its parameters; `params.seed` is not looked at.
            seed: of its draws, 0 to 2**64 - 1.
            prompt_ids: its prompt.
            generated_ids: what it generated before, when it comes back after a preemption.

        Raises:
            InvalidSamplingError: a token id in `params` is not in the vocabulary.
            ValueError: the row is taken.
        """
        if self._params[row] is not None:
            raise ValueError(f"row {row} is taken; release it first")
        params.check_vocabulary(self._vocab_size)
        greedy = params.temperature == 0
        self._params[row] = params
        self._temperature[row] = 1.0 if greedy else params.temperature
        self._top_k[row] = 1 if greedy else params.top_k
        self._top_p[row] = params.top_p
        self._min_p[row] = params.min_p
        self._repetition[row] = params.repetition_penalty
        self._presence[row] = params.presence_penalty
        self._frequency[row] = params.frequency_penalty
        self._seeds[row] = seed - 2**64 if seed >= 2**63 else seed
        self._uniform_blocks[row] = None
        self._fill(self._bias_ids, self._bias_values, row, params.logit_bias)
        ends = dict.fromkeys((*self._eos_ids, *params.stop_token_ids), -math.inf)
        self._fill(self._end_ids, self._end_values, row, ends)
        if params.penalizes:
            self._count(row, prompt_ids, generated_ids)

    def release(self, row: int) -> None:
        """Takes a row back. A row that is free already stays so."""
        self._params[row] = None

    def sample(
        self, logits: Tensor, rows: Sequence[int], generated_counts: Sequence[int]
    ) -> SampledTokens:
        """Draws one token for each of some rows. Does not wait for the device.

        Args:
            logits: [n, vocab] float32; not changed.
            rows: the n rows, each once, each admitted.
            generated_counts: how many tokens each has generated before: the index of this draw.

        Raises:
            ValueError: a row was not admitted.
        """
        params = [self._admitted(row) for row in rows]
        row_ids = self._tensor(rows)  # [n]
        edited = self._edit(logits, rows, row_ids, params, generated_counts)
        uniforms = self._draw_uniforms(rows, row_ids, generated_counts)
        token_ids = self._draw(edited, row_ids, uniforms, params)
        self._count_drawn(rows, params, token_ids)
        return _report(logits, token_ids, [p.logprobs for p in params])

    def _admitted(self, row: int) -> SamplingParams:
        params = self._params[row]
        if params is None:
            raise ValueError(f"row {row} was not admitted")
        return params

    def _edit(
        self,
        logits: Tensor,
        rows: Sequence[int],
        row_ids: Tensor,
        params: Sequence[SamplingParams],
        generated_counts: Sequence[int],
    ) -> Tensor:
        """Penalties, bias and forbidden end tokens, each only for the rows that use it."""
        edited = logits
        penalized = [n for n, p in enumerate(params) if p.penalizes]
        if penalized:
            assert self._in_prompt is not None
            assert self._reply_counts is not None
            places = self._tensor(penalized)
            state = row_ids[places]
            changed = ops.penalize(
                logits[places],
                self._in_prompt[state],
                self._reply_counts[state],
                self._repetition[state],
                self._presence[state],
                self._frequency[state],
            )
            edited = edited.index_copy(0, places, changed)
        for uses, ids, values in (
            ([bool(p.logit_bias) for p in params], self._bias_ids, self._bias_values),
            (
                [
                    count < p.min_new_tokens
                    for p, count in zip(params, generated_counts, strict=True)
                ],
                self._end_ids,
                self._end_values,
            ),
        ):
            if any(uses):
                places = self._tensor([n for n, used in enumerate(uses) if used])
                state = row_ids[places]
                changed = ops.add_at(edited[places], ids[state], values[state])
                edited = edited.index_copy(0, places, changed)
        return edited

    def _draw_uniforms(
        self, rows: Sequence[int], row_ids: Tensor, generated_counts: Sequence[int]
    ) -> Tensor:
        """The random number of each row's index, from blocks made ahead: [n] float64."""
        stale = [
            (row, count // DRAW_BLOCK)
            for row, count in zip(rows, generated_counts, strict=True)
            if self._uniform_blocks[row] != count // DRAW_BLOCK
        ]
        if stale:
            stale_rows = self._tensor([row for row, _ in stale])
            starts = self._tensor([block * DRAW_BLOCK for _, block in stale])
            indices = starts[:, None] + torch.arange(DRAW_BLOCK, device=self._device)
            seeds = self._seeds[stale_rows][:, None].expand_as(indices)
            fresh = philox.uniforms(seeds.reshape(-1), indices.reshape(-1))
            self._uniforms[stale_rows] = fresh.view(-1, DRAW_BLOCK)
            for row, block in stale:
                self._uniform_blocks[row] = block
        return self._uniforms[row_ids, self._tensor([c % DRAW_BLOCK for c in generated_counts])]

    def _draw(
        self, logits: Tensor, row_ids: Tensor, uniforms: Tensor, params: Sequence[SamplingParams]
    ) -> Tensor:
        """One draw for each way of drawing that the batch needs: [n] int64."""
        ways: dict[str, list[int]] = {"candidates": [], "nucleus": [], "vocabulary": []}
        for n, p in enumerate(params):
            limited = p.temperature == 0 or 0 < p.top_k < self._vocab_size
            ways["candidates" if limited else "nucleus" if p.top_p < 1 else "vocabulary"].append(n)
        drawn = torch.empty(len(params), dtype=torch.int64, device=self._device)
        for way, places in ways.items():
            if not places:
                continue
            # Most batches draw in one way only: then nothing is copied.
            part: Tensor | slice = (
                slice(None) if len(places) == len(params) else self._tensor(places)
            )
            state = row_ids[part]
            temperature, top_p = self._temperature[state], self._top_p[state]
            min_p = self._min_p[state]
            if way == "candidates":
                drawn[part] = ops.draw_from_candidates(
                    logits[part],
                    uniforms[part],
                    temperature,
                    self._top_k[state],
                    top_p,
                    min_p,
                    max_top_k=max(
                        1 if params[n].temperature == 0 else params[n].top_k for n in places
                    ),
                )
            elif way == "nucleus":
                drawn[part] = ops.draw_from_nucleus(
                    logits[part], uniforms[part], temperature, top_p, min_p
                )
            else:
                drawn[part] = ops.draw_from_vocabulary(
                    logits[part], uniforms[part], temperature, min_p
                )
        return drawn

    def _count_drawn(
        self, rows: Sequence[int], params: Sequence[SamplingParams], token_ids: Tensor
    ) -> None:
        penalized = [n for n, p in enumerate(params) if p.penalizes]
        if penalized:
            assert self._reply_counts is not None
            state = self._tensor([rows[n] for n in penalized])
            self._reply_counts[state, token_ids[self._tensor(penalized)]] += 1

    def _count(self, row: int, prompt_ids: Sequence[int], generated_ids: Sequence[int]) -> None:
        shape = (self._max_rows, self._vocab_size)
        if self._in_prompt is None or self._reply_counts is None:
            self._in_prompt = torch.zeros(shape, dtype=torch.bool, device=self._device)
            self._reply_counts = torch.zeros(shape, dtype=torch.int32, device=self._device)
        self._in_prompt[row] = False
        self._in_prompt[row, self._tensor(prompt_ids)] = True
        counts = torch.bincount(
            torch.tensor(generated_ids, dtype=torch.int64), minlength=self._vocab_size
        )
        self._reply_counts[row] = counts.to(self._device)

    def _fill(
        self, all_ids: Tensor, all_values: Tensor, row: int, entries: Mapping[int, float]
    ) -> None:
        """Writes a row of padded ids and values; the padding adds 0 to token 0."""
        used = len(entries)
        all_ids[row] = 0
        all_values[row] = 0.0
        all_ids[row, :used] = self._tensor(list(entries))
        all_values[row, :used] = torch.tensor(list(entries.values()), device=self._device)

    def _tensor(self, values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self._device)


def prompt_logprobs(logits: Tensor, next_ids: Tensor, top_n: int) -> SampledTokens:
    """Log-probabilities of the tokens of a prompt, in nats.

    Args:
        logits: [n, vocab] float32, each row after a token of the prompt.
        next_ids: [n] int64, the token that follows.
        top_n: how many of the likeliest tokens to report with each; 0 for none.
    """
    logprobs, top_ids, top_logprobs = ops.token_logprobs(logits, next_ids, top_n)
    return SampledTokens(
        next_ids, logprobs, top_ids if top_n else None, top_logprobs if top_n else None
    )


def _report(logits: Tensor, token_ids: Tensor, asked: Sequence[int | None]) -> SampledTokens:
    """Adds log-probabilities for the rows that asked; what it costs, only they cost."""
    places = [n for n, top_n in enumerate(asked) if top_n is not None]
    top_n = max((n for n in asked if n is not None), default=0)
    if len(places) == len(asked):
        return prompt_logprobs(logits, token_ids, top_n)
    rows = len(asked)
    result = SampledTokens(
        token_ids, torch.full((rows,), math.nan, device=logits.device), None, None
    )
    if places:
        part = torch.tensor(places, device=logits.device)
        some = prompt_logprobs(logits[part], token_ids[part], top_n)
        result.logprobs[part] = some.logprobs
        if some.top_ids is not None and some.top_logprobs is not None:
            width = some.top_ids.shape[1]
            result.top_ids = token_ids.new_zeros(rows, width)
            result.top_ids[part] = some.top_ids
            result.top_logprobs = result.logprobs.new_full((rows, width), math.nan)
            result.top_logprobs[part] = some.top_logprobs
    return result
