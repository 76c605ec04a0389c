"""A checkpoint of a named shape with random weights, so that a runtime can load one from disk.

A Hugging Face directory like any other: configuration, weights, and a byte-level vocabulary of the
full size. The tokens beyond the bytes are words of four letters, which are looked up whole, so that
a text of so many words has so many tokens.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from townsfolk.bench.scene import word
from townsfolk.models import read_config
from townsfolk.models.weights import expected_tensors
from townsfolk.text.vocabulary import BYTE_ALPHABET

_SPACE, _NEWLINE = (
    next(character for character, value in BYTE_ALPHABET.items() if value == byte)
    for byte in b" \n"
)
# Written in every prompt, so a token each, as in real vocabularies.
_PROMPT_WORDS = ("system", "user", "assistant", "Player", _NEWLINE * 2)

BEGIN, END, TURN_END = "<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"
_HEADER, _HEADER_END = "<|start_header_id|>", "<|end_header_id|>"
CONTROLS = (BEGIN, END, _HEADER, _HEADER_END, TURN_END)

# Messages as Llama 3 frames them: a header, the text, an end.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    f"{_HEADER}{{{{ message.role }}}}{_HEADER_END}\n\n{{{{ message.content }}}}{TURN_END}"
    "{% endfor %}{% if add_generation_prompt %}"
    f"{_HEADER}assistant{_HEADER_END}\n\n"
    "{% endif %}"
)

_SAFETENSORS_DTYPES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}


def write_checkpoint(
    directory: Path, shape: Mapping[str, Any], dtype: torch.dtype, device: torch.device
) -> None:
    """Write a checkpoint into an empty or missing folder.

    Args:
        directory: the folder.
        shape: its `config.json`, as in `NAMED_SHAPES`; the vocabulary must have room for 256 bytes,
            the words and the controls.
        dtype: of the weights.
        device: where they are drawn: a GPU takes a second for what a CPU takes a minute.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_weights(directory / "model.safetensors", shape, dtype, device)
    tokenizer, settings = _tokenizer(shape["vocab_size"])
    files: dict[str, Any] = {
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": settings,
        # Last: a folder with it is complete.
        "config.json": with_controls_last(shape) | {"dtype": str(dtype).removeprefix("torch.")},
    }
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content), encoding="utf-8")


def write_weights(
    path: Path, shape: Mapping[str, Any], dtype: torch.dtype, device: torch.device
) -> None:
    """Write random weights, one tensor after the other: no more than one is in memory.

    Normal with deviation 0.02, norms near one. The format is that of safetensors: the header's
    length in 8 bytes, the header as JSON, the tensors.
    """
    header: dict[str, Any] = {}
    offset = 0
    specs = expected_tensors(read_config(shape))
    for name, spec in specs.items():
        size = torch.Size(spec.shape).numel() * dtype.itemsize
        header[name] = {
            "dtype": _SAFETENSORS_DTYPES[dtype],
            "shape": spec.shape,
            "data_offsets": [offset, offset + size],
        }
        offset += size
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    generator = torch.Generator(device=device).manual_seed(0)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for spec in specs.values():
            tensor = torch.empty(spec.shape, dtype=dtype, device=device)
            tensor.normal_(spec.mean, 0.02, generator=generator)
            _write(file, tensor)


def _write(file: BinaryIO, tensor: torch.Tensor) -> None:
    tensor.cpu().reshape(-1).view(torch.uint8).numpy().tofile(file)


def with_controls_last(shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape with the control tokens at the vocabulary's end, as the checkpoint has them.

    The tokenizers library gives added tokens the ids that follow those of the vocabulary.
    """
    ids = dict(zip(CONTROLS, itertools.count(shape["vocab_size"] - len(CONTROLS))))
    ends = [ids[END], ids[TURN_END]]
    return {**shape, "bos_token_id": ids[BEGIN], "eos_token_id": ends}


def _tokenizer(vocab_size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """`tokenizer.json` and `tokenizer_config.json`."""
    first_control = vocab_size - len(CONTROLS)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [
            {"id": token_id, "content": content, "special": True, "normalized": False}
            | {"single_word": False, "lstrip": False, "rstrip": False}
            for token_id, content in enumerate(CONTROLS, first_control)
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level | {"trim_offsets": True},
        "post_processor": None,
        "decoder": byte_level | {"trim_offsets": True},
        "model": {
            "type": "BPE",
            "vocab": dict(zip(tokens(), range(first_control), strict=False)),
            "merges": [],
            "ignore_merges": True,  # whole words are looked up
            "byte_fallback": False,
        },
    }
    settings = {
        "chat_template": CHAT_TEMPLATE,
        "bos_token": BEGIN,
        "eos_token": END,
        "add_bos_token": True,
    }
    return tokenizer, settings


def tokens() -> Iterator[str]:
    """Yield bytes, what prompts are made of, then words without end."""
    yield from BYTE_ALPHABET
    yield from _PROMPT_WORDS
    yield from (_SPACE + word(index) for index in itertools.count())
