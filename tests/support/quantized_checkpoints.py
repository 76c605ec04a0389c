"""Quantised safetensors of small models, packed one integer at a time as the layouts say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)


def pack(integers: Tensor, bits: int, order: tuple[int, ...] | None = None) -> Tensor:
    """Neighbours of a row in words of 32 bits: [rows, n] to [rows, n * bits / 32] int32."""
    count = 32 // bits
    order = order or tuple(range(count))
    words = torch.zeros(integers.shape[0], integers.shape[1] // count, dtype=torch.int64)
    for place, source in enumerate(order):
        words |= integers[:, source::count].long() << (bits * place)
    return torch.where(words >= 2**31, words - 2**32, words).int()


class Quantized:
    """A weight [out, in] as integers, scales and zeros by group of columns."""

    def __init__(
        self, weight: Tensor, bits: int, group: int, *, symmetric: bool, shuffled: bool = False
    ) -> None:
        rows, columns = weight.shape
        groups = columns // group
        self.order = torch.arange(columns) // group
        if shuffled:
            self.order = self.order[torch.randperm(columns)]
        most, middle = 2**bits - 1, 2 ** (bits - 1)
        self.scales = ((torch.rand(rows, groups) * 0.3 + 0.2) / 2**bits).half()
        self.zeros = torch.full((rows, groups), middle)
        if not symmetric:
            self.zeros = torch.randint(1, most + 1, (rows, groups))
        self.integers = torch.randint(0, most + 1, (rows, columns))
        offsets = self.integers - self.zeros[:, self.order]
        self.values = self.scales.float()[:, self.order] * offsets


def gptq(q: Quantized, bits: int) -> dict[str, Tensor]:
    return {
        "qweight": pack(q.integers, bits).T.contiguous(),
        "qzeros": pack((q.zeros - 1).T.contiguous(), bits),
        "scales": q.scales.T.contiguous(),
        "g_idx": q.order.int(),
    }


def awq(q: Quantized, bits: int) -> dict[str, Tensor]:
    return {
        "qweight": pack(q.integers.T.contiguous(), bits, AWQ_ORDER),
        "qzeros": pack(q.zeros.T.contiguous(), bits, AWQ_ORDER),
        "scales": q.scales.T.contiguous(),
    }


def packed(q: Quantized, bits: int) -> dict[str, Tensor]:
    return {
        "weight_packed": pack(q.integers, bits),
        "weight_scale": q.scales,
        "weight_shape": torch.tensor(q.integers.shape),
    }


def int8(q: Quantized, bits: int) -> dict[str, Tensor]:
    return {"weight": (q.integers - 128).to(torch.int8), "weight_scale": q.scales}


def float8(weight: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    scale = (weight.abs().amax(1, keepdim=True) / 448).bfloat16()
    values = (weight / scale.float()).to(torch.float8_e4m3fn)
    return {"weight": values, "weight_scale": scale}, values.float() * scale.float()


PACKERS = {"gptq": gptq, "awq": awq, "packed": packed, "int8": int8}


@torch.no_grad()
def write_quantized(
    directory: Path, model: PreTrainedModel, layout: str, config: dict[str, Any], **how: Any
) -> None:
    """Write a model whose projections are quantised; its own weights become what they stand for."""
    model.save_pretrained(directory)
    path = directory / "model.safetensors"
    tensors = load_file(path)
    state = model.state_dict()
    for name in [n for n in tensors if n.endswith("_proj.weight")]:
        prefix = name.removesuffix(".weight")
        weight = tensors.pop(name)
        if layout == "float8":
            parts, values = float8(weight)
        else:
            q = Quantized(weight, **how)
            parts, values = PACKERS[layout](q, how["bits"]), q.values
        tensors |= {f"{prefix}.{part}": tensor for part, tensor in parts.items()}
        state[name].copy_(values)
    save_file(tensors, path, metadata={"format": "pt"})
    described = json.loads((directory / "config.json").read_text())
    described["quantization_config"] = config
    (directory / "config.json").write_text(json.dumps(described))
