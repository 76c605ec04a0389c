"""What the hardware can do: the memory bandwidth that decoding can't beat."""

from __future__ import annotations

import time

import torch

from townsfolk.models import DecoderConfig

ROUNDS = 7


def read_bandwidth(device: torch.device, mebibytes: int = 512) -> float:
    """Measure how fast this device reads memory, in bytes a second: the best of several passes.

    On a CPU: all threads sum a buffer far larger than the caches. On a GPU: a copy, counting bytes
    read and written.
    """
    if device.type == "cuda":
        return _copy_bandwidth(device)
    buffer = torch.ones(mebibytes * 2**18, dtype=torch.float32)  # [n], 4 bytes each
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        buffer.sum()
        best = min(best, time.perf_counter() - begin)
    return buffer.numel() * 4 / best


def _copy_bandwidth(device: torch.device) -> float:
    source = torch.empty(2**32, dtype=torch.uint8, device=device).random_()  # [4 GiB]
    target = torch.empty_like(source)
    target.copy_(source)
    best = float("inf")
    for _ in range(ROUNDS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        target.copy_(source)
        end.record()
        end.synchronize()
        best = min(best, begin.elapsed_time(end) / 1000)
    return 2 * source.numel() / best


def decode_bytes(config: DecoderConfig, element_bytes: int, batch: int, context: int) -> int:
    """Return the fewest bytes one decode step reads: every weight once, and each request's KV.

    Args:
        config: The model.
        element_bytes: Bytes of one weight and of one KV element.
        batch: Requests in the step.
        context: Tokens in each request's KV.
    """
    heads = config.num_heads + 2 * config.num_kv_heads
    attention = config.hidden_size * config.head_dim * (heads + config.num_heads)
    layer = attention + 3 * config.hidden_size * config.intermediate_size
    weights = config.num_layers * layer + config.vocab_size * config.hidden_size
    kv = batch * context * config.num_layers * 2 * config.num_kv_heads * config.head_dim
    return (weights + kv) * element_bytes
