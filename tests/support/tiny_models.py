"""Small random models in Hugging Face directories, with real tokenizers."""

from __future__ import annotations

from pathlib import Path

import small_tokenizers
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, LlamaConfig, MistralConfig


def write_llama(directory: Path, *, context: int = 512, seed: int = 0, **shape) -> Path:
    """Writes a random Llama in fp32 with a byte-level tokenizer, as its release would look.

    Weights are larger than a fresh model's, so that logits differ clearly and ties between tokens,
    which rounding would break at random, don't occur.
    """
    return _write(LlamaConfig, directory, context, seed, shape)


def write_mistral(directory: Path, *, context: int = 512, seed: int = 0, **shape) -> Path:
    """Writes a random Mistral, as `write_llama`."""
    return _write(MistralConfig, directory, context, seed, shape)


def _write(config: type, directory: Path, context: int, seed: int, shape: dict) -> Path:
    small_tokenizers.byte_level(directory)
    ids = Tokenizer.from_file(str(directory / "tokenizer.json")).get_vocab()
    fields = {
        "vocab_size": len(ids),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "initializer_range": 0.3,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "bos_token_id": ids["<|begin_of_text|>"],
        "eos_token_id": ids["<|end_of_text|>"],
    }
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config(**(fields | shape)))
    model.generation_config.eos_token_id = [ids["<|end_of_text|>"], ids["<|eot_id|>"]]
    model.save_pretrained(directory)
    return directory
