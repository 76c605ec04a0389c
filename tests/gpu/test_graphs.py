"""Graphs are made lazily, from kernels that threads compile, and hold what eager steps compute."""

import time

import pytest
import torch
import triton.language as tl
from townsfolk.engine.cuda_runner import CudaRunner
from townsfolk.engine.request import Request
from townsfolk.engine.scheduler import Scheduler
from townsfolk.engine.sequence import Sequence
from townsfolk.kv import BlockPool, BlockTable, KvCache
from townsfolk.models import Decoder, named_spec
from townsfolk.sampling import SamplingParams
from townsfolk_kernels.gpu.compiler import KernelCompiler
from townsfolk_kernels.gpu.kernel import kernel
from townsfolk_kernels.prefill.norm import rms_norm

DEVICE = torch.device("cuda")


def test_kernels_that_are_noted_are_compiled_but_not_launched():
    x, weight = torch.randn(3, 77, device=DEVICE), torch.randn(77, device=DEVICE)
    eps = 1e-5
    expected = torch.nn.functional.rms_norm(x, (77,), weight, eps)
    compiler = KernelCompiler(threads=2)
    found = []

    def run():
        found.append(rms_norm(x, weight, eps, torch.float32).fill_(7.0))

    kernels = compiler.compile(run)
    assert len(kernels) == 1
    for compiled in kernels:
        compiled.result(timeout=60)
    assert (found[0] == 7).all()
    assert compiler.compile(run) == []  # it is there now
    torch.testing.assert_close(rms_norm(x, weight, eps, torch.float32), expected)


@kernel
def _add_one(counts):
    tl.store(counts, tl.load(counts) + 1)


def test_kernels_that_are_there_are_not_launched_while_others_are_noted():
    counts = torch.zeros(4, dtype=torch.int32, device=DEVICE)
    _add_one[(1,)](counts)
    assert KernelCompiler(threads=1).compile(lambda: _add_one[(1,)](counts)) == []
    assert counts[0] == 1


class World:
    """A runner and a scheduler, driven step by step."""

    def __init__(self, decoder, max_batch, context=600, step_tokens=512):
        blocks = max_batch * -(-context // 16) + 16
        self.kv = KvCache.allocate(decoder.spec, blocks, 16, decoder.dtype, DEVICE)
        self.pool = BlockPool(blocks, 16, self.kv.copy_block)
        self.runner = CudaRunner(decoder, self.kv, [1], max_batch, context, 0, step_tokens)
        self.scheduler = Scheduler(self.pool, max_batch, step_tokens)
        self.in_flight = []
        self.requests = []

    def prepare(self):
        while (pause := self.runner.prepare()) is not None:
            time.sleep(pause)

    def add(self, prompt, **params):
        params = SamplingParams(max_new_tokens=20, **params)
        number = len(self.requests)
        request = Request(
            number=number, prompt_ids=tuple(prompt), params=params, seed=number,
            max_tokens=len(prompt) + 20, namespace=str(number), penalized_ids=tuple(prompt),
        )  # fmt: skip
        self.requests.append(Sequence(request, BlockTable(self.pool, request.namespace)))
        self.scheduler.add(self.requests[-1])

    def step(self):
        step = self.scheduler.plan()
        if step.sequences:
            self.in_flight.append((step, self.runner.launch(step.plan)))
        if self.in_flight and (len(self.in_flight) == 2 or not step.sequences):
            settled, handle = self.in_flight.pop(0)
            for sequence, epoch, item, output in settled.parts(self.runner.collect(handle)):
                if sequence.epoch != epoch:
                    continue
                assert output.error is None
                assert len(output.tokens) == item.draws
                self.scheduler.advance(sequence, item, output.tokens)
                if len(sequence.token_ids) == sequence.max_tokens:
                    self.scheduler.remove(sequence)
        return bool(step.sequences or self.in_flight)


@pytest.fixture(scope="module")
def decoder():
    spec = named_spec("llama-160m", num_hidden_layers=2, vocab_size=4000)
    return Decoder.random(spec, torch.float32, DEVICE, seed=3)


@pytest.mark.parametrize(
    ("speakers", "lengths", "step_tokens"),
    [*((each, (1, 17, 300, 40), 512) for each in (1, 7, 30, 70, 140)),
     *((each, (1500, 1, 700, 900, 40), 2048) for each in (0, 8, 32))],
)  # fmt: skip
@torch.inference_mode()
def test_graphs_give_what_eager_steps_give(decoder, speakers, lengths, step_tokens):
    draw = torch.Generator().manual_seed(speakers)

    def prompt(length):
        return torch.randint(5, 4000, (length,), generator=draw).tolist()

    prompts = [prompt(n % 9 + 1) for n in range(speakers)]
    late = [prompt(length) for length in lengths]
    # Cool, so that few tokens are near enough to each other for rounding to decide between them.
    various = [{}, {"top_k": 0, "top_p": 0.9}, {"repetition_penalty": 1.2}]
    various = [{"temperature": 0}, *({"temperature": 0.1, **params} for params in various)]
    found = []
    for has_graphs in (False, True):
        world = World(decoder, speakers + len(late), max(lengths) + 300, step_tokens)
        if has_graphs:
            world.prepare()
        else:
            world.runner._graphs.get = lambda shape: None
        for number, each in enumerate(prompts):
            world.add(each, **various[number % 4])
        for _ in range(6):
            world.step()
        for number, each in enumerate(late):
            world.add(each, **various[number % 4])
        while world.step():
            pass
        world.scheduler.check()
        found.append([request.token_ids for request in world.requests])
    assert found[0] == found[1]
    largest = max(getattr(shape, "tokens", 0) for shape in world.runner._graphs._graphs)
    assert largest == step_tokens
    assert all(len(request.token_ids) == request.max_tokens for request in world.requests)
