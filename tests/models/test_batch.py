"""Flat batches, and that what stands beside a sequence does not change its bits."""

import pytest
import torch
from paged import PagedRun
from townsfolk.models import Chunk, Decoder, ModelBatch, named_spec


def test_chunks_lie_one_after_the_other():
    batch = ModelBatch.build([Chunk([7, 8, 9], 3, [5, 2]), Chunk([1], 0, [4])], block_size=4)
    assert batch.token_ids.tolist() == [7, 8, 9, 1]
    assert batch.positions.tolist() == [3, 4, 5, 0]
    assert batch.slots.tolist() == [23, 8, 9, 16]
    assert batch.layout.query_starts.tolist() == [0, 3, 4]
    assert batch.layout.kv_lengths.tolist() == [6, 1]
    assert batch.layout.block_tables.tolist() == [[5, 2], [4, 0]]


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([], "at least one chunk"),
        ([Chunk([], 0, [0])], "chunk 0 has no tokens"),
        ([Chunk([1], 0, [0]), Chunk([1, 2], 7, [0, 1])], "chunk 1 reaches 9 positions, but its 2"),
    ],
)
def test_malformed_batches_are_refused(chunks, reason):
    with pytest.raises(ValueError, match=reason):
        ModelBatch.build(chunks, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_decoded_sequence_has_the_same_bits_alone_and_in_a_batch(rng, dtype):
    spec = named_spec(
        "llama-tiny",
        vocab_size=97,
        hidden_size=64,
        intermediate_size=128,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
    )
    decoder = Decoder.random(spec, dtype)
    lengths = [rng.randint(2, 60) for _ in range(9)]
    sequences = [[rng.randrange(97) for _ in range(length)] for length in lengths]

    def run(chosen):
        paged = PagedRun(decoder, lengths, block_size=16, shuffle=False)
        found = {index: [] for index in chosen}
        for step in range(max(lengths[index] for index in chosen)):
            parts = {i: sequences[i][step : step + 1] for i in chosen if step < lengths[i]}
            for index, logits in paged.step(parts).items():
                found[index].append(logits)
        return {index: torch.cat(logits) for index, logits in found.items()}

    together = run(range(9))
    for index in (0, 4, 8):
        assert torch.equal(run([index])[index], together[index])
