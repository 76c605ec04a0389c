"""The Triton kernels, run by Triton's interpreter on the CPU, against fp64 and the references.

The interpreter has no bf16 products; tests/gpu has them. Outputs are poisoned first.
"""

import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import silu
from townsfolk_kernels import (
    PagedLayout,
    add_rms_norm,
    paged_attention,
    philox,
    rms_norm,
    use_reference,
)
from townsfolk_kernels import rope_and_store as rope_reference
from townsfolk_kernels import sampling as reference
from townsfolk_kernels import swiglu as swiglu_reference
from townsfolk_kernels.triton import activation, norm, rope
from townsfolk_kernels.triton.attention import (
    DecodeWorkspace,
    decode_attention,
)
from townsfolk_kernels.triton.embedding import embed_drawn
from townsfolk_kernels.triton.gather import gather_tokens
from townsfolk_kernels.triton.launch import Tiles
from townsfolk_kernels.triton.mlp import gate_up_swiglu, vocabulary_logits
from townsfolk_kernels.triton.prefill_attention import PrefillWorkspace, prefill_attention
from townsfolk_kernels.triton.projection import project_and_add
from townsfolk_kernels.triton.qkv import qkv_rope_store
from townsfolk_kernels.triton.sampling import draw
from townsfolk_kernels.triton.sampling_rows import MAX_CANDIDATES, SamplingRows

NAN = float("nan")
EPS = 1e-5
BOUNDS = {torch.float32: 1e-6, torch.float16: 2e-3}
TILES = {
    "in registers": Tiles(4, 0, 4),
    "tensor cores": Tiles(16, 32, 4),
    "ragged depth": Tiles(16, 64, 4),
}

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")


def error(found, expected):
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


def poisoned(*shape, dtype=torch.float32):
    return torch.full(shape, NAN, dtype=dtype)


@pytest.fixture(params=BOUNDS, ids=["fp32", "fp16"])
def dtype(request):
    return request.param


@pytest.fixture
def stream(dtype):
    """A residual stream of 3 rows: what kernels take of it, and the normalised rows in fp64."""
    torch.manual_seed(torch.seed() % 2**31)
    x, weight = torch.randn(3, 96).to(dtype), torch.randn(96).to(dtype)
    squares = x.float().square().view(3, 2, 48).sum(-1).t().contiguous()  # [parts, rows]
    wide = x.double()
    normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + EPS) * weight.double()
    return x * weight, squares, normed


@pytest.mark.parametrize("tiles", TILES.values(), ids=TILES)
@pytest.mark.parametrize("has_bias", [False, True], ids=["", "bias"])
def test_qkv_rope_store(dtype, stream, tiles, has_bias):
    scaled, squares, normed = stream
    heads, kv_heads, head_dim, block_size = 4, 2, 32, 4
    width = (heads + 2 * kv_heads) * head_dim
    weight = (torch.randn(width, 96) / 10).to(dtype)
    bias = torch.randn(width).to(dtype) if has_bias else None
    rotation = torch.randn(40, head_dim // 2, 2)
    rows = torch.tensor([2, -1, 0], dtype=torch.int32)
    positions = torch.tensor([17, 0, 3], dtype=torch.int32)
    tables = torch.randperm(30).view(3, 10).to(torch.int32)
    k_pages = poisoned(30, kv_heads, block_size, head_dim, dtype=dtype)
    v_pages = k_pages.clone()
    k_expected, v_expected = k_pages.double(), v_pages.double()
    out = poisoned(3, heads, head_dim, dtype=dtype)
    qkv_rope_store(
        scaled, squares, weight, bias, rotation, rows, positions, tables, k_pages, v_pages, EPS,
        out, tiles, dependent=False,
    )  # fmt: skip
    qkv = normed @ weight.double().t() + (0 if bias is None else bias.double())
    slots = torch.tensor([tables[2, 4] * block_size + 1, tables[0, 0] * block_size + 3])
    with use_reference():
        q = rope_reference(
            qkv[[0, 2]], rotation[positions[[0, 2]].long()].double(), k_expected, v_expected, slots
        )
    assert error(out[[0, 2]], q) < BOUNDS[dtype]
    assert out[1].isnan().all()
    for pages, expected in ((k_pages, k_expected), (v_pages, v_expected)):
        assert (pages.isnan() == expected.isnan()).all()  # nothing else was written
        assert error(pages.nan_to_num(), expected.nan_to_num()) < BOUNDS[dtype]


@pytest.mark.parametrize("splits", [1, 2])
@pytest.mark.parametrize("tiles", TILES.values(), ids=TILES)
def test_project_and_add(dtype, tiles, splits):
    if splits > 1 and not tiles.uses_tensor_cores:
        tiles = TILES["tensor cores"]
    tiles = Tiles(tiles.rows, tiles.depth, 4, splits=splits)
    x, weight = torch.randn(3, 96).to(dtype), (torch.randn(50, 96) / 10).to(dtype)
    bias, following = torch.randn(50).to(dtype), torch.randn(50).to(dtype)
    residual = torch.randn(3, 50).to(dtype)
    expected = residual.double() + x.double() @ weight.double().t() + bias.double()
    count = -(-50 // tiles.rows)
    scaled, squares = poisoned(3, 50, dtype=dtype), poisoned(count, 3)
    counters = torch.zeros(count, dtype=torch.int32)
    project_and_add(
        x, weight, bias, residual, following, scaled, squares, poisoned(8192), counters, tiles,
        dependent=False,
    )  # fmt: skip
    assert error(residual, expected) < BOUNDS[dtype]
    assert error(scaled, expected * following.double()) < BOUNDS[dtype]
    assert error(squares.sum(0), expected.square().sum(-1)) < BOUNDS[dtype]
    assert not counters.any()


@pytest.mark.parametrize("tiles", TILES.values(), ids=TILES)
def test_gate_up_and_logits(dtype, stream, tiles):
    scaled, squares, normed = stream
    weight, head = (torch.randn(80, 96) / 10).to(dtype), (torch.randn(77, 96) / 10).to(dtype)
    bias = torch.randn(80).to(dtype)
    inner, logits = poisoned(3, 40, dtype=dtype), poisoned(3, 77)
    gate_up_swiglu(scaled, squares, weight, bias, EPS, inner, tiles, dependent=False)
    vocabulary_logits(scaled, squares, head, EPS, logits, tiles, dependent=False)
    gate, up = (normed @ weight.double().t() + bias.double()).chunk(2, dim=-1)
    assert error(inner, silu(gate) * up) < BOUNDS[dtype]
    assert error(logits, normed @ head.double().t()) < BOUNDS[dtype]


def test_embed_drawn():
    table, weight = torch.randn(20, 50), torch.randn(50)
    rows = torch.tensor([1, -1, 0], dtype=torch.int32)
    drawn = torch.tensor([7, 3], dtype=torch.int32)
    residual, scaled, squares = poisoned(3, 50), poisoned(3, 50), poisoned(1, 3)
    embed_drawn(rows, drawn, table, weight, residual, scaled, squares)
    assert torch.equal(residual[[0, 2]], table[[3, 7]])
    assert torch.equal(scaled[[0, 2]], table[[3, 7]] * weight)
    assert error(squares[0, [0, 2]], table[[3, 7]].square().sum(-1)) < 1e-6


@pytest.mark.parametrize("ahead", [False, True], ids=["", "ahead"])
@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("splits", [1, 4])
@pytest.mark.parametrize(
    ("heads", "kv_heads", "head_dim"), [(4, 2, 32), (6, 2, 24), (8, 1, 64)], ids=str
)
def test_attention(heads, kv_heads, head_dim, splits, window, ahead):
    counts, lengths, block_size = [1, 5, 1, 40, 2], [1, 9, 77, 70, 2], 4
    blocks = [-(-length // block_size) for length in lengths]
    ids = torch.randperm(sum(blocks)).tolist()
    tables = torch.zeros(len(blocks), max(blocks), dtype=torch.int32)
    k_pages = poisoned(sum(blocks), kv_heads, block_size, head_dim)
    v_pages = k_pages.clone()
    for row, length in enumerate(lengths):
        for position in range(length):
            if position % block_size == 0:
                tables[row, position // block_size] = ids.pop()
            block = tables[row, position // block_size]
            k_pages[block, :, position % block_size] = torch.randn(kv_heads, head_dim)
            v_pages[block, :, position % block_size] = torch.randn(kv_heads, head_dim)
    starts = torch.tensor([0, *torch.tensor(counts).cumsum(0)], dtype=torch.int32)
    kv_lengths = torch.tensor(lengths, dtype=torch.int32)
    q, scale = torch.randn(sum(counts), heads, head_dim), head_dim**-0.5
    with use_reference():
        layout = PagedLayout(starts, kv_lengths, tables, block_size)
        expected = paged_attention(q, k_pages, v_pages, layout, scale, window)

    out = torch.full_like(q, NAN)
    programs = 5 * kv_heads * splits
    workspace = DecodeWorkspace(programs, heads // kv_heads, head_dim, q.device)
    decode_attention(
        q, k_pages, v_pages, tables, kv_lengths, scale, window, out, workspace, splits,
        starts=starts, ahead=ahead,
    )  # fmt: skip
    prefill_attention(q, k_pages, v_pages, tables, kv_lengths, starts, 49, scale, window, out)
    assert error(out, expected) < 1e-6
    out = torch.full_like(q, NAN)
    prefill_attention(
        q, k_pages, v_pages, tables, kv_lengths, starts, 49, scale, window, out, least=1
    )
    assert error(out, expected) < 1e-6

    rows = torch.tensor([2, -1, 0], dtype=torch.int32)
    positions = torch.tensor([76, 0, 0], dtype=torch.int32)
    single = torch.stack((q[6], q[6], q[0]))
    out = torch.full_like(single, NAN)
    decode_attention(
        single, k_pages, v_pages, tables, positions, scale, window, out, workspace, splits,
        rows=rows, ahead=ahead,
    )  # fmt: skip
    assert error(out[[0, 2]], expected[[6, 0]]) < 1e-6
    assert out[1].isnan().all()
    assert not workspace.counters.any()


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
    prefill_attention(
        q, k_pages, v_pages, tables, kv_lengths, starts, 23, scale, window, out, least=1,
        workspace=workspace,
    )  # fmt: skip
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
    gather_tokens(given, positions, owners, drawn, tables, 4, *found)
    rows, wide = owners.long().clamp(min=0), positions.long()
    tokens = torch.where(given < 0, drawn[(-1 - given.long()).clamp(min=0)], given)
    slots = tables[rows, wide // 4] * 4 + wide % 4
    expected = torch.stack((tokens.long(), wide, torch.where(owners < 0, -1, slots.long())))
    assert torch.equal(found, expected)
