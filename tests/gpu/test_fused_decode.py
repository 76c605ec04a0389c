"""Decode steps on the GPU against PyTorch: batch sizes, dtypes, the shapes of real models."""

from dataclasses import replace

import pytest
import torch
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch, named_spec
from townsfolk.models.decode_step import DecodeInputs
from townsfolk.models.fused_decode import FusedDecode
from townsfolk.models.mixes import MIXES
from townsfolk_kernels import PagedLayout, use_reference

DEVICE = torch.device("cuda")
CONTEXT, BLOCK_SIZE, ROWS = 300, 16, 64
SHAPES = ["llama-160m", "llama-3.2-1b", "llama-3.1-8b", "qwen3-4b", "gemma-3-1b"]


class Case:
    """A decoder of few layers, and sequences of random lengths in shuffled blocks."""

    def __init__(self, shape, dtype, mix=None, **changes):
        spec = named_spec(shape, **{"num_hidden_layers": 2, "vocab_size": 4000, **changes})
        seed = int(torch.randint(99, ()))
        self.decoder = Decoder.random(spec, dtype, DEVICE, seed, mix)
        blocks = -(-CONTEXT // BLOCK_SIZE)
        self.kv = KvCache.allocate(spec, blocks * ROWS, BLOCK_SIZE, dtype, DEVICE)
        for pages in (*self.kv.k, *self.kv.v):
            pages.normal_()
        self.tables = torch.randperm(blocks * ROWS, device=DEVICE).view(ROWS, blocks).int()

    def inputs(self, batch):
        return DecodeInputs(
            rows=torch.randperm(ROWS, device=DEVICE)[:batch].int(),
            positions=torch.randint(0, CONTEXT, (batch,), device=DEVICE).int(),
            tables=self.tables,
            drawn=torch.randint(0, 4000, (ROWS,), device=DEVICE).int(),
        )

    def fused(self, inputs, dependent=None):
        step = FusedDecode(self.decoder, self.kv, ROWS, CONTEXT, dependent=dependent)
        step.poison()
        return step.logits(inputs).clone()

    def reference(self, inputs):
        rows, positions = inputs.rows.long(), inputs.positions.long()
        tables = self.tables[rows]
        blocks = tables.gather(1, positions[:, None] // BLOCK_SIZE)[:, 0].long()
        starts = torch.arange(len(rows) + 1, dtype=torch.int32, device=DEVICE)
        layout = PagedLayout(starts, (positions + 1).int(), tables, BLOCK_SIZE, longest=1)
        batch = ModelBatch(
            inputs.drawn[rows].long(),
            positions,
            blocks * BLOCK_SIZE + positions % BLOCK_SIZE,
            layout,
        )
        with use_reference():
            return self.decoder.logits(self.decoder.forward(batch, self.kv))


def error(found, expected):
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


# bf16 has 8 bits of mantissa, fp16 11; the residual stream is rounded after each of 4 additions.
BOUNDS = {torch.bfloat16: 2.5e-2, torch.float16: 4e-3, torch.float32: 1e-5}


# Each shape has tiles of its own in bf16. Other dtypes compile other kernels, so there one shape of
# heads up to 128 and the one with norms after blocks stand for all.
BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32
CASES = [(shape, BF16, batch) for shape in SHAPES for batch in (1, 3, 5, 16, 17, 40, 64)]
CASES += [(shape, FP16, batch) for shape in SHAPES[1::3] for batch in (1, 5, 17)]
CASES += [(shape, FP32, batch) for shape in SHAPES[::4] for batch in (1, 3, 40)]
LONG_CASES = [(shape, BF16) for shape in SHAPES]
LONG_CASES += [(SHAPES[1], FP16), (SHAPES[0], FP32), (SHAPES[4], FP32)]


@pytest.mark.parametrize(("shape", "dtype", "batch"), CASES, ids=str)
def test_logits_and_pages(shape, dtype, batch):
    case = Case(shape, dtype)
    inputs = case.inputs(batch)
    before = [pages.clone() for pages in (*case.kv.k, *case.kv.v)]
    found = case.fused(inputs)
    written = [pages.clone() for pages in (*case.kv.k, *case.kv.v)]
    for pages, content in zip((*case.kv.k, *case.kv.v), before, strict=True):
        pages.copy_(content)
    expected = case.reference(inputs)
    assert error(found, expected) < BOUNDS[dtype]
    for pages, expected_pages in zip(written, (*case.kv.k, *case.kv.v), strict=True):
        assert error(pages, expected_pages) < BOUNDS[dtype]


@pytest.mark.parametrize("batch", [1, 2, 7, 8, 32, 64])
@pytest.mark.parametrize("name", ["q4_k_m", "q8_0", "q5_1"])
@pytest.mark.parametrize("shape", ["llama-3.2-1b", "llama-3.1-8b", "gemma-3-1b"])
def test_packed_weights(shape, name, batch):
    case = Case(shape, torch.bfloat16, MIXES[name])
    inputs = case.inputs(batch)
    found = case.fused(inputs)
    # The weights' numbers are rounded, too.
    assert error(found, case.reference(inputs)) < 1.5 * BOUNDS[torch.bfloat16]
    assert torch.equal(found, case.fused(inputs, dependent=False))


@pytest.mark.parametrize(("shape", "dtype"), LONG_CASES, ids=str)
def test_one_long_sequence(shape, dtype):
    case = Case(shape, dtype)
    inputs = replace(case.inputs(1), is_long=True)
    inputs.positions.fill_(CONTEXT - 1)
    found = case.fused(inputs)
    assert error(found, case.reference(inputs)) < BOUNDS[dtype]
    assert torch.equal(found, case.fused(inputs, dependent=False))


@pytest.mark.parametrize("batch", [1, 2, 4, 16, 64])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_dependent_launch_changes_no_bit(shape, batch):
    case = Case(shape, torch.bfloat16)
    inputs = case.inputs(batch)
    assert torch.equal(case.fused(inputs, dependent=True), case.fused(inputs, dependent=False))


@pytest.mark.parametrize(
    ("position", "is_long"), [(1, False), (564, False), (1500, False), (130, True), (1500, True)]
)
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_a_step_gives_the_same_bits_each_time(shape, position, is_long):
    """Its programs hand over values without waiting for each other to end; none is taken early."""
    spec = named_spec(shape, num_hidden_layers=12, vocab_size=4000)
    decoder = Decoder.random(spec, torch.bfloat16, DEVICE)
    kv = KvCache.allocate(spec, 100, BLOCK_SIZE, torch.bfloat16, DEVICE)
    for pages in (*kv.k, *kv.v):
        pages.normal_()
    step = FusedDecode(decoder, kv, 1, 1600)
    inputs = DecodeInputs(
        rows=torch.zeros(1, dtype=torch.int32, device=DEVICE),
        positions=torch.tensor([position], dtype=torch.int32, device=DEVICE),
        tables=torch.randperm(100, device=DEVICE).view(1, 100).int(),
        drawn=torch.tensor([7], dtype=torch.int32, device=DEVICE),
        is_long=is_long,
    )
    expected = step.logits(inputs).clone()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = step.logits(inputs)
    differing = torch.zeros((), dtype=torch.int64, device=DEVICE)
    for _ in range(2000):
        graph.replay()
        differing += (logits != expected).any()
    assert differing.item() == 0


def test_window_and_odd_sizes():
    case = Case(
        "llama-160m", torch.bfloat16, architectures=["MistralForCausalLM"], sliding_window=50,
        hidden_size=384, intermediate_size=704, num_attention_heads=6, num_key_value_heads=2,
    )  # fmt: skip
    for batch in (1, 3, 20):
        inputs = case.inputs(batch)
        assert error(case.fused(inputs), case.reference(inputs)) < BOUNDS[torch.bfloat16]


@pytest.mark.parametrize("batch", [1, 8, 64])
@pytest.mark.parametrize("shape", ["llama-3.2-1b", "gemma-3-1b"])
def test_places_that_are_not_used_write_nothing(shape, batch):
    case = Case(shape, torch.bfloat16)
    inputs = case.inputs(batch)
    step = FusedDecode(case.decoder, case.kv, ROWS, CONTEXT)
    expected = step.logits(inputs).clone()
    before = [pages.clone() for pages in (*case.kv.k, *case.kv.v)]
    nobody = replace(inputs, rows=torch.full_like(inputs.rows, -1))
    for _ in range(50):  # kernels with nothing to do must not let later ones overtake others
        step.logits(nobody)
    for pages, content in zip((*case.kv.k, *case.kv.v), before, strict=True):
        assert torch.equal(pages, content)
    assert torch.equal(step.logits(inputs), expected)


@pytest.mark.parametrize("lengths", [(37, 1, 200), (299,), (1, 1, 2)], ids=str)
@pytest.mark.parametrize("shape", ["llama-3.2-1b", "llama-3.1-8b"])
def test_prompts_beside_decoding(shape, lengths):
    case = Case(shape, torch.bfloat16)
    first = [int(torch.randint(0, CONTEXT - length + 1, ())) for length in lengths]
    positions = torch.cat(
        [torch.arange(s, s + n, device=DEVICE) for s, n in zip(first, lengths, strict=True)]
    )
    owners = torch.repeat_interleave(torch.tensor(lengths)).to(DEVICE)
    blocks = case.tables[owners, positions // BLOCK_SIZE].long()
    ends = torch.tensor(lengths).cumsum(0).tolist()
    layout = PagedLayout(
        torch.tensor([0, *ends], dtype=torch.int32, device=DEVICE),
        torch.tensor(first, device=DEVICE).add(torch.tensor(lengths, device=DEVICE)).int(),
        case.tables[: len(lengths)],
        BLOCK_SIZE,
    )
    slots = blocks * BLOCK_SIZE + positions % BLOCK_SIZE
    tokens = torch.randint(0, 4000, positions.shape, device=DEVICE)
    batch = ModelBatch(tokens, positions, slots, layout)
    found = case.decoder.logits(case.decoder.forward(batch, case.kv))
    with use_reference():
        expected = case.decoder.logits(case.decoder.forward(batch, case.kv))
    assert error(found, expected) < BOUNDS[torch.bfloat16]
