"""Runs steps operation by operation, on any device that PyTorch knows."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from townsfolk.engine.device_failure import raise_if_failed
from townsfolk.engine.late_changes import UNCHANGED, LateChanges, contrast_rows, share_draws
from townsfolk.engine.prompt_scores import add_scores, score_chunks, score_prompts
from townsfolk.engine.slot_adapters import SlotAdapters
from townsfolk.engine.slot_tables import SlotTables, table_width
from townsfolk.engine.step import ItemOutput, StepItem, StepPlan
from townsfolk.engine.step_inputs import StepInputs, StepShape, is_decode
from townsfolk.engine.timed_pace import TimedPace
from townsfolk.grammar.matcher import Bits, mask_words
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, ModelBatch
from townsfolk.models.batch import Chunk
from townsfolk.models.step_choice import compile_prompts, compile_steps, compiled_projections
from townsfolk.sampling import SampledTokens, SamplerBackend, token_infos
from townsfolk.sampling.torch_backend import TorchBackend

logger = logging.getLogger(__name__)

_TIMED = 8  # one of so many steps without prompts is timed


@dataclass(slots=True)
class EagerStep:
    """A step of `EagerRunner`: device tensors, and which item each row of them is for.

    Attributes:
        items: the plan's.
        draws: groups of places in `items`, each once for each token drawn, and these tokens.
        scores: places in `items`, and the scored tokens that follow in the prompt.
        undrawn: logits of those that wait for a mask, [1, vocab], by place in `items`.
        errors: what went wrong, by place in `items`.
        seconds: what it took, where that was measured.
    """

    items: Sequence[StepItem]
    draws: list[tuple[list[int], SampledTokens]] = field(default_factory=list)
    scores: list[tuple[int, SampledTokens]] = field(default_factory=list)
    undrawn: dict[int, Tensor] = field(default_factory=dict)
    errors: dict[int, Exception] = field(default_factory=dict)
    seconds: float | None = None


class EagerRunner:
    """Launches a step's operations one by one: for any device that PyTorch knows."""

    least_forced: int | None = 4

    def __init__(
        self,
        decoder: Decoder,
        kv: KvCache,
        eos_ids: Collection[int],
        max_batch: int,
        context_length: int,
        depth: int = 1,
    ) -> None:
        """Make a runner with state for `max_batch` sequences of up to `context_length` tokens."""
        self.depth = depth
        self._decoder, self._kv, self._device = decoder, kv, decoder.device
        vocab_size = self._vocab_size = decoder.spec.vocab_size
        self._sampler: SamplerBackend = TorchBackend(max_batch, vocab_size, eos_ids, self._device)
        self._tables = SlotTables(
            max_batch, table_width(context_length, kv.block_size), self._device
        )
        self._launched = 0
        self._compiled = compile_steps(decoder, kv)
        self._prompts = compile_prompts(decoder, kv)
        compiled = None if self._compiled is None else compiled_projections(decoder)
        self.adapters = SlotAdapters(decoder, max_batch, projections=compiled)

    @property
    def mask_memory(self) -> Bits | None:
        """See `Runner`."""
        return None

    def pace(self) -> TimedPace:
        """See `Runner`."""
        return TimedPace()

    def launch(self, plan: StepPlan) -> EagerStep:
        """See `Runner`."""
        begin = time.perf_counter()
        step = EagerStep(plan.items)
        for slot in plan.vacated:
            self._sampler.release(slot)
        refused: dict[int, Exception] = {}
        if plan.admitted:
            refused = self._sampler.admit([each.sampling for each in plan.admitted])
        self._tables.update(plan)
        self.adapters.update(plan)
        places = []  # of the items that are computed
        for place, item in enumerate(plan.items):
            if item.slot in refused:
                step.errors[place] = refused[item.slot]
            else:
                places.append(place)
        if places:
            self._compute(step, places)
        self._launched += 1
        is_prompt = any(item.count > 1 for item in plan.items)
        if plan.timed or is_prompt or self._launched % _TIMED == 0:
            step.seconds = time.perf_counter() - begin
        return step

    def mask(
        self, step: EagerStep, places: Sequence[int], masks: Bits, changes: LateChanges = UNCHANGED
    ) -> None:
        """See `Runner`."""
        if changes.biases:
            slots = [step.items[place].slot for place in changes.biases]
            self._sampler.adjust(slots, list(changes.biases.values()))
        contrast_rows(step.undrawn, changes.contrasts)
        undrawn = [place for place in places if place in step.undrawn]
        if undrawn:
            chosen = np.full((len(undrawn), mask_words(self._vocab_size)), -1, dtype=np.int32)
            numbers = [number for number, place in enumerate(places) if place in undrawn]
            bound = [number for number in numbers if number < len(masks)]
            chosen[: len(bound)] = masks[bound]
            logits = torch.cat([step.undrawn[place] for place in undrawn])
            self._draw(step, undrawn, logits, torch.from_numpy(chosen).to(self._device))
            share_draws(self._sampler.drawn, step.items, changes.contrasts)
        step.undrawn.clear()

    def score(
        self, begun: int | None, chunks: Sequence[Chunk], next_ids: Sequence[int]
    ) -> list[float]:
        """See `Runner`."""
        batch = ModelBatch.build(chunks, self._kv.block_size, self._device)
        return score_chunks(self._decoder, self._kv, begun, chunks, batch, next_ids)

    def collect(self, step: EagerStep) -> list[ItemOutput]:
        """See `Runner`."""
        outputs = [ItemOutput() for _ in step.items]
        for place, error in step.errors.items():
            outputs[place].error = error
        for places, sampled in step.draws:
            asked = [step.items[place].logprobs for place in places]
            for place, token in zip(places, token_infos(sampled, asked), strict=True):
                outputs[place].tokens = (*outputs[place].tokens, token)
        for place, scored in step.scores:
            add_scores(outputs[place], scored, step.items[place].logprobs)
        return outputs

    def seconds(self, step: EagerStep) -> float | None:
        """See `Runner`."""
        return step.seconds

    def prepare(self) -> float | None:
        """See `Runner`."""
        return None

    def close(self) -> None:
        """See `Runner`."""

    def _compute(self, step: EagerStep, places: list[int]) -> None:
        """Compute some items; where that fails, each alone, so that only the faulty ones fail."""
        decodes = [place for place in places if is_decode(step.items[place])]
        prompts = [place for place in places if not is_decode(step.items[place])]
        places = decodes + prompts
        items = [step.items[place] for place in places]
        ends = []  # one past each item's last token in the flat batch
        length = 0
        for item in items:
            length += item.count
            ends.append(length)
        drawing = [number for number, item in enumerate(items) if item.draws and not item.drafts]
        special = [
            number for number, item in enumerate(items) if item.scoring is not None or item.drafts
        ]
        try:
            shape = StepShape.exact(items[: len(decodes)], items[len(decodes) :])
            inputs = StepInputs.pack(shape, items[: len(decodes)], items[len(decodes) :])
            batch = inputs.to_batch(
                self._tables.blocks, self._sampler.drawn, self._kv.block_size, self._device
            )
            batch.adapters = self.adapters.rows(items)
            hidden = logits = None
            if self._compiled is not None and self._compiled.takes(batch) and not special:
                logits = self._compiled.logits(batch)
            else:
                hidden = self._forward(batch)  # [tokens, hidden]
            if hidden is not None and drawing:
                rows = [ends[number] - 1 for number in drawing]
                last = hidden if len(drawing) == length else hidden[rows]
                logits = self._decoder.logits(last)
        except Exception as error:
            raise_if_failed(self._device, error)
            if len(places) == 1:
                step.errors[places[0]] = error
                return
            logger.warning("a step failed; each sequence is computed alone", exc_info=error)
            for place in places:
                self._compute(step, [place])
            return
        if special:
            assert hidden is not None
            parts = {n: hidden[ends[n] - items[n].count : ends[n]] for n in special}
            scored = [number for number in special if items[number].scoring is not None]
            if scored:
                self._score(step, [places[n] for n in scored], [parts[n] for n in scored])
            for number in special:
                if items[number].drafts and places[number] not in step.errors:
                    self._compute_drafts(step, places[number], parts[number])
        if logits is not None:
            self._draw_unmasked(step, [places[number] for number in drawing], logits)

    def _forward(self, batch: ModelBatch) -> Tensor:
        """Return hidden states [tokens, hidden], valid until the next step."""
        if self._prompts is not None and self._prompts.takes(batch):
            return self._prompts.forward(batch)
        return self._decoder.forward(batch, self._kv)

    def _score(self, step: EagerStep, places: list[int], hidden: list[Tensor]) -> None:
        """Score prompts; where that fails, each alone."""
        try:
            items = [step.items[place] for place in places]
            scored = score_prompts(self._decoder, items, hidden)
            step.scores += [(places[number], each) for number, each in scored]
        except Exception as error:
            raise_if_failed(self._device, error)
            if len(places) == 1:
                step.errors[places[0]] = error
                return
            for place, part in zip(places, hidden, strict=True):
                self._score(step, [place], [part])

    def _compute_drafts(self, step: EagerStep, place: int, hidden: Tensor) -> None:
        """Verify an item's drafts; a failure concerns that item only."""
        try:
            self._verify(step, place, hidden)
        except Exception as error:
            raise_if_failed(self._device, error)
            step.errors[place] = error

    def _verify(self, step: EagerStep, place: int, hidden: Tensor) -> None:
        """Draw a token for each draft, and one more, up to the first that is not as guessed."""
        item = step.items[place]
        logits = self._decoder.logits(hidden[-1 - item.drafts :])  # [drafts + 1, vocab]
        guesses = [*item.token_ids[-item.drafts :], None]
        for number, guess in enumerate(guesses):
            sampled = self._sample([item.slot], [item.index + number], logits[number : number + 1])
            step.draws.append(([place], sampled))
            if int(sampled.token_ids[0]) != guess:
                break

    def _draw_unmasked(self, step: EagerStep, places: list[int], logits: Tensor) -> None:
        """Draw for each item that waits for no mask; keep the logits of the others."""
        masked = [number for number, place in enumerate(places) if step.items[place].masked]
        for number in masked:
            step.undrawn[places[number]] = logits[number : number + 1]
        if masked:
            free = [number for number in range(len(places)) if number not in masked]
            places, logits = [places[number] for number in free], logits[free]
        if places:
            self._draw(step, places, logits)

    def _draw(
        self, step: EagerStep, places: list[int], logits: Tensor, masks: Tensor | None = None
    ) -> None:
        """Draw a token for each item from logits [items, vocab]."""
        items = [step.items[place] for place in places]
        slots, indices = [item.slot for item in items], [item.index for item in items]
        try:
            step.draws.append((places, self._sample(slots, indices, logits, masks)))
        except Exception as error:
            raise_if_failed(self._device, error)
            # One of them can't be drawn for; alone, the others can.
            for number, place in enumerate(places):
                own = slice(number, number + 1)
                try:
                    mask = None if masks is None else masks[own]
                    sampled = self._sample(slots[own], indices[own], logits[own], mask)
                    step.draws.append(([place], sampled))
                except Exception as alone:
                    raise_if_failed(self._device, alone)
                    step.errors[place] = alone

    def _sample(
        self,
        slots: list[int],
        indices: list[int],
        logits: Tensor,
        masks: Tensor | None = None,
    ) -> SampledTokens:
        both = torch.tensor([slots, indices], dtype=torch.int32, device=self._device)
        return self._sampler.draw(logits, both[0], both[1], masks)
