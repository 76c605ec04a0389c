"""Rotation angles of positions: frequencies and how they are stretched for long contexts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from townsfolk.models.config import RopeConfig, RopeType


class RotaryAngles:
    """Cosines and sines of every position's rotation angles.

    An angle depends on the position alone, so keys stay valid in the pages however long their
    sequence becomes. For dynamic NTK scaling (Peng et al. 2023, arXiv:2309.00071, section 3.3)
    that is a choice: transformers takes one base for all tokens of a forward pass, from the length
    so far. Here the token at position p takes the base of length p + 1. Within the original context
    the two are equal, and beyond it this is what transformers computes when it decodes a token at
    a time with a cache; it differs from transformers where a prompt reaches past the original
    context in one pass.
    """

    def __init__(self, config: RopeConfig, head_dim: int, device: torch.device) -> None:
        self._config = config
        exponents = torch.arange(0, head_dim, 2, device=device).float() / head_dim
        self._exponents = exponents  # [head_dim / 2]
        self._dynamic_power = head_dim / (head_dim - 2) if head_dim > 2 else 1.0
        self._inverse = _scaled(1.0 / config.theta**exponents, config)  # [head_dim / 2]

    def __call__(self, positions: Tensor) -> Tensor:
        """Cosine and sine, [tokens, head_dim / 2, 2] fp32, of `positions` [tokens] int64."""
        steps = positions[:, None].float()
        angles = steps * self._inverse_at(steps)
        return torch.stack((angles.cos(), angles.sin()), dim=-1)

    def _inverse_at(self, steps: Tensor) -> Tensor:
        config = self._config
        if config.type is not RopeType.DYNAMIC:
            return self._inverse
        length = (steps + 1.0).clamp(min=config.original_context)  # [tokens, 1]
        growth = config.factor * length / config.original_context - (config.factor - 1.0)
        base = config.theta * growth**self._dynamic_power
        return 1.0 / base**self._exponents


def _scaled(inverse: Tensor, config: RopeConfig) -> Tensor:
    if config.type is RopeType.LINEAR:
        return inverse / config.factor
    if config.type is not RopeType.LLAMA3:
        return inverse
    # Llama 3.1: long wavelengths are divided, short ones kept, those between are blended.
    rotations = config.original_context * inverse / (2 * math.pi)  # in the original context
    span = config.high_freq_factor - config.low_freq_factor
    blend = ((rotations - config.low_freq_factor) / span).clamp(0.0, 1.0)
    return (1.0 - blend) * inverse / config.factor + blend * inverse
