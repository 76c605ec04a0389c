"""Pages and block tables for tests of models and kernels, without the engine's pool."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from townsfolk.models import Chunk, Decoder, DecoderSpec, ModelBatch


@dataclass
class Pages:
    k: list[Tensor]
    v: list[Tensor]


def poisoned_pages(spec: DecoderSpec, num_blocks: int, block_size: int, dtype) -> Pages:
    """Pages full of NaN: reading a position that was never written shows."""

    def layers() -> list[Tensor]:
        attentions = [layer.attention for layer in spec.layers]
        shapes = [(num_blocks, a.num_kv_heads, block_size, a.head_dim) for a in attentions]
        return [torch.full(shape, float("nan"), dtype=dtype) for shape in shapes]

    return Pages(layers(), layers())


class PagedRun:
    """Sequences in shuffled blocks, fed to a decoder in chunks of any sizes."""

    def __init__(self, decoder: Decoder, lengths: Sequence[int], block_size=4, shuffle=True):
        self.decoder = decoder
        self.block_size = block_size
        counts = [-(-length // block_size) for length in lengths]
        self.pages = poisoned_pages(decoder.spec, sum(counts), block_size, decoder.dtype)
        blocks = list(range(sum(counts)))
        if shuffle:
            random.Random(0).shuffle(blocks)
        self.tables = [[blocks.pop(0) for _ in range(count)] for count in counts]
        self.done = [0 for _ in lengths]

    def step(self, parts: dict[int, Sequence[int]]) -> dict[int, Tensor]:
        """Feed new tokens of some sequences; logits [new, vocab] of each."""
        chunks = []
        for index, tokens in parts.items():
            chunks.append(Chunk(tokens, self.done[index], self.tables[index]))
            self.done[index] += len(tokens)
        batch = ModelBatch.build(chunks, self.block_size, self.decoder.device)
        logits = self.decoder.logits(self.decoder.forward(batch, self.pages))
        sizes = [len(tokens) for tokens in parts.values()]
        return dict(zip(parts, torch.split(logits, sizes), strict=True))
