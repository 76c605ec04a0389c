"""What the hardware can do: the bandwidth that decoding can't beat, the arithmetic of prefill."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from townsfolk_kernels.pages import piece_bytes

from townsfolk.models import DecoderSpec
from townsfolk.models.spec import product_parameters

ROUNDS = 7


def memory_bandwidth(device: torch.device, mebibytes: int = 512) -> float:
    """Measure how fast this device moves memory, in bytes a second: the best of several passes.

    On a CPU: all threads sum a buffer far larger than the caches. On a GPU: a copy, counting bytes
    read and written.
    """
    if device.type == "cuda":
        source = torch.empty(2**32, dtype=torch.uint8, device=device).random_()  # [4 GiB]
        target = torch.empty_like(source)
        return 2 * source.numel() / _best_s(lambda: target.copy_(source), device)
    buffer = torch.ones(mebibytes * 2**18, dtype=torch.float32)  # [n], 4 bytes each
    return buffer.numel() * 4 / _best_s(buffer.sum, device)


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Measure the floating-point operations a second of a large square product, at best."""
    size = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / _best_s(lambda: left @ right, device)


def _best_s(work: Callable[[], object], device: torch.device) -> float:
    work()
    best = float("inf")
    for _ in range(ROUNDS):
        if device.type == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            work()
            end.record()
            end.synchronize()
            best = min(best, begin.elapsed_time(end) / 1000)
        else:
            started = time.perf_counter()
            work()
            best = min(best, time.perf_counter() - started)
    return best


def layers_parameters(spec: DecoderSpec) -> int:
    """Return the number of weights of all layers' products."""
    return sum(product_parameters(layer, spec.hidden_size) for layer in spec.layers)


def decode_bytes(
    spec: DecoderSpec,
    element_bytes: int,
    batch: int,
    context: int,
    weights: int | None = None,
    kept: torch.dtype | None = None,
) -> int:
    """Return the fewest bytes one decode step reads: every weight once, and each request's KV.

    Args:
        spec: The model.
        element_bytes: Bytes of one weight and of one KV element.
        batch: Requests in the step.
        context: Tokens in each request's KV.
        weights: Bytes of all weights that are read, where they are no elements of that size.
        kept: Type of keys and values, where they are no elements of that size.
    """
    if weights is None:
        parameters = layers_parameters(spec) + spec.vocab_size * spec.hidden_size
        weights = parameters * element_bytes
    attentions = [layer.attention for layer in spec.layers]
    kv = 0
    for each in attentions:
        row = each.head_dim * element_bytes if kept is None else piece_bytes(1, each.head_dim, kept)
        kv += batch * 2 * min(context, each.window or context) * each.num_kv_heads * row
    return weights + kv


def prefill_operations(spec: DecoderSpec, tokens: int) -> int:
    """Return the floating-point operations of one prompt.

    Two for each weight and token, the vocabulary for the last token only; and causal attention.
    """
    products = 2 * tokens * layers_parameters(spec)
    attention = sum(
        4 * _pairs(tokens, layer.attention.window) * layer.attention.query_width
        for layer in spec.layers
    )
    return products + attention + 2 * spec.vocab_size * spec.hidden_size


def _pairs(tokens: int, window: int | None) -> int:
    """Return how many pairs there are of a query and a key that it sees."""
    narrow = min(tokens, window or tokens)
    return narrow * (narrow + 1) // 2 + (tokens - narrow) * narrow
