"""Decode steps in plain operations, which CUDA graphs capture, against the decoder's forward."""

import pytest
import torch
from family_models import FAMILIES, VOCABULARY, make_model
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, Decoder, ModelBatch, named_spec
from townsfolk.models.decode_step import DecodeInputs, PlainDecode, has_fused_steps

CPU = torch.device("cpu")
BLOCK_SIZE, BLOCKS, ROWS = 4, 6, 5


@pytest.mark.parametrize("name", FAMILIES)
def test_steps_are_those_of_the_decoder(tmp_path, name):
    make_model(name).save_pretrained(tmp_path)
    decoder = Decoder.load(tmp_path, torch.float32)
    kv = KvCache.allocate(decoder.spec, BLOCKS * ROWS, BLOCK_SIZE, torch.float32, CPU)
    tables = torch.randperm(BLOCKS * ROWS).view(ROWS, BLOCKS)
    sequences = torch.randint(VOCABULARY, (ROWS, 23)).tolist()
    lengths = (1, 7, 12, 20, 3)
    used = [3, 0, 2]
    chunks = [
        Chunk(ids[:length], 0, table.tolist())
        for ids, length, table in zip(sequences, lengths, tables, strict=True)
    ]
    decoder.forward(ModelBatch.build(chunks, BLOCK_SIZE), kv)
    step = PlainDecode(decoder, kv, ROWS)
    drawn = torch.tensor([ids[length] for ids, length in zip(sequences, lengths, strict=True)])
    inputs = DecodeInputs(
        torch.tensor(used).int(),
        torch.tensor([lengths[row] for row in used]).int(),
        tables.int(),
        drawn.int(),
    )
    found = step.logits(inputs)
    whole = [Chunk(sequences[row][: lengths[row] + 1], 0, tables[row].tolist()) for row in used]
    batch = ModelBatch.build(whole, BLOCK_SIZE)
    last = batch.layout.query_starts[1:].long() - 1
    expected = decoder.logits(decoder.forward(batch, kv)[last])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "changes", "fused"),
    [
        ("llama-3.1-8b", {}, True),
        ("llama-3.1-8b", {"attention_bias": True, "mlp_bias": True}, True),
        ("llama-3.1-8b", {"architectures": ["SmolLM3ForCausalLM"]}, True),
        ("llama-3.1-8b", {"architectures": ["Qwen2ForCausalLM"]}, True),
        ("llama-3.1-8b", {"hidden_act": "gelu"}, True),
        ("llama-3.1-8b", {"architectures": ["GraniteForCausalLM"]}, True),
        (
            "llama-3.1-8b",
            {"architectures": ["GraniteForCausalLM"], "residual_multiplier": 0.2},
            True,
        ),
        ("qwen3-4b", {}, True),
        ("gemma-3-1b", {}, True),
    ],
)
def test_fused_steps_are_chosen_by_what_a_spec_needs(name, changes, fused):
    assert has_fused_steps(named_spec(name, **changes)) is fused
