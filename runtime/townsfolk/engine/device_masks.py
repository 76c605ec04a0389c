"""Masks of grammars on a GPU, where graphs find them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from townsfolk_kernels.sampling.logprobs import DrawReport
from townsfolk_kernels.sampling.masks import TokenMasks

from townsfolk.grammar import mask_words
from townsfolk.grammar.matcher import Bits
from townsfolk.sampling.triton_backend import TritonBackend


class DeviceMasks:
    """Which places of a step draw late, and among which tokens; at addresses that stay.

    They lie in pinned memory of the host, where draws read each word once: to have them copied
    takes the host longer, and the device no less.

    Attributes:
        slots: [places], int32: the slot that draws; -1 for none.
        rows: [places], int32: the row of `bits` with its mask; -1 where it may draw any token.
        bits: [places, words], int32: masks.
        memory: `bits`, for the code that computes masks: what is there need not be copied.
    """

    def __init__(self, places: int, vocab_size: int, device: torch.device) -> None:
        """Take memory for steps of up to so many sequences."""
        places = -(-places // 4) * 4  # what follows begins at a multiple of 16 bytes
        words = mask_words(vocab_size)
        self._places, self._on_gpu = places, device.type == "cuda"
        on = torch.device("cpu") if self._on_gpu else device  # a card on paper keeps nothing
        flat = torch.full(
            (places * (2 + words),), -1, dtype=torch.int32, device=on, pin_memory=self._on_gpu
        )
        self.slots, self.rows = flat[:places], flat[places : 2 * places]
        self.bits = flat[2 * places :].view(places, words)
        self._drawn: torch.cuda.Event | None = None  # once what is written is not needed
        if on.type == "cpu":
            self.memory: Bits = self.bits.numpy()
            self._host_slots, self._host_rows = self.slots.numpy(), self.rows.numpy()

    def write(self, at: Sequence[int], slots: Sequence[int], masks: Bits) -> None:
        """Have these places draw.

        Args:
            at: places.
            slots: of each.
            masks: [at most places, words], of the first of them; the others may draw any token.
        """
        self._wait()
        own_slots, own_rows = self._host_slots, self._host_rows
        own_slots[:] = own_rows[:] = -1
        own_slots[at] = slots
        own_rows[at[: len(masks)]] = range(len(masks))
        if len(masks) and masks.ctypes.data != self.memory.ctypes.data:
            self.memory[: len(masks)] = masks

    def clear(self) -> None:
        """Have no place draw."""
        self._wait()
        self.slots.fill_(-1)

    def note_drawn(self) -> None:
        """Note that the draws were launched."""
        if self._on_gpu:
            self._drawn = self._drawn or torch.cuda.Event()
            self._drawn.record()

    def _wait(self) -> None:
        """Wait for draws that were launched: only those of the same step have not ended yet."""
        if self._drawn is not None and not self._drawn.query():
            self._drawn.synchronize()

    def part(self, count: int) -> TokenMasks:
        """Return the masks of the first places of a step.

        Raises:
            ValueError: there are fewer.
        """
        if count > self._places:
            raise ValueError(f"masks for {self._places} places, and a step of {count} sequences")
        return TokenMasks(self.rows[:count], self.bits)

    def draw(
        self, sampler: TritonBackend, logits: Tensor, indices: Tensor, out: DrawReport
    ) -> None:
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
        masks = self.part(count)
        own = out.part(slice(0, count))
        sampler.draw_into(logits, self.slots[:count], indices, own, masks)
