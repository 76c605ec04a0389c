"""What is noted and reported of a draw."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two
from townsfolk_kernels.sampling.keys import largest_of
from townsfolk_kernels.sampling.rows import (
    COUNTS,
    MAX_TOP_LOGPROBS,
    NUM_LOGPROBS,
    NUMBERS,
    PENALIZES,
    PENALTIES,
    TEMPERATURE,
    TOP_K,
    TOP_P,
    SamplingRows,
)

_WIDTH = 4 + 2 * MAX_TOP_LOGPROBS  # numbers for each place
_CANDIDATES = 32  # the power of two above MAX_TOP_LOGPROBS


@dataclass(frozen=True, slots=True)
class DrawReport:
    """What a batch has drawn.

    Attributes:
        tokens: [batch], int32.
        logprobs: [batch], fp32, of the tokens in the model's own distribution, in nats; NaN for a
            row that did not ask.
        entropies: [batch], fp32, of the model's own distribution, in nats, where a row asked.
        drawn_logprobs: [batch], fp32, of the tokens in the distribution that they were drawn from,
            behind penalties, biases, masks and temperature, in nats, where a row asked; NaN where
            top-k or top-p cut it.
        top_ids: [batch, MAX_TOP_LOGPROBS], int32: the likeliest tokens, likeliest first; as many as
            a row has asked for are written.
        top_logprobs: [batch, MAX_TOP_LOGPROBS], fp32: theirs.
    """

    tokens: Tensor
    logprobs: Tensor
    entropies: Tensor
    drawn_logprobs: Tensor
    top_ids: Tensor
    top_logprobs: Tensor

    @classmethod
    def allocate(cls, batch: int, device: torch.device) -> tuple[Tensor, DrawReport]:
        """Take one tensor, so that one copy brings it to the host, and its views; see `of`.

        There may be some places more, so that all views begin at multiples of 16 bytes.
        """
        flat = torch.zeros(-(-batch // 4) * 4 * _WIDTH, dtype=torch.int32, device=device)
        return flat, cls.of(flat)

    @classmethod
    def of(cls, flat: Tensor) -> DrawReport:
        """View one int32 tensor, in the order of the attributes: the tokens come first."""
        batch = flat.shape[0] // _WIDTH
        wide = batch * MAX_TOP_LOGPROBS
        tokens, logprobs, entropies, drawn, top_ids, top_logprobs = flat.split(
            (batch, batch, batch, batch, wide, wide)
        )
        return cls(
            tokens,
            logprobs.view(torch.float32),
            entropies.view(torch.float32),
            drawn.view(torch.float32),
            top_ids.view(batch, MAX_TOP_LOGPROBS),
            top_logprobs.view(torch.float32).view(batch, MAX_TOP_LOGPROBS),
        )

    def part(self, of: slice) -> DrawReport:
        """Return a part, of some places."""
        return DrawReport(
            self.tokens[of],
            self.logprobs[of],
            self.entropies[of],
            self.drawn_logprobs[of],
            self.top_ids[of],
            self.top_logprobs[of],
        )


@dataclass(frozen=True, slots=True)
class DrawnFrom:
    """What the tokens of a batch were drawn from.

    Attributes:
        edited: [batch, vocab], fp32: logits behind penalties, biases and masks.
        maxima: [batch, groups], fp32: of their groups of 64.
        masses: [batch, groups], fp32: sums of exp((logit - largest) / temperature) over the groups,
            for rows without top-k.
    """

    edited: Tensor
    maxima: Tensor
    masses: Tensor


@kernel
def _report_kernel(
    logits,
    maxima,
    parts,
    num_parts,
    edited,
    edited_maxima,
    masses,
    rows,
    numbers,
    counts,
    penalties,
    said,
    drawn,
    tokens,
    logprobs,
    entropies,
    drawn_logprobs,
    top_ids,
    top_logprobs,
    vocab,
    groups,
    GROUP: tl.constexpr,
    PADDED: tl.constexpr,
    PARTS: tl.constexpr,
    CANDIDATES: tl.constexpr,
    TOP: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place).to(tl.int64)
    if row >= 0:
        token = tl.load(tokens + place)
        tl.store(drawn + row, token)
        if tl.load(penalties + PENALTIES * row + PENALIZES) != 0:
            at = said + row * vocab + token
            noted = tl.load(at).to(tl.int32)
            times = tl.minimum((noted & 0x7FFF) + 1, 0x7FFF)
            tl.store(at, ((noted & ~0x7FFF) | times).to(tl.int16))
        asked = tl.load(counts + COUNTS * row + NUM_LOGPROBS)
        if asked >= 0:
            group = tl.arange(0, PADDED)
            of_groups = tl.load(
                maxima + place * groups + group, mask=group < groups, other=-float("inf")
            )
            highest = tl.max(of_groups, axis=0)
            part = tl.arange(0, PARTS)
            sums = tl.load(parts + place * num_parts + part, mask=part < num_parts, other=0.0)
            total = tl.sum(sums, axis=0)
            log_sum = tl.log(total)
            behind = tl.num_programs(0) * num_parts
            moments = tl.load(
                parts + behind + place * num_parts + part, mask=part < num_parts, other=0.0
            )
            tl.store(entropies + place, log_sum - tl.sum(moments, axis=0) / total)
            value = tl.load(logits + place * vocab + token)
            tl.store(logprobs + place, value - highest - log_sum)
            of_drawn = tl.full([], float("nan"), tl.float32)
            whole = tl.load(counts + COUNTS * row + TOP_K) == 0
            if whole & (tl.load(numbers + NUMBERS * row + TOP_P) >= 1.0):
                at = place * groups + group
                mass = tl.load(masses + at, mask=group < groups, other=0.0)
                most = tl.load(edited_maxima + at, mask=group < groups, other=-float("inf"))
                distance = tl.load(edited + place * vocab + token) - tl.max(most, axis=0)
                temperature = tl.load(numbers + NUMBERS * row + TEMPERATURE).to(tl.float32)
                of_drawn = distance / temperature - tl.log(tl.sum(mass, axis=0))
            tl.store(drawn_logprobs + place, of_drawn)
            if asked > 0:
                values, ids = largest_of(
                    logits + place * vocab,
                    maxima + place * groups,
                    vocab,
                    groups,
                    GROUP,
                    PADDED,
                    CANDIDATES,
                )
                number = tl.arange(0, CANDIDATES)
                at = place * TOP + number
                wanted = number < tl.minimum(asked, TOP)
                tl.store(top_ids + at, ids, mask=wanted)
                tl.store(top_logprobs + at, values - highest - log_sum, mask=wanted)
        else:
            tl.store(logprobs + place, float("nan"))


def report(
    logits: Tensor,
    maxima: Tensor,
    parts: Tensor,
    num_parts: int,
    drawn_from: DrawnFrom,
    rows: Tensor,
    state: SamplingRows,
    out: DrawReport,
) -> None:
    """Note what was drawn, and complete the report.

    Args:
        logits: [batch, vocab], fp32, as the model gave them.
        maxima: [batch, groups], fp32: of their groups of 64.
        parts: [at least 2 * batch, num_parts], fp32: sums of exp(logit - largest), for rows that
            ask for log-probabilities; then the same times (logit - largest).
        num_parts: of each row.
        drawn_from: what the tokens were drawn from.
        rows: [batch], int32: rows of `state`; below 0 for a place that is not used.
        state: `drawn` and, for rows with penalties, `said` get the tokens.
        out: has the tokens; gets the rest.
    """
    batch, vocab = logits.shape
    groups = maxima.shape[1]
    _report_kernel[(batch,)](
        logits,
        maxima,
        parts,
        num_parts,
        drawn_from.edited,
        drawn_from.maxima,
        drawn_from.masses,
        rows,
        state.numbers,
        state.counts,
        state.penalties,
        state.said,
        state.drawn,
        out.tokens,
        out.logprobs,
        out.entropies,
        out.drawn_logprobs,
        out.top_ids,
        out.top_logprobs,
        vocab,
        groups,
        GROUP=64,
        PADDED=max(power_of_two(groups), _CANDIDATES),
        PARTS=power_of_two(num_parts),
        CANDIDATES=_CANDIDATES,
        TOP=MAX_TOP_LOGPROBS,
        **options(4),
    )
