"""The training loop."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from townsfolk.training.checkpoint import load_progress, save_progress
from townsfolk.training.encoding import PROMPT, REPLY
from townsfolk.training.model import (
    Masks,
    TrainableDecoder,
    document_masks,
    document_positions,
)
from townsfolk.training.packing import Batch
from townsfolk.training.sources import Source


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """How to train."""

    steps: int = 1000
    """Optimizer steps."""
    max_minutes: float | None = None
    """End after this many minutes; the learning rate falls with whatever is used up faster."""
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    final_learning_rate: float = 0.02
    """The learning rate at the end, as a share of ``learning_rate``."""
    weight_decay: float = 0.1
    max_gradient_norm: float = 1.0
    prompt_weight: float = 0.1
    """The weight of the loss on what is not a reply: 0 learns replies only, 1 learns all alike."""
    device: str = "cpu"
    compile: bool = False
    """Compile the model; on CUDA this also makes attention skip what the document mask excludes."""
    save_every: int = 1000
    """Steps between checkpoints."""
    log_every: int = 50
    """Steps between entries of the history."""


@dataclass(slots=True)
class History:
    """What was measured: one entry every ``log_every`` steps."""

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    """Mean loss on replies since the last entry, nats per token."""
    validation_step: list[int] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    """Mean loss on the replies of the validation batch, nats per token."""


class Trainer:
    """Trains a model on a source, with checkpoints in ``folder / "checkpoint"``."""

    def __init__(
        self,
        model: TrainableDecoder,
        source: Source,
        settings: TrainerSettings,
        folder: Path,
        validation: Batch | None = None,
    ) -> None:
        self.model = model.to(settings.device)
        self.settings = settings
        self.history = History()
        self._source = source
        self._folder = folder / "checkpoint"
        self._validation = validation
        self._step = 0
        self._seconds = 0.0
        decayed = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() <= 1]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": settings.weight_decay},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=settings.learning_rate,
            betas=(0.9, 0.95),
            fused=settings.device.startswith("cuda"),
        )
        self._blockwise = settings.compile and settings.device.startswith("cuda")
        self._losses = torch.compile(self._plain_losses) if settings.compile else self._plain_losses

    @property
    def parameters(self) -> int:
        """How many numbers the model consists of."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def resume(self) -> None:
        """Go on from the last checkpoint; raises FileNotFoundError when there is none."""
        progress = load_progress(self.model, self._optimizer, self._folder)
        self._step, self._seconds = progress["step"], progress["seconds"]
        self.history = History(**progress["history"])

    def run(self) -> None:
        """Train to the end; on Ctrl-C, save and raise KeyboardInterrupt."""
        settings = self.settings
        began = time.monotonic() - self._seconds
        batches = self._source.batches(self._step)
        sums = torch.zeros(2, device=settings.device)  # reply loss, reply tokens
        logged = (self._step, self._seconds)
        tokens = 0
        with _progress() as progress:
            task = progress.add_task(
                "training", total=settings.steps, completed=self._step, note=""
            )
            try:
                while (used := self._used()) < 1.0:
                    batch = next(batches)
                    tokens += batch.tokens.size
                    sums += self._update(batch, used)
                    self._step += 1
                    self._seconds = time.monotonic() - began
                    if self._step % settings.log_every == 0 or self._used() >= 1.0:
                        self._log(sums)
                        speed = tokens / max(self._seconds - logged[1], 1e-9)
                        logged, tokens = (self._step, self._seconds), 0
                        sums.zero_()
                        note = f"loss {self.history.loss[-1]:.4f}  {speed:,.0f} tokens/s"
                        if self.history.validation_loss:
                            note += f"  validation {self.history.validation_loss[-1]:.4f}"
                        progress.update(task, completed=self._step, note=note)
                        if not progress.console.is_terminal:
                            progress.console.print(
                                f"step {self._step}  {self._seconds:.0f} s  {note}"
                            )
                    if self._step % settings.save_every == 0:
                        self.save()
            finally:
                batches.close()  # type: ignore[attr-defined]
                self.save()

    def save(self) -> None:
        """Write a checkpoint."""
        state: dict[str, Any] = {
            "step": self._step,
            "seconds": self._seconds,
            "history": {name: getattr(self.history, name) for name in History.__slots__},
        }
        save_progress(self.model, self._optimizer, state, self._folder)

    def _used(self) -> float:
        """The share of the run that is over, by steps or by time, whichever is further."""
        by_time = (
            self._seconds / (60 * self.settings.max_minutes) if self.settings.max_minutes else 0.0
        )
        return max(self._step / self.settings.steps, by_time)

    def _update(self, batch: Batch, used: float) -> Tensor:
        """One optimizer step; returns the reply loss' sum and the number of reply tokens."""
        warm = min(1.0, (self._step + 1) / self.settings.warmup_steps)
        cosine = 0.5 * (1 + math.cos(math.pi * min(used, 1.0)))
        floor = self.settings.final_learning_rate
        for group in self._optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * warm * (floor + (1 - floor) * cosine)
        losses, kinds = self._forward(batch)
        replies = (kinds == REPLY).float()
        weights = replies + self.settings.prompt_weight * (kinds == PROMPT)
        loss = (losses * weights).sum() / weights.sum().clamp(min=1.0)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_gradient_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return torch.stack(((losses.detach() * replies).sum(), replies.sum()))

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss of each target and what kind of token it is. Both [rows, length]."""
        device = self.settings.device
        tokens = torch.from_numpy(batch.tokens.astype("int64")).to(device, non_blocking=True)
        kinds = torch.from_numpy(batch.kinds).to(device, non_blocking=True)
        documents = torch.from_numpy(batch.documents.astype("int64")).to(device, non_blocking=True)
        # What follows a document's end is another document: nothing to learn from.
        kinds = kinds[:, 1:] * (documents[:, 1:] == documents[:, :-1])
        documents = documents[:, :-1].contiguous()
        masks = document_masks(documents, self.model.spec, self._blockwise)
        with torch.autocast("cuda", torch.bfloat16, enabled=device.startswith("cuda")):
            losses = self._losses(tokens, document_positions(documents), masks)
        return losses, kinds

    def _plain_losses(self, tokens: Tensor, positions: Tensor, masks: Masks) -> Tensor:
        logits = self.model(tokens[:, :-1], positions, masks)
        losses = F.cross_entropy(
            logits.float().flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
        )
        return losses.view_as(positions)

    def _log(self, sums: Tensor) -> None:
        total, count = sums.tolist()
        self.history.step.append(self._step)
        self.history.loss.append(total / max(count, 1.0))
        if self._validation is not None:
            # Not under no_grad: a compiled model would be compiled once more for it.
            losses, kinds = self._forward(self._validation)
            self.history.validation_step.append(self._step)
            self.history.validation_loss.append(float(losses.detach()[kinds == REPLY].mean()))


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
