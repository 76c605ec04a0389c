"""One request's fault is nobody else's on a GPU either, and a dead device ends the engine."""

import asyncio
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, GenerationFailedError, cuda_runner
from townsfolk.engine.cuda_graphs import DecodeGraph
from townsfolk.engine.cuda_runner import CudaRunner
from townsfolk.sampling import SamplingParams, triton_backend

BAD_SEED = 666
GOOD = SamplingParams(temperature=0, max_new_tokens=40, min_new_tokens=40, seed=1)
SETTINGS = EngineSettings(device="cuda", dtype="float32", kv_memory_mib=256)


@pytest.fixture
async def engine():
    engine = Engine.from_pretrained("starter", SETTINGS)
    yield engine
    await engine.check()
    await engine.aclose()


async def run_beside_good_ones(engine, bad_params, **options):
    """The error of one request, beside six that must be as if it were not there."""
    expected = (await engine.generate([1, 2, 3], GOOD)).token_ids
    good = [engine.submit([1, 2, 3], GOOD) for _ in range(3)]
    bad = engine.submit([1, 2, 3], bad_params, **options)
    good += [engine.submit([1, 2, 3], GOOD) for _ in range(3)]
    with pytest.raises(GenerationFailedError) as error:
        await bad.result()
    found = [(await generation.result()).token_ids for generation in good]
    assert found == [expected] * 6
    assert not engine.failed.done()
    return error.value


async def test_a_request_that_cannot_be_admitted_fails_alone(engine, monkeypatch):
    draft = triton_backend._RowDraft

    def refuse(joining, *args):
        if joining.seed == BAD_SEED:
            raise RuntimeError("no such row")
        return draft(joining, *args)

    monkeypatch.setattr(triton_backend, "_RowDraft", refuse)
    error = await run_beside_good_ones(engine, replace(GOOD, seed=BAD_SEED))
    assert str(error.__cause__) == "no such row"


async def test_a_prompt_that_needs_too_much_memory_to_be_scored_fails_alone(engine, monkeypatch):
    def refuse(decoder, items, hidden):
        raise torch.OutOfMemoryError("not so much")

    monkeypatch.setattr(cuda_runner, "score_prompts", refuse)
    error = await run_beside_good_ones(engine, replace(GOOD, logprobs=3), echo=True)
    assert isinstance(error.__cause__, torch.OutOfMemoryError)


async def test_a_sequence_that_fits_in_no_step_fails_alone(engine, monkeypatch):
    """Whatever is launched with it fails, as if there were no memory for all of it."""
    together, eager = CudaRunner._run_together, CudaRunner._run_eagerly

    def is_bad(step, places):
        # Those of the good ones stay below 45.
        return any(step.items[place].start > 60 for place in places)

    def refuse(of):
        def run(self, step, decodes, prompts):
            if is_bad(step, (*decodes, *prompts)):
                raise torch.OutOfMemoryError("not so much")
            of(self, step, decodes, prompts)

        return run

    monkeypatch.setattr(CudaRunner, "_run_together", refuse(together))
    monkeypatch.setattr(CudaRunner, "_run_eagerly", refuse(eager))
    longer = replace(GOOD, max_new_tokens=200, min_new_tokens=200)
    assert "not so much" in str(await run_beside_good_ones(engine, longer))


async def test_who_asks_for_prompt_scores_leaves_others_in_their_graphs(engine, monkeypatch):
    await asyncio.sleep(4)  # for the graphs
    launches = []
    launch = DecodeGraph.launch

    def note(self, items):
        launches.append(len(items))
        return launch(self, items)

    monkeypatch.setattr(DecodeGraph, "launch", note)
    speaking = engine.submit([1, 2, 3], replace(GOOD, max_new_tokens=400, min_new_tokens=400))
    await anext(speaking)
    steps = len(launches)
    scored = engine.submit(list(range(5, 300)), replace(GOOD, logprobs=1), echo=True)
    completion = await scored.result()
    assert len(completion.prompt_tokens) == 295
    assert all(token.logprob is not None for token in completion.prompt_tokens)
    assert len(launches) > steps
    assert launches[steps:].count(1) >= 1  # the one that speaks, in the step of the scores
    await speaking.result()


DEAD = """
import asyncio, os, sys, traceback
import torch, triton
import triton.language as tl
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, EngineFailedError
from townsfolk.sampling import SamplingParams

@triton.jit
def _write(to, offset):
    tl.store(to + tl.load(offset), 1)

async def main():
    engine = Engine.from_pretrained("starter", EngineSettings(device="cuda", kv_memory_mib=64))
    to = torch.zeros(1, device="cuda")
    near, far = (torch.tensor([offset], device="cuda") for offset in (0, 1 << 44))
    _write[(1,)](to, near)  # to compile it takes longer than the replies
    params = SamplingParams(max_new_tokens=300, min_new_tokens=300)
    generations = [engine.submit([1, 2, 3], params) for _ in range(3)]
    await anext(generations[0])
    _write[(1,)](to, far)
    async with asyncio.timeout(60):
        for generation in generations:
            try:
                await generation.result()
            except EngineFailedError as error:
                print(error, flush=True)
            else:
                sys.exit("it went on")
        await asyncio.wrap_future(engine.failed)
        await engine.aclose()

status = 1
try:
    asyncio.run(main())
    status = 0
except BaseException:
    traceback.print_exc()
finally:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # nothing can be cleaned up on a dead device
"""


def test_a_device_that_computes_nothing_any_more_is_told_to_all(tmp_path):
    script = tmp_path / "dead.py"  # Triton wants a file
    script.write_text(DEAD)
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=170)
    assert run.returncode == 0, run.stderr[-3000:]
    assert run.stdout.count("computes nothing any more") == 3
