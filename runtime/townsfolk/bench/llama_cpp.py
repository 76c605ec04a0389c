"""llama.cpp as the peer: its server's completions of a GGUF file, on the CPU.

The only module that imports xllamacpp, which is llama.cpp ready-built, and only when it is asked
for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from townsfolk.bench.answer import Answer
from townsfolk.bench.child import ChildContestant, Complete
from townsfolk.bench.decode import Rates, rates_of


def llama_cpp_contestant(file: Path, threads: int, requests: int, tokens: int) -> ChildContestant:
    """Return llama.cpp with a model.

    Args:
        file: the model, GGUF.
        threads: it computes with.
        requests: the most at once.
        tokens: the longest prompt and reply together.
    """
    return ChildContestant("llama.cpp", _load, file, threads, requests, tokens)


def _load(file: Path, threads: int, requests: int, tokens: int) -> Complete:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.n_gpu_layers = 0
    params.n_ctx = requests * (tokens + 16)
    params.n_parallel = requests
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.kv_unified = False
    params.cache_prompt = False
    params.verbosity = 0
    server = xllamacpp.Server(params)

    def complete(prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        with ThreadPoolExecutor(len(prompts)) as threads:
            answers = list(threads.map(lambda each: _ask(server, each, new_tokens), prompts))
        return rates_of(answers, prompts, new_tokens)

    return complete


def _ask(server: Any, prompt: Sequence[int], new_tokens: int) -> Answer:
    """Complete a prompt greedily, with exactly so many tokens."""
    answer = Answer(0, asked=time.perf_counter())

    def receive(message: dict[str, Any]) -> bool:
        if "usage" in message:
            answer.generated = message["usage"]["completion_tokens"]
        if not message["choices"][0]["finish_reason"]:
            answer.receive(time.perf_counter(), 1)
        return False  # go on

    server.handle_completions(
        {
            "prompt": list(prompt),
            "n_predict": new_tokens,
            "temperature": 0.0,
            "ignore_eos": True,
            "cache_prompt": False,
            "stream": True,
        },
        receive,
    )
    return answer
