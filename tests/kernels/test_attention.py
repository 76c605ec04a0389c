"""Paged attention: the reference against PyTorch's, the CPU's plan against the reference."""

import importlib

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from page_checks import in_8_bits
from townsfolk_kernels import PagedLayout, paged_attention, use_reference
from townsfolk_kernels.cpu.attention_plan import make_plan

BLOCK = 4
TOLERANCE = {torch.float32: 2e-6, torch.bfloat16: 2e-2}


class Pool:
    """Pages where only what a sequence holds is a number, and the rest NaN.

    Behind the last position of a block that began before, values are finite, as they must be.
    """

    def __init__(self, num_blocks, kv_heads, head_dim, dtype, generator):
        self.generator = generator
        shape = (num_blocks, kv_heads, BLOCK, head_dim)
        self.k = torch.full(shape, float("nan"), dtype=dtype)
        self.v = torch.full(shape, float("nan"), dtype=dtype)

    def random(self, *shape):
        return torch.randn(*shape, generator=self.generator).to(self.k.dtype)

    def fill(self, new, length, table):
        """Write the positions of a sequence that nobody wrote before."""
        if (length - new) % BLOCK:
            rest = self.v[table[(length - 1) // BLOCK], :, length % BLOCK or BLOCK :]
            rest.nan_to_num_(nan=1e3)
        for position in range(length):
            place = (table[position // BLOCK], slice(None), position % BLOCK)
            if self.k[place].isnan().any():
                self.k[place] = self.random(*self.k.shape[1::2])
                self.v[place] = self.random(*self.v.shape[1::2])


def layout_of(sequences):
    """A layout of (new tokens, length, block table) triples."""
    starts = torch.tensor([0] + [new for new, _, _ in sequences]).cumsum(0)
    widest = max(len(table) for _, _, table in sequences)
    tables = [table + [0] * (widest - len(table)) for _, _, table in sequences]
    return PagedLayout(
        query_starts=starts.int(),
        kv_lengths=torch.tensor([length for _, length, _ in sequences], dtype=torch.int32),
        block_tables=torch.tensor(tables, dtype=torch.int32),
        block_size=BLOCK,
    )


def check(sequences, num_blocks, kv_heads=2, group=2, dtype=torch.float32, window=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pool = Pool(num_blocks, kv_heads, 8, dtype, generator)
    for sequence in sequences:
        pool.fill(*sequence)
    q = pool.random(sum(new for new, _, _ in sequences), kv_heads * group, 8)
    for k, v in ((pool.k, pool.v), (in_8_bits(pool.k), in_8_bits(pool.v))):
        layout = layout_of(sequences)
        with use_reference():
            expected = paged_attention(q, k, v, layout, 0.3, window)
        found = paged_attention(q, k, v, layout, 0.3, window)
        assert found.shape == q.shape
        assert found.dtype == dtype
        assert (found.float() - expected.float()).abs().max().item() < TOLERANCE[dtype]
        with use_reference():  # nothing that a sequence holds has changed
            assert torch.equal(paged_attention(q, k, v, layout, 0.3, window), expected)


def test_reference_equals_pytorch():
    generator = torch.Generator().manual_seed(0)
    pool = Pool(3, 2, 8, torch.float32, generator)
    pool.fill(11, 11, [2, 0, 1])
    q = pool.random(11, 4, 8)
    with use_reference():
        found = paged_attention(q, pool.k, pool.v, layout_of([(11, 11, [2, 0, 1])]), 0.5)
    k, v = (
        pages[[2, 0, 1]].transpose(0, 1).flatten(1, 2)[None, :, :11] for pages in (pool.k, pool.v)
    )
    expected = F.scaled_dot_product_attention(
        q.transpose(0, 1)[None], k, v, is_causal=True, scale=0.5, enable_gqa=True
    )
    torch.testing.assert_close(found, expected[0].transpose(0, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("kv_heads", "group"), [(1, 1), (4, 1), (2, 3), (1, 8)])
def test_heads_and_dtypes(kv_heads, group, dtype):
    sequences = [(1, 9, [0, 1, 2]), (5, 7, [3, 4]), (1, 1, [5]), (4, 4, [6])]
    check(sequences, 7, kv_heads, group, dtype)


@pytest.mark.parametrize("length", range(1, 10))
@pytest.mark.parametrize("new", [1, 2, 3])
def test_every_place_in_a_block(length, new):
    check([(min(new, length), length, [1, 2, 0])], 3)


@pytest.mark.parametrize("window", [1, 3, 4, 5, 100])
def test_sliding_window(window):
    sequences = [(1, 15, [0, 1, 2, 3]), (6, 13, [4, 5, 6, 7]), (1, 2, [8]), (3, 3, [9])]
    check(sequences, 10, window=window)


def test_prefixes_that_sequences_share_are_read_once():
    lore, own = [0, 1, 2], [[3, 4], [5], [6, 7], [8]]
    sequences = [(1, 12 + 4 * len(tail) - n % 3, lore + tail) for n, tail in enumerate(own)]
    sequences.append((1, 7, [9, 10]))
    sequences.append((1, 10, [0, 1, 11]))  # shares less than the others
    check(sequences, 12)
    plan = make_plan(layout_of(sequences), 4, torch.float32, None).decode
    assert sorted(prefix.pages.tolist() for prefix in plan.shared) == [[0, 1], [2]]
    assert len(plan.ranges) == 1
    assert set(plan.pages.tolist()) == set(range(3, 12))


def test_two_sequences_may_even_share_their_last_block():
    check([(1, 8, [0, 1]), (1, 8, [0, 1])], 2)


def test_far_ranges_of_the_pool_are_read_in_place():
    sequences = [(1, 8, [0, 1]), (1, 8, [60, 61]), (1, 5, [30, 31])]
    check(sequences, 62)
    plan = make_plan(layout_of(sequences), 4, torch.float32, None).decode
    assert plan.ranges == (slice(0, 2), slice(30, 32), slice(60, 62))


def test_scattered_pages_are_copied():
    table = list(range(0, 200, 20))
    check([(1, 40, table)], 200)
    assert make_plan(layout_of([(1, 40, table)]), 4, torch.float32, None).decode.ranges == ()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_batch_over_any_blocks(data):
    number = st.integers
    blocks = data.draw(st.permutations(range(data.draw(number(24, 60)))))
    window = data.draw(st.none() | number(1, 12))
    prefix = [blocks.pop() for _ in range(data.draw(number(0, 3)))]
    sequences = []
    for _ in range(data.draw(number(1, 5))):
        length = data.draw(number(1, 16))
        new = data.draw(st.just(1) | number(1, length))
        table = [blocks.pop() for _ in range(-(-length // BLOCK))]
        if data.draw(st.booleans()):  # behind the shared beginning
            length, table = length + len(prefix) * BLOCK, prefix + table
        sequences.append((new, length, table))
    check(sequences, 60, window=window, seed=data.draw(number(0, 99)))


@pytest.mark.parametrize("window", [None, 40])
def test_long_prompts_are_tiled(window, monkeypatch):
    module = importlib.import_module("townsfolk_kernels.cpu.attention")
    monkeypatch.setattr(module, "_TILE_SCORES", 4 * 20 * 90)  # tiles of 20 tokens
    check([(67, 90, list(range(23)))], 23, window=window)
    check([(90, 90, list(range(23)))], 23, window=window)


@pytest.mark.parametrize(
    ("heads", "head_dim", "dtype", "window", "message"),
    [
        (3, 8, torch.float32, None, "does not fit pages"),
        (4, 16, torch.float32, None, "does not fit pages"),
        (4, 8, torch.bfloat16, None, "q is torch.bfloat16"),
        (4, 8, torch.float32, 0, "at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(heads, head_dim, dtype, window, message):
    pages = torch.zeros(1, 2, 4, 8)
    starts, lengths = torch.tensor([0, 1]).int(), torch.tensor([1]).int()
    layout = PagedLayout(starts, lengths, torch.zeros(1, 1).int(), 4)
    with pytest.raises(ValueError, match=message):
        paged_attention(
            torch.zeros(1, heads, head_dim, dtype=dtype), pages, pages, layout, 1.0, window
        )
