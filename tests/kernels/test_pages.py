"""Pages of 8 bits: what a row becomes, and where its scale lies."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from page_checks import in_8_bits, values_of
from townsfolk_kernels.pages import (
    QUANTIZED,
    piece_bytes,
    quantize_rows,
    scales_of,
    store_rows,
    view_pages,
)


@given(st.integers(0, 10_000), st.floats(-30, 30), st.sampled_from([4, 64, 128]))
def test_a_value_is_off_by_half_a_step_at_most(seed, exponent, dim):
    rows = torch.randn(7, 3, dim, generator=torch.Generator().manual_seed(seed)) * 2.0**exponent
    codes, scales = quantize_rows(rows)
    assert codes.dtype == QUANTIZED
    assert codes.abs().amax(-1).eq(127).all()  # the largest is at the end of the range
    off = (codes * scales[..., None] - rows).abs()
    assert (off <= scales[..., None] * 0.5001).all()
    again, same = quantize_rows(codes * scales[..., None])
    assert torch.equal(again, codes)
    torch.testing.assert_close(same, scales)


def test_a_row_of_zeros_stays_one():
    codes, scales = quantize_rows(torch.zeros(2, 8))
    assert not codes.any()
    assert not scales.any()


def test_rows_and_scales_share_no_byte():
    blocks, heads, size, dim = 3, 2, 4, 8
    piece = piece_bytes(size, dim, QUANTIZED)
    assert piece == size * (dim + 4)
    assert piece_bytes(size, dim, torch.bfloat16) == 2 * size * dim
    memory = torch.zeros(5 * piece + blocks * heads * piece, dtype=QUANTIZED)
    pages = view_pages(memory[5 * piece :], blocks, heads, size, dim)  # behind another layer's
    pages.fill_(1)
    scales_of(pages).fill_(2.0)
    assert (pages == 1).all()
    assert not memory[: 5 * piece].any()
    assert memory[5 * piece :].view(-1, piece)[:, : size * dim].eq(1).all()
    tails = memory[5 * piece :].view(-1, piece)[:, size * dim :].contiguous()
    assert tails.view(torch.float32).eq(2.0).all()


@pytest.mark.parametrize("count", [1, 5])
def test_rows_are_stored_where_their_slots_are(count):
    pages = in_8_bits(torch.zeros(6, 2, 4, 8))
    rows, slots = torch.randn(count, 2, 8), torch.randperm(24)[:count]
    store_rows(pages, rows, slots)
    found = values_of(pages).transpose(1, 2).flatten(0, 1)  # [slots, heads, dim]
    assert (found[slots] - rows).abs().max() < 0.02
    found[slots] = 0.0
    assert not found.any()


def test_rows_that_leave_no_place_for_whole_scales_are_refused():
    with pytest.raises(ValueError, match="a multiple of 4 values, not 6"):
        view_pages(torch.zeros(100, dtype=QUANTIZED), 1, 1, 2, 6)
