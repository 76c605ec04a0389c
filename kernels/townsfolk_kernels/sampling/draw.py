"""Drawing tokens without leaving the device: each row has its parameters in tensors.

What most requests ask for takes two kernels: end tokens that may not be drawn yet are struck out
and the vocabulary is reduced to maxima of groups of 64; the groups with the largest maxima hold all
candidates, which are sorted and drawn from. The vocabulary itself is never sorted. The results are
those of `townsfolk_kernels.sampling.reference.draw_from_candidates`, with the random numbers of
`townsfolk_kernels.sampling.philox`. `general` has the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import triton.language as tl
from torch import Tensor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two
from townsfolk_kernels.sampling.keys import (
    draw_sorted,
    ids_of,
    keys_of,
    largest_of,
    uniform,
    warps_of,
)
from townsfolk_kernels.sampling.masks import TokenMasks, allowed_of
from townsfolk_kernels.sampling.rows import (
    COUNTS,
    MAX_CANDIDATES,
    MIN_P,
    MIN_TOKENS,
    NUM_ENDS,
    NUMBERS,
    TEMPERATURE,
    TOP_K,
    TOP_P,
    SamplingRows,
)

GROUP = 64
_GROUPS = 64  # of one program of the first kernel


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where the draws of a launch that is repeated go, which also make its next inputs ready.

    Attributes:
        tokens: [turns, batch], int32, may be pinned host memory; a row is written in each turn.
        turn, positions: [1] and [batch], int32: go up by one; the latter where a place is used.
    """

    tokens: Tensor
    turn: Tensor
    positions: Tensor


@kernel
def _maxima_kernel(
    logits,
    maxima,
    rows,
    indices,
    counts,
    ends,
    mask_rows,
    masks,
    words,
    vocab,
    groups,
    turn,
    GROUP: tl.constexpr,
    GROUPS: tl.constexpr,
    MOST_ENDS: tl.constexpr,
    ADVANCES: tl.constexpr,
    DEPENDENT: tl.constexpr,
    MASKED: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place)
    group = tl.program_id(1) * GROUPS + tl.arange(0, GROUPS)
    token = group[:, None] * GROUP + tl.arange(0, GROUP)[None, :]  # [GROUPS, GROUP]
    known = tl.maximum(row, 0)
    is_early = (tl.load(indices + place) < tl.load(counts + COUNTS * known + MIN_TOKENS)) & (
        row >= 0
    )
    struck_count = tl.where(is_early, tl.load(counts + COUNTS * known + NUM_ENDS), 0)
    if DEPENDENT:
        gdc_wait()
        gdc_launch_dependents()
    if ADVANCES:  # noqa: SIM102  known when it is compiled
        if (place == 0) & (tl.program_id(1) == 0):
            tl.store(turn, tl.load(turn) + 1)
    at = logits + place * vocab + token
    values = tl.load(at, mask=token < vocab, other=-float("inf"))
    for number in range(0, struck_count):
        struck = token == tl.load(ends + known * MOST_ENDS + number)
        values = tl.where(struck, -float("inf"), values)
        tl.store(at, values, mask=struck)
    if MASKED:
        own = tl.load(mask_rows + place).to(tl.int64)
        allowed = allowed_of(masks, own, words, tl.program_id(1), GROUPS, GROUP)
        values = tl.where(allowed, values, -float("inf"))
        tl.store(at, values, mask=(token < vocab) & (allowed == 0))
    tl.store(maxima + place * groups + group, tl.max(values, axis=1), mask=group < groups)


@kernel
def _draw_kernel(
    logits,
    maxima,
    rows,
    indices,
    positions,
    turn,
    turns,
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
    ADVANCES: tl.constexpr,
    DEPENDENT: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place)
    if DEPENDENT:
        gdc_wait()
        gdc_launch_dependents()
    if row >= 0:
        top_k = tl.load(counts + COUNTS * row + TOP_K)
        index = tl.load(indices + place)
        base = logits + place * vocab
        if top_k == 1:
            group = tl.arange(0, PADDED)
            at = maxima + place * groups + group
            largest = tl.load(at, mask=group < groups, other=-float("inf"))
            best = ids_of(tl.max(keys_of(largest, group), axis=0)) * GROUP + tl.arange(0, GROUP)
            finalists = tl.load(base + best, mask=best < vocab, other=-float("inf"))
            token = ids_of(tl.max(keys_of(finalists, best), axis=0))
        else:
            scores, ids = largest_of(
                base, maxima + place * groups, vocab, groups, GROUP, PADDED, CANDIDATES
            )
            temperature = tl.load(numbers + NUMBERS * row + TEMPERATURE)
            top_p = tl.load(numbers + NUMBERS * row + TOP_P)
            min_p = tl.load(numbers + NUMBERS * row + MIN_P)
            number = uniform(tl.load(seeds + row), index)
            token, _ = draw_sorted(scores, ids, top_k, -1.0, temperature, top_p, min_p, number)
        tl.store(drawn + row, token)
        if ADVANCES:
            out += tl.load(turn) % turns * tl.num_programs(0)
            tl.store(indices + place, index + 1)
            tl.store(positions + place, tl.load(positions + place) + 1)
        tl.store(out + place, token)


def draw(
    logits: Tensor,
    rows: Tensor,
    indices: Tensor,
    state: SamplingRows,
    maxima: Tensor,
    out: Tensor | Mailbox,
    dependent: bool = False,
    masks: TokenMasks | None = None,
) -> None:
    """Draw one token for each place of a batch, of rows with top-k from 1 to MAX_CANDIDATES.

    Penalties, biases and log-probabilities are not looked at.

    Args:
        logits: [batch, vocab], fp32, contiguous; tokens that may not be drawn become -inf.
        rows: [batch], int32: rows of `state`; below 0 for a place that is not used.
        indices: [batch], int32: how many tokens the request has drawn before.
        state: parameters of the rows; `state.drawn` gets the tokens.
        maxima: [batch, ceil(vocab / GROUP)], fp32: space to work in.
        out: [batch], int32: the tokens; where a place is not used it stays as it was. A mailbox
            where the same launch will draw again.
        dependent: launch by programmatic dependent launch.
        masks: of the batch; any token can be drawn without.
    """
    batch, vocab = logits.shape
    mailbox = out if isinstance(out, Mailbox) else None
    groups = -(-vocab // GROUP)
    padded = max(power_of_two(groups), MAX_CANDIDATES)
    _maxima_kernel[(batch, -(-groups // _GROUPS))](
        logits,
        maxima,
        rows,
        indices,
        state.counts,
        state.ends,
        masks and masks.rows,
        masks and masks.bits,
        masks.bits.shape[1] if masks else 0,
        vocab,
        groups,
        mailbox and mailbox.turn,
        GROUP=GROUP,
        GROUPS=_GROUPS,
        MOST_ENDS=state.ends.shape[1],
        ADVANCES=mailbox is not None,
        DEPENDENT=dependent,
        MASKED=masks is not None,
        **options(4, dependent=dependent),
    )
    _draw_kernel[(batch,)](
        logits,
        maxima,
        rows,
        indices,
        mailbox and mailbox.positions,
        mailbox and mailbox.turn,
        mailbox.tokens.shape[0] if mailbox else 1,
        state.numbers,
        state.counts,
        state.seeds,
        state.drawn,
        out.tokens if isinstance(out, Mailbox) else out,
        vocab,
        groups,
        GROUP=GROUP,
        PADDED=padded,
        CANDIDATES=MAX_CANDIDATES,
        ADVANCES=mailbox is not None,
        DEPENDENT=dependent,
        **options(warps_of(padded), dependent=dependent),
    )
