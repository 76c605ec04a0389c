"""What the GPU's runner does without graphs, on a CPU: Triton's interpreter runs the kernels.

Places that are filled up are for a GPU's kernels, so steps have their exact sizes here. Graphs, and
all of it on a device, are in tests/gpu.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import triton_interpreter  # noqa: F401  before a kernel runs
from peft_adapters import adapt, save
from townsfolk.checkpoint import read_adapter
from townsfolk.engine import cuda_runner
from townsfolk.engine.cuda_runner import CudaRunner
from townsfolk.engine.cuda_steps import CudaSteps
from townsfolk.engine.device_masks import DeviceMasks
from townsfolk.engine.eager_runner import EagerRunner
from townsfolk.engine.late_changes import LateChanges
from townsfolk.engine.mixed_step import StepResources
from townsfolk.engine.request import Request
from townsfolk.engine.rules import Contrast
from townsfolk.engine.scheduler import Scheduler
from townsfolk.engine.sequence import Sequence
from townsfolk.engine.slot_adapters import SlotAdapters
from townsfolk.engine.slot_tables import SlotTables
from townsfolk.engine.step import ContrastPair
from townsfolk.engine.step_inputs import PREFILLS
from townsfolk.grammar import mask_words
from townsfolk.kv import BlockPool, BlockTable, KvCache
from townsfolk.models import Decoder, open_source
from townsfolk.models.adapters import bind_adapter
from townsfolk.sampling import SamplingParams, triton_backend
from townsfolk.sampling.triton_backend import TritonBackend
from transformers import LlamaForCausalLM

CPU = torch.device("cpu")
EOS = (0,)
MAX_BATCH, BLOCKS = 4, 64


@pytest.fixture(scope="module")
def decoder(directory):
    return Decoder.load(directory, torch.float32, CPU)


@pytest.fixture
def make_cuda(decoder, monkeypatch):
    """A runner as on a GPU whose graphs are not made yet."""
    event = SimpleNamespace(record=lambda: None, synchronize=lambda: None)
    monkeypatch.setattr(cuda_runner, "_event", lambda **_: event)
    monkeypatch.setattr(cuda_runner, "_pinned", torch.empty_like)
    monkeypatch.setattr(cuda_runner, "_ALIGNED", 1)

    def make(kv):
        runner = CudaRunner.__new__(CudaRunner)
        runner._device, runner._decoder = CPU, decoder
        runner._vocab_size = decoder.spec.vocab_size
        tables = SlotTables(MAX_BATCH, BLOCKS, CPU)
        sampler = TritonBackend(MAX_BATCH, runner._vocab_size, EOS, CPU, MAX_BATCH)
        masks = DeviceMasks(MAX_BATCH + PREFILLS, runner._vocab_size, CPU)
        runner._resources = StepResources(decoder, kv, tables, sampler, masks)
        runner._steps = CudaSteps(SimpleNamespace(step=runner._resources), None, ())
        runner._general = set()
        runner.adapters = SlotAdapters(decoder, MAX_BATCH)
        runner._long_from = None
        runner._graphs = SimpleNamespace(get=lambda shape: None)
        runner._launched, runner._waited = 0, 0.0
        return runner

    return make


class World:
    """A scheduler and a runner, driven step by step."""

    def __init__(self, decoder, make):
        kv = KvCache.allocate(decoder.spec, BLOCKS, 4, torch.float32, CPU)
        for pages in (*kv.k, *kv.v):
            pages.zero_()
        self.pool = BlockPool(BLOCKS, 4, kv.copy_block)
        self.runner = make(kv)
        self.scheduler = Scheduler(self.pool, MAX_BATCH, 24)
        self.in_flight, self.sequences, self.errors, self.scores = [], [], {}, {}
        self.masked = {}  # steps that have their masks

    def add(self, prompt, *, echo=False, grammar=None, adapter=0, contrast=None, **params):
        number = len(self.sequences)
        request = Request(
            number=number, prompt_ids=tuple(prompt), params=SamplingParams(**params), seed=number,
            max_tokens=len(prompt) + 3, namespace=str(number), penalized_ids=tuple(prompt),
            echo=echo, grammar=grammar, adapter=adapter, contrast=contrast,
        )  # fmt: skip
        self.sequences.append(Sequence(request, BlockTable(self.pool, request.namespace)))
        if contrast is not None:
            self.sequences[-1].pair_with(BlockTable(self.pool, request.namespace))
        self.scheduler.add(self.sequences[-1])
        self.scores[number] = []

    @torch.inference_mode()
    def run(self):
        while True:
            step = self.scheduler.plan()
            if step.sequences:
                self.in_flight.append((step, self.runner.launch(step.plan)))
                self.mask()
            elif not self.in_flight:
                break
            if len(self.in_flight) == self.runner.depth or not step.sequences:
                self.settle(*self.in_flight.pop(0))
                self.mask()
        self.scheduler.check()
        return [tuple(each.token_ids) for each in self.sequences]

    def mask(self):
        """Give the oldest step its masks, which depend on the tokens before."""
        if not self.in_flight or id(self.in_flight[0][0]) in self.masked:
            return
        step, handle = self.in_flight[0]
        self.masked[id(step)] = step
        places = [
            place
            for place, item in enumerate(step.plan.items)
            if item.masked and not step.sequences[place].follows
        ]
        if places:
            words = mask_words(self.runner._decoder.spec.vocab_size)
            masks = np.stack(
                [
                    np.random.default_rng([number, *step.sequences[number].token_ids]).integers(
                        -(2**31), 2**31, words, dtype=np.int32
                    )
                    for number in places
                ]
            )
            biases = {  # they hold until there are others
                number: {len(step.sequences[number].token_ids) % 7: 3.0, 9: -2.0}
                for number in places
                if len(step.sequences[number].token_ids) % 2
            }
            contrasts = {
                number: ContrastPair(step.sequences.index(sequence.partner), 1.5)
                for number in places
                if (sequence := step.sequences[number]).partner is not None
            }
            self.runner.mask(handle, places, masks, LateChanges(biases, contrasts))

    def settle(self, step, handle):
        for sequence, epoch, item, output in step.parts(self.runner.collect(handle)):
            if sequence.epoch != epoch:
                continue
            if output.error is not None:
                self.errors[sequence.number] = output.error
                self.scheduler.remove(sequence)
                continue
            assert len(output.tokens) == (item.draws and not sequence.follows)
            self.scheduler.advance(sequence, item, output.tokens)
            if sequence.follows:
                continue
            self.scores[sequence.number] += output.prompt_infos
            self.scheduler.note_scored(
                sequence, len(self.scores[sequence.number]) + sequence.request.scores_prompt
            )
            if len(sequence.token_ids) == sequence.max_tokens:
                self.scheduler.remove(sequence)


def fill(world):
    world.add([1, 2, 3], temperature=0)
    world.add(range(4, 34), seed=1)
    world.add([9, 9, 9, 8], repetition_penalty=1.4, logit_bias={7: 2.0})
    world.add(range(3, 30), logprobs=3, echo=True)
    world.add(range(50, 63), temperature=0, logprobs=1)
    return world


def eager(decoder, depth):
    return lambda kv: EagerRunner(decoder, kv, EOS, MAX_BATCH, BLOCKS * 4, depth)


@pytest.fixture(scope="module")
def expected(decoder):
    world = fill(World(decoder, eager(decoder, 1)))
    return world.run(), world.scores


def test_draws_under_masks_are_those_of_the_eager_runner(decoder, make_cuda):
    def filled(make):
        world = World(decoder, make)
        grammar = object()  # the masks come from the test
        world.add([1, 2, 3], temperature=0, grammar=grammar)
        world.add(range(4, 34), seed=1)
        world.add([9, 9, 9, 8], repetition_penalty=1.4, grammar=grammar)
        world.add(range(50, 63), temperature=2, top_k=0, logprobs=1, grammar=grammar)
        world.add(range(50, 63), temperature=0)
        return world

    expected = filled(eager(decoder, 1)).run()
    assert filled(eager(decoder, 2)).run() == expected
    found = filled(make_cuda)
    assert found.run() == expected
    assert not found.errors


def test_steps_with_adapters_are_those_of_the_eager_runner(decoder, make_cuda, directory, tmp_path):
    model = LlamaForCausalLM.from_pretrained(directory)
    adapter = read_adapter(save(adapt(model, "llama"), tmp_path))
    bound = bind_adapter(adapter, open_source(directory).architecture())
    graphs = []

    def filled(make, adapters=(1, 0, 1, 2)):
        world = World(decoder, make)
        world.runner._graphs = SimpleNamespace(get=graphs.append)
        world.runner.adapters.add(1, bound)
        world.runner.adapters.add(2, bound)
        for number, prompt in enumerate(([1, 2, 3], range(4, 34), [9, 9, 8], range(50, 63))):
            world.add(prompt, temperature=0, logprobs=2, echo=True, adapter=adapters[number])
        return world

    plain = filled(eager(decoder, 1), (0,) * 4).run()
    expected = filled(eager(decoder, 1)).run()
    assert [plain[number] == expected[number] for number in range(4)] == [False, True, False, False]
    found = filled(make_cuda, (1, 1, 1, 2))
    others = filled(eager(decoder, 1), (1, 1, 1, 2)).run()
    assert found.run() == others
    assert not graphs  # they know no adapters


def test_draws_in_contrast_are_those_of_the_eager_runner(decoder, make_cuda):
    def filled(make):
        world = World(decoder, make)
        world.add([1, 2, 3], temperature=0, contrast=Contrast((7, 8), 1.5))
        world.add(range(4, 34), seed=1)
        world.add([9, 9, 8], temperature=2, contrast=Contrast(tuple(range(40)), 1.5))
        world.add(range(50, 63), temperature=0)
        return world

    expected = filled(eager(decoder, 1)).run()
    assert filled(eager(decoder, 2)).run() == expected
    found = filled(make_cuda)
    assert found.run() == expected
    assert not found.errors


def test_it_gives_what_the_eager_runner_gives(decoder, make_cuda, expected):
    tokens, scores = expected
    ahead = fill(World(decoder, eager(decoder, 2)))
    assert ahead.run() == tokens
    cuda = fill(World(decoder, make_cuda))
    assert cuda.runner.depth == 2
    assert cuda.run() == tokens
    assert not cuda.errors
    assert [each.token_id for each in cuda.scores[3]] == list(range(4, 30))
    for found, wanted in zip(cuda.scores[3], scores[3], strict=True):
        assert found.logprob == pytest.approx(wanted.logprob, abs=1e-4)
        assert [token_id for token_id, _ in found.top] == [token_id for token_id, _ in wanted.top]


def refused_row(monkeypatch, number):
    draft = triton_backend._RowDraft

    def refuse(joining, *args):
        if joining.seed == number:
            raise RuntimeError("no such row")
        return draft(joining, *args)

    monkeypatch.setattr(triton_backend, "_RowDraft", refuse)


def no_memory_to_score(monkeypatch, number):
    def refuse(decoder, item, hidden):
        if item.scoring is not None:
            raise torch.OutOfMemoryError("not so much")
        return []

    monkeypatch.setattr(cuda_runner, "score_prompts", refuse)


def no_memory_to_compute(monkeypatch, number):
    forward = Decoder.forward

    def refuse(self, batch, kv):
        if ((batch.token_ids == 60) & (batch.positions == 10)).any():
            raise torch.OutOfMemoryError("not so much")
        return forward(self, batch, kv)

    monkeypatch.setattr(Decoder, "forward", refuse)


@pytest.mark.parametrize(
    ("fault", "number"),
    [(refused_row, 2), (no_memory_to_score, 3), (no_memory_to_compute, 4)],
    ids=["admission", "scores", "memory"],
)
def test_one_that_fails_fails_alone(decoder, make_cuda, expected, monkeypatch, fault, number):
    world = fill(World(decoder, make_cuda))
    fault(monkeypatch, number)
    found = world.run()
    assert list(world.errors) == [number]
    assert [each for n, each in enumerate(found) if n != number] == [
        each for n, each in enumerate(expected[0]) if n != number
    ]
