"""Sequences in pages, for what computes steps of a decoder."""

import torch
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, ModelBatch

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 203,  # no multiple of 16
}


class Scene:
    """Sequences in shuffled pages, none of which holds a number yet."""

    def __init__(self, decoder, lengths, block_size=16):
        blocks = max(lengths) // block_size + 2
        self.decoder, self.lengths, self.block_size = decoder, lengths, block_size
        count = blocks * len(lengths)
        self.kv = KvCache.allocate(
            decoder.spec, count, block_size, decoder.dtype, torch.device("cpu")
        )
        for pages in self.kv.k + self.kv.v:
            pages.fill_(torch.nan)
        self.tables = torch.randperm(count).view(len(lengths), blocks).tolist()
        vocabulary = decoder.spec.vocab_size
        self.tokens = [torch.randint(vocabulary, (length + 1,)).tolist() for length in lengths]
        prompts = zip(self.tokens, self.tables, strict=True)
        self.run([Chunk(tokens[:-1], 0, table) for tokens, table in prompts])

    def run(self, chunks):
        batch = ModelBatch.build(chunks, self.block_size)
        hidden = self.decoder.forward(batch, self.kv)
        return self.decoder.logits(hidden[batch.layout.query_starts[1:].long() - 1])

    def next_tokens(self, rows):
        chunks = [Chunk(self.tokens[row][-1:], self.lengths[row], self.tables[row]) for row in rows]
        return ModelBatch.build(chunks, self.block_size)
