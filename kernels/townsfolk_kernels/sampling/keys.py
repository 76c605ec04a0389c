"""What the sampling kernels have in common: the order of tokens, and random numbers."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def ordered(values):
    """Return whole numbers, int32, in the order of float32 values; -0 and 0 are equal.

    The bits of a float32 taken as a whole number keep its order, those of a negative one turned
    round.
    """
    bits = (values + 0.0).to(tl.int32, bitcast=True)  # + 0.0 makes -0 and 0 equal
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def keys_of(values, ids):
    """Return distinct integers in the order of the values; equal ones go by id, lowest first."""
    return (ordered(values).to(tl.int64) << 32) - ids.to(tl.int64)


@triton.jit
def ids_of(keys):
    """Return the ids of such integers."""
    return ((-keys) & 0xFFFFFFFF).to(tl.int32)


@triton.jit
def values_of(keys):
    """Return the values of such integers."""
    whole = ((keys + ids_of(keys).to(tl.int64)) >> 32).to(tl.int32)
    return (whole ^ ((whole >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)


@triton.jit
def largest_of(
    base, maxima, vocab, groups, GROUP: tl.constexpr, PADDED: tl.constexpr, COUNT: tl.constexpr
):
    """Return values and ids of the COUNT largest of a row, in order, from maxima of its groups.

    The groups with the COUNT largest maxima hold all of them, so that only these are looked at.
    """
    group = tl.arange(0, PADDED)
    of_groups = tl.load(maxima + group, mask=group < groups, other=-float("inf"))
    chosen = ids_of(tl.topk(keys_of(of_groups, group), COUNT))
    ids = chosen[:, None] * GROUP + tl.arange(0, GROUP)[None, :]
    values = tl.load(base + ids, mask=ids < vocab, other=-float("inf"))
    found = tl.topk(tl.reshape(keys_of(values, ids), [COUNT * GROUP]), COUNT)
    return values_of(found), ids_of(found)


@triton.jit
def uniform(seed, index):
    """Return the random number of (seed, index): uniform in [0, 1), in steps of 2**-53."""
    zero = index * 0
    a, b, _, _ = tl.philox(seed, index, zero, zero, zero)
    high = (a.to(tl.uint32, bitcast=True) >> 5).to(tl.float64)
    low = (b.to(tl.uint32, bitcast=True) >> 6).to(tl.float64)
    return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0)


@triton.jit
def draw_sorted(scores, ids, count, mass, temperature, top_p, min_p, number):
    """Draw from candidates, likeliest first, of which top-k, top-p and min-p keep a prefix.

    Args:
        scores: logits of the candidates, a power of two of them.
        ids: their tokens.
        count: top-k.
        mass: of which top-p is a share, with the likeliest token's weight as 1; below 0 for that
            of the first `count`.
        temperature: above 0.
        top_p: 1 keeps all.
        min_p: 0 keeps all.
        number: uniform in [0, 1).

    Returns:
        the token, and whether the prefix ends before the last candidate.
    """
    place = tl.arange(0, scores.shape[0])
    weights = tl.exp((scores - tl.max(scores, axis=0)).to(tl.float64) / temperature)
    cumulative = tl.cumsum(weights, axis=0)
    own = tl.sum(tl.where(place == tl.minimum(count, scores.shape[0]) - 1, cumulative, 0.0), axis=0)
    limit = tl.where(top_p < 1.0, top_p * tl.where(mass < 0, own, mass), float("inf"))
    allowed = (place < count) & (cumulative - weights < limit) & (weights >= min_p)
    last = tl.maximum(tl.sum(allowed.to(tl.int32), axis=0) - 1, 0)
    total = tl.sum(tl.where(place == last, cumulative, 0.0), axis=0)
    below = (cumulative <= number * total) & (place < last)
    rank = tl.sum(below.to(tl.int32), axis=0)
    token = tl.sum(tl.where(place == rank, ids, 0), axis=0)
    ends = (last < scores.shape[0] - 1) | (count <= scores.shape[0])
    # The last candidate may be the last of the prefix, too.
    ends = ends | (tl.sum(tl.where(place == last, cumulative, 0.0), axis=0) >= limit)
    return token, ends


def warps_of(padded: int) -> int:
    """Return the warps of a program that looks at the maxima of all groups, `padded` of them.

    With eight for 4,096 (vocabularies above 131,072), threads would keep registers in memory.
    """
    return 8 if padded <= 2048 else 16
