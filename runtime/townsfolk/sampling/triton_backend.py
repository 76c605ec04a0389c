"""Drawing with the Triton kernels: without leaving the device, and within CUDA graphs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import upload
from townsfolk_kernels.sampling import rows as column
from townsfolk_kernels.sampling.general import SamplingWorkspace, draw_general
from townsfolk_kernels.sampling.logprobs import DrawReport
from townsfolk_kernels.sampling.masks import TokenMasks
from townsfolk_kernels.sampling.rows import (
    IN_PROMPT,
    MAX_CANDIDATES,
    MOST_SAID,
    SamplingRows,
)

from townsfolk.sampling.backend import SlotSampling
from townsfolk.sampling.params import (
    MAX_BIAS_ENTRIES,
    MAX_END_TOKENS,
    MAX_STOP_TOKENS,
    SamplingParams,
)
from townsfolk.sampling.report import SampledTokens


class TritonBackend:
    """A row on the device for each slot; a `SamplerBackend`.

    Attributes:
        rows: how each slot draws, and what it has drawn last.
        space: where draws work.
    """

    def __init__(
        self,
        max_slots: int,
        vocab_size: int,
        eos_ids: Collection[int],
        device: torch.device,
        places: int,
    ) -> None:
        """Make empty slots.

        Args:
            max_slots: sequences in the batch.
            vocab_size: tokens that may be drawn.
            eos_ids: tokens that end a reply.
            device: where the rows are.
            places: the most slots that draw in one launch.
        """
        self._vocab_size = vocab_size
        self._biases: dict[int, Mapping[int, float]] = {}  # own ones of slots that are adjusted
        self._eos_ids = tuple(each for each in eos_ids if each < vocab_size)
        self.space = SamplingWorkspace.allocate(places, vocab_size, device)
        self.rows = SamplingRows.allocate(
            max_slots,
            vocab_size,
            len(self._eos_ids) + MAX_END_TOKENS + MAX_STOP_TOKENS,
            MAX_BIAS_ENTRIES,
            device,
        )

    @property
    def drawn(self) -> Tensor:
        """See `SamplerBackend`; int32."""
        return self.rows.drawn

    def admit(self, joining: Sequence[SlotSampling]) -> dict[int, Exception]:
        """See `SamplerBackend`."""
        refused: dict[int, Exception] = {}
        drafts: list[_RowDraft] = []
        for each in joining:
            try:
                drafts.append(_RowDraft(each, self._eos_ids, self.rows, self._vocab_size))
            except Exception as error:
                refused[each.slot] = error
        if drafts:
            _write(self.rows, drafts)
        for each in joining:
            if each.params.logit_bias and each.is_masked:
                self._biases[each.slot] = each.params.logit_bias
        return refused

    def release(self, slot: int) -> None:
        """See `SamplerBackend`."""
        self._biases.pop(slot, None)

    def adjust(self, slots: Sequence[int], biases: Sequence[Mapping[int, float]]) -> None:
        """See `SamplerBackend`."""
        most, device = self.rows.bias_ids.shape[1], self.rows.drawn.device
        merged = []
        for slot, added in zip(slots, biases, strict=True):
            own = self._biases.get(slot, {})
            both = {**own, **{each: own.get(each, 0.0) + value for each, value in added.items()}}
            merged.append(sorted(both.items(), key=lambda each: -abs(each[1]))[:most])
        # As wide as the longest: behind a row's number of biases nothing is read.
        width = max(map(len, merged), default=0)
        fields = np.zeros((len(slots), 2 + width), dtype=np.int64)
        values = np.zeros((len(slots), width), dtype=np.float32)
        for n, pairs in enumerate(merged):
            fields[n, :2] = slots[n], len(pairs)
            for place, (token_id, value) in enumerate(pairs):
                fields[n, 2 + place], values[n, place] = token_id, value
        on_device = upload(fields, device)
        rows, counts = on_device[:, 0], on_device[:, 1]
        self.rows.counts[rows, column.NUM_BIASES.value] = counts.int()
        if width:
            self.rows.bias_ids[rows, :width] = on_device[:, 2:].int()
            self.rows.biases[rows, :width] = upload(values, device)

    def draw(
        self, logits: Tensor, slots: Tensor, indices: Tensor, masks: Tensor | None = None
    ) -> SampledTokens:
        """See `SamplerBackend`."""
        count = logits.shape[0]
        _, out = DrawReport.allocate(count, logits.device)
        out = out.part(slice(0, count))
        rows = torch.arange(count, dtype=torch.int32, device=logits.device)
        of_tokens = None if masks is None else TokenMasks(rows, masks.contiguous())
        self.draw_into(logits, slots, indices, out, of_tokens)
        return SampledTokens(
            out.tokens,
            out.logprobs,
            out.top_ids,
            out.top_logprobs,
            out.entropies,
            out.drawn_logprobs,
        )

    def draw_into(
        self,
        logits: Tensor,
        slots: Tensor,
        indices: Tensor,
        out: DrawReport,
        masks: TokenMasks | None = None,
    ) -> None:
        """Do as `draw`, into a report, for any number of places: as many at once as have space."""
        for first in range(0, logits.shape[0], self.space.places):
            part = slice(first, first + self.space.places)
            draw_general(
                logits[part],
                slots[part],
                indices[part],
                self.rows,
                self.space,
                out.part(part),
                None if masks is None else masks.part(part),
            )


def is_plain(params: SamplingParams, vocab_size: int) -> bool:
    """Return whether the two kernels that most sequences need can draw with these parameters."""
    few = params.temperature == 0 or 1 <= params.top_k < min(MAX_CANDIDATES + 1, vocab_size)
    return (
        few
        and not params.penalizes
        and not params.looks_back
        and not params.logit_bias
        and params.logprobs is None
    )


class _RowDraft:
    """What is to be written of one sequence that joins."""

    def __init__(
        self, joining: SlotSampling, eos_ids: Sequence[int], rows: SamplingRows, vocab_size: int
    ) -> None:
        """Lay it out.

        Raises:
            InvalidSamplingError: a token id is not in the vocabulary.
            ValueError: it does not fit into a row.
        """
        params = joining.params
        params.check_vocabulary(vocab_size)
        self.slot, self.latest = joining.slot, joining.latest
        self.seed = joining.seed - 2**64 if joining.seed >= 2**63 else joining.seed
        self.numbers = np.ones(column.NUMBERS.value)
        self.counts = np.zeros(column.COUNTS.value, dtype=np.int64)
        self.penalties = np.zeros(column.PENALTIES.value, dtype=np.float32)
        self.ends = np.zeros(rows.ends.shape[1], dtype=np.int64)
        self.bias_ids = np.zeros(rows.bias_ids.shape[1], dtype=np.int64)
        self.biases = np.zeros(rows.biases.shape[1], dtype=np.float32)
        ends = list(dict.fromkeys((*eos_ids, *joining.end_ids, *params.stop_token_ids)))
        top_k = params.top_k if params.top_k < vocab_size else 0
        self.numbers[column.TEMPERATURE.value] = params.temperature or 1.0
        self.numbers[column.TOP_P.value] = params.top_p
        self.numbers[column.MIN_P.value] = params.min_p
        self.counts[column.TOP_K.value] = top_k if params.temperature > 0 else 1
        self.counts[column.MIN_TOKENS.value] = min(params.min_new_tokens, 2**31 - 1)
        self.counts[column.NUM_ENDS.value] = len(ends)
        self.counts[column.NUM_BIASES.value] = len(params.logit_bias)
        self.counts[column.NUM_LOGPROBS.value] = -1 if params.logprobs is None else params.logprobs
        self.penalties[column.REPETITION.value] = params.repetition_penalty
        self.penalties[column.PRESENCE.value] = params.presence_penalty
        self.penalties[column.FREQUENCY.value] = params.frequency_penalty
        self.penalties[column.PENALIZES.value] = params.penalizes
        self.ends[: len(ends)] = ends
        self.bias_ids[: len(params.logit_bias)] = list(params.logit_bias)
        self.biases[: len(params.logit_bias)] = list(params.logit_bias.values())
        self.said = _said(joining, vocab_size) if params.penalizes else None


def _said(joining: SlotSampling, vocab_size: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Return which tokens a prompt and, if the sequence was preempted, its reply have: [vocab]."""
    said = np.zeros(vocab_size, dtype=np.int16)
    times = np.bincount(np.array(joining.reply_ids, dtype=np.int64), minlength=vocab_size)
    said[:] = np.minimum(times, MOST_SAID)
    said[list(joining.prompt_ids)] |= np.int16(IN_PROMPT)
    return said


def _write(rows: SamplingRows, drafts: Sequence[_RowDraft]) -> None:
    """Write rows with as few copies to the device as there are kinds of numbers."""
    device = rows.drawn.device
    whole = [
        np.concatenate(([each.slot, each.seed, each.latest], each.counts, each.ends, each.bias_ids))
        for each in drafts
    ]
    small = [np.concatenate((each.penalties, each.biases)) for each in drafts]
    fields = upload(np.stack(whole).astype(np.int64), device)
    reals = upload(np.stack(small), device)
    numbers = upload(np.stack([each.numbers for each in drafts]), device)
    sizes = [3, column.COUNTS.value, rows.ends.shape[1], rows.bias_ids.shape[1]]
    single, counts, ends, bias_ids = fields.split(sizes, dim=1)
    penalties, biases = reals.split([column.PENALTIES.value, rows.biases.shape[1]], dim=1)
    slots, seeds, latest = single.t().contiguous()
    rows.numbers.index_copy_(0, slots, numbers)
    rows.counts.index_copy_(0, slots, counts.int())
    rows.seeds.index_copy_(0, slots, seeds)
    rows.drawn.index_copy_(0, slots, latest.int())
    rows.ends.index_copy_(0, slots, ends.int())
    rows.bias_ids.index_copy_(0, slots, bias_ids.int())
    rows.penalties.index_copy_(0, slots, penalties.contiguous())
    rows.biases.index_copy_(0, slots, biases.contiguous())
    for each in drafts:
        if each.said is not None:
            rows.said[each.slot].copy_(upload(each.said, device))
