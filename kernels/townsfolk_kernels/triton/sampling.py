"""Drawing tokens without leaving the device: each row has its parameters in tensors.

Three kernels in a row: what may not be drawn is struck out and the vocabulary is reduced to maxima
of groups of 64; the groups with the largest maxima hold all candidates, which are sorted and drawn
from. The vocabulary itself is never sorted. The results are those of
`townsfolk_kernels.sampling.draw_from_candidates`, with the random numbers of
`townsfolk_kernels.philox`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.triton.launch import options, power_of_two

MAX_CANDIDATES = 64
MAX_ENDS = 16
_GROUP = 64
_GROUPS = 64  # of one program of the first kernel


@dataclass(frozen=True, slots=True)
class SamplingRows:
    """Parameters of every row, on the device.

    Attributes:
        numbers: [max_rows, 4], float64: temperature (above 0), top-p, min-p, unused.
        counts: [max_rows, 2], int32: top-k (1 to MAX_CANDIDATES; 1 is greedy), and how many tokens
            come before an end token may be drawn.
        seeds: [max_rows], int64: all 64 bits used.
        ends: [max_rows, MAX_ENDS], int32: end tokens; unused places hold -1.
        drawn: [max_rows], int32: the token drawn last.
    """

    numbers: Tensor
    counts: Tensor
    seeds: Tensor
    ends: Tensor
    drawn: Tensor

    @classmethod
    def allocate(cls, max_rows: int, device: torch.device) -> SamplingRows:
        """Rows that are greedy until they are written."""

        def full(shape: tuple[int, ...], dtype: torch.dtype, value: float) -> Tensor:
            return torch.full(shape, value, dtype=dtype, device=device)

        return cls(
            numbers=full((max_rows, 4), torch.float64, 1.0),
            counts=full((max_rows, 2), torch.int32, 1),
            seeds=full((max_rows,), torch.int64, 0),
            ends=full((max_rows, MAX_ENDS), torch.int32, -1),
            drawn=full((max_rows,), torch.int32, 0),
        )


@triton.jit
def _maxima_kernel(
    logits,
    maxima,
    rows,
    indices,
    counts,
    ends,
    vocab,
    groups,
    GROUP: tl.constexpr,
    GROUPS: tl.constexpr,
    MAX_ENDS: tl.constexpr,
    DEPENDENT: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place)
    group = tl.program_id(1) * GROUPS + tl.arange(0, GROUPS)
    token = group[:, None] * GROUP + tl.arange(0, GROUP)[None, :]  # [GROUPS, GROUP]
    known = tl.maximum(row, 0)
    is_early = (tl.load(indices + place) < tl.load(counts + 2 * known + 1)) & (row >= 0)
    if DEPENDENT:
        gdc_wait()
        gdc_launch_dependents()
    at = logits + place * vocab + token
    values = tl.load(at, mask=token < vocab, other=-float("inf"))
    if is_early:
        for number in tl.static_range(MAX_ENDS):
            struck = token == tl.load(ends + known * MAX_ENDS + number)
            values = tl.where(struck, -float("inf"), values)
            tl.store(at, values, mask=struck)
    tl.store(maxima + place * groups + group, tl.max(values, axis=1), mask=group < groups)


@triton.jit
def _keys(values, ids):
    """Integers in the order of the values, equal ones by id, lowest first; no two are equal.

    The bits of a float32 taken as a whole number keep its order, those of a negative one turned
    round.
    """
    bits = (values + 0.0).to(tl.int32, bitcast=True)  # + 0.0 makes -0 and 0 equal
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    return (ordered.to(tl.int64) << 32) - ids.to(tl.int64)


@triton.jit
def _ids_of(keys):
    return ((-keys) & 0xFFFFFFFF).to(tl.int32)


@triton.jit
def _values_of(keys):
    ordered = ((keys + _ids_of(keys).to(tl.int64)) >> 32).to(tl.int32)
    return (ordered ^ ((ordered >> 31) & 0x7FFFFFFF)).to(tl.float32, bitcast=True)


@triton.jit
def _uniform(seed, index):
    """The random number of (seed, index): uniform in [0, 1), in steps of 2**-53."""
    zero = index * 0
    a, b, _, _ = tl.philox(seed, index, zero, zero, zero)
    high = (a.to(tl.uint32, bitcast=True) >> 5).to(tl.float64)
    low = (b.to(tl.uint32, bitcast=True) >> 6).to(tl.float64)
    return (high * 67108864.0 + low) * (1.0 / 9007199254740992.0)


@triton.jit
def _draw_kernel(
    logits,
    maxima,
    rows,
    indices,
    numbers,
    counts,
    seeds,
    drawn,
    out,
    vocab,
    groups,
    GROUP: tl.constexpr,
    PADDED: tl.constexpr,
    CANDIDATES: tl.constexpr,
    DEPENDENT: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place)
    if DEPENDENT:
        gdc_wait()
        gdc_launch_dependents()
    if row >= 0:
        top_k = tl.load(counts + 2 * row)
        group = tl.arange(0, PADDED)
        largest = tl.load(maxima + place * groups + group, mask=group < groups, other=-float("inf"))
        keys = _keys(largest, group)
        inside = tl.arange(0, GROUP)
        base = logits + place * vocab
        if top_k == 1:
            best = _ids_of(tl.max(keys, axis=0)) * GROUP + inside
            finalists = tl.load(base + best, mask=best < vocab, other=-float("inf"))
            token = _ids_of(tl.max(_keys(finalists, best), axis=0))
        else:
            chosen = _ids_of(tl.topk(keys, CANDIDATES))  # [CANDIDATES]
            ids = chosen[:, None] * GROUP + inside[None, :]
            values = tl.load(base + ids, mask=ids < vocab, other=-float("inf"))
            among = tl.reshape(_keys(values, ids), [CANDIDATES * GROUP])
            likeliest = tl.topk(among, CANDIDATES)  # likeliest first
            candidates, scores = _ids_of(likeliest), _values_of(likeliest)
            temperature = tl.load(numbers + 4 * row)
            top_p = tl.load(numbers + 4 * row + 1)
            min_p = tl.load(numbers + 4 * row + 2)
            weights = tl.exp((scores - tl.max(scores, axis=0)).to(tl.float64) / temperature)
            number = tl.arange(0, CANDIDATES)
            cumulative = tl.cumsum(weights, axis=0)
            mass = tl.sum(tl.where(number == top_k - 1, cumulative, 0.0), axis=0)
            limit = tl.where(top_p < 1.0, top_p * mass, float("inf"))
            allowed = (number < top_k) & (cumulative - weights < limit)
            allowed = allowed & (weights >= min_p)
            last = tl.maximum(tl.sum(allowed.to(tl.int32), axis=0) - 1, 0)
            total = tl.sum(tl.where(number == last, cumulative, 0.0), axis=0)
            uniform = _uniform(tl.load(seeds + row), tl.load(indices + place))
            below = (cumulative <= uniform * total) & (number < last)
            rank = tl.sum(below.to(tl.int32), axis=0)
            token = tl.sum(tl.where(number == rank, candidates, 0), axis=0)
        tl.store(drawn + row, token)
        tl.store(out + place, token)


def draw(
    logits: Tensor,
    rows: Tensor,
    indices: Tensor,
    state: SamplingRows,
    maxima: Tensor,
    out: Tensor,
    dependent: bool = False,
) -> None:
    """Draws one token for each place of a batch.

    Args:
        logits: [batch, vocab], fp32, contiguous; end tokens that may not be drawn yet become -inf.
        rows: [batch], int32: rows of `state`; below 0 for a place that is not used.
        indices: [batch], int32: how many tokens the request has drawn before.
        state: parameters of the rows; `state.drawn` gets the tokens.
        maxima: [batch, ceil(vocab / 64)], fp32: space to work in.
        out: [batch], int32: the tokens; where a place is not used it stays as it was.
        dependent: launch by programmatic dependent launch.
    """
    batch, vocab = logits.shape
    groups = -(-vocab // _GROUP)
    _maxima_kernel[(batch, -(-groups // _GROUPS))](
        logits,
        maxima,
        rows,
        indices,
        state.counts,
        state.ends,
        vocab,
        groups,
        GROUP=_GROUP,
        GROUPS=_GROUPS,
        MAX_ENDS=MAX_ENDS,
        DEPENDENT=dependent,
        **options(4, dependent=dependent),
    )
    _draw_kernel[(batch,)](
        logits,
        maxima,
        rows,
        indices,
        state.numbers,
        state.counts,
        state.seeds,
        state.drawn,
        out,
        vocab,
        groups,
        GROUP=_GROUP,
        PADDED=max(power_of_two(groups), MAX_CANDIDATES),
        CANDIDATES=MAX_CANDIDATES,
        DEPENDENT=dependent,
        **options(8, dependent=dependent),
    )
