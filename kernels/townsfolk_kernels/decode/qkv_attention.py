"""Decode one sequence: norm, fused q/k/v projection, rotary embedding, write and attention.

All in one launch. The programs of the attention begin beside those of the projection, so their old
keys and values have come by the time the new token's queries are there. As a kernel of its own,
attention found no room on the device before the projection had ended, and ended 7 us later: both
took 13.8 us a layer, now 12.8 (Llama-3.2-1B, H200). What one program needs of another comes by
`relay`, from such with lower numbers only.
"""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from townsfolk_kernels.decode.operands import Heads, LaunchConfig, RowNorm, Sequences
from townsfolk_kernels.decode.single_programs import attend_to_share, project_heads
from townsfolk_kernels.decode.single_workspace import (
    MAX_COPIES,
    SingleWorkspace,
    padded_width,
)
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options, power_of_two, precision

_AHEAD, _LEAST_KEYS = 8192, 64
"""Elements of keys, and as many of values, that a program loads before it waits; and positions.

Half as many or twice as many took 0.010 and 0.020 ms more a step (Llama-3.2-1B, H200). For heads of
256, 64 positions instead of 32 took 0.879 ms a step instead of 0.942 (Gemma-3-1B).
"""


@kernel(do_not_specialize=["layer"])
def _qkv_attend_kernel(
    x,
    squares,
    w,
    bias,
    rotation,
    rows,
    positions,
    tables,
    k_pages,
    v_pages,
    out,
    fresh,
    sums,
    softmax,
    step,
    table_stride,
    eps,
    scale,
    q_norm,
    k_norm,
    head_eps,
    layer,
    LAYERS: tl.constexpr,
    GROUP: tl.constexpr,
    KV_HEADS: tl.constexpr,
    HEAD_DIM: tl.constexpr,
    BLOCK_SIZE: tl.constexpr,
    WINDOW: tl.constexpr,
    PARTS: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    HEADS_NORMED: tl.constexpr,
    K: tl.constexpr,
    LENGTH: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    TILES: tl.constexpr,
    TILE_G: tl.constexpr,
    TILE_H: tl.constexpr,
    TILE_D: tl.constexpr,
    KEYS: tl.constexpr,
    SPLITS: tl.constexpr,
    COPIES: tl.constexpr,
    PRECISION: tl.constexpr,
    DEPENDENT: tl.constexpr,
    SIGNALS: tl.constexpr,
    IS_BOUNDED: tl.constexpr,
):
    program = tl.program_id(0)
    row = tl.load(rows)
    is_used = row >= 0
    position = tl.where(is_used, tl.load(positions), 0)
    table = tables + tl.maximum(row, 0) * table_stride
    if program < TILES:
        project_heads(
            program * ROWS, x, squares, w, bias, rotation, table, position, is_used, k_pages,
            v_pages, fresh, step, layer, eps,
            LAYERS, GROUP * KV_HEADS, KV_HEADS, HEAD_DIM, BLOCK_SIZE, PARTS, HAS_BIAS,
            HEADS_NORMED, K, LENGTH, WIDTH, ROWS, PRECISION, DEPENDENT, SIGNALS,
        )  # fmt: skip
    elif is_used:
        attend_to_share(
            (program - TILES) % KV_HEADS, (program - TILES) // KV_HEADS, table, position, rotation,
            q_norm, k_norm, k_pages, v_pages, out, fresh, sums, softmax, step, layer, scale,
            head_eps,
            LAYERS, GROUP, KV_HEADS, HEAD_DIM, BLOCK_SIZE, WINDOW, HEADS_NORMED, TILE_G, TILE_H,
            TILE_D, KEYS, SPLITS, COPIES, PRECISION, DEPENDENT, SIGNALS, IS_BOUNDED,
        )  # fmt: skip


def qkv_attend(
    x: Tensor,
    norm: RowNorm,
    weight: Tensor,
    layer: Heads,
    sequences: Sequences,
    out: Tensor,
    workspace: SingleWorkspace,
    launch: LaunchConfig,
) -> None:
    """Compute the attention of one new token, from the residual stream.

    Its keys and values go into the pages.

    Args:
        x: [1, hidden]: the residual stream times the norm's weight, not yet divided by its rms.
        norm: what is left of the norm.
        weight: [(heads + 2 * kv_heads) * head_dim, hidden], dtype of `x`.
        layer: the layer's heads; its number is below `workspace.layers`.
        sequences: the one that decodes; where there is none, pages and `out` stay as they were.
        out: [1, heads, head_dim], dtype of `x`.
        workspace: where programs meet. No two calls with one step may be of the same layer.
        launch: of the projection, in registers; `rows` of its tiles divides head_dim.
    """
    tiles, k_pages, heads_norm = launch.tiles, layer.k_pages, layer.norm
    _, kv_heads, block_size, head_dim = k_pages.shape
    heads, in_features = out.shape[1], x.shape[1]
    assert tiles.rows > 1
    assert head_dim % tiles.rows == 0
    group, tile_d = power_of_two(heads // kv_heads), padded_width(head_dim)
    tile_h, programs = max(16, group), weight.shape[0] // tiles.rows
    length = tiles.share(in_features)
    # With heads of 256, threads of four warps would keep 144 bytes in memory. A tile of words has
    # as many as a program has threads; see `relay`.
    warps = min(max(tiles.warps, 8 if tile_d > 128 else 1), tile_h * tile_d // 32)
    splits = workspace.splits
    copies = max(32 * warps // (splits * group), 2)
    if copies > MAX_COPIES or splits * group * tile_d < 32 * warps:
        splits, copies = 1, 2
    _qkv_attend_kernel[(programs + kv_heads * splits,)](
        x,
        norm.squares,
        weight,
        layer.bias,
        layer.rotation,
        sequences.rows,
        sequences.positions,
        sequences.tables,
        k_pages,
        layer.v_pages,
        out,
        workspace.fresh,
        workspace.sums,
        workspace.softmax,
        workspace.step,
        sequences.tables.stride(0),
        norm.eps,
        layer.scale,
        heads_norm and heads_norm.queries,
        heads_norm and heads_norm.keys,
        0.0 if heads_norm is None else heads_norm.eps,
        layer.number,
        LAYERS=workspace.layers,
        GROUP=heads // kv_heads,
        KV_HEADS=kv_heads,
        HEAD_DIM=head_dim,
        BLOCK_SIZE=block_size,
        WINDOW=layer.window or 0,
        PARTS=norm.squares.shape[0],
        HAS_BIAS=layer.bias is not None,
        HEADS_NORMED=heads_norm is not None,
        K=in_features,
        LENGTH=length,
        WIDTH=power_of_two(length),
        ROWS=tiles.rows,
        TILES=programs,
        TILE_G=group,
        TILE_H=tile_h,
        TILE_D=tile_d,
        KEYS=max(_AHEAD // tile_d, _LEAST_KEYS),
        SPLITS=splits,
        COPIES=copies,
        PRECISION=precision(x),
        DEPENDENT=launch.dependent,
        SIGNALS=card_of(x.device).has_dependent_launch,
        IS_BOUNDED=x.device.type != "cpu",
        **options(warps, dependent=launch.dependent),
    )
