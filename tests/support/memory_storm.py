"""A process that runs an engine under many kinds of requests and reports what it took of the GPU.

Arguments: a JSON object of a model (directory or named shape), layers, dtype, settings, and whether
to let it be released in between. Prints one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import threading

import torch
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, ModelState
from townsfolk.engine.nvml import process_bytes
from townsfolk.models import NAMED_SHAPES, Decoder, named_spec
from townsfolk.sampling import SamplingParams

MIB = 2**20
KINDS = [
    (SamplingParams(temperature=0, max_new_tokens=12), [2000, 700, 300] + [40] * 100, False),
    (SamplingParams(top_k=40, seed=1, max_new_tokens=12), [100] * 100, False),
    (SamplingParams(top_k=0, top_p=0.9, seed=1, max_new_tokens=12), [100] * 100, False),
    (
        SamplingParams(
            top_k=0, top_p=0.9, min_p=0.01, repetition_penalty=1.1, frequency_penalty=0.1,
            logprobs=20, seed=1, max_new_tokens=12,
        ),
        [100] * 100,
        False,
    ),
    (SamplingParams(logprobs=20, seed=1, max_new_tokens=4), [1500] * 3, True),
]  # fmt: skip


class Watch:
    """The most that the driver says this process took."""

    def __init__(self) -> None:
        self._uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
        self.peak = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            self.peak = max(self.peak, self.now())

    def now(self) -> int:
        return process_bytes(self._uuid) or 0

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


async def storm(engine: Engine, vocab_size: int) -> list[list[int]]:
    draw = random.Random(0)
    found: list[list[int]] = []
    for params, lengths, echo in KINDS:
        prompts = [
            [draw.randrange(5, vocab_size) for _ in range(min(n, engine.info.context_length - 20))]
            for n in lengths
        ]
        replies = await asyncio.gather(*(engine.generate(p, params, echo=echo) for p in prompts))
        found += [list(reply.token_ids) for reply in replies]
    await engine.check()
    return found


async def until_released(engine: Engine) -> None:
    async with asyncio.timeout(300):
        while engine.stats().model_state is not ModelState.RELEASED:
            await asyncio.sleep(0.02)


def main() -> None:
    job = json.loads(sys.argv[1])
    watch = Watch()
    try:
        settings = EngineSettings(device="cuda", dtype=job["dtype"], **job["settings"])
        if job["model"] in NAMED_SHAPES:
            layers = {"num_hidden_layers": job["layers"]} if "layers" in job else {}
            spec = named_spec(job["model"], **layers)
            decoder = Decoder.random(spec, getattr(torch, job["dtype"]), "cuda:0")
            engine = Engine(decoder, None, settings, name=job["model"])
            vocab_size = spec.vocab_size
            del decoder
        else:
            engine = Engine.from_pretrained(job["model"], settings)
            assert engine.tokenizer is not None
            vocab_size = engine.tokenizer.vocab_size
        plan = engine._core.plan
        report: dict[str, object] = {"plan": str(plan)}
        report["host peak when loaded"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        report["at start"] = [watch.now() / MIB, torch.cuda.memory_reserved() / MIB]
        texts = asyncio.run(storm(engine, vocab_size))
        report["after"] = [watch.now() / MIB, torch.cuda.memory_reserved() / MIB]
        report["peak reserved"] = torch.cuda.max_memory_reserved() / MIB
        report["peak process"] = watch.peak / MIB
        work = torch.cuda.max_memory_reserved() - plan.weights - plan.kv
        report["work planned and taken"] = [plan.work / MIB, work / MIB]
        cuda = watch.now() - torch.cuda.memory_reserved()
        report["CUDA planned and taken"] = [plan.cuda / MIB, cuda / MIB]
        report["stats"] = engine.stats().memory_used_mib
        if settings.idle_release_s:
            asyncio.run(until_released(engine))
            report["released"] = [watch.now() / MIB, torch.cuda.memory_reserved() / MIB]
            report["same text"] = texts == asyncio.run(storm(engine, vocab_size))
            report["peak process again"] = watch.peak / MIB
        engine.close()
        report["closed"] = [watch.now() / MIB, torch.cuda.memory_reserved() / MIB]
        print(json.dumps(report), flush=True)
    finally:
        watch.end()


if __name__ == "__main__":
    main()
