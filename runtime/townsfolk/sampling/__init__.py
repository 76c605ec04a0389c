"""Choosing tokens: parameters, penalties, filters, seeded draws and log-probabilities."""

import importlib
from typing import TYPE_CHECKING

from townsfolk.sampling.params import InvalidSamplingError, SamplingParams
from townsfolk.sampling.token import TokenInfo, plain_token

if TYPE_CHECKING:
    from townsfolk.sampling.backend import SamplerBackend, SlotSampling
    from townsfolk.sampling.report import SampledTokens, prompt_logprobs, token_infos
    from townsfolk.sampling.sampler import Sampler

__all__ = [
    "InvalidSamplingError",
    "SampledTokens",
    "Sampler",
    "SamplerBackend",
    "SamplingParams",
    "SlotSampling",
    "TokenInfo",
    "plain_token",
    "prompt_logprobs",
    "token_infos",
]

# With these comes PyTorch, which takes a second: they are imported when they are asked for.
_WITH_TENSORS = {
    "SampledTokens": "report",
    "Sampler": "sampler",
    "SamplerBackend": "backend",
    "SlotSampling": "backend",
    "prompt_logprobs": "report",
    "token_infos": "report",
}


def __getattr__(name: str) -> object:
    if name in _WITH_TENSORS:
        return getattr(importlib.import_module(f"{__name__}.{_WITH_TENSORS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
