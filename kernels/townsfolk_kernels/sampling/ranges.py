"""Ranges of logits: what tokens they have, and which one a limit lies in. For `search`."""

from __future__ import annotations

import triton
import triton.language as tl

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.sampling.keys import uniform
from townsfolk_kernels.sampling.rows import (
    COUNTS,
    MIN_P,
    NUMBERS,
    TEMPERATURE,
    TOP_K,
    TOP_P,
)

NOT_YET = -1
"""Stands for the token of a place that is to be searched for."""

RANGES = tl.constexpr(64)
SPREAD = tl.constexpr(24.0)  # logits over temperature that the ranges cover; e**-24 is 4e-11
# What is known of a row, float64: the mass that top-p is a share of, that of the tokens that may be
# drawn, what is above the range, as the limit counts it and in mass, its tokens, and the limit.
MASS = tl.constexpr(0)
TOTAL = tl.constexpr(1)
ABOVE = tl.constexpr(2)
ABOVE_MASS = tl.constexpr(3)
INSIDE = tl.constexpr(4)
LIMIT = tl.constexpr(5)
FACTS = tl.constexpr(8)
# The searches, in this order.
RANK = tl.constexpr(0)
NUCLEUS = tl.constexpr(1)
DRAW = tl.constexpr(2)


@triton.jit
def weights_of(values, highest, temperature):
    """Return unnormalised probabilities, of which the largest is 1."""
    return tl.exp(tl.div_rn(values - highest, temperature))


@triton.jit
def ranges_of(values, highest, temperature):
    """Return in which range values are; the last one takes all that is lower."""
    place = tl.div_rn(highest - values, temperature) * (RANGES / SPREAD)
    return tl.minimum(place, RANGES - 1.0).to(tl.int32)


@triton.jit
def highest_of(maxima, groups, PADDED: tl.constexpr):
    """Return the largest of a row's maxima."""
    group = tl.arange(0, PADDED)
    return tl.max(tl.load(maxima + group, mask=group < groups, other=-float("inf")), axis=0)


@kernel
def weigh_kernel(
    edited,
    maxima,
    rows,
    numbers,
    tokens,
    range_masses,
    range_numbers,
    vocab,
    groups,
    PADDED: tl.constexpr,
    TILE: tl.constexpr,
    NOT_YET: tl.constexpr,
):
    """Count and weigh the tokens of each range, a tile of the vocabulary for each program."""
    place, program = tl.program_id(0).to(tl.int64), tl.program_id(1)
    row = tl.load(rows + place)
    if (row >= 0) & (tl.load(tokens + place) == NOT_YET):
        highest = highest_of(maxima + place * groups, groups, PADDED)
        temperature = tl.load(numbers + NUMBERS * row + TEMPERATURE).to(tl.float32)
        min_p = tl.load(numbers + NUMBERS * row + MIN_P).to(tl.float32)
        token = program * TILE + tl.arange(0, TILE)
        inside = token < vocab
        values = tl.load(edited + place * vocab + token, mask=inside, other=-float("inf"))
        weights = weights_of(values, highest, temperature)
        own = tl.where(inside, ranges_of(values, highest, temperature), RANGES)
        out = place * tl.num_programs(1) + program
        for number in range(0, RANGES):
            is_own = own == number
            mass = tl.sum(tl.where(is_own, weights, 0.0), axis=0)
            tl.store(range_masses + out * (RANGES + 1) + number, mass)
            count = tl.sum(is_own.to(tl.int32), axis=0)
            tl.store(range_numbers + out * RANGES + number, count)
        kept = tl.sum(tl.where(inside & (weights >= min_p), weights, 0.0), axis=0)
        tl.store(range_masses + out * (RANGES + 1) + RANGES, kept)


@triton.jit
def is_searched(row, token, counts, numbers, STAGE: tl.constexpr, NOT_YET: tl.constexpr):
    """Return whether a place has this search to do."""
    searched = (row >= 0) & (token == NOT_YET)
    known = tl.maximum(row, 0)
    if STAGE == RANK:
        searched = searched & (tl.load(counts + COUNTS * known + TOP_K) > 0)
    if STAGE == NUCLEUS:
        searched = searched & (tl.load(numbers + NUMBERS * known + TOP_P) < 1.0)
    return searched


@triton.jit
def _limit(mass, total, row, place, indices, numbers, counts, seeds, STAGE: tl.constexpr):
    if STAGE == RANK:
        return tl.load(counts + COUNTS * row + TOP_K).to(tl.float64)
    elif STAGE == NUCLEUS:
        return tl.load(numbers + NUMBERS * row + TOP_P) * mass
    else:
        return uniform(tl.load(seeds + row), tl.load(indices + place)) * total


@kernel
def collect_kernel(
    edited,
    maxima,
    rows,
    indices,
    numbers,
    counts,
    seeds,
    tokens,
    range_masses,
    range_numbers,
    facts,
    collected,
    vocab,
    groups,
    STAGE: tl.constexpr,
    PROGRAMS: tl.constexpr,
    PADDED: tl.constexpr,
    TILE: tl.constexpr,
    COLLECTED: tl.constexpr,
    NOT_YET: tl.constexpr,
):
    """Find the range in which the sum passes the limit, and collect its tokens by id."""
    place, program = tl.program_id(0).to(tl.int64), tl.program_id(1)
    row = tl.load(rows + place)
    if is_searched(row, tl.load(tokens + place), counts, numbers, STAGE, NOT_YET):
        p, r = tl.arange(0, PROGRAMS), tl.arange(0, RANGES)
        is_real = (p < tl.num_programs(1))[:, None]
        at = place * tl.num_programs(1) + p[:, None]
        each = tl.load(range_masses + at * (RANGES + 1) + r[None, :], mask=is_real, other=0.0)
        count = tl.load(range_numbers + at * RANGES + r[None, :], mask=is_real, other=0)
        of_masses = tl.sum(each.to(tl.float64), axis=0)
        of_counts = tl.sum(count, axis=0)  # [RANGES]
        masses = tl.cumsum(of_masses, axis=0)
        mass, total = tl.max(masses, axis=0), tl.full([], float("inf"), tl.float64)
        if tl.load(counts + COUNTS * row + TOP_K) > 0:
            if STAGE != RANK:
                mass = tl.load(facts + place * FACTS + MASS)
                total = tl.load(facts + place * FACTS + TOTAL)
        elif STAGE == DRAW:
            total = tl.load(facts + place * FACTS + TOTAL)
        if STAGE == DRAW:
            kept_at = place * tl.num_programs(1) + p
            kept = tl.load(
                range_masses + kept_at * (RANGES + 1) + RANGES, mask=p < tl.num_programs(1), other=0
            )
            total = tl.minimum(total, tl.sum(kept.to(tl.float64), axis=0))
        limit = _limit(mass, total, row, place, indices, numbers, counts, seeds, STAGE)
        sums = masses
        if STAGE == RANK:
            sums = tl.cumsum(of_counts, axis=0).to(tl.float64)
        # The draw is the first token whose sum is above the target.
        passed = (sums < limit) | ((sums == limit) & (STAGE == DRAW))
        # Never behind the last range that has tokens.
        last = tl.max(tl.where(of_counts > 0, r, 0), axis=0)
        chosen = tl.minimum(tl.sum(passed.to(tl.int32), axis=0), last)
        is_chosen = r == chosen
        inside = tl.sum(tl.where(is_chosen, of_counts, 0), axis=0)
        if program == 0:
            own = place * FACTS
            sizes = of_masses
            if STAGE == RANK:
                sizes = of_counts.to(tl.float64)
            above = tl.sum(tl.where(r < chosen, sizes, 0.0), axis=0)
            tl.store(facts + own + ABOVE, above)
            tl.store(facts + own + ABOVE_MASS, tl.sum(tl.where(r < chosen, of_masses, 0.0), axis=0))
            tl.store(facts + own + INSIDE, inside.to(tl.float64))
            tl.store(facts + own + LIMIT, limit)
        if inside <= COLLECTED:
            token = program * TILE + tl.arange(0, TILE)
            values = tl.load(
                edited + place * vocab + token, mask=token < vocab, other=-float("inf")
            )
            highest = highest_of(maxima + place * groups, groups, PADDED)
            temperature = tl.load(numbers + NUMBERS * row + TEMPERATURE).to(tl.float32)
            is_own = (ranges_of(values, highest, temperature) == chosen) & (token < vocab)
            before = tl.sum(
                tl.sum(tl.where((p[:, None] < program) & is_chosen[None, :], count, 0), axis=1),
                axis=0,
            )
            nth = tl.cumsum(is_own.to(tl.int32), axis=0) - 1 + before
            tl.store(collected + place * COLLECTED + nth, token, mask=is_own)
