"""Decode one sequence: the memory in which its programs meet, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from townsfolk_kernels.gpu.launch import power_of_two

MAX_SPLITS = 16
MAX_COPIES = 64
_MERGED = 4096  # elements that the last program merges, unless that is fewer than 8 parts


@dataclass(frozen=True, slots=True)
class SingleWorkspace:
    """Where the programs of a step of one sequence meet; words are those of `relay`.

    Attributes:
        step: [1], int32: the number of the step; with the layer's it makes the tag.
        fresh: [heads + 2 * kv_heads, head_dim], words: queries, keys and values of the new token.
        sums: [kv_heads, MAX_SPLITS, group, head_dim], int64 words, the last two dimensions rounded
            up to powers of two: what each program of the attention has summed.
        softmax: [kv_heads, MAX_SPLITS, group, MAX_COPIES], int64 words: the maximum of its softmax
            some times, then its mass as often.
        layers: of the model.
        splits: the most programs for one key head, a power of two up to MAX_SPLITS.
    """

    step: Tensor
    fresh: Tensor
    sums: Tensor
    softmax: Tensor
    layers: int
    splits: int

    @classmethod
    def allocate(
        cls,
        layers: int,
        heads: int,
        kv_heads: int,
        head_dim: int,
        dtype: torch.dtype,
        device: torch.device,
        step: Tensor,
        splits: int,
    ) -> SingleWorkspace:
        """Take memory for layers of this shape, whose activations are of `dtype`."""
        word = torch.int32 if dtype.itemsize == 2 else torch.int64
        shape = (kv_heads, MAX_SPLITS, power_of_two(heads // kv_heads))

        def zeros(*size: int, of: torch.dtype = torch.int64) -> Tensor:
            return torch.zeros(size, dtype=of, device=device)

        return cls(
            step=step,
            fresh=zeros(heads + 2 * kv_heads, head_dim, of=word),
            sums=zeros(*shape, padded_width(head_dim)),
            softmax=zeros(*shape, MAX_COPIES),
            layers=layers,
            splits=splits,
        )


def padded_width(head_dim: int) -> int:
    """Return the columns of a tile of values: a power of two."""
    return max(16, power_of_two(head_dim))


def single_splits(heads: int, kv_heads: int, head_dim: int, processors: int) -> int:
    """Return the most programs that share the keys of one head.

    For half of the device with heads of 64, where twice as many took 0.013 ms more a step
    (Llama-3.2-1B, H200); wider ones have fewer positions for each program. But what is merged must
    fit into registers: 16 parts of 4 heads of 256 took 0.96 ms a step, 8 took 0.88 (Gemma-3-1B).
    """
    wanted = max(processors * head_dim // (128 * kv_heads), 1)
    part = power_of_two(heads // kv_heads) * padded_width(head_dim)
    most = min(max(_MERGED // part, 8), MAX_SPLITS)
    return min(1 << (wanted.bit_length() - 1), most)
