"""Checks of paged attention against fp64: on a GPU, and by Triton's interpreter.

Inputs are random, outputs and what no sequence owns in the pages are poisoned. A check raises
AssertionError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from page_checks import copy_of, in_8_bits, put, values_of
from product_checks import EPS, NAN, Rows, error
from torch import Tensor
from townsfolk_kernels.decode import reference
from townsfolk_kernels.decode.attention import DecodeWorkspace, KeySplits, decode_attention
from townsfolk_kernels.decode.operands import (
    AttentionLaunch,
    FlatSequences,
    HeadNorm,
    LaunchConfig,
    LayerCache,
    RowNorm,
)
from townsfolk_kernels.decode.operands import Heads as LayerHeads
from townsfolk_kernels.decode.operands import Sequences as Decoding
from townsfolk_kernels.decode.qkv_attention import qkv_attend
from townsfolk_kernels.decode.rope_attention import rope_store_attend
from townsfolk_kernels.decode.single_workspace import SingleWorkspace
from townsfolk_kernels.gpu.launch import SplitWorkspace, Tiles, power_of_two
from townsfolk_kernels.prefill.attention import prefill_attention

# Weights of the softmax are rounded to 8, 11 or 24 bits, and so is the result.
BOUNDS = {torch.bfloat16: 6e-3, torch.float16: 1e-3, torch.float32: 1e-5}
# Of 8 bits each number may be a step away, where the largest of a row is rounded the other way.
NEW_ROWS = {**BOUNDS, torch.int8: 2e-2}


@dataclass(frozen=True)
class Heads:
    """A shape of attention."""

    heads: int
    kv_heads: int
    head_dim: int
    block_size: int
    window: int | None = None
    has_norms: bool = False
    has_8_bits: bool = False

    @property
    def scale(self) -> float:
        """Of the scores."""
        return self.head_dim**-0.5


class Sequences:
    """Sequences of `lengths` positions in shuffled pages, the last `counts` of them new."""

    def __init__(
        self, shape: Heads, counts: Sequence[int], lengths: Sequence[int], dtype: torch.dtype,
        device: str,
    ) -> None:  # fmt: skip
        self.shape, self.dtype, self.device = shape, dtype, device
        size = shape.block_size
        blocks = max(1, *(-(-length // size) for length in lengths))
        pages = (len(lengths) * blocks, shape.kv_heads, size, shape.head_dim)
        self.tables = torch.randperm(pages[0], device=device).view(len(lengths), blocks).int()
        self.k, self.v = (torch.randn(pages, device=device).to(dtype) for _ in range(2))
        if shape.has_8_bits:
            self.k, self.v = in_8_bits(self.k), in_8_bits(self.v)
        tail = torch.arange(blocks * size, device=device) >= torch.tensor(lengths)[:, None].to(
            device
        )
        row, place = tail.nonzero(as_tuple=True)
        block = self.tables[row, place // size].long()
        for each in (self.k, self.v):
            put(each, block, place % size, NAN)
        self.counts, self.lengths = list(counts), list(lengths)
        self.starts = torch.tensor([0, *counts]).cumsum(0).to(device, torch.int32)
        self.kv_lengths = torch.tensor(lengths, dtype=torch.int32, device=device)
        q = (sum(counts), shape.heads, shape.head_dim)
        self.q = torch.randn(q, device=device).to(dtype)

    def expected(self, sequence: int) -> Tensor:
        """[new tokens, heads, head_dim] fp64."""
        shape, length, count = self.shape, self.lengths[sequence], self.counts[sequence]
        start = sum(self.counts[:sequence])
        queries = self.q[start : start + count].double()
        group = shape.heads // shape.kv_heads
        k, v = (
            values_of(pages)[
                self.tables[sequence].long()
            ]  # [blocks, kv_heads, block_size, head_dim]
            .transpose(1, 2)
            .flatten(0, 1)[:length]
            .double()
            .repeat_interleave(group, dim=1)
            for pages in (self.k, self.v)
        )
        scores = torch.einsum("qhd,khd->hqk", queries, k) * shape.scale
        key = torch.arange(length, device=self.device)
        query = key[length - count :, None]
        hidden = key > query
        if shape.window is not None:
            hidden |= key <= query - shape.window
        weights = scores.masked_fill(hidden, -torch.inf).softmax(-1)
        return torch.einsum("hqk,khd->qhd", weights, v)

    def check(self, out: Tensor, sequences: Sequence[int]) -> None:
        """The rows of these sequences are right, and no other was written."""
        written = torch.zeros(out.shape[0], dtype=torch.bool, device=self.device)
        for sequence in sequences:
            start, count = sum(self.counts[:sequence]), self.counts[sequence]
            written[start : start + count] = True
            found = error(out[start : start + count], self.expected(sequence))
            assert found < BOUNDS[self.dtype], (sequence, found, BOUNDS[self.dtype])
        assert out[~written].isnan().all()


def head_norm(shape: Heads, device: str) -> HeadNorm | None:
    """Random weights of the norms of heads, if there are any."""
    if not shape.has_norms:
        return None
    return HeadNorm(*torch.randn(2, shape.head_dim, device=device), EPS)


def rotations(positions: int, head_dim: int, device: str) -> Tensor:
    """[positions, head_dim / 2, 2] cosines and sines.

    Queries keep their size by them, as in models. That counts: where a query is rounded to its
    other neighbour, scores differ by as much as it is large.
    """
    angles = 2 * torch.pi * torch.rand(positions, head_dim // 2, device=device)
    return torch.stack((angles.cos(), angles.sin()), dim=-1)


def check_step(
    shape: Heads, lengths: Sequence[int], splits: int, dtype: torch.dtype, device: str,
    *, ahead: bool = False, dependent: bool = False, has_bias: bool = False,
) -> Tensor:  # fmt: skip
    """`rope_store_attend`: one new token a sequence; length 0 for a place that is not used."""
    case = Sequences(shape, [1] * len(lengths), lengths, dtype, device)
    batch, heads, kv_heads, dim = len(lengths), shape.heads, shape.kv_heads, shape.head_dim
    width = (heads + 2 * kv_heads) * dim
    qkv, bias = (torch.randn(size, device=device) for size in ((batch, width), (width,)))
    bias = bias.to(dtype) if has_bias else None
    squares, hidden = torch.rand(3, batch, device=device) + 0.5, 3
    rotation = rotations(max(*lengths, 1), dim, device)
    used = [b for b in range(batch) if lengths[b] > 0]
    rows = torch.arange(batch, dtype=torch.int32, device=device)
    rows[[b for b in range(batch) if lengths[b] == 0]] = -1
    positions = (case.kv_lengths - 1).clamp_min(0)

    norm = head_norm(shape, device)
    layer = LayerHeads(0, bias, norm, rotation, case.k, case.v, shape.scale, shape.window)
    decoding, left = Decoding(rows, positions, case.tables), RowNorm(squares, hidden, EPS)
    new = reference.new_heads(qkv.double(), left, layer, decoding)
    case.q, new_k, new_v = (each.to(dtype) for each in new)
    block = case.tables.gather(1, positions[:, None].long() // shape.block_size)[used, 0].long()
    slot = positions[used].long() % shape.block_size
    k_pages, v_pages = copy_of(case.k), copy_of(case.v)
    for each, found, new in ((case.k, k_pages, new_k), (case.v, v_pages, new_v)):
        put(each, block, slot, new[used])
        put(found, block, slot, NAN)  # written by the kernel

    programs = batch * kv_heads * power_of_two(splits)
    space = DecodeWorkspace(programs, heads // kv_heads, dim, torch.device(device))
    out = torch.full((batch, heads, dim), NAN, dtype=dtype, device=device)
    layer = replace(layer, k_pages=k_pages, v_pages=v_pages)
    launch = AttentionLaunch(splits, dependent, ahead)
    rope_store_attend(qkv, left, layer, decoding, out, space, launch)
    for pages, right in ((k_pages, case.k), (v_pages, case.v)):
        found, expected = values_of(pages), values_of(right)
        assert torch.equal(found.isnan(), expected.isnan())  # nothing else was written
        assert error(found[block, :, slot], expected[block, :, slot]) < NEW_ROWS[pages.dtype]
    # Attention is that to what others will read: rounded once more, a row of 8 bits is another one.
    case.k, case.v = k_pages, v_pages
    case.check(out, used)
    again = out.clone()
    rope_store_attend(qkv, left, layer, decoding, out, space, launch)
    assert torch.equal(out[used], again[used])  # the counters are as they were
    assert not space.counters.any()
    return out


def check_single(
    shape: Heads, length: int, splits: int, dtype: torch.dtype, device: str,
    *, width: int = 96, tiles: Tiles | None = None, dependent: bool = False,
    has_bias: bool = False,
) -> Tensor:  # fmt: skip
    """`qkv_attend`: projection and attention of one new token, and of none."""
    case = Sequences(shape, [1], [length], dtype, device)
    heads, kv_heads, dim = shape.heads, shape.kv_heads, shape.head_dim
    x, out_features = Rows(1, width, dtype, device), (heads + 2 * kv_heads) * dim
    weight, bias = x.weight(out_features), x.normal(out_features) if has_bias else None
    rotation = rotations(length, dim, device)
    position = torch.tensor([length - 1], dtype=torch.int32, device=device)

    norm = head_norm(shape, device)
    layer_heads = LayerHeads(0, bias, norm, rotation, case.k, case.v, shape.scale, shape.window)
    decoding = Decoding(torch.zeros_like(position), position, case.tables)
    qkv = x.scaled.double() @ weight.double().t()
    new = reference.new_heads(qkv, x.norm, layer_heads, decoding)
    case.q, new_k, new_v = (each.to(dtype) for each in new)
    block, slot = case.tables[0, -1].long(), (length - 1) % shape.block_size
    pages = [each.clone() for each in (case.k, case.v)]
    for each, found, new in zip((case.k, case.v), pages, (new_k, new_v), strict=True):
        each[block, :, slot], found[block, :, slot] = new[0], NAN  # written by the kernel
    untouched = [each.clone() for each in pages]

    step = torch.zeros(1, dtype=torch.int32, device=device)
    space = SingleWorkspace.allocate(
        3, heads, kv_heads, dim, dtype, torch.device(device), step, splits
    )
    layer_heads = replace(layer_heads, k_pages=pages[0], v_pages=pages[1])
    launch = LaunchConfig(
        tiles or Tiles(8, 0, 4), SplitWorkspace.allocate(1, 1, torch.device(device)), dependent
    )
    out = torch.full((1, heads, dim), NAN, dtype=dtype, device=device)

    def run(row: int, layer: int) -> None:
        own = replace(decoding, rows=torch.tensor([row], dtype=torch.int32, device=device))
        numbered = replace(layer_heads, number=layer)
        qkv_attend(x.scaled, x.norm, weight, numbered, own, out, space, launch)

    run(-1, 0)
    assert out.isnan().all()
    for found, expected in zip(pages, untouched, strict=True):
        assert torch.equal(found.nan_to_num(7.0), expected.nan_to_num(7.0))
    for layer in (1, 2):
        run(0, layer)
        case.check(out, [0])
        for found, expected in zip(pages, (case.k, case.v), strict=True):
            assert torch.equal(found.isnan(), expected.isnan())  # nothing else was written
            assert error(found.nan_to_num(), expected.nan_to_num()) < BOUNDS[dtype]
    return out


def check_prefill(
    shape: Heads, counts: Sequence[int], lengths: Sequence[int], dtype: torch.dtype, device: str,
    *, tokens: int | None = None,
) -> Tensor:  # fmt: skip
    """A flat batch of prompts and single tokens, each kind by its kernel."""
    case = Sequences(shape, counts, lengths, dtype, device)
    single = [b for b, count in enumerate(counts) if count == 1]
    several = [b for b, count in enumerate(counts) if count > 1]
    out = torch.full_like(case.q, NAN)
    cache = LayerCache(case.k, case.v, shape.scale, shape.window)
    sequences = FlatSequences(case.starts, case.kv_lengths, case.tables)
    decode_attention(case.q, cache, sequences, out)
    case.check(out, single)
    programs = len(counts) * shape.kv_heads * 4
    space = DecodeWorkspace(
        programs, shape.heads // shape.kv_heads, shape.head_dim, torch.device(device)
    )
    decode_attention(case.q, cache, sequences, out.fill_(NAN), KeySplits(space, 4, least=8))
    case.check(out, single)
    assert not space.counters.any()
    tokens = tokens or sum(counts)
    prefill_attention(case.q, cache, sequences, out, tokens)
    case.check(out, single + several)
    prefill_attention(case.q, cache, sequences, out.fill_(NAN), tokens, least=1)
    case.check(out, single + several)
    return out
