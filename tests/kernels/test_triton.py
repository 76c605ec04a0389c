"""The Triton kernels, run by Triton's interpreter on the CPU, against fp64 and the references.

The interpreter has no bf16 products; tests/gpu has them. Outputs are poisoned first.
"""

from dataclasses import replace

import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from attention_checks import Heads, Sequences, check_prefill, check_single, check_step, head_norm
from hypothesis import given, settings
from hypothesis import strategies as st
from page_checks import in_8_bits, values_of
from product_checks import (
    check_add_rows,
    check_gate_up,
    check_project,
    check_project_and_add,
    error,
)
from townsfolk_kernels import (
    Activation,
    PagedLayout,
    add_rms_norm,
    paged_attention,
    rms_norm,
    use_reference,
)
from townsfolk_kernels import rope_and_store as rope_reference
from townsfolk_kernels import swiglu as swiglu_reference
from townsfolk_kernels.decode import reference as fused_reference
from townsfolk_kernels.decode.embedding import embed_drawn
from townsfolk_kernels.decode.operands import Addition, FlatSequences, LayerCache, RowNorm
from townsfolk_kernels.decode.operands import Heads as LayerHeads
from townsfolk_kernels.decode.operands import Sequences as Decoding
from townsfolk_kernels.gpu.launch import Tiles
from townsfolk_kernels.pages import scales_of
from townsfolk_kernels.prefill import activation, norm, rope
from townsfolk_kernels.prefill.attention import PrefillWorkspace, prefill_attention
from townsfolk_kernels.prefill.gather import gather_tokens
from townsfolk_kernels.sampling import philox, reference
from townsfolk_kernels.sampling.draw import draw
from townsfolk_kernels.sampling.rows import MAX_CANDIDATES, SamplingRows

NAN = float("nan")
EPS = 1e-5
TILES = {
    "in registers": Tiles(4, 0, 4),
    "in registers, split": Tiles(4, 0, 4, splits=2),
    "by slices": Tiles(16, 0, 2, matrix=True),
    "by slices, ragged": Tiles(8, 0, 4, matrix=True),
    "by slices, split": Tiles(16, 0, 1, splits=3, matrix=True),
    "by slices, too many splits": Tiles(8, 0, 2, splits=4, matrix=True),
    "in a loop": Tiles(16, 32, 4),
    "in a loop, ragged, split": Tiles(16, 64, 4, splits=2),
}
SHAPES = [
    Heads(4, 2, 32, 4),
    Heads(6, 2, 24, 4, window=5),
    Heads(8, 1, 80, 8),
    Heads(4, 2, 24, 4, window=9, has_norms=True),
]
IN_8_BITS = [
    Heads(8, 2, 32, 16, has_8_bits=True),
    Heads(3, 3, 20, 4, window=40, has_8_bits=True),
    Heads(4, 2, 64, 8, has_norms=True, has_8_bits=True),
]
any_tiles = pytest.mark.parametrize("tiles", TILES.values(), ids=TILES)
any_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=["fp32", "fp16"])

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")


def poisoned(*shape, dtype=torch.float32):
    return torch.full(shape, NAN, dtype=dtype)


@any_tiles
@any_dtype
def test_project_and_add(dtype, tiles):
    check_project_and_add(3, 96, 50, tiles, dtype, "cpu")


@any_tiles
@any_dtype
def test_gate_up(dtype, tiles):
    check_gate_up(3, 96, 40, tiles, dtype, "cpu")


@pytest.mark.parametrize("activation", [Activation.GELU, Activation.GELU_TANH])
def test_gates_of_other_activations(activation):
    check_gate_up(3, 96, 40, Tiles(4, 0, 4), torch.float32, "cpu", activation=activation)


@any_dtype
def test_add_rows(dtype):
    check_add_rows(3, 50, dtype, "cpu")


@any_tiles
def test_project(tiles):
    check_project(3, 96, 77, tiles, torch.float32, "cpu")


def test_embed_drawn():
    table, weight = torch.randn(20, 50), torch.randn(50)
    rows = torch.tensor([1, -1, 0], dtype=torch.int32)
    drawn = torch.tensor([7, 3], dtype=torch.int32)
    residual, scaled, squares = poisoned(3, 50), poisoned(3, 50), poisoned(1, 3)
    start = Addition(residual, 1.0, weight, scaled, squares)
    embed_drawn(rows, drawn, table, start)
    assert torch.equal(residual[[0, 2]], table[[3, 7]])
    assert torch.equal(scaled[[0, 2]], table[[3, 7]] * weight)
    assert error(squares[0, [0, 2]], table[[3, 7]].square().sum(-1)) < 1e-6
    step = torch.tensor([41], dtype=torch.int32)
    embed_drawn(rows[2:], drawn, table, replace(start, multiplier=3.0), step)
    assert step.item() == 42
    assert torch.equal(residual[0], 3.0 * table[7])


@pytest.mark.parametrize("ahead", [False, True], ids=["", "ahead"])
@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_step_attention(shape, splits, ahead):
    lengths = [150, 0, 1, 9]
    check_step(shape, lengths, splits, torch.float32, "cpu", ahead=ahead, has_bias=ahead)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_reference_of_attention(shape):
    """Against fp64 by another way through the pages."""
    case = Sequences(shape, [1, 1, 1], [1, 30, 9], torch.float64, "cpu")
    width = (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    positions = (case.kv_lengths - 1).int()
    layer = LayerHeads(
        0, torch.randn(width), head_norm(shape, "cpu"), torch.randn(30, shape.head_dim // 2, 2),
        case.k, case.v, shape.scale, shape.window,
    )  # fmt: skip
    decoding = Decoding(torch.arange(3).int(), positions, case.tables)
    left = RowNorm(torch.rand(2, 3) + 0.5, 32, EPS)
    qkv = torch.randn(3, width, dtype=torch.float64)
    out, keys, values = fused_reference.attend(qkv, left, layer, decoding)
    case.q, _, _ = fused_reference.new_heads(qkv, left, layer, decoding)
    block = case.tables.gather(1, positions[:, None].long() // shape.block_size)[:, 0].long()
    case.k[block, :, positions % shape.block_size] = keys
    case.v[block, :, positions % shape.block_size] = values
    for place in range(3):
        torch.testing.assert_close(out[place], case.expected(place)[0])


@pytest.mark.parametrize("ahead", [False, True], ids=["", "ahead"])
@pytest.mark.parametrize("shape", IN_8_BITS, ids=str)
def test_step_attention_in_8_bits(shape, ahead):
    check_step(shape, [150, 0, 1, 9], 4, torch.float32, "cpu", ahead=ahead, has_bias=ahead)
    check_step(shape, [70], 3, torch.float16, "cpu", ahead=ahead)


@any_dtype
@pytest.mark.parametrize("shape", IN_8_BITS, ids=str)
def test_prefill_attention_in_8_bits(shape, dtype):
    check_prefill(shape, [1, 5, 1, 40, 2], [1, 9, 77, 70, 2], dtype, "cpu")


@pytest.mark.parametrize(("length", "splits"), [(1, 3), (40, 3), (700, 33)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_attention_of_one_long_sequence(shape, length, splits):
    check_step(shape, [length], splits, torch.float32, "cpu", ahead=True)


@any_dtype
@pytest.mark.parametrize(("length", "splits"), [(1, 4), (300, 4), (600, 2)])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_projection_and_attention_of_one_sequence(shape, length, splits, dtype):
    check_single(shape, length, splits, dtype, "cpu", has_bias=length > 1)


@any_dtype
@pytest.mark.parametrize("shape", [*SHAPES, Heads(4, 1, 256, 16, window=60)], ids=str)
def test_prefill_attention(shape, dtype):
    check_prefill(shape, [1, 5, 1, 40, 2], [1, 9, 77, 70, 2], dtype, "cpu")


@pytest.mark.parametrize("window", [None, 200])
@pytest.mark.parametrize("programs", [4, 24, 100])
def test_prefill_attention_splits_keys(programs, window):
    counts, lengths, block_size, heads, kv_heads, head_dim = [20, 0, 3], [500, 0, 700], 16, 4, 2, 16
    blocks = [-(-length // block_size) for length in lengths]
    tables = torch.zeros(3, max(blocks), dtype=torch.int32)
    ids = torch.randperm(sum(blocks)).int()
    for row, own in enumerate(ids.split(blocks)):
        tables[row, : len(own)] = own
    k_pages = torch.randn(sum(blocks), kv_heads, block_size, head_dim)
    v_pages = torch.randn(sum(blocks), kv_heads, block_size, head_dim)
    starts = torch.tensor([0, 20, 20, 23], dtype=torch.int32)
    kv_lengths = torch.tensor(lengths, dtype=torch.int32)
    q, scale = torch.randn(sum(counts), heads, head_dim), head_dim**-0.5
    with use_reference():
        layout = PagedLayout(starts[[0, 1, 3]], kv_lengths[[0, 2]], tables[[0, 2]], block_size)
        expected = paged_attention(q, k_pages, v_pages, layout, scale, window)
    out = torch.full_like(q, NAN)
    workspace = PrefillWorkspace(programs, 2, head_dim, q.dtype, q.device)
    for poisoned_space in (workspace.partial, workspace.statistics):
        poisoned_space.fill_(NAN)
    cache = LayerCache(k_pages, v_pages, scale, window)
    sequences = FlatSequences(starts, kv_lengths, tables)
    prefill_attention(q, cache, sequences, out, 23, least=1, workspace=workspace)
    assert error(out, expected) < 1e-6
    assert not workspace.counters.any()


def test_norms_activation_and_rope():
    x, weight, residual = torch.randn(3, 50), torch.randn(50), torch.randn(3, 50)
    qkv, rotation = torch.randn(5, 8 * 24), torch.randn(5, 12, 2)
    slots = torch.randperm(24)[:5]
    pages = [torch.zeros(6, 2, 4, 24) for _ in range(4)]
    with use_reference():
        normed = rms_norm(x, weight, EPS, torch.float32)
        added = add_rms_norm(x, residual.clone(), weight, EPS)
        activated = swiglu_reference(torch.cat((x, residual), 1))
        q = rope_reference(qkv, rotation, pages[0], pages[1], slots)
    assert error(norm.rms_norm(x, weight, EPS, torch.float32), normed) < 1e-6
    for found, expected in zip(
        norm.add_rms_norm(x, residual.clone(), weight, EPS), added, strict=True
    ):
        assert error(found, expected) < 1e-6
    assert error(activation.swiglu(torch.cat((x, residual), 1)), activated) < 1e-6
    assert error(rope.rope_and_store(qkv, rotation, pages[2], pages[3], slots), q) < 1e-6
    assert error(pages[2], pages[0]) < 1e-6
    assert error(pages[3], pages[1]) < 1e-6
    before = [page.clone() for page in pages]
    rope.rope_and_store(qkv, rotation, pages[2], pages[3], torch.full_like(slots, -1))
    assert all(torch.equal(page, old) for page, old in zip(pages, before, strict=True))


@any_dtype
@pytest.mark.parametrize(("heads", "kv_heads", "dim"), [(4, 2, 24), (20, 3, 32)])
def test_rope_stores_in_8_bits(heads, kv_heads, dim, dtype):
    qkv = torch.randn(5, (heads + 2 * kv_heads) * dim).to(dtype)
    qkv[1] = 0.0  # has no scale
    rotation, slots = torch.randn(5, dim // 2, 2), torch.randperm(24)[:5]
    pages = [in_8_bits(torch.full((6, kv_heads, 4, dim), 3.0)) for _ in range(6)]
    with use_reference():
        q = rope_reference(qkv, rotation, pages[0], pages[1], slots)
    # The CPU's own way.
    assert error(rope_reference(qkv.clone(), rotation, pages[4], pages[5], slots), q) < 1e-3
    assert error(rope.rope_and_store(qkv, rotation, pages[2], pages[3], slots), q) < 1e-3
    for expected, found, of_cpu in zip(pages[:2], pages[2:4], pages[4:], strict=True):
        for each in (found, of_cpu):
            # A value halfway between two steps may go either way.
            assert (each.int() - expected.int()).abs().max() <= 1
            assert error(scales_of(each), scales_of(expected)) < 1e-3
            assert error(values_of(each), values_of(expected)) < 1e-3
    before = [values_of(page) for page in pages]
    rope.rope_and_store(qkv, rotation, pages[2], pages[3], torch.full_like(slots, -1))
    assert all(torch.equal(values_of(page), old) for page, old in zip(pages, before, strict=True))


@given(st.integers(0, 2**32 - 1), st.sampled_from([70, 500]))
@settings(max_examples=3, deadline=None)
def test_draws_are_those_of_the_reference(seed, vocab):
    generator = torch.Generator().manual_seed(seed)

    def uniform(*shape):
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    places, max_rows = 4, 6
    state = SamplingRows.allocate(max_rows, vocab, 4, 1, torch.device("cpu"))
    logits = torch.randn(places, vocab, generator=generator) * 3
    if seed % 2:
        logits = logits.round()  # many are equal
    rows = torch.randperm(max_rows, generator=generator)[:places].to(torch.int32)
    used, indices = [0, 2, 3], torch.randint(0, 100, (places,), generator=generator).int()
    rows[1] = -1
    state.numbers[:, 0] = uniform(max_rows) * 2 + 0.1
    state.numbers[:, 1] = uniform(max_rows) + 0.1
    state.numbers[:, 2] = uniform(max_rows) * 0.1
    state.counts[:, 0] = torch.randint(1, MAX_CANDIDATES + 1, (max_rows,), generator=generator)
    state.counts[0, 0] = 1
    state.counts[:, 1] = 50
    state.seeds[:] = torch.randint(-(2**62), 2**62, (max_rows,), generator=generator)
    state.counts[:, 2], state.ends[:, 0] = 1, 5
    allowed = logits.clone()
    allowed[indices < 50, 5] = -torch.inf
    chosen = rows[used].long()
    expected = reference.draw_from_candidates(
        allowed[used],
        philox.uniforms(state.seeds[chosen], indices[used].long()),
        state.numbers[chosen, 0],
        state.counts[chosen, 0].long(),
        state.numbers[chosen, 1],
        state.numbers[chosen, 2],
        MAX_CANDIDATES,
    )
    out = torch.full((places,), -7, dtype=torch.int32)
    draw(logits, rows, indices, state, poisoned(places, -(-vocab // 64)), out)
    assert out[used].tolist() == expected.tolist()
    assert out[1] == -7
    assert state.drawn[chosen].tolist() == expected.tolist()


def test_gather_tokens():
    given = torch.randint(0, 50, (200,), dtype=torch.int32)
    given[::3] = -1 - torch.randint(0, 6, (67,), dtype=torch.int32)
    positions = torch.randint(0, 40, (200,), dtype=torch.int32)
    owners = torch.randint(-1, 6, (200,), dtype=torch.int32)
    drawn = torch.randint(0, 50, (6,), dtype=torch.int32)
    tables = torch.randperm(60).view(6, 10).int()
    found = torch.full((3, 200), -7)
    gather_tokens(given, positions, owners, drawn, tables, 4, found)
    rows, wide = owners.long().clamp(min=0), positions.long()
    tokens = torch.where(given < 0, drawn[(-1 - given.long()).clamp(min=0)], given)
    slots = tables[rows, wide // 4] * 4 + wide % 4
    expected = torch.stack((tokens.long(), wide, torch.where(owners < 0, -1, slots.long())))
    assert torch.equal(found, expected)
