"""What a step that was captured computes on: its tokens and where their keys and values go."""

from __future__ import annotations

import triton.language as tl
from torch import Tensor

from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.gpu.launch import options

_TOKENS = 128  # of one program


@kernel
def _gather_kernel(
    given,
    positions,
    owners,
    drawn,
    tables,
    token_ids,
    wide_positions,
    slots,
    count,
    table_stride,
    BLOCK_SIZE: tl.constexpr,
    TOKENS: tl.constexpr,
):
    place = tl.program_id(0) * TOKENS + tl.arange(0, TOKENS)
    inside = place < count
    token = tl.load(given + place, mask=inside, other=0)
    is_drawn = inside & (token < 0)
    token = tl.where(is_drawn, tl.load(drawn + (-1 - token), mask=is_drawn, other=0), token)
    tl.store(token_ids + place, token.to(tl.int64), mask=inside)
    position = tl.load(positions + place, mask=inside, other=0)
    tl.store(wide_positions + place, position.to(tl.int64), mask=inside)
    owner = tl.load(owners + place, mask=inside, other=-1)
    is_used = owner >= 0
    entry = tables + owner.to(tl.int64) * table_stride + position // BLOCK_SIZE
    block = tl.load(entry, mask=is_used, other=0).to(tl.int64)
    slot = tl.where(is_used, block * BLOCK_SIZE + position % BLOCK_SIZE, -1)
    tl.store(slots + place, slot, mask=inside)


def gather_tokens(
    given: Tensor,
    positions: Tensor,
    owners: Tensor,
    drawn: Tensor,
    tables: Tensor,
    block_size: int,
    gathered: Tensor,
) -> None:
    """Look up the tokens that were drawn last, and where the keys and values of all go.

    Args:
        given: [tokens], int32: token ids; -1 - row for the token that a row has drawn last.
        positions: [tokens], int32: from 0.
        owners: [tokens], int32: rows of `tables`; below 0 for a place that is not used.
        drawn: [max_rows], int32: the token drawn last, by row.
        tables: [max_rows, max_blocks], int32: block tables.
        block_size: tokens in a block.
        gathered: [3, tokens], int64: becomes the token ids, the positions, and where keys and
            values go; -1 for a place that is not used.
    """
    count = given.shape[0]
    token_ids, wide_positions, slots = gathered
    _gather_kernel[(-(-count // _TOKENS),)](
        given,
        positions,
        owners,
        drawn,
        tables,
        token_ids,
        wide_positions,
        slots,
        count,
        tables.stride(0),
        BLOCK_SIZE=block_size,
        TOKENS=_TOKENS,
        **options(4),
    )
