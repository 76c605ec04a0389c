"""An adapter that learns from episodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from townsfolk.checkpoint import AdapterConfig, write_adapter
from townsfolk.grammar.compiler import GrammarCompiler
from townsfolk.learning.objective import DrawRow, Objective, draw_logprobs, draw_rows
from townsfolk.learning.samples import Sample, advantages, samples
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.training.checkpoint import load_progress, save_progress
from townsfolk.training.lora import LoraDecoder
from townsfolk.v1.episode_pb2 import Trajectory


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """How an adapter learns.

    Attributes:
        learning_rate: of AdamW.
        objective: what counts.
        passes: how often each batch of episodes is gone through.
        parts: into how many steps a pass is divided.
        row_tokens: of a row that is computed at once.
        max_norm: that gradients are cut to.
        seed: of the order of what is learned.
    """

    learning_rate: float = 1e-3
    objective: Objective = field(default_factory=Objective)
    passes: int = 2
    parts: int = 2
    row_tokens: int = 1024
    max_norm: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Update:
    """What came of a batch of episodes.

    Attributes:
        kl: distance to the base model before it, in nats for each draw.
        clipped: share of draws of the last pass that gained nothing more.
        ratio_error: the largest difference between a log-probability that was recorded and the
            trainer's, before the first step, in nats.
        draws: how many there were.
    """

    kl: float
    clipped: float
    ratio_error: float
    draws: int


class Learner:
    """Owns the adapter, its optimizer, and the frozen model beside it."""

    def __init__(
        self,
        base: Path,
        config: AdapterConfig,
        tokenizer: Tokenizer,
        settings: LearnerSettings,
        device: torch.device,
    ) -> None:
        """Begin an adapter that changes nothing yet; see `LoraDecoder` for the errors."""
        self.model = LoraDecoder(base, config, device, settings.seed)
        self.model.to(device)
        self.settings = settings
        self._device = device
        spec = self.model.spec
        self._grammars = GrammarCompiler(
            tokenizer, spec.vocab_size, spec.eos_ids | tokenizer.eos_ids
        )
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=settings.learning_rate, weight_decay=0.0, betas=(0.9, 0.95)
        )
        self.model.eval()  # without dropout: what drew had none

    @property
    def parameters(self) -> int:
        """How many numbers are learned."""
        return sum(each.numel() for each in self.model.parameters())

    def learn(self, trajectories: Sequence[Trajectory], iteration: int = 0) -> Update:
        """Change the adapter by what episodes came to.

        Raises:
            UnusableTrajectoryError: They are of another model.
        """
        own = self.settings
        found = samples(
            trajectories, advantages(trajectories), self._grammars, self.model.spec.vocab_size
        )
        if not found:
            return Update(0.0, 0.0, 0.0, 0)
        rng = np.random.default_rng((own.seed, iteration))
        size = -(-len(found) // own.parts)
        found, before = self.measure(found)
        clipped = 0.0
        for _ in range(own.passes):
            order, clipped = rng.permutation(len(found)), 0.0
            for first in range(0, len(found), size):
                part = [found[each] for each in order[first : first + size]]
                rows = draw_rows(part, own.row_tokens, self._device)
                share = len(trajectories) * len(part) / len(found)
                clipped += self.step(rows, share) * len(part) / len(found)
        return Update(before.kl, clipped, before.ratio_error, before.draws)

    def step(self, rows: Sequence[DrawRow], episodes: float) -> float:
        """Take one step; return the share of draws that gained nothing more.

        Args:
            rows: What was drawn.
            episodes: In how many episodes: losses are summed over the draws of an episode, and
                their mean taken over episodes, so that the gradient is that of the reward.
        """
        self._optimizer.zero_grad(set_to_none=True)
        cut = 0
        for row in rows:
            loss, beyond = self.loss(row)
            (loss / episodes).backward()
            cut += beyond
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_norm)
        self._optimizer.step()
        return cut / max(sum(len(each.drawn) for each in rows), 1)

    def loss(self, row: DrawRow) -> tuple[Tensor, int]:
        """Return a row's losses together, and how many draws gain nothing more."""
        objective = self.settings.objective
        base = self.base_logprobs(row) if row.base is None else row.base
        logprobs = draw_logprobs(self.model, row)
        losses, _ = objective.losses(logprobs, row.before, base, row.advantages)
        ratio = (logprobs.detach() - row.before).exp()
        high = (ratio > 1 + objective.clip) & (row.advantages > 0)
        low = (ratio < 1 - objective.clip) & (row.advantages < 0)
        return losses.sum(), int((high | low).sum())

    @torch.no_grad()
    def base_logprobs(self, row: DrawRow) -> Tensor:
        """Log-probabilities of a row's draws in the base model. [draws]."""
        with self.model.without_adapter():
            return draw_logprobs(self.model, row)

    def write(self, folder: Path) -> None:
        """Write the adapter as PEFT has it."""
        write_adapter(self.model.adapter(), folder)

    def save(self, folder: Path, progress: dict[str, Any]) -> None:
        """Write all that it takes to go on."""
        save_progress(self.model, (self._optimizer,), progress, folder)

    def load(self, folder: Path) -> dict[str, Any]:
        """Go on from what `save` wrote; return the progress. Raises FileNotFoundError."""
        return load_progress(self.model, (self._optimizer,), folder)

    @torch.no_grad()
    def measure(self, samples: Sequence[Sample]) -> tuple[list[Sample], Update]:
        """Return samples with what the base model makes of them, and how far the two are apart."""
        found = [*samples]
        distance, error, draws = 0.0, 0.0, 0
        for row in draw_rows(samples, self.settings.row_tokens, self._device):
            logprobs, base = draw_logprobs(self.model, row), self.base_logprobs(row)
            away = base - logprobs
            distance += float((away.exp() - away - 1).sum())
            error = max(error, float((logprobs - row.before).abs().max()))
            draws += len(row.drawn)
            sizes = [len(samples[each].places) for each in row.row.texts]
            for number, own in zip(row.row.texts, base.split(sizes), strict=True):
                found[number] = replace(samples[number], base=own.cpu().numpy())
        return found, Update(distance / draws, 0.0, error, draws)
