"""Choosing tokens: parameters, penalties, filters, seeded draws and log-probabilities."""

from townsfolk.sampling.backend import SamplerBackend, SlotSampling
from townsfolk.sampling.params import InvalidSamplingError, SamplingParams
from townsfolk.sampling.report import SampledTokens, TokenInfo, prompt_logprobs, token_infos
from townsfolk.sampling.sampler import Sampler

__all__ = [
    "InvalidSamplingError",
    "SampledTokens",
    "Sampler",
    "SamplerBackend",
    "SamplingParams",
    "SlotSampling",
    "TokenInfo",
    "prompt_logprobs",
    "token_infos",
]
