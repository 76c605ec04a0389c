"""transformers as the peer: the same shape, random weights, `generate` with a KV cache.

The only module that imports transformers, and only when it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, cast

import torch

from townsfolk.bench.decode import Rates
from townsfolk.models import DecoderConfig


class TransformersContestant:
    """Hugging Face transformers, in this process."""

    name = "transformers"

    def __init__(self, config: DecoderConfig, dtype: torch.dtype, device: torch.device) -> None:
        """Make a model of the shape; its rope scaling is left out, as it costs no time."""
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
        self._model = model.to(dtype).eval()

    def run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        """See `Contestant`."""
        first = self._generate(prompts, 1)
        whole = self._generate(prompts, new_tokens)
        return Rates(
            decode=len(prompts) * (new_tokens - 1) / max(whole - first, 1e-9),
            prefill=sum(map(len, prompts)) / first,
        )

    @torch.inference_mode()
    def _generate(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> float:
        ids = torch.tensor(prompts, device=self._model.device)  # [batch, prompt]
        begin = time.perf_counter()
        self._model.generate(
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
