"""A checkpoint of a named shape with random weights, so that a runtime can load one from disk.

A Hugging Face directory like any other: configuration, weights, and a byte-level vocabulary of the
full size. The tokens beyond the bytes are words of four letters, which are looked up whole, so that
a text of so many words has so many tokens.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import torch

from townsfolk.bench.scene import word
from townsfolk.models import DecoderConfig
from townsfolk.models.config import RopeType
from townsfolk.models.weights import expected_tensors
from townsfolk.text.vocabulary import BYTE_ALPHABET

_SPACE, _NEWLINE = (
    next(character for character, value in BYTE_ALPHABET.items() if value == byte)
    for byte in b" \n"
)
# Written in every prompt, so a token each, as in real vocabularies.
_PROMPT_WORDS = ("system", "user", "assistant", "Player", _NEWLINE * 2)

_BEGIN, _END, _TURN_END = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"
_HEADER, _HEADER_END = "<|start_header_id|>", "<|end_header_id|>"
_CONTROLS = (_BEGIN, _END, _HEADER, _HEADER_END, _TURN_END)

# Messages as Llama 3 frames them: a header, the text, an end.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    f"{_HEADER}{{{{ message.role }}}}{_HEADER_END}\n\n{{{{ message.content }}}}{_TURN_END}"
    "{% endfor %}{% if add_generation_prompt %}"
    f"{_HEADER}assistant{_HEADER_END}\n\n"
    "{% endif %}"
)

_SAFETENSORS_DTYPES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}


def write_checkpoint(
    directory: Path, config: DecoderConfig, dtype: torch.dtype, device: torch.device
) -> None:
    """Write a checkpoint into an empty or missing folder.

    Args:
        directory: the folder.
        config: the shape; its vocabulary must have room for 256 bytes, the words and the controls.
        dtype: of the weights.
        device: where they are drawn: a GPU takes a second for what a CPU takes a minute.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_weights(directory / "model.safetensors", config, dtype, device)
    tokenizer, settings = _tokenizer(config)
    files: dict[str, Any] = {
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": settings,
        # Last: a folder with it is complete.
        "config.json": _hugging_face(with_controls_last(config), dtype),
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content), encoding="utf-8")


def write_weights(
    path: Path, config: DecoderConfig, dtype: torch.dtype, device: torch.device
) -> None:
    """Write random weights, one tensor after the other: no more than one is in memory.

    Normal with deviation 0.02, norms near one. The format is that of safetensors: the header's
    length in 8 bytes, the header as JSON, the tensors.
    """
    header: dict[str, Any] = {}
    offset = 0
    shapes = expected_tensors(config)
    for name, shape in shapes.items():
        size = torch.Size(shape).numel() * dtype.itemsize
        header[name] = {
            "dtype": _SAFETENSORS_DTYPES[dtype],
            "shape": shape,
            "data_offsets": [offset, offset + size],
        }
        offset += size
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    generator = torch.Generator(device=device).manual_seed(0)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for name, shape in shapes.items():
            mean = 1.0 if name.endswith("norm.weight") else 0.0
            tensor = torch.empty(shape, dtype=dtype, device=device)
            tensor.normal_(mean, 0.02, generator=generator)
            _write(file, tensor)


def _write(file: BinaryIO, tensor: torch.Tensor) -> None:
    tensor.cpu().reshape(-1).view(torch.uint8).numpy().tofile(file)


def _hugging_face(config: DecoderConfig, dtype: torch.dtype) -> dict[str, Any]:
    """The `config.json` that `DecoderConfig.from_directory` reads back."""
    rope: dict[str, Any] = {"rope_type": config.rope.type.value, "rope_theta": config.rope.theta}
    if config.rope.type is not RopeType.DEFAULT:
        rope |= {
            "factor": config.rope.factor,
            "low_freq_factor": config.rope.low_freq_factor,
            "high_freq_factor": config.rope.high_freq_factor,
            "original_max_position_embeddings": config.rope.original_context,
        }
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": config.context_length,
        "rms_norm_eps": config.rms_norm_eps,
        "tie_word_embeddings": config.tie_embeddings,
        "attention_bias": config.attention_bias,
        "mlp_bias": config.mlp_bias,
        "rope_parameters": rope,
        "bos_token_id": config.bos_id,
        "eos_token_id": sorted(config.eos_ids),
        "dtype": str(dtype).removeprefix("torch."),
    }


def with_controls_last(config: DecoderConfig) -> DecoderConfig:
    """The shape with the control tokens where the checkpoint has them: at the vocabulary's end.

    The tokenizers library gives added tokens the ids that follow those of the vocabulary.
    """
    ids = dict(zip(_CONTROLS, itertools.count(config.vocab_size - len(_CONTROLS))))
    return replace(config, bos_id=ids[_BEGIN], eos_ids=frozenset({ids[_END], ids[_TURN_END]}))


def _tokenizer(config: DecoderConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """`tokenizer.json` and `tokenizer_config.json`."""
    first_control = config.vocab_size - len(_CONTROLS)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [
            {"id": token_id, "content": content, "special": True, "normalized": False}
            | {"single_word": False, "lstrip": False, "rstrip": False}
            for token_id, content in enumerate(_CONTROLS, first_control)
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level | {"trim_offsets": True},
        "post_processor": None,
        "decoder": byte_level | {"trim_offsets": True},
        "model": {
            "type": "BPE",
            "vocab": dict(zip(_tokens(), range(first_control), strict=False)),
            "merges": [],
            "ignore_merges": True,  # whole words are looked up
            "byte_fallback": False,
        },
    }
    settings = {
        "chat_template": CHAT_TEMPLATE,
        "bos_token": _BEGIN,
        "eos_token": _END,
        "add_bos_token": True,
    }
    return tokenizer, settings


def _tokens() -> Iterator[str]:
    """Bytes, what prompts are made of, then words without end."""
    yield from BYTE_ALPHABET
    yield from _PROMPT_WORDS
    yield from (_SPACE + word(index) for index in itertools.count())
