"""The bytes and operations that no implementation can do without."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from townsfolk.bench.floor import decode_bytes, prefill_operations
from townsfolk.models import Decoder, named_spec
from transformers import LlamaConfig, LlamaForCausalLM


@pytest.mark.parametrize(("name", "gigabytes"), [("llama-3.2-1b", 2.47), ("llama-3.1-8b", 15.0)])
def test_a_step_reads_all_weights(name, gigabytes):
    assert decode_bytes(named_spec(name), 2, 0, 0) / 1e9 == pytest.approx(gigabytes, rel=0.01)


def test_a_step_reads_the_cache_of_each_request():
    shape = named_spec("llama-3.2-1b")
    one = decode_bytes(shape, 2, 1, 576) - decode_bytes(shape, 2, 0, 576)
    assert one == 576 * 32 * 1024  # 32 KiB a token
    assert decode_bytes(shape, 2, 8, 576) - decode_bytes(shape, 2, 0, 576) == 8 * one


def test_operations_are_those_that_pytorch_counts():
    shape, tokens = named_spec("llama-tiny"), 48
    config = LlamaConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.layers[0].mlp.width,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.layers[0].attention.num_heads,
        num_key_value_heads=shape.layers[0].attention.num_kv_heads,
        head_dim=shape.layers[0].attention.head_dim,
        attn_implementation="eager",
    )
    with FlopCounterMode(display=False) as counter:
        LlamaForCausalLM(config)(torch.zeros(1, tokens, dtype=torch.int64), logits_to_keep=1)
    # It computes the scores of every pair; the causal half is what must be done. And the angles of
    # the rotary embedding are a product there.
    pairs = tokens * tokens - tokens * (tokens + 1) // 2
    unseen = (
        4
        * pairs
        * shape.num_layers
        * shape.layers[0].attention.num_heads
        * shape.layers[0].attention.head_dim
    )
    angles = 2 * tokens * shape.layers[0].attention.head_dim // 2
    ours = prefill_operations(shape, tokens)
    assert ours in (
        counter.get_total_flops() - unseen,
        counter.get_total_flops() - unseen - angles,
    )


def test_random_weights_hold_what_the_floor_counts():
    shape = named_spec("llama-tiny")
    decoder = Decoder.random(shape, torch.float32)
    norms = (2 * shape.num_layers + 1) * shape.hidden_size
    embedding = shape.vocab_size * shape.hidden_size  # one row is read, not all
    assert decode_bytes(shape, 4, 0, 0) == 4 * (decoder.num_parameters - norms - embedding)
