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


def contrast_(logits: Tensor, against: Tensor, strength: float | Tensor) -> None:
    """Move logits away from others, in place.

    Args:
        logits: [vocab], of the prompt; or [rows, vocab].
        against: as `logits`, of the prompt that lacks something.
        strength: how often the difference of their log-probabilities is added; 0 changes only what
            is not plausible, which goes below all that is. Of rows [rows, 1].
    """
    own = logits.float().log_softmax(-1)
    implausible = own < own.amax(-1, keepdim=True) + math.log(PLAUSIBLE)
    moved = own + strength * (own - against.float().log_softmax(-1))
    logits.copy_(own.sub(_FAR).where(implausible, moved))
