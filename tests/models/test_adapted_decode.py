"""Decode steps whose rows have adapters, by Triton's interpreter, against the plain decoder."""

import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from product_checks import error
from random_adapters import random_adapter, row_adapters
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch, named_spec
from townsfolk.models.adapter_stack import AdapterStack
from townsfolk.models.decode_step import DecodeInputs
from townsfolk.models.fused_decode import FusedDecode
from townsfolk_kernels import PagedLayout, use_reference

CPU = torch.device("cpu")
BLOCK_SIZE, BLOCKS, ROWS, VOCAB = 4, 3, 6, 32
SMALL = {
    "num_hidden_layers": 1, "vocab_size": VOCAB, "hidden_size": 64, "intermediate_size": 64,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
}  # fmt: skip
MEMORY = 1 << 21


@pytest.fixture
def decoder():
    return Decoder.random(named_spec("llama-160m", **SMALL), torch.float32, CPU)


class Case:
    """A step of some rows, whose adapters are in a stack."""

    def __init__(self, decoder, chosen):
        self.decoder, self.chosen, batch = decoder, chosen, len(chosen)
        self.stack = AdapterStack(decoder, MEMORY, ROWS)
        self.kv = KvCache.allocate(decoder.spec, BLOCKS * ROWS, BLOCK_SIZE, torch.float32, CPU)
        for each in (*self.kv.k, *self.kv.v):
            each.normal_()
        self.tables = torch.randperm(BLOCKS * ROWS).view(ROWS, BLOCKS).int()
        self.rows = torch.randperm(ROWS)[:batch].int()
        self.positions = torch.randint(0, BLOCKS * BLOCK_SIZE, (batch,)).int()
        self.drawn = torch.randint(0, VOCAB, (ROWS,)).int()

    def assign(self, numbers):
        for row, own in zip(self.rows.tolist(), self.chosen, strict=True):
            self.stack.assign(row, numbers[own] if own >= 0 else 0)
        self.stack.upload()

    def step(self):
        step = FusedDecode(self.decoder, self.kv, ROWS, BLOCKS * BLOCK_SIZE, stack=self.stack)
        assert step.takes_adapters
        step.poison()
        inputs = DecodeInputs(self.rows, self.positions, self.tables, self.drawn, adapted=True)
        return step.logits(inputs).clone()

    def expected(self, adapters):
        own, place = self.tables[self.rows.long()], self.positions.long()
        block = own.gather(1, place[:, None] // BLOCK_SIZE)[:, 0].long()
        starts = torch.arange(len(place) + 1, dtype=torch.int32)
        layout = PagedLayout(starts, self.positions + 1, own, BLOCK_SIZE, longest=1)
        slots = block * BLOCK_SIZE + place % BLOCK_SIZE
        batch = ModelBatch(self.drawn[self.rows.long()].long(), place, slots, layout)
        batch.adapters = row_adapters(self.decoder, adapters, self.chosen)
        with use_reference():
            return self.decoder.logits(self.decoder.forward(batch, self.kv))


@pytest.mark.parametrize("chosen", [[0], [1, -1], [2, -1, 0, 2, 1]], ids=str)
def test_logits_of_mixed_rows(decoder, chosen):
    adapters = [
        random_adapter(decoder, 4), random_adapter(decoder, 40), random_adapter(decoder, 8, only=0)
    ]  # fmt: skip
    case = Case(decoder, chosen)
    for number, adapter in enumerate(adapters):
        case.stack.add(number + 1, adapter)
    case.assign([1, 2, 3])
    found, expected = case.step(), case.expected(adapters)
    assert error(found, expected) < 1e-6
    plain = case.expected([])
    for row, own in enumerate(chosen):
        assert (error(expected[row], plain[row]) > 0.01) == (own >= 0)


def test_adapters_move_together_when_one_goes(decoder):
    adapters = [random_adapter(decoder, rank) for rank in (4, 20, 16)]
    case = Case(decoder, [1, -1, 2])
    for number, adapter in enumerate(adapters):
        case.stack.add(number + 1, adapter)
    case.stack.remove(1)
    other = random_adapter(decoder, 8)
    case.stack.add(4, other)
    case.assign([0, 2, 3])
    assert error(case.step(), case.expected(adapters)) < 1e-6
    case.chosen = [0, -1, -1]
    case.assign([4])
    assert error(case.step(), case.expected([other])) < 1e-6


def test_the_pool_gives_the_updates_of_plain_operations(decoder):
    adapter = random_adapter(decoder, 5)
    stack = AdapterStack(decoder, MEMORY, ROWS)
    stack.add(7, random_adapter(decoder, 3, only=1))
    stack.add(9, adapter)
    found, wanted = stack.updates(9), adapter.of(decoder.weights)
    assert found.keys() == wanted.keys()
    for weight in decoder.weights.projections[:-1]:
        rows, columns = weight.dense()[0].shape
        mine, theirs = torch.zeros(rows, columns), torch.zeros(rows, columns)
        found[id(weight)].add_to_weight(mine)
        wanted[id(weight)].add_to_weight(theirs)
        torch.testing.assert_close(mine, theirs)


def test_what_does_not_fit_is_told(decoder):
    stack = AdapterStack(decoder, MEMORY, ROWS)
    assert stack.takes(random_adapter(decoder, 16))
    assert not stack.takes(random_adapter(decoder, 513))  # more than a rank may be
    count = 0
    while stack.takes(adapter := random_adapter(decoder, 64)):
        count += 1
        stack.add(count, adapter)
    assert count > 0
    stack.remove(1)
    assert stack.takes(adapter)
