"""Adapters on the GPU: of each row another, in CUDA graphs, as if each were merged."""

import asyncio
import random

import pytest
import torch
from close_calls import are_equally_likely
from random_adapters import random_adapter, row_adapters
from starter_numbers import starter_numbers
from townsfolk.bench.adapters import write_random_adapters
from townsfolk.checkpoint import read_adapter
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, cuda_steps
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch, named_spec, open_source
from townsfolk.models.adapter_stack import AdapterStack
from townsfolk.models.decode_step import DecodeInputs
from townsfolk.models.fused_decode import FusedDecode
from townsfolk.sampling import SamplingParams
from townsfolk_kernels import PagedLayout, use_reference

DEVICE = torch.device("cuda")
CONTEXT, BLOCK_SIZE, ROWS = 300, 16, 64
BOUNDS = {torch.bfloat16: 2.5e-2, torch.float16: 4e-3, torch.float32: 1e-5}
RANKS = (16, 4, 64, 8, 16, 20, 16, 3)


class Case:
    """A decoder of two layers, with adapters of several ranks."""

    def __init__(self, shape, dtype):
        spec = named_spec(shape, num_hidden_layers=2, vocab_size=4000)
        self.decoder = Decoder.random(spec, dtype, DEVICE, int(torch.randint(99, ())))
        blocks = -(-CONTEXT // BLOCK_SIZE)
        self.kv = KvCache.allocate(spec, blocks * ROWS, BLOCK_SIZE, dtype, DEVICE)
        for pages in (*self.kv.k, *self.kv.v):
            pages.normal_()
        self.tables = torch.randperm(blocks * ROWS, device=DEVICE).view(ROWS, blocks).int()
        self.adapters = [random_adapter(self.decoder, rank) for rank in RANKS]
        self.stack = AdapterStack(self.decoder, 1 << 28, ROWS)
        for number, adapter in enumerate(self.adapters):
            assert self.stack.takes(adapter)
            self.stack.add(number + 1, adapter)

    def inputs(self, batch, chosen):
        rows = torch.randperm(ROWS)[:batch]
        for row, own in zip(rows.tolist(), chosen, strict=True):
            self.stack.assign(row, own + 1)
        self.stack.upload()
        return DecodeInputs(
            rows=rows.int().to(DEVICE),
            positions=torch.randint(0, CONTEXT, (batch,), device=DEVICE).int(),
            tables=self.tables,
            drawn=torch.randint(0, 4000, (ROWS,), device=DEVICE).int(),
            adapted=True,
        )

    def fused(self, inputs, dependent=None):
        step = FusedDecode(
            self.decoder, self.kv, ROWS, CONTEXT, stack=self.stack, dependent=dependent
        )
        assert step.takes_adapters
        step.poison()
        return step.logits(inputs).clone()

    def reference(self, inputs, chosen):
        rows, positions = inputs.rows.long(), inputs.positions.long()
        tables = self.tables[rows]
        blocks = tables.gather(1, positions[:, None] // BLOCK_SIZE)[:, 0].long()
        starts = torch.arange(len(rows) + 1, dtype=torch.int32, device=DEVICE)
        layout = PagedLayout(starts, (positions + 1).int(), tables, BLOCK_SIZE, longest=1)
        slots = blocks * BLOCK_SIZE + positions % BLOCK_SIZE
        batch = ModelBatch(inputs.drawn[rows].long(), positions, slots, layout)
        batch.adapters = row_adapters(self.decoder, self.adapters, chosen)
        with use_reference():
            return self.decoder.logits(self.decoder.forward(batch, self.kv))


def error(found, expected):
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


@pytest.mark.parametrize("batch", [1, 2, 5, 16, 32, 64])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ("llama-3.2-1b", torch.bfloat16),
        ("llama-3.1-8b", torch.bfloat16),
        ("gemma-3-1b", torch.bfloat16),
        ("llama-3.2-1b", torch.float16),
        ("llama-160m", torch.float32),
    ],
    ids=str,
)
def test_logits_of_mixed_rows(shape, dtype, batch):
    case = Case(shape, dtype)
    chosen = [random.randrange(-1, len(RANKS)) for _ in range(batch)]
    inputs = case.inputs(batch, chosen)
    found, expected = case.fused(inputs), case.reference(inputs, chosen)
    assert error(found, expected) < BOUNDS[dtype]
    assert torch.equal(found, case.fused(inputs, dependent=False))


def test_a_graph_serves_adapters_that_come_later():
    case = Case("llama-3.2-1b", torch.bfloat16)
    inputs = case.inputs(8, [-1] * 8)
    step = FusedDecode(case.decoder, case.kv, ROWS, CONTEXT, stack=case.stack)
    step.logits(inputs)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = step.logits(inputs)
    case.stack.remove(1)
    case.adapters[0] = random_adapter(case.decoder, 24)
    case.stack.add(9, case.adapters[0])
    chosen = [0, 1, 2, -1, 0, 4, 4, -1]
    for row, own in zip(inputs.rows.tolist(), chosen, strict=True):
        case.stack.assign(row, 9 if own == 0 else own + 1)
    case.stack.upload()
    graph.replay()
    assert error(logits, case.reference(inputs, chosen)) < BOUNDS[torch.bfloat16]


PARAMS = SamplingParams(temperature=0, max_new_tokens=32, min_new_tokens=32)


async def replies(settings, asked):
    engine = Engine.from_pretrained(starter_numbers(), settings)
    names = {name for name, _ in asked if name}
    for name in sorted(names):
        await engine.adapters.load(name)
    await asyncio.sleep(4)  # until graphs are there
    found = await asyncio.gather(
        *(engine.generate(prompt, PARAMS, adapter=name) for name, prompt in asked)
    )
    await engine.check()
    await engine.aclose()
    return [each.token_ids for each in found]


@pytest.mark.parametrize("in_graphs", [False, True], ids=["operations", "graphs"])
async def test_each_speaks_as_if_its_adapter_were_merged(tmp_path, monkeypatch, in_graphs):
    if not in_graphs:
        monkeypatch.setattr(cuda_steps, "can_stack", lambda decoder: False)
    directory = starter_numbers()  # graphs know no adapters of packed weights
    names = write_random_adapters(tmp_path, open_source(directory).architecture(), 3, 16)
    draw = random.Random(0)
    prompts = [[draw.randrange(5, 4096) for _ in range(draw.randint(3, 90))] for _ in range(16)]
    fields = {"device": "cuda", "dtype": "float32", "kv_memory_mib": 256}
    who = [("", *names)[number % 4] for number in range(len(prompts))]
    mixed = EngineSettings(adapters=tmp_path, **fields)
    found = await replies(mixed, list(zip(who, prompts, strict=True)))
    for name in ("", *names):
        own = [number for number, each in enumerate(who) if each == name]
        alone = EngineSettings(adapter=tmp_path / name if name else None, **fields)
        expected = await replies(alone, [("", prompts[number]) for number in own])
        adapter = read_adapter(tmp_path / name) if name else None
        merged = Decoder.load(directory, torch.float32, adapter=adapter)
        for number, theirs in zip(own, expected, strict=True):
            assert are_equally_likely(merged, prompts[number], found[number], theirs, 1e-3)
    plain = await replies(EngineSettings(**fields), [("", prompts[1])])
    assert plain != [found[1]]
