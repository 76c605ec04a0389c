"""What becomes of logits between a step and the draws of it that wait for the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import upload

from townsfolk.engine.step import ContrastPair, StepItem
from townsfolk.sampling.contrast import contrast_


@dataclass(frozen=True, slots=True)
class LateChanges:
    """What becomes of logits before tokens are drawn from them late, by place in the plan.

    Attributes:
        biases: what is added to some, by token id.
        contrasts: what they are moved away from, before that; see `sampling.contrast`.
    """

    biases: Mapping[int, Mapping[int, float]] = field(default_factory=dict)
    contrasts: Mapping[int, ContrastPair] = field(default_factory=dict)


UNCHANGED = LateChanges()


def contrast_rows(rows: Mapping[int, Tensor], contrasts: Mapping[int, ContrastPair]) -> None:
    """Move logits away from those of other prompts.

    Args:
        rows: [1, vocab] each, by place in a plan; those that failed are missing.
        contrasts: by place.
    """
    both = {n: each for n, each in contrasts.items() if n in rows and each.place in rows}
    if not both:
        return
    own = torch.cat([rows[place] for place in both])
    others = torch.cat([rows[each.place] for each in both.values()])
    strengths = upload(
        np.array([[each.strength] for each in both.values()], dtype=np.float32), own.device
    )
    contrast_(own, others, strengths)
    for place, changed in zip(both, own, strict=True):
        rows[place][0].copy_(changed)


def share_draws(
    drawn: Tensor, items: Sequence[StepItem], contrasts: Mapping[int, ContrastPair]
) -> None:
    """Have those with other prompts go on by the tokens that were drawn in contrast to them.

    Args:
        drawn: [slots], the token that each has drawn last.
        items: of the plan.
        contrasts: by place.
    """
    if contrasts:
        pairs = [[items[n].slot, items[each.place].slot] for n, each in contrasts.items()]
        leaders, others = upload(np.array(pairs, dtype=np.int64), drawn.device).T
        drawn[others] = drawn[leaders]
