"""Shapes of known models, for benchmarks with random weights."""

from __future__ import annotations

from townsfolk.models.config import DecoderConfig, RopeConfig, RopeType

_LLAMA3_1B_ROPE = RopeConfig(
    theta=500000.0,
    type=RopeType.LLAMA3,
    factor=32.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_context=8192,
)
_LLAMA3_8B_ROPE = RopeConfig(
    theta=500000.0,
    type=RopeType.LLAMA3,
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_context=8192,
)

NAMED_SHAPES: dict[str, DecoderConfig] = {
    # Small enough to try every measurement in seconds; what it measures is overhead.
    "llama-tiny": DecoderConfig(
        vocab_size=2048,
        hidden_size=128,
        intermediate_size=256,
        num_layers=2,
        num_heads=2,
        num_kv_heads=1,
        head_dim=64,
        context_length=8192,
        bos_id=2043,
        eos_ids=frozenset({2044}),
    ),
    "llama-160m": DecoderConfig(
        vocab_size=32000,
        hidden_size=768,
        intermediate_size=3072,
        num_layers=12,
        num_heads=12,
        num_kv_heads=12,
        head_dim=64,
        bos_id=1,
        eos_ids=frozenset({2}),
    ),
    "llama-3.2-1b": DecoderConfig(
        vocab_size=128256,
        hidden_size=2048,
        intermediate_size=8192,
        num_layers=16,
        num_heads=32,
        num_kv_heads=8,
        head_dim=64,
        rope=_LLAMA3_1B_ROPE,
        tie_embeddings=True,
        context_length=131072,
        bos_id=128000,
        eos_ids=frozenset({128001, 128008, 128009}),
    ),
    "llama-3.1-8b": DecoderConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_layers=32,
        num_heads=32,
        num_kv_heads=8,
        head_dim=128,
        rope=_LLAMA3_8B_ROPE,
        context_length=131072,
        bos_id=128000,
        eos_ids=frozenset({128001, 128008, 128009}),
    ),
}
