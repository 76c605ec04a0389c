"""GGUF files of small random models, written with the `gguf` package as llama.cpp converts them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter, quants
from paged import PagedRun
from townsfolk.models import Decoder
from townsfolk_kernels.quantized.blocks import BlockFormat
from townsfolk_kernels.quantized.random_blocks import random_blocks
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

SMALL = {
    "vocab_size": 101,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}
NUMBERS = (GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16)
TOLERANCE = 2e-4  # of logits
# Queries and keys of these are stored with the dimensions that turn together as neighbours.
PAIRED = ("llama", "mistral", "granite", "smollm3")


def random_model(family: str, **changes: Any) -> PreTrainedModel:
    """A transformers model with random weights, norms and biases too."""
    torch.manual_seed(3)
    shape = {**SMALL, **changes}
    config = AutoConfig.for_model("gemma3_text" if family == "gemma3" else family, **shape)
    model = AutoModelForCausalLM.from_config(config).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0.0, 0.3)
            elif "norm" in name or "ln_" in name:
                parameter.normal_(0.0 if family == "gemma3" else 1.0, 0.3)
    return model


def write_gguf(
    path: Path,
    model: PreTrainedModel,
    family: str,
    kind: GGMLQuantizationType | Callable[[str], GGMLQuantizationType] = GGMLQuantizationType.F32,
    more: dict[str, Any] | None = None,
    split: int = 0,
) -> Path:
    """Write a model; its own weights become what the file's blocks stand for.

    Args:
        path: the file; several parts are named after it.
        model: the model.
        family: its name in transformers.
        kind: type of the matrices, or of each by its name in the file.
        more: further metadata, by key.
        split: tensors in a part; 0 for one file.
    """
    architecture = "llama" if family == "mistral" else family
    writer = GGUFWriter(path, architecture, split_max_tensors=split)
    _write_shape(writer, model.config, family)
    for key, value in (more or {}).items():
        if isinstance(value, torch.Tensor):
            writer.add_tensor(key, value.numpy())
        else:
            _add(writer, key, value)
    layers = model.config.num_hidden_layers
    names = gguf.get_tensor_name_map(_ARCHITECTURES[architecture], layers)
    tied = model.config.tie_word_embeddings
    for name, parameter in model.named_parameters():
        if tied and name == "lm_head.weight":
            continue
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert target is not None, name
        own = kind(target) if callable(kind) else kind
        _write_tensor(writer, target, name, parameter, model.config, family, own)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


_ARCHITECTURES = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}


@torch.no_grad()
def _write_tensor(
    writer: GGUFWriter,
    target: str,
    name: str,
    parameter: torch.nn.Parameter,
    config: Any,
    family: str,
    kind: GGMLQuantizationType,
) -> None:
    data = parameter.detach().clone()
    transposed = family == "gpt2" and name.endswith(
        ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    )
    if transposed:
        data = data.T.contiguous()
    if family == "gemma3" and "norm" in name:
        data = data + 1
    is_packed = data.dim() == 2 and kind not in NUMBERS
    stored = data
    if is_packed:
        packed = _packed(data, kind)
        data = torch.from_numpy(quants.dequantize(packed, kind)).view(data.shape)
        parameter.copy_(data.T if transposed else data)
        stored = torch.from_numpy(packed)
    elif data.dim() == 2:
        stored = torch.from_numpy(quants.dequantize(quants.quantize(data.numpy(), kind), kind))
        parameter.copy_(stored.T if transposed else stored)
    if family in PAIRED and any(part in name for part in ("q_proj", "k_proj")):
        heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
        halves = stored.reshape(heads, 2, stored.shape[0] // heads // 2, *stored.shape[1:])
        stored = halves.swapaxes(1, 2).reshape(stored.shape)
    array = np.ascontiguousarray(stored.numpy())
    if is_packed:
        writer.add_tensor(target, array, raw_dtype=kind)
    elif data.dim() == 2 and kind is not GGMLQuantizationType.F32:
        writer.add_tensor(target, quants.quantize(array, kind), raw_dtype=kind)
    else:
        writer.add_tensor(target, array)


def _packed(data: torch.Tensor, kind: GGMLQuantizationType) -> np.ndarray:
    """Numbers in blocks; random blocks where the package doesn't make such: [rows, bytes]."""
    try:
        return quants.quantize(data.numpy(), kind)
    except NotImplementedError:
        generator = torch.Generator().manual_seed(data.shape[0])
        own = BlockFormat[kind.name]
        return random_blocks(own, *data.shape, float(data.std()), generator).numpy()


def _write_shape(writer: GGUFWriter, config: Any, family: str) -> None:
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    if family == "gpt2":
        writer.add_feed_forward_length(4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    rope = config.rope_parameters
    writer.add_rope_freq_base((rope.get("full_attention") or rope)["rope_theta"])
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    share = rope.get("partial_rotary_factor", 1.0)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(int(head * share))
    if family in ("gemma3", "mistral", "phi3") and config.sliding_window:
        writer.add_sliding_window(config.sliding_window)
    if family == "granite":
        writer.add_embedding_scale(config.embedding_multiplier)
        writer.add_residual_scale(config.residual_multiplier)
        writer.add_attention_scale(config.attention_multiplier)
        writer.add_logit_scale(config.logits_scaling)


@torch.no_grad()
def compare_logits(model: PreTrainedModel, path: Path, tolerance: float = TOLERANCE) -> None:
    """Hold a file's decoder against transformers, on the same weights."""
    decoder = Decoder.load(path, torch.float32)
    tokens = torch.arange(40) * 7 % SMALL["vocab_size"]
    found = PagedRun(decoder, (40,)).step({0: tokens.tolist()})[0]
    expected = model(tokens[None]).logits[0]
    assert (found - expected).abs().max() < tolerance * expected.abs().max().clamp(min=1.0)


def tokenizer_metadata(directory: Path) -> dict[str, Any]:
    """What a converter makes of a small tokenizer of `small_tokenizers`, byte-level or not."""
    spec = json.loads((directory / "tokenizer.json").read_text())
    settings = json.loads((directory / "tokenizer_config.json").read_text())
    model, added = spec["model"], spec["added_tokens"]
    ids = {**model["vocab"], **{token["content"]: token["id"] for token in added}}
    tokens = [""] * (max(ids.values()) + 1)
    kinds = np.ones(len(tokens), dtype=np.int32)
    for text, token_id in ids.items():
        tokens[token_id] = text
    for token in added:
        kinds[token["id"]] = (3 if token["special"] else 4) if token["content"] != "<unk>" else 2
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    named = {}
    for name in ("bos_token", "eos_token", "unk_token"):
        token = settings.get(name)
        if token is not None:
            text = token["content"] if isinstance(token, dict) else token
            field = {"unk_token": "unknown_token"}.get(name, name)
            named[f"tokenizer.ggml.{field}_id"] = ids[text]
    metadata: dict[str, Any] = {"tokenizer.ggml.tokens": tokens, **named}
    if model.get("byte_fallback"):
        for token_id, text in enumerate(tokens):
            kinds[token_id] = 6 if text.startswith("<0x") else kinds[token_id]
        metadata["tokenizer.ggml.model"] = "llama"
        metadata["tokenizer.ggml.scores"] = _scores(tokens, ids, merges)
    else:
        metadata |= {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe"}
        metadata["tokenizer.ggml.merges"] = merges
    metadata["tokenizer.ggml.token_type"] = kinds
    if "chat_template" in settings:
        metadata["tokenizer.chat_template"] = settings["chat_template"]
    return metadata


def _scores(tokens: list[str], ids: dict[str, int], merges: list[str]) -> np.ndarray:
    """As SentencePiece numbers pieces: what is merged first has the best score."""
    scores = np.full(len(tokens), -1e9, dtype=np.float32)
    for rank, merge in enumerate(merges):
        token_id = ids[merge.replace(" ", "")]
        scores[token_id] = max(scores[token_id], -float(rank))
    return scores


def _add(writer: GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value.tolist() if isinstance(value, np.ndarray) else value)
