"""What a graph of decode steps launches, on a CPU: Triton's interpreter runs the kernels."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from townsfolk.engine import cuda_graphs
from townsfolk.engine.cuda_graphs import DecodeGraph, DecodeShape, GraphResources
from townsfolk.engine.device_masks import DeviceMasks
from townsfolk.engine.late_changes import contrast_rows
from townsfolk.engine.mixed_step import StepResources
from townsfolk.engine.step import ContrastPair, StepItem
from townsfolk.sampling import Sampler, SamplingParams, SlotSampling
from townsfolk.sampling.contrast import contrast_
from townsfolk.sampling.triton_backend import TritonBackend

CPU = torch.device("cpu")
VOCAB = 200
EOS = (0,)
SLOTS = [5, 2, 7]
ASKED = (
    SamplingParams(temperature=0.0),
    SamplingParams(temperature=1.2, top_k=20),
    SamplingParams(temperature=0.7, top_k=50, top_p=0.8, min_new_tokens=5),
)


class World:
    """A graph whose replays launch what it would have captured, and the sampler beside it."""

    def __init__(self, monkeypatch, shape):
        self.backend = TritonBackend(8, VOCAB, EOS, CPU, 4)
        self.sampler = Sampler(8, VOCAB, EOS, CPU)
        for slot, params in zip(SLOTS, ASKED, strict=True):
            joining = SlotSampling(slot, params, 11 + slot, (1, 2), latest=3, is_masked=True)
            assert self.backend.admit([joining]) == {}
            self.sampler.admit(slot, params, 11 + slot, (1, 2))
        self.masks = DeviceMasks(8, VOCAB, CPU)
        self.logits, self.copies = torch.zeros(4, VOCAB), 0
        fused = SimpleNamespace(logits=lambda inputs: self.logits, is_dependent=lambda size: False)
        tables = SimpleNamespace(blocks=None)
        decoder = SimpleNamespace(device=CPU, spec=SimpleNamespace(vocab_size=VOCAB))
        step = StepResources(decoder, None, tables, self.backend, self.masks)
        self.graph = DecodeGraph(shape, GraphResources(step, fused, None, None, None))
        self.graph._graph = SimpleNamespace(replay=self.graph.compute)
        own = self.graph.logits  # which others may change, or the model's
        late = (lambda: self.logits) if own is None else (lambda: own)
        self.graph._late = SimpleNamespace(replay=lambda: self.graph.draw_masked(late()))
        monkeypatch.setattr(cuda_graphs, "_copy", self.copy)

    def copy(self, host, target):
        self.copies += 1
        target.copy_(torch.from_numpy(host))

    def step(self, index, slots, allowed, order=None):
        """Run a step; `allowed` has one row for each slot, None for any token."""
        logits = torch.randn(4, VOCAB) * 3
        self.logits = logits.clone()
        items = [StepItem(slot, 10 + index, 1, (), True, index, masked=True) for slot in slots]
        assert self.graph.launch(items) is None
        bits = packed(allowed)
        order = order or [*range(len(slots))]
        self.masks.write(order, [slots[at] for at in order], bits[order])
        host = self.graph.replay_masked(True)
        expected = self.sampler.sample(
            logits[: len(slots)], slots, [index] * len(slots), torch.from_numpy(bits)
        ).token_ids
        assert host[: len(slots)].tolist() == expected.tolist()
        assert self.backend.drawn[slots].tolist() == expected.tolist()
        assert all(row[token] for row, token in zip(allowed, expected.tolist(), strict=True))


def packed(allowed):
    words = -(-allowed.shape[1] // 32) * 32
    padded = np.pad(allowed, ((0, 0), (0, words - allowed.shape[1])))
    return np.packbits(padded, axis=1, bitorder="little").view(np.int32)


def some(rows):
    allowed = np.random.default_rng(torch.randint(2**31, ()).item()).random((rows, VOCAB)) < 0.2
    allowed[:, 1] = True
    return allowed


@pytest.fixture
def world(monkeypatch):
    return World(monkeypatch, DecodeShape(4, True, is_masked=True))


def test_masked_draws_arrive_as_those_of_the_sampler(world):
    for index in range(1, 3):
        world.step(index, SLOTS, some(3))
    assert world.copies == 1  # later steps find their inputs on the device


def test_masks_may_be_told_in_any_order(world):
    world.step(1, SLOTS, some(3), order=[2, 0, 1])


def test_who_has_no_mask_may_draw_any_token(world):
    world.logits = torch.randn(4, VOCAB)
    logits = world.logits[:3].clone()
    items = [StepItem(slot, 11, 1, (), True, 1, masked=True) for slot in SLOTS]
    world.graph.launch(items)
    allowed = some(1)
    world.masks.write([1, 0, 2], [SLOTS[1], SLOTS[0], SLOTS[2]], packed(allowed))
    host = world.graph.replay_masked(True)
    everything = np.ones_like(allowed)
    bits = torch.from_numpy(packed(np.concatenate((everything, allowed, everything))))
    assert (
        host[:3].tolist() == world.sampler.sample(logits, SLOTS, [1] * 3, bits).token_ids.tolist()
    )


def test_a_step_goes_on_rightly_behind_one_in_which_not_all_drew(world):
    world.step(1, SLOTS, some(3))
    items = [StepItem(slot, 12, 1, (), True, 2, masked=True) for slot in SLOTS]
    world.graph.launch(items)
    world.masks.write([0, 2], [SLOTS[0], SLOTS[2]], packed(some(2)))
    world.graph.replay_masked(False)
    world.step(3, [SLOTS[0], SLOTS[2]], some(2))
    world.step(3, SLOTS, some(3))


def test_a_pair_draws_in_contrast_beside_another(monkeypatch):
    world = World(monkeypatch, DecodeShape(4, False, is_paired=True))
    for index in (1, 2):
        logits = torch.randn(4, VOCAB) * 3
        world.logits = logits.clone()
        items = [
            StepItem(slot, 10 + index, 1, (), True, index, masked=late, paired=late)
            for slot, late in zip(SLOTS, (True, True, False), strict=True)
        ]
        assert world.graph.launch(items) is None
        rows = {place: world.graph.logits[place : place + 1] for place in (0, 1)}
        contrast_rows(rows, {0: ContrastPair(1, 1.5)})
        world.masks.write([0], SLOTS[:1], np.zeros((0, 7), dtype=np.int32))
        assert world.graph.replay_masked(False) is None
        expected = logits.clone()
        contrast_(expected[0], logits[1], 1.5)
        drawn = world.sampler.sample(expected[[0, 2]], [SLOTS[0], SLOTS[2]], [index] * 2)
        assert world.graph.report.tokens[[0, 2]].tolist() == drawn.token_ids.tolist()
        assert torch.equal(world.logits, logits)  # the model's own
