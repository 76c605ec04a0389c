"""Rotation angles of positions: frequencies and how they are stretched for long contexts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from townsfolk.models.spec import AttentionSpec, RopeSpec, RopeType

_FIRST_TABLE = 1024  # positions


class Rotations:
    """The rotations of a decoder's layers, which may differ in their frequencies."""

    def __init__(
        self, layers: Sequence[AttentionSpec], context_length: int, device: torch.device
    ) -> None:
        """Compute the frequencies.

        Args:
            layers: each layer's attention.
            context_length: the longest sequence that the engine will take, in tokens; LongRoPE
                has other frequencies for long ones.
            device: where angles are computed.
        """
        kinds = list(dict.fromkeys((layer.rope, layer.head_dim) for layer in layers))
        self._angles = [
            RotaryAngles(rope, head_dim, context_length, device) for rope, head_dim in kinds
        ]
        self._kinds = [kinds.index((layer.rope, layer.head_dim)) for layer in layers]
        # On a CPU, where ten small operations cost more than a decode step has to spare.
        self._known = [torch.empty(0)] * len(kinds) if device.type == "cpu" else None

    def __call__(self, positions: Tensor) -> list[Tensor]:
        """Return each layer's rotation of positions [tokens] int64: [tokens, head_dim / 2, 2] fp32.

        Layers that turn alike share a tensor.
        """
        if self._known is None:
            tables = [angles(positions) for angles in self._angles]
        else:
            needed = int(positions.numpy().max(initial=0)) + 1
            tables = [known.index_select(0, positions) for known in self._tables(needed)]
        return [tables[kind] for kind in self._kinds]

    def _tables(self, needed: int) -> list[Tensor]:
        """Return the rotations of all positions up to `needed` and some more."""
        known = self._known
        assert known is not None
        if len(known[0]) < needed:
            with torch.inference_mode(False), torch.no_grad():  # training may use them
                positions = torch.arange(max(_FIRST_TABLE, 2 ** (needed - 1).bit_length()))
                known = self._known = [angles(positions) for angles in self._angles]
        return known


class RotaryAngles:
    """Cosines and sines of every position's rotation angles; pairs that don't turn have 1 and 0.

    An angle depends on the position alone, so keys stay valid in the pages however long their
    sequence becomes. For two types of scaling that is a choice. For dynamic NTK (Peng et al. 2023,
    arXiv:2309.00071, section 3.3) transformers takes one base for all tokens of a forward pass,
    from the length so far. Here the token at position p takes the base of length p + 1. Within the
    original context the two are equal, and beyond it this is what transformers computes when it
    decodes a token at a time with a cache; it differs from transformers where a prompt reaches past
    the original context in one pass. For LongRoPE (Ding et al. 2024, arXiv:2402.13753) transformers
    takes the long factors for a pass that reaches past the original context; here they are taken
    for all sequences of an engine whose context does, and the short ones for those of any other.
    """

    def __init__(
        self, spec: RopeSpec | None, head_dim: int, context_length: int, device: torch.device
    ) -> None:
        self._spec = spec
        dim = spec.dim if spec is not None else 0
        self._still = (head_dim - dim) // 2  # pairs that don't turn
        exponents = torch.arange(0, dim, 2, device=device).float() / max(dim, 1)
        self._exponents = exponents  # [dim / 2]
        self._dynamic_power = dim / (dim - 2) if dim > 2 else 1.0
        self._inverse = exponents  # [dim / 2]
        if spec is not None:
            self._inverse = _frequencies(exponents, spec, context_length)

    def __call__(self, positions: Tensor) -> Tensor:
        """Return cosines and sines, [tokens, head_dim / 2, 2] fp32, of positions [tokens] int64."""
        steps = positions[:, None].float()
        angles = steps * self._inverse_at(steps)
        turns = torch.stack((angles.cos(), angles.sin()), dim=-1)
        if self._spec is not None and self._spec.magnitude != 1.0:
            turns = turns * self._spec.magnitude
        if not self._still:
            return turns
        still = turns.new_zeros(turns.shape[0], self._still, 2)
        still[..., 0] = 1.0
        return torch.cat((turns, still), dim=1)

    def _inverse_at(self, steps: Tensor) -> Tensor:
        spec = self._spec
        if spec is None or spec.type is not RopeType.DYNAMIC:
            return self._inverse
        length = (steps + 1.0).clamp(min=spec.original_context)  # [tokens, 1]
        growth = spec.factor * length / spec.original_context - (spec.factor - 1.0)
        base = spec.theta * growth**self._dynamic_power
        return 1.0 / base**self._exponents


def _frequencies(exponents: Tensor, spec: RopeSpec, context_length: int) -> Tensor:
    """Return radians a position, [dim / 2]; of DYNAMIC those within the original context."""
    wavelengths = spec.theta**exponents
    inverse = 1.0 / wavelengths
    if spec.type is RopeType.LINEAR:
        return inverse / spec.factor
    if spec.type is RopeType.LLAMA3:
        # Long wavelengths are divided, short ones kept, those between are blended.
        rotations = spec.original_context * inverse / (2 * math.pi)  # in the original context
        span = spec.high_freq_factor - spec.low_freq_factor
        kept = ((rotations - spec.low_freq_factor) / span).clamp(0.0, 1.0)
        return (1.0 - kept) * inverse / spec.factor + kept * inverse
    if spec.type is RopeType.YARN:
        # As llama3, but the blend is linear in the dimension.
        low, high = _yarn_dim(spec.beta_fast, spec), _yarn_dim(spec.beta_slow, spec)
        if spec.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, spec.dim - 1)
        index = torch.arange(len(inverse), device=inverse.device).float()
        kept = 1.0 - ((index - low) / max(high - low, 0.001)).clamp(0.0, 1.0)
        return (1.0 - kept) * inverse / spec.factor + kept * inverse
    if spec.type is RopeType.LONGROPE:
        is_long = context_length > spec.original_context
        factors = spec.long_factors if is_long else spec.short_factors
        return 1.0 / (torch.tensor(factors, device=inverse.device) * wavelengths)
    return inverse


def _yarn_dim(rotations: float, spec: RopeSpec) -> float:
    """Return the (fractional) pair that turns so many times in the original context."""
    wavelength = spec.original_context / (rotations * 2 * math.pi)
    return spec.dim * math.log(wavelength) / (2 * math.log(spec.theta))
