"""transformers as the peer: the same shape, random weights, `generate` with a KV cache.

The only module that imports transformers, and only when it is asked for. The peer runs in a process
of its own, which sleeps while it has nothing to do: OpenMP's teams of two libraries in one process
would slow both down.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any, cast

import torch

from townsfolk.bench.decode import Rates


class TransformersContestant:
    """Hugging Face transformers, in a child process."""

    name = "transformers"

    def __init__(
        self, shape: Mapping[str, Any], dtype: torch.dtype, device: torch.device, threads: int
    ) -> None:
        """Make a model of the shape: the contents of a `config.json`."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, dict(shape), dtype, device, threads), daemon=True
        )
        self._process.start()
        theirs.close()

    def run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        """See `Contestant`."""
        self._pipe.send((prompts, new_tokens))
        rates: Rates = self._pipe.recv()
        return rates

    def close(self) -> None:
        """End the child process."""
        self._pipe.close()
        self._process.join()


def _serve(
    pipe: Connection, shape: dict[str, Any], dtype: torch.dtype, device: torch.device, threads: int
) -> None:
    torch.set_num_threads(threads)
    model = _model(shape, dtype, device)
    while True:
        try:
            prompts, new_tokens = pipe.recv()
        except EOFError:
            return
        first = _generate(model, prompts, 1)
        whole = _generate(model, prompts, new_tokens)
        pipe.send(
            Rates(
                decode=len(prompts) * (new_tokens - 1) / max(whole - first, 1e-9),
                prefill=sum(map(len, prompts)) / first,
            )
        )


def _model(shape: dict[str, Any], dtype: torch.dtype, device: torch.device) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    fields = {name: value for name, value in shape.items() if name != "model_type"}
    config = AutoConfig.for_model(shape["model_type"], **fields)
    with torch.device(device):
        model = cast(Any, AutoModelForCausalLM).from_config(config)  # its own annotations lack `to`
    return model.to(dtype).eval()


@torch.inference_mode()
def _generate(model: Any, prompts: Sequence[Sequence[int]], new_tokens: int) -> float:
    ids = torch.tensor(prompts, device=model.device)  # [batch, prompt]
    begin = time.perf_counter()
    model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new_tokens,
        min_new_tokens=new_tokens,
        do_sample=False,
        pad_token_id=0,
    )
    if ids.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begin
