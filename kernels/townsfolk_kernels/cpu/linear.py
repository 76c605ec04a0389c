"""Weights on x86 processors, in the layouts of oneDNN and FBGEMM.

GB/s of weights read by 2 threads of a Zen 4, weight [6144, 768], at 1 / 4 / 8 / 16 rows; memory
gives 33 to 37:

=====================================  ==  ==  ==  ==
bf16, plain (`F.linear`)               17  16  14  11
bf16, plain, without oneDNN (a gemv)   35
bf16, oneDNN's blocks                  28  33  25  18
fp16, FBGEMM's blocks, fp32 rows       38  34  20  11
=====================================  ==  ==  ==  ==

One layout must serve all batch sizes and prefill, where oneDNN's blocks reach twice FBGEMM's rate.
But oneDNN wants AVX-512: without it a bf16 product falls to a tenth of these figures, while FBGEMM
needs no more than AVX2 and F16C. Decode steps of a few sequences are compiled where Numba is there
(see `townsfolk_kernels.compiled`), and read the plain layout: a small model can afford to keep it
as well.

With fp32 activations both packed layouts give a row the same bits whatever other rows are in the
batch, which PyTorch's fp32 product does not: with it, one seeded text in some thousand tokens
differed between a batch and alone. In bf16 the last bit may differ, with AMX for some numbers of
rows.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from typing import Any

import torch
from torch import Tensor

from townsfolk_kernels.large_pages import empty_on_large_pages

# oneDNN keeps what it has compiled for each number of rows, and its layer in PyTorch what it has
# prepared: with their own limits of 1024 each, products of the starter model's shapes come to 1026
# MiB where the numbers of rows vary, with these to 563, at the same speed for up to 64 rows. Both
# are read at the first product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "512")
os.environ.setdefault("LRU_CACHE_CAPACITY", "32")

# oneDNN reads at 28 GB/s for one row and at 33 for four, and one row alone may take another path
# with other bits: a short batch is filled up.
_FEWEST_ROWS = 4


@cache
def packed_dtypes() -> dict[torch.dtype, torch.dtype]:
    """Return the dtypes of weights that this processor packs, and of their activations."""
    found: dict[torch.dtype, torch.dtype] = {}
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return found
    if torch.backends.mkldnn.is_available():
        found[torch.float32] = torch.float32
    if "fbgemm" in torch.backends.quantized.supported_engines:
        found[torch.float16] = found[torch.bfloat16] = torch.float32
    # Processors with AMX have these instructions too.
    if torch.cpu._is_avx512_bf16_supported() and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        found[torch.bfloat16] = torch.bfloat16
    return found


def pack(weight: Tensor, bias: Tensor | None, roomy: bool) -> OnednnWeight | FbgemmWeight:
    """Repack a weight of one of `packed_dtypes`; where `roomy`, memory may be spent for speed."""
    keep_plain = roomy and weight.dtype == torch.bfloat16
    if packed_dtypes()[weight.dtype] == weight.dtype:
        return OnednnWeight(weight, bias, keep_plain)
    return FbgemmWeight(weight, bias, keep_plain)


def _on_large_pages(weight: Tensor) -> Tensor:
    found = empty_on_large_pages(weight.nbytes, weight.device).view(weight.dtype)
    return found.view(weight.shape).copy_(weight)


class OnednnWeight:
    """A bf16 or fp32 weight in the blocks of oneDNN; also plain, for compiled steps.

    Attributes:
        plain: weight and bias as they were, where they are kept.
    """

    __slots__ = ("_bias", "_packed", "_product", "nbytes", "plain")

    def __init__(self, weight: Tensor, bias: Tensor | None, keep_plain: bool = False) -> None:
        self._bias = bias
        self.plain = (_on_large_pages(weight), bias) if keep_plain else None
        copies = 2 if keep_plain else 1
        self.nbytes = copies * weight.nbytes + (0 if bias is None else bias.nbytes)
        self._packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight)
        self._product = torch.ops.mkldnn._linear_pointwise.default

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Return a copy of the weight as an ordinary tensor, and the bias."""
        return self._packed.to_dense(), self._bias

    def product(self, x: Tensor) -> Tensor:
        """Return `x @ weight.T + bias` of x [rows, in_features], dtype of the weight."""
        rows = x.shape[0]
        if rows * 2 > _FEWEST_ROWS:
            product: Tensor = self._product(x, self._packed, self._bias, "none", [], "")
            return product
        x = torch.cat((x,) * (_FEWEST_ROWS // rows))
        product = self._product(x, self._packed, self._bias, "none", [], "")
        return product[:rows]


class FbgemmWeight:
    """An fp16 weight in the blocks of FBGEMM, multiplied with fp32 activations.

    A bf16 weight becomes fp16: more precise, with a smaller range, to which values are clamped.

    Attributes:
        plain: weight and bias as they were, where they are kept.
    """

    __slots__ = ("_packed", "_product", "nbytes", "plain")

    def __init__(self, weight: Tensor, bias: Tensor | None, keep_plain: bool = False) -> None:
        self.plain = (_on_large_pages(weight), bias) if keep_plain else None
        largest = torch.finfo(torch.float16).max
        wide = weight.float().clamp_(-largest, largest)
        copies = 2 if keep_plain else 1
        self.nbytes = copies * weight.nbytes + (0 if bias is None else bias.numel() * 4)
        self._packed: Any = torch.ops.quantized.linear_prepack_fp16(
            wide, None if bias is None else bias.float()
        )
        self._product = torch.ops.quantized.linear_dynamic_fp16.default

    def dense(self) -> tuple[Tensor, Tensor | None]:
        """Return a copy of the weight as an ordinary tensor, fp32, and the bias."""
        weight, bias = torch.ops.quantized.linear_unpack_fp16(self._packed)
        return weight, bias

    def product(self, x: Tensor) -> Tensor:
        """Return `x @ weight.T + bias` of x [rows, in_features], fp32."""
        product: Tensor = self._product(x, self._packed)
        return product
