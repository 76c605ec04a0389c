"""Drawing with PyTorch's operations: on a CPU, or wherever there are no kernels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from townsfolk.sampling.backend import SlotSampling
from townsfolk.sampling.report import SampledTokens
from townsfolk.sampling.sampler import Sampler


class TorchBackend:
    """The sampler, as a `SamplerBackend`.

    Attributes:
        drawn: [max_slots], int64, see `SamplerBackend`.
    """

    def __init__(
        self, max_slots: int, vocab_size: int, eos_ids: Collection[int], device: torch.device
    ) -> None:
        """Make empty slots; see `Sampler`."""
        self.drawn = torch.zeros(max_slots, dtype=torch.int64, device=device)
        self._sampler = Sampler(max_slots, vocab_size, eos_ids, device)

    def admit(self, joining: Sequence[SlotSampling]) -> dict[int, Exception]:
        """See `SamplerBackend`."""
        refused: dict[int, Exception] = {}
        for each in joining:
            try:
                self._sampler.admit(
                    each.slot,
                    each.params,
                    each.seed,
                    each.prompt_ids,
                    each.reply_ids,
                    each.end_ids,
                )
            except Exception as error:
                refused[each.slot] = error
            else:
                self.drawn[each.slot] = each.latest
        return refused

    def release(self, slot: int) -> None:
        """See `SamplerBackend`."""
        self._sampler.release(slot)

    def adjust(self, slots: Sequence[int], biases: Sequence[Mapping[int, float]]) -> None:
        """See `SamplerBackend`."""
        for slot, own in zip(slots, biases, strict=True):
            self._sampler.adjust(slot, own)

    def draw(
        self, logits: Tensor, slots: Tensor, indices: Tensor, masks: Tensor | None = None
    ) -> SampledTokens:
        """See `SamplerBackend`; every place must be used."""
        sampled = self._sampler.sample(logits, slots.tolist(), indices.tolist(), masks)
        self.drawn[slots.long()] = sampled.token_ids
        return sampled
