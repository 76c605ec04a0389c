"""A GGUF file of a named shape with random weights, so that a runtime can load one.

The vocabulary is that of `townsfolk.bench.checkpoint`. Stretched contexts are left out: they change
no speed.
"""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.random_blocks import random_blocks

from townsfolk.bench.checkpoint import BEGIN, CHAT_TEMPLATE, CONTROLS, END, TURN_END, tokens
from townsfolk.checkpoint.gguf.types import BLOCK_TYPES
from townsfolk.models import Architecture, DecoderSpec
from townsfolk.models.mixes import Mix
from townsfolk.models.names import GGUF_NAMES
from townsfolk.models.random import DEVIATION
from townsfolk.models.spec import NormKind
from townsfolk.models.weights import TensorSpec, expected_tensors
from townsfolk.text.gguf import CONTROL, NORMAL

Value = int | float | str | bool | Sequence[str] | Sequence[int]
"""Of a metadata entry."""

_ALIGNMENT = 32
_F32, _BF16 = 0, 30
_DRAWN_ROWS = 8192
_NUMBERS = {block_format: number for number, block_format in BLOCK_TYPES.items()}
_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY = 4, 5, 6, 7, 8, 9


@dataclass(frozen=True, slots=True)
class _Planned:
    """A tensor to be written; without a format it is of numbers."""

    spec: TensorSpec
    block_format: BlockFormat | None
    dtype: torch.dtype = torch.float32

    @property
    def nbytes(self) -> int:
        if self.block_format is None:
            return self.dtype.itemsize * math.prod(self.spec.shape)
        return self.spec.shape[0] * self.block_format.row_bytes(self.spec.shape[1])

    def description(self, offset: int) -> bytes:
        """Name, shape, type and place, as the header has them."""
        numbers = _BF16 if self.dtype == torch.bfloat16 else _F32
        kind = numbers if self.block_format is None else _NUMBERS[self.block_format]
        shape = self.spec.shape[::-1]
        sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        return _text(self.spec.name) + sizes + struct.pack("<IQ", kind, offset)

    def data(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Draw the bytes, some rows at a time."""
        if self.block_format is None:
            values = torch.empty(self.spec.shape, device=generator.device)
            drawn = values.normal_(self.spec.mean, DEVIATION, generator=generator)
            yield drawn.to(self.dtype).view(-1)
            return
        rows, columns = self.spec.shape
        for first in range(0, rows, _DRAWN_ROWS):
            count = min(_DRAWN_ROWS, rows - first)
            yield random_blocks(self.block_format, count, columns, DEVIATION, generator).view(-1)


def write_gguf(path: Path, spec: DecoderSpec, mix: Mix | None, device: torch.device) -> None:
    """Write a model; the file is there once it is complete.

    Args:
        path: the file.
        spec: the decoder, of the Llama family.
        mix: formats of its matrices; None for bf16.
        device: where weights are drawn: a GPU takes a second for what a CPU takes a minute.

    Raises:
        ValueError: the decoder is none of the Llama family.
    """
    metadata = {**_shape_metadata(spec), **_vocabulary(spec.vocab_size)}
    expected = expected_tensors(Architecture(spec, GGUF_NAMES)).values()
    planned = [_planned(each, spec, mix) for each in expected]
    offsets = [0, *itertools.accumulate(_aligned(each.nbytes) for each in planned)]
    header = b"GGUF" + struct.pack("<IQQ", 3, len(planned), len(metadata))
    header += b"".join(_text(key) + _entry(value) for key, value in metadata.items())
    header += b"".join(
        each.description(offset) for each, offset in zip(planned, offsets, strict=False)
    )
    generator = torch.Generator(device=device).manual_seed(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        file.write(_padded(header))
        for each in planned:
            for part in each.data(generator):
                part.cpu().view(torch.uint8).numpy().tofile(file)
            file.write(b"\0" * (_aligned(each.nbytes) - each.nbytes))
    unfinished.rename(path)


def _planned(tensor: TensorSpec, spec: DecoderSpec, mix: Mix | None) -> _Planned:
    if mix is None and len(tensor.shape) == 2:
        return _Planned(tensor, None, torch.bfloat16)
    return _Planned(tensor, None if mix is None else mix.format_of(tensor, spec))


def _padded(header: bytes) -> bytes:
    return header.ljust(_aligned(len(header)), b"\0")


def _shape_metadata(spec: DecoderSpec) -> dict[str, Value]:
    layer = spec.layers[0]
    attention, rope = layer.attention, layer.attention.rope
    is_llama = all(each == layer for each in spec.layers) and (
        layer.norm.kind is NormKind.RMS
        and attention.qk_norm is None
        and not attention.qkv_bias
        and attention.window is None
        and layer.mlp.gated
        and not layer.norm_after
    )
    if not is_llama or rope is None:
        raise ValueError(
            "a runtime of its own loads quantised random weights of Llama shapes only: "
            "measure others with --in-process, decode speed or --prefill"
        )
    return {
        "general.architecture": "llama",
        "general.alignment": _ALIGNMENT,
        "llama.context_length": spec.context_length,
        "llama.embedding_length": spec.hidden_size,
        "llama.block_count": spec.num_layers,
        "llama.feed_forward_length": layer.mlp.width,
        "llama.attention.head_count": attention.num_heads,
        "llama.attention.head_count_kv": attention.num_kv_heads,
        "llama.attention.key_length": attention.head_dim,
        "llama.attention.value_length": attention.head_dim,
        "llama.attention.layer_norm_rms_epsilon": layer.norm.eps,
        "llama.rope.dimension_count": attention.head_dim,
        "llama.rope.freq_base": rope.theta,
    }


def _vocabulary(vocab_size: int) -> dict[str, Value]:
    first_control = vocab_size - len(CONTROLS)
    names = [*itertools.islice(tokens(), first_control), *CONTROLS]
    ids = {name: number for number, name in enumerate(names)}
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "llama-bpe",  # whole words are looked up
        "tokenizer.ggml.tokens": names,
        "tokenizer.ggml.token_type": [NORMAL] * first_control + [CONTROL] * len(CONTROLS),
        "tokenizer.ggml.merges": ["a b"],  # readers want at least one
        "tokenizer.ggml.bos_token_id": ids[BEGIN],
        "tokenizer.ggml.eos_token_id": ids[END],
        "tokenizer.ggml.eot_token_id": ids[TURN_END],
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }


def _entry(value: Value) -> bytes:
    """Return a metadata value behind its type."""
    if isinstance(value, bool):
        return struct.pack("<I?", _BOOL, value)
    if isinstance(value, int):
        return struct.pack("<II", _UINT32, value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32, value)
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    kind, pack = _item(value[0])
    return struct.pack("<IIQ", _ARRAY, kind, len(value)) + b"".join(map(pack, value))


def _item(first: str | int) -> tuple[int, Callable[[str | int], bytes]]:
    """Return the type of an array's items, and what writes one."""
    if isinstance(first, str):
        return _STRING, lambda item: _text(str(item))
    return _INT32, lambda item: struct.pack("<i", item)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _aligned(nbytes: int) -> int:
    return -(-nbytes // _ALIGNMENT) * _ALIGNMENT
