"""transformers as the peer: the same shape, random weights, `generate` with a KV cache.

The only module that imports transformers, and only when it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

from townsfolk.bench.child import ChildContestant, Complete
from townsfolk.bench.decode import Rates


def transformers_contestant(
    shape: Mapping[str, Any], dtype: torch.dtype, device: torch.device, threads: int
) -> ChildContestant:
    """Return Hugging Face transformers with a model of a shape: what a `config.json` says."""
    return ChildContestant("transformers", _load, dict(shape), dtype, device, threads)


def _load(
    shape: dict[str, Any], dtype: torch.dtype, device: torch.device, threads: int
) -> Complete:
    torch.set_num_threads(threads)
    model = _model(shape, dtype, device)

    def complete(prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        first = _generate(model, prompts, 1)
        whole = _generate(model, prompts, new_tokens)
        return Rates(
            decode=len(prompts) * (new_tokens - 1) / max(whole - first, 1e-9),
            prefill=sum(map(len, prompts)) / first,
        )

    return complete


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
