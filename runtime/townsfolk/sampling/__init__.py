"""Choosing tokens: parameters, penalties, filters, seeded draws and log-probabilities."""

from townsfolk.sampling.params import InvalidSamplingError, SamplingParams
from townsfolk.sampling.sampler import SampledTokens, Sampler, prompt_logprobs

__all__ = [
    "InvalidSamplingError",
    "SampledTokens",
    "Sampler",
    "SamplingParams",
    "prompt_logprobs",
]
