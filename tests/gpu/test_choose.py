"""How likely options are behind a prompt, on a GPU: as on the CPU, with graphs and before."""

import asyncio
import logging
import random

import pytest
import torch
from townsfolk.bench.checkpoint import write_checkpoint
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, cuda_runner, eager_runner
from townsfolk.engine.score_graph import ScoreGraph
from townsfolk.engine.scoring import score
from townsfolk.models import NAMED_SHAPES
from townsfolk.sampling import SamplingParams

VOCAB = NAMED_SHAPES["llama-tiny"]["vocab_size"]
LENGTHS = (  # of a prompt's options
    [8] * 64,
    [1],
    [1, 2, 7, 20, 64, 100],
    [3] * 150,
    [200, 1, 90],
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("llama")
    write_checkpoint(directory, NAMED_SHAPES["llama-tiny"], torch.float32, torch.device("cpu"))
    return directory


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    # The CPU's figures are what is expected: operation by operation, as to compile its steps takes
    # a minute where nobody did before.
    monkeypatch.setattr(eager_runner, "compile_steps", lambda *_: None)
    monkeypatch.setattr(eager_runner, "compile_prompts", lambda *_: None)


def some(choose, count):
    return [choose.randrange(VOCAB - 5) for _ in range(count)]


async def scores(engine):
    """Log-probabilities of the tokens of all options behind prompts of several lengths."""
    choose = random.Random(7)
    found = []
    for length in (1, 2, 16, 75, 200):
        prompt = some(choose, length)
        for lengths in LENGTHS:
            options = [some(choose, count) for count in lengths]
            completions = await score(engine, prompt, options)
            found += [[each.logprob for each in one.prompt_tokens] for one in completions]
    return found


def start(model, device):
    settings = EngineSettings(device=device, dtype="float32", kv_memory_mib=256, max_batch=64)
    return Engine.from_pretrained(model, settings)


async def test_scores_are_the_cpu_s_in_graphs_and_without(model, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "townsfolk")
    on_cpu = start(model, "cpu")
    expected = await scores(on_cpu)
    await on_cpu.aclose()
    engine = start(model, "cuda")
    async with asyncio.timeout(90):
        while "graphs are ready" not in caplog.text:
            await asyncio.sleep(0.05)
    used = []
    launch = ScoreGraph.launch
    monkeypatch.setattr(ScoreGraph, "launch", lambda *each: used.append(1) or launch(*each))
    for in_graphs in (True, False):
        if not in_graphs:
            monkeypatch.setattr(cuda_runner, "score_in_graphs", lambda *_: None)
        found = await scores(engine)
        for one, other in zip(found, expected, strict=True):
            assert one == pytest.approx(other, abs=1e-4)
        assert bool(used) == in_graphs
        used.clear()
    await engine.check()
    await engine.aclose()


async def test_replies_beside_it_are_not_concerned(model):
    engine = start(model, "cuda")
    choose = random.Random(9)
    prompts = [some(choose, 40 + n) for n in range(6)]
    params = SamplingParams(temperature=0.0, max_new_tokens=60, min_new_tokens=60)

    async def replies():
        generations = [engine.submit(prompt, params) for prompt in prompts]
        return [
            [*each.token_ids]
            for each in await asyncio.gather(*(one.result() for one in generations))
        ]

    alone = await replies()
    speaking = asyncio.create_task(replies())
    while not speaking.done():
        options = [some(choose, 5) for _ in range(20)]
        for completion in await score(engine, prompts[0], options):
            assert len(completion.prompt_tokens) == 5
    assert await speaking == alone
    await engine.check()
    await engine.aclose()
