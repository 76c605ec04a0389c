"""Choosing tokens: parameters, penalties, filters, seeded draws and log-probabilities."""

from townsfolk.sampling.params import InvalidSamplingError, SamplingParams
from townsfolk.sampling.report import SampledTokens, prompt_logprobs
from townsfolk.sampling.sampler import Sampler

__all__ = [
    "InvalidSamplingError",
    "SampledTokens",
    "Sampler",
    "SamplingParams",
    "prompt_logprobs",
]
