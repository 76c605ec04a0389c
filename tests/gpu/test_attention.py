"""Paged attention on the GPU against fp64: head shapes, block sizes, windows, lengths, splits."""

import pytest
import torch
from attention_checks import Heads, check_prefill, check_single, check_step
from page_checks import in_8_bits as pages_in_8_bits
from page_checks import values_of
from product_checks import error
from townsfolk_kernels import rope_and_store, use_reference
from townsfolk_kernels.gpu.card import card_of
from townsfolk_kernels.gpu.launch import Tiles

# heads, key heads, head dimension, block size: groups of 1 to 8 and each dimension
SHAPES = [
    (8, 8, 32, 8),
    (6, 2, 80, 16),
    (12, 4, 96, 32),
    (32, 8, 64, 16),
    (32, 8, 128, 16),
    (14, 2, 64, 8),
    (8, 1, 128, 32),
    (10, 2, 80, 8),
    (12, 2, 96, 16),
    (16, 8, 32, 32),
]
CASES = [(shape, torch.bfloat16) for shape in SHAPES]
CASES += [(shape, dtype) for shape in SHAPES[1:8:4] for dtype in (torch.float16, torch.float32)]
WINDOWS = [None, 7, 100]
DEVICE = torch.device("cuda")


def shape_of(heads, window):
    return Heads(*heads, window=window)


def lengths_of(batch, longest):
    """Random lengths; of several, one is 0 (a place that is not used), one 1, one the longest."""
    lengths = torch.randint(1, longest + 1, (batch,)).tolist()
    if batch > 3:
        lengths[1:4] = [0, 1, longest]
    return lengths


@pytest.mark.parametrize(("heads", "dtype"), CASES, ids=str)
def test_step(heads, dtype):
    for batch, splits, longest in ((1, 16, 3000), (7, 4, 700), (64, 1, 200)):
        window = WINDOWS[int(torch.randint(3, ()))]
        shape = shape_of(heads, window)
        has_bias = batch == 7
        check_step(shape, lengths_of(batch, longest), splits, dtype, "cuda", has_bias=has_bias)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("heads", SHAPES[3:6], ids=str)
def test_keys_loaded_ahead_of_the_wait(heads, window):
    shape = shape_of(heads, window)
    for batch, splits in ((1, 16), (4, 8)):
        lengths = lengths_of(batch, 700)
        check_step(shape, lengths, splits, torch.bfloat16, "cuda", ahead=True)


# length, splits, rows and warps of the projection, its width
SINGLES = [(1, 8, 4, 4, 200), (3000, 8, 8, 4, 2048), (700, 16, 2, 8, 96), (700, 1, 16, 2, 576)]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_projection_and_attention_of_one_sequence(number):
    """Each shape and dtype in two of the ways to cut it, one of them by dependent launch."""
    heads, dtype = CASES[number]
    window = WINDOWS[number % 3]
    for way, dependent in ((number, False), (number + 1, card_of(DEVICE).has_dependent_launch)):
        length, splits, rows, warps, width = SINGLES[way % len(SINGLES)]
        check_single(
            shape_of(heads, window), length, splits, dtype, "cuda", width=width,
            tiles=Tiles(rows, 0, warps), dependent=dependent, has_bias=width < 2048,
        )  # fmt: skip


@pytest.mark.parametrize(("heads", "dtype"), CASES, ids=str)
def test_prompts_beside_single_tokens(heads, dtype):
    shape = shape_of(heads, WINDOWS[int(torch.randint(3, ()))])
    counts, lengths = [1, 130, 1, 2, 64, 300], [1, 130, 400, 2, 700, 555]
    check_prefill(shape, counts, lengths, dtype, "cuda")


@pytest.mark.parametrize("tokens", [257, 512])
def test_a_chunk_behind_a_long_prefix(tokens):
    """As in a CUDA graph: `tokens` is the graph's, sequences may have nothing new."""
    shape = Heads(32, 8, 64, 16)
    check_prefill(shape, [256, 0, 1, 0], [4096, 0, 7, 0], torch.bfloat16, "cuda", tokens=tokens)


IN_8_BITS = [(shape, torch.bfloat16) for shape in SHAPES[:5]]
IN_8_BITS += [(SHAPES[3], torch.float16), (SHAPES[4], torch.float32)]


def in_8_bits(heads, window, has_norms=False):
    return Heads(*heads, window=window, has_norms=has_norms, has_8_bits=True)


@pytest.mark.parametrize(("heads", "dtype"), IN_8_BITS, ids=str)
def test_step_in_8_bits(heads, dtype):
    cases = ((1, 16, 3000, True), (7, 4, 700, True), (64, 1, 200, False))
    for batch, splits, longest, ahead in cases:
        window = WINDOWS[int(torch.randint(3, ()))]
        shape = in_8_bits(heads, window, has_norms=batch == 7)
        lengths = lengths_of(batch, longest)
        check_step(shape, lengths, splits, dtype, "cuda", ahead=ahead, has_bias=batch == 7)


@pytest.mark.parametrize(("heads", "dtype"), IN_8_BITS, ids=str)
def test_prompts_beside_single_tokens_in_8_bits(heads, dtype):
    shape = in_8_bits(heads, WINDOWS[int(torch.randint(3, ()))])
    counts, lengths = [1, 130, 1, 2, 64, 300], [1, 130, 400, 2, 700, 555]
    check_prefill(shape, counts, lengths, dtype, "cuda")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("heads", "kv_heads", "dim"), [(32, 8, 64), (14, 2, 128), (4, 1, 256)])
def test_rope_stores_in_8_bits(heads, kv_heads, dim, dtype):
    qkv = torch.randn(70, (heads + 2 * kv_heads) * dim, device="cuda").to(dtype)
    rotation = torch.randn(70, dim // 2, 2, device="cuda")
    slots = torch.randperm(96, device="cuda")[:70]
    empty = torch.zeros(6, kv_heads, 16, dim, device="cuda")
    pages = [pages_in_8_bits(empty) for _ in range(4)]
    with use_reference():
        q = rope_and_store(qkv.clone(), rotation, pages[0], pages[1], slots)
    found = rope_and_store(qkv.clone(), rotation, pages[2], pages[3], slots)
    assert error(found, q) < 1e-3
    for expected, written in zip(pages[:2], pages[2:], strict=True):
        # Rotations differ in their last bits, so a value between two steps may go either way.
        assert (written.int() - expected.int()).abs().max() <= 2
        assert error(values_of(written), values_of(expected)) < 2e-3
