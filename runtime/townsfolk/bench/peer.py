"""transformers as the peer: the same shape, random weights, `generate` with a KV cache.

The only module that imports transformers, and only when it is asked for. The peer runs in a process
of its own, which sleeps while it has nothing to do: OpenMP's teams of two libraries in one process
would slow both down.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, cast

import torch

from townsfolk.bench.decode import Rates
from townsfolk.models import DecoderConfig


class TransformersContestant:
    """Hugging Face transformers, in a child process."""

    name = "transformers"

    def __init__(
        self, config: DecoderConfig, dtype: torch.dtype, device: torch.device, threads: int
    ) -> None:
        """Make a model of the shape; its rope scaling is left out, as it costs no time."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, config, dtype, device, threads), daemon=True
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
    pipe: Connection, config: DecoderConfig, dtype: torch.dtype, device: torch.device, threads: int
) -> None:
    torch.set_num_threads(threads)
    model = _model(config, dtype, device)
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


def _model(config: DecoderConfig, dtype: torch.dtype, device: torch.device) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_kv_heads,
        head_dim=config.head_dim,
        tie_word_embeddings=config.tie_embeddings,
        max_position_embeddings=4096,
    )
    with torch.device(device):
        model = cast(Any, LlamaForCausalLM(shape))  # its own annotations lack `to`
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
