"""Counter-based random numbers: Philox4x32-10.

Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); the constants
are those of the Random123 library. The n-th number of a seed is a pure function of both, so a
draw depends on nothing else that runs.
"""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
WORD = 0xFFFFFFFF


def philox4x32(counter: Tensor, key: Tensor) -> Tensor:
    """Compute Philox4x32-10 in 64-bit integer arithmetic.

    Args:
        counter: [4, n] int64, each a 32-bit word.
        key: [2, n] int64, each a 32-bit word.

    Returns:
        [4, n] int64, each a random 32-bit word.
    """
    device = counter.device
    multipliers = torch.tensor(MULTIPLIERS, dtype=torch.int64, device=device)[:, None]  # [2, 1]
    steps = torch.tensor(KEY_STEPS, dtype=torch.int64, device=device)[:, None]  # [2, 1]
    rounds = torch.arange(ROUNDS, dtype=torch.int64, device=device)[:, None, None]
    keys = (key + steps * rounds) & WORD  # [rounds, 2, n]
    multiplied, mixed = counter[0::2], counter[1::2]  # words 0 and 2, words 1 and 3: [2, n]
    for round_key in keys:
        # The product of two words overflows into the sign, which the mask takes off again.
        product = multiplied * multipliers
        high, low = (product >> 32) & WORD, product & WORD
        multiplied, mixed = high.flip(0) ^ mixed ^ round_key, low.flip(0)
    return torch.stack((multiplied[0], mixed[0], multiplied[1], mixed[1]))


def uniforms(seeds: Tensor, indices: Tensor) -> Tensor:
    """Return the random number of each (seed, index): uniform in [0, 1), in steps of 2**-53.

    Args:
        seeds: [n] int64, all 64 bits used: 2**63 and above as two's complement.
        indices: [n] int64, from 0.

    Returns:
        [n] float64.
    """
    zeros = torch.zeros_like(indices)
    counter = torch.stack((indices & WORD, (indices >> 32) & WORD, zeros, zeros))
    key = torch.stack((seeds & WORD, (seeds >> 32) & WORD))
    words = philox4x32(counter, key)
    return ((words[0] >> 5) * 2**26 + (words[1] >> 6)).double() * 2.0**-53
