"""Contrastive decoding: a distribution, less of what another prompt would have made as likely.

Li et al., "Contrastive Decoding" (2022), with the plausibility constraint of its section 3.2 and,
as in classifier-free guidance, the model's own distribution to begin from.
"""

from __future__ import annotations

import math

from torch import Tensor

# Tokens less likely than this share of the likeliest are left alone by the contrast: what is
# unlikely under both prompts has large ratios that say nothing.
PLAUSIBLE = 0.1
_FAR = 1e4  # below all others, and above what a mask rules out


def contrast_(logits: Tensor, against: Tensor, strength: float) -> None:
    """Move logits away from others, in place.

    Args:
        logits: [vocab], of the prompt.
        against: [vocab], of the prompt that lacks something.
        strength: how often the difference of their log-probabilities is added; 0 changes only what
            is not plausible, which goes below all that is.
    """
    own = logits.float().log_softmax(-1)  # [vocab]
    implausible = own < own.amax() + math.log(PLAUSIBLE)  # [vocab]
    moved = own + strength * (own - against.float().log_softmax(-1))  # [vocab]
    moved[implausible] = own[implausible] - _FAR
    logits.copy_(moved)
