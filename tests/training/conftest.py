from typing import Any

import pytest

# Fixtures are found by the names that a conftest holds.
from small_scripts import encoder, folder, one_thread, scripts  # noqa: F401


@pytest.fixture
def config() -> dict[str, Any]:
    """A tiny model with grouped queries and heads that don't divide the hidden size."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 400,
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    }
