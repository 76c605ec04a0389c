"""Drawing tokens with all that a request may ask for, without leaving the device.

Four kernels: penalties, biases, end tokens and masks edit a copy of the logits; then a row draws
from its 64 likeliest tokens where these suffice, or from the whole vocabulary by running sums over
groups of 64; where a limit (top-k, top-p) lies behind the 64 likeliest, it is searched for
(`townsfolk_kernels.sampling.search`); last, what was drawn is noted and reported with its
log-probability. Results are those of `townsfolk_kernels.sampling.reference`, the PyTorch reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton.language as tl
from torch import Tensor

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two
from townsfolk_kernels.sampling.draw import GROUP
from townsfolk_kernels.sampling.keys import (
    draw_sorted,
    ids_of,
    keys_of,
    largest_of,
    uniform,
    warps_of,
)
from townsfolk_kernels.sampling.logprobs import DrawnFrom, DrawReport, report
from townsfolk_kernels.sampling.masks import TokenMasks, allowed_of
from townsfolk_kernels.sampling.ranges import NOT_YET
from townsfolk_kernels.sampling.rows import (
    COUNTS,
    FREQUENCY,
    MAX_CANDIDATES,
    MIN_P,
    MIN_TOKENS,
    NUM_BIASES,
    NUM_ENDS,
    NUM_LOGPROBS,
    NUMBERS,
    PENALIZES,
    PENALTIES,
    PRESENCE,
    REPETITION,
    TEMPERATURE,
    TOP_K,
    TOP_P,
    SamplingRows,
)
from townsfolk_kernels.sampling.search import SearchWorkspace, search

_GROUPS = 64  # of one program


@dataclass(frozen=True, slots=True)
class SamplingWorkspace:
    """Memory to draw in, for as many places as are drawn for at once.

    Attributes:
        edited: [places, vocab], fp32: logits with penalties and biases.
        maxima: [2, places, groups], fp32: of groups of the model's and the edited logits.
        masses: [places, groups], fp32: weights of groups of the edited logits.
        parts: [2 * places, programs], fp32: sums for log-probabilities and entropies.
        search: for draws from more tokens than are sorted.
    """

    edited: Tensor
    maxima: Tensor
    masses: Tensor
    parts: Tensor
    search: SearchWorkspace

    @classmethod
    def allocate(cls, places: int, vocab: int, device: torch.device) -> SamplingWorkspace:
        """Take the memory."""
        groups = -(-vocab // GROUP)
        return cls(
            edited=torch.empty(places, vocab, device=device),
            maxima=torch.empty(2, places, groups, device=device),
            masses=torch.empty(places, groups, device=device),
            parts=torch.empty(2 * places, -(-groups // _GROUPS), device=device),
            search=SearchWorkspace.allocate(places, vocab, device),
        )

    @property
    def places(self) -> int:
        """How many can be drawn for at once."""
        return self.edited.shape[0]


@kernel
def _edit_kernel(
    logits,
    edited,
    maxima,
    edited_maxima,
    rows,
    indices,
    counts,
    ends,
    bias_ids,
    biases,
    penalties,
    said,
    mask_rows,
    masks,
    words,
    vocab,
    groups,
    GROUP: tl.constexpr,
    GROUPS: tl.constexpr,
    MOST_ENDS: tl.constexpr,
    MOST_BIASES: tl.constexpr,
    MASKED: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place).to(tl.int64)
    if row >= 0:
        group = tl.program_id(1) * GROUPS + tl.arange(0, GROUPS)
        token = group[:, None] * GROUP + tl.arange(0, GROUP)[None, :]  # [GROUPS, GROUP]
        inside = token < vocab
        values = tl.load(logits + place * vocab + token, mask=inside, other=-float("inf"))
        at = place * groups + group
        tl.store(maxima + at, tl.max(values, axis=1), mask=group < groups)
        if tl.load(penalties + PENALTIES * row + PENALIZES) != 0:
            noted = tl.load(said + row * vocab + token, mask=inside, other=0).to(tl.int32)
            repetition = tl.load(penalties + PENALTIES * row + REPETITION)
            lower = tl.where(values > 0, tl.div_rn(values, repetition), values * repetition)
            values = tl.where(noted != 0, lower, values)
            times = noted & 0x7FFF
            presence = tl.where(times > 0, tl.load(penalties + PENALTIES * row + PRESENCE), 0.0)
            values -= presence + times.to(tl.float32) * tl.load(
                penalties + PENALTIES * row + FREQUENCY
            )
        for number in range(0, tl.load(counts + COUNTS * row + NUM_BIASES)):
            biased = tl.load(bias_ids + row * MOST_BIASES + number)
            bias = tl.load(biases + row * MOST_BIASES + number)
            values = tl.where(token == biased, values + bias, values)
        if tl.load(indices + place) < tl.load(counts + COUNTS * row + MIN_TOKENS):
            for number in range(0, tl.load(counts + COUNTS * row + NUM_ENDS)):
                end = tl.load(ends + row * MOST_ENDS + number)
                values = tl.where(token == end, -float("inf"), values)
        if MASKED:
            own = tl.load(mask_rows + place).to(tl.int64)
            allowed = allowed_of(masks, own, words, tl.program_id(1), GROUPS, GROUP)
            values = tl.where(allowed, values, -float("inf"))
        tl.store(edited + place * vocab + token, values, mask=inside)
        tl.store(edited_maxima + at, tl.max(values, axis=1), mask=group < groups)


@kernel
def _mass_kernel(
    logits,
    edited,
    maxima,
    edited_maxima,
    masses,
    parts,
    rows,
    numbers,
    counts,
    vocab,
    groups,
    GROUP: tl.constexpr,
    GROUPS: tl.constexpr,
    PADDED: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place)
    if row >= 0:
        every = tl.arange(0, PADDED)
        group = tl.program_id(1) * GROUPS + tl.arange(0, GROUPS)
        token = group[:, None] * GROUP + tl.arange(0, GROUP)[None, :]  # [GROUPS, GROUP]
        inside = token < vocab
        at = place * groups
        if tl.load(counts + COUNTS * row + TOP_K) == 0:
            top_p = tl.load(numbers + NUMBERS * row + TOP_P)
            of_groups = tl.load(
                edited_maxima + at + every, mask=every < groups, other=-float("inf")
            )
            values = tl.load(edited + place * vocab + token, mask=inside, other=-float("inf"))
            temperature = tl.load(numbers + NUMBERS * row + TEMPERATURE).to(tl.float32)
            weights = tl.exp(tl.div_rn(values - tl.max(of_groups, axis=0), temperature))
            # Without top-p a draw goes by these sums, so min-p must be in them.
            least = tl.where(top_p < 1.0, 0.0, tl.load(numbers + NUMBERS * row + MIN_P)).to(
                tl.float32
            )
            weights = tl.where(weights < least, 0.0, weights)
            tl.store(masses + at + group, tl.sum(weights, axis=1), mask=group < groups)
        if tl.load(counts + COUNTS * row + NUM_LOGPROBS) >= 0:
            of_groups = tl.load(maxima + at + every, mask=every < groups, other=-float("inf"))
            values = tl.load(logits + place * vocab + token, mask=inside, other=-float("inf"))
            distance = values - tl.max(of_groups, axis=0)
            weights = tl.exp(distance)
            moments = tl.where(weights > 0.0, weights * distance, 0.0)
            at = place * tl.num_programs(1) + tl.program_id(1)
            tl.store(parts + at, tl.sum(tl.sum(weights, axis=1), axis=0))
            # Behind the sums of all places: for the entropy.
            behind = tl.num_programs(0) * tl.num_programs(1)
            tl.store(parts + behind + at, tl.sum(tl.sum(moments, axis=1), axis=0))


@kernel
def _draw_kernel(
    edited,
    edited_maxima,
    masses,
    rows,
    indices,
    numbers,
    counts,
    seeds,
    out,
    vocab,
    groups,
    GROUP: tl.constexpr,
    PADDED: tl.constexpr,
    CANDIDATES: tl.constexpr,
    NOT_YET: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64)
    row = tl.load(rows + place)
    if row >= 0:
        top_k = tl.load(counts + COUNTS * row + TOP_K)
        temperature = tl.load(numbers + NUMBERS * row + TEMPERATURE)
        top_p = tl.load(numbers + NUMBERS * row + TOP_P)
        min_p = tl.load(numbers + NUMBERS * row + MIN_P)
        number = uniform(tl.load(seeds + row), tl.load(indices + place))
        base = edited + place * vocab
        group = tl.arange(0, PADDED)
        is_real = group < groups
        inside = tl.arange(0, GROUP)
        if top_k == 1:
            at = edited_maxima + place * groups + group
            largest = tl.load(at, mask=is_real, other=-float("inf"))
            best = ids_of(tl.max(keys_of(largest, group), axis=0)) * GROUP + inside
            finalists = tl.load(base + best, mask=best < vocab, other=-float("inf"))
            token = ids_of(tl.max(keys_of(finalists, best), axis=0))
        elif (top_k == 0) & (top_p >= 1.0):
            of_all = tl.load(masses + place * groups + group, mask=is_real, other=0.0).to(
                tl.float64
            )
            cumulative = tl.cumsum(of_all, axis=0)
            total = tl.max(cumulative, axis=0)
            target = number * total
            below = (cumulative <= target) & is_real
            chosen = tl.minimum(tl.sum(below.to(tl.int32), axis=0), groups - 1)
            own = tl.sum(tl.where(group == chosen, of_all, 0.0), axis=0)
            before = tl.sum(tl.where(group == chosen, cumulative, 0.0), axis=0) - own
            # Where in its group the target lies, as a share: both levels round in their own way.
            share = tl.minimum(tl.maximum((target - before) / own, 0.0), 1.0 - 2.0**-53)
            of_groups = tl.load(
                edited_maxima + place * groups + group, mask=is_real, other=-float("inf")
            )
            ids = chosen * GROUP + inside
            values = tl.load(base + ids, mask=ids < vocab, other=-float("inf"))
            weights = tl.exp(
                tl.div_rn(values - tl.max(of_groups, axis=0), temperature.to(tl.float32))
            )
            weights = tl.where(weights < min_p.to(tl.float32), 0.0, weights).to(tl.float64)
            sums = tl.cumsum(weights, axis=0)
            goal = share * tl.max(sums, axis=0)
            rank = tl.minimum(tl.sum((sums <= goal).to(tl.int32), axis=0), GROUP - 1)
            token = tl.minimum(chosen * GROUP + rank, vocab - 1)
        else:
            scores, ids = largest_of(
                base, edited_maxima + place * groups, vocab, groups, GROUP, PADDED, CANDIDATES
            )
            mass = tl.full([], -1.0, tl.float64)
            if top_k == 0:
                each = tl.load(masses + place * groups + group, mask=is_real, other=0.0)
                mass = tl.sum(each.to(tl.float64), axis=0)
            count = tl.where(top_k == 0, vocab, top_k)
            token, ends = draw_sorted(scores, ids, count, mass, temperature, top_p, min_p, number)
            # The mass that top-p is a share of is not known where top-k is not among these.
            known = (top_k <= CANDIDATES) | (top_p >= 1.0)
            token = tl.where(ends & known, token, NOT_YET)
        tl.store(out + place, token)


def draw_general(
    logits: Tensor,
    rows: Tensor,
    indices: Tensor,
    state: SamplingRows,
    space: SamplingWorkspace,
    out: DrawReport,
    masks: TokenMasks | None = None,
) -> None:
    """Draw one token for each place of a batch, note and report it.

    Args:
        logits: [batch, vocab], fp32, contiguous; not changed.
        rows: [batch], int32: rows of `state`; below 0 for a place that is not used.
        indices: [batch], int32: how many tokens the request has drawn before.
        state: parameters of the rows; `state.drawn` and `state.said` get the tokens.
        space: for at least `batch` places.
        out: the tokens and their log-probabilities; where a place is not used it stays as it was.
        masks: of the batch, which hold before all filters; any token can be drawn without.

    Raises:
        ValueError: the batch is larger than the space, or what is given has other lengths.
    """
    batch, vocab = logits.shape
    if batch > space.places:
        raise ValueError(f"a batch of {batch} does not fit into space for {space.places}")
    # A kernel reads beyond what is too short.
    given = (rows, indices) if masks is None else (rows, indices, masks.rows)
    if any(each.shape[0] != batch for each in given):
        lengths = [each.shape[0] for each in given]
        raise ValueError(f"logits of {batch} places; rows, indices and masks of {lengths}")
    groups = -(-vocab // GROUP)
    padded = max(power_of_two(groups), MAX_CANDIDATES)
    maxima, edited_maxima = space.maxima
    parts = -(-groups // _GROUPS)
    _edit_kernel[(batch, parts)](
        logits,
        space.edited,
        maxima,
        edited_maxima,
        rows,
        indices,
        state.counts,
        state.ends,
        state.bias_ids,
        state.biases,
        state.penalties,
        state.said,
        masks and masks.rows,
        masks and masks.bits,
        masks.bits.shape[1] if masks else 0,
        vocab,
        groups,
        GROUP=GROUP,
        GROUPS=_GROUPS,
        MOST_ENDS=state.ends.shape[1],
        MOST_BIASES=state.biases.shape[1],
        MASKED=masks is not None,
        enable_fp_fusion=False,  # the reference rounds after each operation
        **options(4),
    )
    _mass_kernel[(batch, parts)](
        logits,
        space.edited,
        maxima,
        edited_maxima,
        space.masses,
        space.parts,
        rows,
        state.numbers,
        state.counts,
        vocab,
        groups,
        GROUP=GROUP,
        GROUPS=_GROUPS,
        PADDED=padded,
        **options(4),
    )
    _draw_kernel[(batch,)](
        space.edited,
        edited_maxima,
        space.masses,
        rows,
        indices,
        state.numbers,
        state.counts,
        state.seeds,
        out.tokens,
        vocab,
        groups,
        GROUP=GROUP,
        PADDED=padded,
        CANDIDATES=MAX_CANDIDATES,
        NOT_YET=NOT_YET,
        **options(warps_of(padded)),
    )
    search(space.edited, edited_maxima, rows, indices, state, space.search, out.tokens)
    drawn_from = DrawnFrom(space.edited, edited_maxima, space.masses)
    report(logits, maxima, space.parts, parts, drawn_from, rows, state, out)
