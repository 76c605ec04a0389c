"""Draws from more tokens than are sorted: limits and the draw itself are searched for.

Tokens stand in the order of their logits, equal ones by id. Where a running sum over that order
passes a limit is found without sorting: the whole vocabulary is summed up above eight thresholds at
once, which leaves a ninth of the values in question, until one value is left. (A row takes about
ten passes of its logits for each of up to three limits.)
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.triton.keys import ordered, uniform
from townsfolk_kernels.triton.launch import options, power_of_two
from townsfolk_kernels.triton.sampling_rows import SamplingRows

NOT_YET = -1
"""Stands for the token of a place that is to be searched for."""
_TILE = 4096
_THRESHOLDS = 8

GROUP = tl.constexpr(64)  # of the maxima


@triton.jit
def _sums_above(
    base, maxima, vocab, groups, highest, temperature, counts_tokens, least, TILE: tl.constexpr
):
    """Weights (or numbers) of tokens with `ordered` values of at least `least` [thresholds]."""
    least = least.to(tl.int32)
    lowest = tl.min(least, axis=0)
    acc = tl.zeros([TILE, least.shape[0]], tl.float32)
    for first in range(0, vocab, TILE):
        group = first // GROUP + tl.arange(0, TILE // GROUP)
        of_groups = tl.load(maxima + group, mask=group < groups, other=-float("inf"))
        if ordered(tl.max(of_groups, axis=0)) >= lowest:  # few tiles matter, as a rule
            token = first + tl.arange(0, TILE)
            inside = token < vocab
            values = tl.load(base + token, mask=inside, other=-float("inf"))
            weights = tl.exp(tl.div_rn(values - highest, temperature))
            weights = tl.where(counts_tokens, 1.0, weights)
            is_above = (ordered(values)[:, None] >= least[None, :]) & inside[:, None]
            acc += tl.where(is_above, weights[:, None], 0.0)
    return tl.sum(acc, axis=0).to(tl.float64)


@triton.jit
def _search_kernel(
    edited,
    maxima,
    masses,
    rows,
    indices,
    numbers,
    counts,
    seeds,
    tokens,
    vocab,
    groups,
    PADDED: tl.constexpr,
    TILE: tl.constexpr,
    THRESHOLDS: tl.constexpr,
    NOT_YET: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place)
    token = tl.load(tokens + place)
    if (row >= 0) & (token == NOT_YET):
        group = tl.arange(0, PADDED)
        is_real = group < groups
        of_groups = tl.load(maxima + place * groups + group, mask=is_real, other=-float("inf"))
        highest = tl.max(of_groups, axis=0)
        each = tl.load(masses + place * groups + group, mask=is_real, other=0.0)
        base = edited + place * vocab
        top_k = tl.load(counts + 5 * row)
        temperature = tl.load(numbers + 4 * row).to(tl.float32)
        top_p = tl.load(numbers + 4 * row + 1)
        min_p = tl.load(numbers + 4 * row + 2).to(tl.float32)
        number = uniform(tl.load(seeds + row), tl.load(indices + place))
        # What top-p is a share of; of top-k tokens it is found by the first search.
        mass = tl.sum(each.to(tl.float64), axis=0)
        total = tl.full([], float("inf"), tl.float64)  # of the tokens that may be drawn
        top = ordered(highest).to(tl.int64)
        bottom = ordered(tl.full([], -float("inf"), tl.float32)).to(tl.int64)
        found, tie = top, tl.full([], 1, tl.int64)
        # Searches: for the last of top-k tokens, for the last of the nucleus, for the draw.
        first = tl.where(top_k > 0, 0, 1)
        for stage in range(first, 3):
            if stage == 2:
                if min_p > 0:
                    # All that min-p keeps, as one more limit.
                    kept = tl.zeros([TILE], tl.float32)
                    for start in range(0, vocab, TILE):
                        at = start + tl.arange(0, TILE)
                        values = tl.load(base + at, mask=at < vocab, other=-float("inf"))
                        weights = tl.exp(tl.div_rn(values - highest, temperature))
                        kept += tl.where(weights >= min_p, weights, 0.0)
                    total = tl.minimum(total, tl.sum(kept, axis=0).to(tl.float64))
                limit = number * total
            elif stage == 1:
                limit = top_p * mass
            else:
                limit = top_k.to(tl.float64)
            if (stage != 1) | (top_p < 1.0):
                # The largest value whose sum, with all above it, reaches the limit.
                low, high = bottom - 1, top + 1
                above = tl.full([], 0.0, tl.float64)  # the sum from `high` on
                while high - low > 1:
                    step = tl.arange(0, THRESHOLDS) + 1
                    least = low + (high - low) * step // (THRESHOLDS + 1)
                    sums = _sums_above(
                        base,
                        maxima + place * groups,
                        vocab,
                        groups,
                        highest,
                        temperature,
                        stage == 0,
                        least,
                        TILE,
                    )
                    # The draw is the first token whose sum is above the target.
                    reaches = ((sums > limit) | ((stage != 2) & (sums == limit))) & (least > low)
                    beyond = ((sums < limit) | ((stage == 2) & (sums == limit))) & (least > low)
                    above = tl.maximum(above, tl.max(tl.where(beyond, sums, 0.0), axis=0))
                    high = tl.min(tl.where(beyond, least, high), axis=0)
                    low = tl.max(tl.where(reaches, least, low), axis=0)
                found = tl.where(low < bottom, top, low)
                bits = found.to(tl.int32)
                value = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)
                weight = tl.exp(tl.div_rn(value - highest, temperature)).to(tl.float64)
                size = tl.where(stage == 0, 1.0, weight)
                # Of tokens with this very value, as many as it takes, the lowest ids first.
                need = (limit - above) / tl.where(size > 0, size, 1.0)
                whole = tl.where(stage == 2, tl.floor(need) + 1.0, tl.ceil(need))
                tie = tl.maximum(whole, 1.0).to(tl.int64)
                reached = above + tie.to(tl.float64) * size
                if stage == 1:
                    total = tl.minimum(total, reached)
                if stage == 0:
                    # `above` counted tokens; their weights are wanted.
                    bound = tl.full([THRESHOLDS], 0, tl.int64) + (found + 1)
                    heavier = _sums_above(
                        base,
                        maxima + place * groups,
                        vocab,
                        groups,
                        highest,
                        temperature,
                        stage == 1,
                        bound,
                        TILE,
                    )
                    mass = tl.max(heavier, axis=0) + tie.to(tl.float64) * weight
                    total = mass
        # The tie-th token with the value that was found; the last one where rounding asks for more.
        token = tl.full([], 0, tl.int32)
        passed = tl.full([], 0, tl.int64)
        for start in range(0, vocab, TILE):
            at = start + tl.arange(0, TILE)
            values = tl.load(base + at, mask=at < vocab, other=-float("inf"))
            is_equal = (ordered(values).to(tl.int64) == found) & (at < vocab)
            nth = tl.cumsum(is_equal.to(tl.int32), axis=0).to(tl.int64) + passed
            fits = is_equal & (nth <= tie)
            token = tl.maximum(token, tl.max(tl.where(fits, at, 0), axis=0))
            passed += tl.sum(is_equal.to(tl.int32), axis=0).to(tl.int64)
        tl.store(tokens + place, token)


def search(
    edited: Tensor,
    maxima: Tensor,
    masses: Tensor,
    rows: Tensor,
    indices: Tensor,
    state: SamplingRows,
    tokens: Tensor,
    batch: int,
) -> None:
    """Draws for the places of a batch whose token is NOT_YET.

    Args:
        edited: [at least batch, vocab], fp32: logits.
        maxima: [at least batch, groups], fp32: of their groups of 64.
        masses: as `maxima`: sums of their weights, exp((logit - largest) / temperature), for rows
            without top-k.
        rows: [batch], int32: rows of `state`; below 0 for a place that is not used.
        indices: [batch], int32: how many tokens the request has drawn before.
        state: parameters of the rows.
        tokens: [batch], int32.
        batch: places.
    """
    vocab, groups = edited.shape[1], maxima.shape[1]
    _search_kernel[(batch,)](
        edited,
        maxima,
        masses,
        rows,
        indices,
        state.numbers,
        state.counts,
        state.seeds,
        tokens,
        vocab,
        groups,
        PADDED=power_of_two(groups),
        TILE=_TILE,
        THRESHOLDS=_THRESHOLDS,
        NOT_YET=NOT_YET,
        **options(16),
    )
