"""Tensor operations of the engine: a public function each, its reference and its fast paths."""

import torch

import townsfolk_kernels.quantized.interleaved  # noqa: F401 (registers itself)
from townsfolk_kernels.ops.activation import Activation, gated, swiglu
from townsfolk_kernels.ops.attention import AttentionPlans, paged_attention
from townsfolk_kernels.ops.embedding import embedding
from townsfolk_kernels.ops.layer_norm import layer_norm, norm_heads
from townsfolk_kernels.ops.linear import (
    LinearWeight,
    activation_dtype,
    linear,
    pack_linear,
    plain_parts,
)
from townsfolk_kernels.ops.paged_layout import PagedLayout
from townsfolk_kernels.ops.rms_norm import add_rms_norm, rms_norm
from townsfolk_kernels.ops.rope import rope_and_store
from townsfolk_kernels.registry import has_triton, use_reference
from townsfolk_kernels.upload import upload

__all__ = [
    "Activation",
    "AttentionPlans",
    "LinearWeight",
    "PagedLayout",
    "activation_dtype",
    "add_rms_norm",
    "embedding",
    "gated",
    "layer_norm",
    "linear",
    "norm_heads",
    "pack_linear",
    "paged_attention",
    "plain_parts",
    "rms_norm",
    "rope_and_store",
    "swiglu",
    "upload",
    "use_reference",
]

if torch.cuda.is_available() and has_triton():
    from townsfolk_kernels.gpu.cuda import install
    from townsfolk_kernels.register import register

    install()
    register()
