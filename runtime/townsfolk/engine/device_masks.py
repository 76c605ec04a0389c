"""Masks of grammars on a GPU, where graphs find them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from townsfolk_kernels.sampling.logprobs import Report

from townsfolk.grammar import mask_words
from townsfolk.grammar.matcher import Bits
from townsfolk.sampling.triton_backend import TritonBackend

_TURNS = 4  # more than steps are in flight


class DeviceMasks:
    """Which places of a step draw late, and among which tokens; at addresses that stay.

    Attributes:
        slots: [places], int32: the slot that draws; -1 for none.
        bits: [places, words], int32: the tokens that it may draw.
    """

    def __init__(self, places: int, vocab_size: int, device: torch.device) -> None:
        """Take memory for steps of up to so many sequences."""
        places, self._words = -(-places // 4) * 4, mask_words(vocab_size)
        # Rows begin at multiples of 16 bytes, as kernels like it.
        stride = -(-self._words // 4) * 4
        self._flat = torch.full((places * (1 + stride),), -1, dtype=torch.int32).to(device)
        self.slots = self._flat[:places]
        self.bits = self._flat[places:].view(places, stride)
        self._places, self._stride, self._turn = places, stride, 0
        self._host = [
            torch.full(self._flat.shape, -1, dtype=torch.int32, pin_memory=device.type == "cuda")
            for _ in range(_TURNS)
        ]

    def write(self, at: Sequence[int], slots: Sequence[int], masks: Bits) -> None:
        """Have these places draw.

        Args:
            at: places.
            slots: of each.
            masks: [places, words], of each.
        """
        self._turn = (self._turn + 1) % _TURNS
        host = self._host[self._turn]
        flat = host.numpy()
        flat[: self._places] = -1
        flat[list(at)] = slots
        rows = flat[self._places :].reshape(self._places, self._stride)
        rows[list(at), : self._words] = masks
        end = self._places + (max(at) + 1) * self._stride
        self._flat[:end].copy_(host[:end], non_blocking=True)

    def draw(self, sampler: TritonBackend, logits: Tensor, indices: Tensor, out: Report) -> None:
        """Draw for the places of a step that were written.

        Args:
            sampler: of the slots.
            logits: [sequences, vocab], fp32.
            indices: [sequences], int32: how many tokens each has drawn before.
            out: gets what is drawn.

        Raises:
            ValueError: there are fewer places than sequences.
        """
        count = logits.shape[0]
        if count > self._places:
            raise ValueError(f"masks for {self._places} places, and a step of {count} sequences")
        sampler.draw_into(
            logits, self.slots[:count], indices, out.part(slice(0, count)), self.bits[:count]
        )
