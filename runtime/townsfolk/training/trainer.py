"""The training loop."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from townsfolk.training.checkpoint import (
    load_best,
    load_progress,
    save_best,
    save_progress,
)
from townsfolk.training.encoding import PADDING, PROMPT, REPLY
from townsfolk.training.module import DecoderModule
from townsfolk.training.ops import document_masks, document_positions
from townsfolk.training.optimizers import optimizers
from townsfolk.training.packing import Batch
from townsfolk.training.sources import BatchSource


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """How to train."""

    steps: int = 1000
    """Optimizer steps."""
    accumulate: int = 1
    """Batches of a step: their gradients are those of one batch that has all their rows."""
    max_minutes: float | None = None
    """End after this many minutes; the learning rate falls with whatever is used up faster."""
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    final_learning_rate: float = 0.02
    """The learning rate at the end, as a share of ``learning_rate``."""
    hold: float = 0.0
    """The share of the run before the learning rate begins to fall."""
    weight_decay: float = 0.1
    orthogonal: bool = False
    """Step matrices of the layers in orthogonal directions (Muon); AdamW has the others."""
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
    patience: int | None = None
    """End after so many entries in a row whose validation loss was no better than the best."""
    keep_best: bool = False
    """Keep the weights whose validation loss was the best beside the checkpoint."""
    seed: int = 0
    """Of what is drawn in a step: dropout."""


@dataclass(slots=True)
class History:
    """What was measured: one entry every ``log_every`` steps."""

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    """Mean loss on replies since the last entry, nats per token."""
    validation_step: list[int] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    """Mean loss on the replies of the validation batches, nats per token."""

    @property
    def since_best(self) -> int:
        """How many entries there are behind the one with the best validation loss."""
        losses = self.validation_loss
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0


class DivergedError(ValueError):
    """The loss is no number any more."""


class Trainer:
    """Trains a model on a source, with checkpoints in ``folder / "checkpoint"``."""

    def __init__(
        self,
        model: DecoderModule,
        source: BatchSource,
        settings: TrainerSettings,
        folder: Path,
        validation: Sequence[Batch] = (),
    ) -> None:
        self.model = model.to(settings.device)
        self.settings = settings
        self.history = History()
        self._source = source
        self._folder = folder / "checkpoint"
        self._validation = validation
        self._step = 0
        self._seconds = 0.0
        self._optimizers = optimizers(
            model,
            model.matrices() if settings.orthogonal else (),
            settings.learning_rate,
            settings.weight_decay,
        )
        self._blockwise = settings.compile and settings.device.startswith("cuda")
        losses = self.model.losses
        self._losses = torch.compile(losses) if settings.compile else losses

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def resume(self) -> None:
        """Go on from the last checkpoint; raises FileNotFoundError when there is none."""
        progress = load_progress(self.model, self._optimizers, self._folder)
        self._step, self._seconds = progress["step"], progress["seconds"]
        self.history = History(**progress["history"])

    def restore_best(self) -> None:
        """Give the model the weights whose validation loss was the best."""
        load_best(self.model, self._folder)

    def run(self) -> None:
        """Train to the end; on Ctrl-C, save and raise KeyboardInterrupt.

        Raises:
            DivergedError: The loss is no number any more; the last checkpoint stays as it was.
        """
        with _progress() as progress:
            task = progress.add_task(
                "training", total=self.settings.steps, completed=self._step, note=""
            )
            try:
                for note in self._course():
                    progress.update(task, completed=self._step, note=note)
                    if not progress.console.is_terminal:
                        progress.console.print(f"step {self._step}  {self._seconds:.0f} s  {note}")
            except DivergedError:
                raise
            except BaseException:
                self.save()
                raise
            self.save()

    def _course(self) -> Iterator[str]:
        """Train to the end; a note for each entry of the history."""
        settings = self.settings
        began = time.monotonic() - self._seconds
        sums = torch.zeros(2, device=settings.device)  # reply loss, reply tokens
        logged, tokens = self._seconds, 0
        with closing(self._source.batches(self._step * settings.accumulate)) as batches:
            while (used := self._used()) < 1.0:
                taken = [next(batches) for _ in range(settings.accumulate)]
                tokens += sum(batch.tokens.size for batch in taken)
                sums += self._update(taken, used)
                self._step += 1
                self._seconds = time.monotonic() - began
                if self._step % settings.log_every == 0 or self._used() >= 1.0:
                    self._log(sums)
                    speed = tokens / max(self._seconds - logged, 1e-9)
                    logged, tokens = self._seconds, 0
                    sums.zero_()
                    yield self._note(speed)
                if self._step % settings.save_every == 0:
                    self.save()

    def _note(self, speed: float) -> str:
        note = f"loss {self.history.loss[-1]:.4f}  {speed:,.0f} tokens/s"
        if self.history.validation_loss:
            note += f"  validation {self.history.validation_loss[-1]:.4f}"
        return note

    def save(self) -> None:
        """Write a checkpoint."""
        state: dict[str, Any] = {
            "step": self._step,
            "seconds": self._seconds,
            "history": {name: getattr(self.history, name) for name in History.__slots__},
        }
        save_progress(self.model, self._optimizers, state, self._folder)

    def _used(self) -> float:
        """Return the share of the run that is over: the largest of steps, time and patience."""
        settings = self.settings
        if settings.patience is not None and self.history.since_best >= settings.patience:
            return 1.0
        by_time = self._seconds / (60 * settings.max_minutes) if settings.max_minutes else 0.0
        return max(self._step / settings.steps, by_time)

    def _update(self, batches: Sequence[Batch], used: float) -> Tensor:
        """Take one optimizer step; return the reply loss' sum and the number of reply tokens."""
        warm = min(1.0, (self._step + 1) / self.settings.warmup_steps)
        fallen = max(0.0, min(used, 1.0) - self.settings.hold) / max(1.0 - self.settings.hold, 1e-9)
        cosine = 0.5 * (1 + math.cos(math.pi * fallen))
        floor = self.settings.final_learning_rate
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.settings.learning_rate * warm * (floor + (1 - floor) * cosine)
        torch.manual_seed(self.settings.seed * 1_000_003 + self._step)
        # Of all batches together: a mean of means would weigh the tokens of short ones more.
        weight = max(sum(self._weight(batch) for batch in batches), 1.0)
        sums = torch.zeros(2, device=self.settings.device)
        for batch in batches:
            sums += self._backward(batch, weight)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_gradient_norm)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return sums

    def _weight(self, batch: Batch) -> float:
        """Return the weights of all targets of a batch together."""
        kinds = _targets(batch)
        replies = np.count_nonzero(kinds == REPLY)
        return replies + self.settings.prompt_weight * np.count_nonzero(kinds == PROMPT)

    def _backward(self, batch: Batch, weight: float) -> Tensor:
        """Add a batch's part to the gradients; returns what ``_update`` does, of this batch.

        Args:
            batch: What to learn from.
            weight: By what the batch's weighted losses are divided.
        """
        losses, kinds = self._forward(batch)
        replies = (kinds == REPLY).float()
        weights = replies + self.settings.prompt_weight * (kinds == PROMPT)
        ((losses * weights).sum() / weight).backward()
        return torch.stack(((losses.detach() * replies).sum(), replies.sum()))

    def _forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of each target and what kind of token it is. Both [rows, length]."""
        device = self.settings.device
        tokens = torch.from_numpy(batch.tokens.astype("int64")).to(device, non_blocking=True)
        kinds = torch.from_numpy(_targets(batch)).to(device, non_blocking=True)
        documents = torch.from_numpy(batch.documents[:, :-1].astype("int64"))
        documents = documents.to(device, non_blocking=True)
        masks = document_masks(documents, self.model.spec, self._blockwise)
        wanted = kinds != PADDING if self.settings.prompt_weight else kinds == REPLY
        with torch.autocast("cuda", torch.bfloat16, enabled=device.startswith("cuda")):
            losses = self._losses(tokens, document_positions(documents), masks, wanted)
        return losses, kinds

    def _log(self, sums: Tensor) -> None:
        total, count = sums.tolist()
        if not math.isfinite(total):
            raise DivergedError(
                f"the loss is no number any more, between step {self._step} and the "
                f"{self.settings.log_every} before it: lower the learning rate"
            )
        self.history.step.append(self._step)
        self.history.loss.append(total / max(count, 1.0))
        if self._validation:
            self.history.validation_step.append(self._step)
            self.history.validation_loss.append(self._validation_loss())
            if self.settings.keep_best and self.history.since_best == 0:
                save_best(self.model, self._folder)

    def _validation_loss(self) -> float:
        """Mean loss on the validation's replies, nats per token."""
        total, count = 0.0, 0
        self.model.eval()
        # A compiled model would be compiled once more for no_grad.
        with nullcontext() if self.settings.compile else torch.no_grad():
            for batch in self._validation:
                losses, kinds = self._forward(batch)
                replies = losses.detach()[kinds == REPLY]
                total, count = total + float(replies.sum()), count + len(replies)
        self.model.train()
        return total / max(count, 1)


def _targets(batch: Batch) -> NDArray[np.uint8]:
    """Return what kind of token each target is; PADDING behind a document's end. [rows, length]."""
    documents = batch.documents
    # What follows a document's end is another document: nothing to learn from.
    return np.where(documents[:, 1:] == documents[:, :-1], batch.kinds[:, 1:], np.uint8(PADDING))


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
