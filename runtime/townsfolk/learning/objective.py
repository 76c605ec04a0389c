"""What an adapter learns by: clipped policy gradients and the distance to the base model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from townsfolk.learning.prefix_tree import TreeRow, tree_rows
from townsfolk.learning.samples import Sample
from townsfolk.training.lora import LoraDecoder

# Rows of logits that are there at once.
_LOGIT_ROWS = 512


@dataclass(frozen=True, slots=True)
class Objective:
    """How much what counts.

    Attributes:
        clip: from which ratio of probabilities on, 1 + clip or 1 - clip, nothing more is gained.
        kl: weight of the distance to the base model, per nat.
    """

    clip: float = 0.2
    kl: float = 0.02

    def losses(
        self, logprobs: Tensor, before: Tensor, base: Tensor, advantages: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of each draw, and its estimate of the distance to the base model.

        The estimate is Schulman's k3: never negative, and right on average.

        Args:
            logprobs: Of the draws, now. [draws], as all others.
            before: When they were drawn.
            base: In the base model.
            advantages: Of their episodes.
        """
        ratio = (logprobs - before).exp()
        clipped = ratio.clamp(1 - self.clip, 1 + self.clip)
        gain = torch.minimum(ratio * advantages, clipped * advantages)
        distance = (base - logprobs).exp() - (base - logprobs) - 1
        return self.kl * distance - gain, distance


@dataclass(frozen=True, slots=True, eq=False)
class DrawRow:
    """The draws of a row of texts, on the trainer's device. [draws] but where said otherwise.

    Attributes:
        row: the texts.
        nodes: behind which token of the row each draw was.
        drawn: its token.
        before: its log-probability then.
        base: its log-probability in the base model; None where that is not known yet.
        allowed: bits of the tokens that it was among. [draws, words], int32; None for all.
        temperature: that logits were divided by.
        advantages: of the episodes.
    """

    row: TreeRow
    nodes: Tensor
    drawn: Tensor
    before: Tensor
    base: Tensor | None
    allowed: Tensor | None
    temperature: Tensor
    advantages: Tensor


def draw_rows(samples: Sequence[Sample], length: int, device: torch.device) -> list[DrawRow]:
    """Lay samples into rows of so many tokens."""
    return [
        _draw_row(row, [samples[each] for each in row.texts], device)
        for row in tree_rows([each.tokens for each in samples], length)
    ]


def _draw_row(row: TreeRow, samples: Sequence[Sample], device: torch.device) -> DrawRow:
    def joined(parts: Sequence[NDArray[Any]]) -> Tensor:
        return torch.from_numpy(np.concatenate(parts)).to(device)

    counts = [len(each.places) for each in samples]
    bases = [each.base for each in samples if each.base is not None]

    def spread(values: Sequence[float]) -> Tensor:
        return joined([np.repeat(np.float32(v), n) for v, n in zip(values, counts, strict=True)])

    bound = [each for each in samples if each.allowed is not None]
    allowed = None
    if bound:
        words = bound[0].allowed.shape[1] if bound[0].allowed is not None else 0
        free = [np.full((n, words), -1, dtype=np.int32) for n in counts]
        masks = [
            one if each.allowed is None else each.allowed
            for each, one in zip(samples, free, strict=True)
        ]
        allowed = torch.from_numpy(np.concatenate(masks)).to(device)
    nodes = [path[each.places] for path, each in zip(row.paths, samples, strict=True)]
    return DrawRow(
        row,
        joined([*nodes]),
        joined([each.drawn for each in samples]),
        joined([each.logprobs for each in samples]),
        joined(bases) if len(bases) == len(samples) else None,
        allowed,
        spread([each.temperature for each in samples]),
        spread([each.advantage for each in samples]),
    )


def draw_logprobs(model: LoraDecoder, draws: DrawRow) -> Tensor:
    """Log-probabilities of draws among the tokens that each was drawn from, in nats. [draws]."""
    row, device = draws.row, draws.nodes.device
    tokens = torch.from_numpy(row.tokens).to(device)[None]
    positions = torch.from_numpy(row.positions).to(device)[None]
    hidden = model.hidden(tokens, positions, row.masks(model.spec, device))[0]
    parts = []
    for first in range(0, len(draws.nodes), _LOGIT_ROWS):
        part = slice(first, first + _LOGIT_ROWS)
        of_part = checkpoint(
            _part_logprobs, model, hidden[draws.nodes[part]], draws, part, use_reentrant=False
        )
        parts.append(of_part)
    return torch.cat(parts)


def _part_logprobs(model: LoraDecoder, hidden: Tensor, draws: DrawRow, part: slice) -> Tensor:
    logits = model.logits(hidden).float() / draws.temperature[part, None]  # [n, vocabulary]
    if draws.allowed is not None:
        words = draws.allowed[part]
        bits = torch.arange(32, device=words.device, dtype=torch.int32)
        allowed = (words[:, :, None] >> bits & 1).bool().flatten(1)[:, : logits.shape[1]]
        logits = logits.masked_fill(~allowed, -torch.inf)
    return logits.log_softmax(-1).gather(1, draws.drawn[part, None])[:, 0]
