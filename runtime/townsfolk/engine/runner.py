"""Runs the steps that the scheduler decides: model, then sampler."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from townsfolk.engine.outputs import TokenInfo
from townsfolk.engine.request import Request
from townsfolk.engine.scheduler import StepItem, StepPlan
from townsfolk.kv import KvCache
from townsfolk.models import Chunk, Decoder, ModelBatch
from townsfolk.sampling import SampledTokens, Sampler, prompt_logprobs

# Rows of the vocabulary that are scored at once for `echo`: bounds the fp32 logits, which for a
# vocabulary of 128,000 are 0.5 MB each.
_SCORED_ROWS = 64


@dataclass(slots=True)
class ItemOutput:
    """What a step gave for one item.

    Attributes:
        token: the token drawn, if the item samples.
        prompt_infos: the next scored tokens of the prompt, if they were wanted.
        error: why this request can't go on; the others of the step are not concerned.
    """

    token: TokenInfo | None = None
    prompt_infos: Sequence[TokenInfo] = ()
    error: Exception | None = None


class Runner(Protocol):
    """Computes steps, in the order in which they are launched.

    A request has a row of state, from the plan that admits it to the plan that finds it vacated. A
    step may be launched before the tokens of the one before are known: where a request's latest
    token is still pending, the runner takes the one that it drew last for the row.
    """

    depth: int
    """How many steps may be in flight at once."""
    sizes: Sequence[tuple[int, int]]
    """Steps that it computes best, as places for requests that decode and places for all tokens;
    none if any will do."""

    def launch(self, plan: StepPlan) -> Any:
        """Starts a step and gives a handle to it, without waiting for the device.

        Raises:
            Exception: the step can't be computed; none of its requests can go on.
        """

    def collect(self, step: Any) -> list[ItemOutput]:
        """Waits for a step; one output for each of its items, in their order.

        Raises:
            Exception: as for `launch`.
        """

    def seconds(self, step: Any) -> float | None:
        """How long the device took for a step that was collected; None where nobody measured."""

    def prepare(self) -> float | None:
        """Uses a moment in which there is nothing to compute, a few milliseconds at most.

        Returns:
            after how many seconds without work it wants to go on; None when all is done.
        """

    def close(self) -> None:
        """Ends what it has others do, such as to compile; it runs no step any more."""


@dataclass(slots=True)
class EagerStep:
    """A step of `EagerRunner`: device tensors, and which item each row of them is for.

    Attributes:
        items: the plan's.
        draws: groups of places in `items`, and the tokens drawn for them.
        scores: places in `items`, and the scored tokens that follow in the prompt.
        errors: what went wrong, by place in `items`.
    """

    items: Sequence[StepItem]
    draws: list[tuple[list[int], SampledTokens]] = field(default_factory=list)
    scores: list[tuple[int, SampledTokens]] = field(default_factory=list)
    errors: dict[int, Exception] = field(default_factory=dict)


class EagerRunner:
    """Launches a step's operations one by one: for any device that PyTorch knows."""

    sizes: Sequence[tuple[int, int]] = ()

    def __init__(
        self,
        decoder: Decoder,
        kv: KvCache,
        eos_ids: Collection[int],
        max_batch: int,
        depth: int = 1,
    ) -> None:
        """Makes a runner with state for `max_batch` requests."""
        self.depth = depth
        self._decoder = decoder
        self._kv = kv
        self._sampler = Sampler(max_batch, decoder.spec.vocab_size, eos_ids, decoder.device)
        # [max_batch]: the token last drawn for each row
        self._drawn = torch.zeros(max_batch, dtype=torch.int64, device=decoder.device)

    def launch(self, plan: StepPlan) -> EagerStep:
        """See `Runner`."""
        step = EagerStep(plan.items)
        for row in plan.vacated:
            self._sampler.release(row)
        refused = {}
        for request in plan.admitted:
            try:
                self._admit(request)
            except Exception as error:
                refused[request] = error
        places = []  # of the items that are computed
        for place, item in enumerate(plan.items):
            if item.request in refused:
                step.errors[place] = refused[item.request]
            else:
                places.append(place)
        if places:
            self._compute(step, places)
        return step

    def collect(self, step: EagerStep) -> list[ItemOutput]:
        """See `Runner`."""
        outputs = [ItemOutput(error=step.errors.get(place)) for place in range(len(step.items))]
        for places, sampled in step.draws:
            asked = [step.items[place].request.params.logprobs for place in places]
            for place, token in zip(places, token_infos(sampled, asked), strict=True):
                outputs[place].token = token
        for place, scored in step.scores:
            add_scores(outputs[place], step.items[place], scored)
        return outputs

    def seconds(self, step: EagerStep) -> float | None:
        """See `Runner`."""
        return None

    def prepare(self) -> float | None:
        """See `Runner`."""
        return None

    def close(self) -> None:
        """See `Runner`."""

    def _admit(self, request: Request) -> None:
        assert request.row is not None
        generated_ids = request.token_ids[request.prompt_length :]
        self._sampler.admit(
            request.row,
            request.params,
            request.seed,
            request.penalized_prompt,
            generated_ids,
            request.rules.end_ids,
        )

    def _compute(self, step: EagerStep, places: Sequence[int]) -> None:
        chunks, pending, rows = [], [], []
        ends = []  # one past each item's last token in the flat batch
        length = 0
        for place in places:
            item = step.items[place]
            end = item.start + item.count
            token_ids = item.request.token_ids[item.start : end]
            length += item.count
            ends.append(length)
            if len(token_ids) < item.count:
                token_ids.append(0)
                pending.append(length - 1)
                rows.append(item.request.row)
            chunks.append(Chunk(token_ids, item.start, item.request.table.block_ids))
        batch = ModelBatch.build(chunks, self._kv.block_size, self._decoder.device)
        if pending:
            batch.token_ids[pending] = self._drawn[rows]
        hidden = self._decoder.forward(batch, self._kv)  # [tokens, hidden]
        for place, end in zip(places, ends, strict=True):
            item = step.items[place]
            for scored in score_prompt(self._decoder, item, hidden[end - item.count : end]):
                step.scores.append((place, scored))
        drawing = [
            (place, end - 1)
            for place, end in zip(places, ends, strict=True)
            if step.items[place].samples
        ]
        if drawing:
            last = hidden if len(drawing) == length else hidden[[row for _, row in drawing]]
            self._draw(step, [place for place, _ in drawing], self._decoder.logits(last))

    def _draw(self, step: EagerStep, places: list[int], logits: Tensor) -> None:
        """Draws a token for each item from logits [items, vocab]."""
        try:
            step.draws.append((places, self._sample(step, places, logits)))
        except Exception:
            # One of them can't be sampled; alone, the others can.
            for number, place in enumerate(places):
                try:
                    sampled = self._sample(step, [place], logits[number : number + 1])
                    step.draws.append(([place], sampled))
                except Exception as error:
                    step.errors[place] = error

    def _sample(self, step: EagerStep, places: list[int], logits: Tensor) -> SampledTokens:
        rows, counts = [], []
        for place in places:
            item = step.items[place]
            assert item.request.row is not None
            rows.append(item.request.row)
            counts.append(item.start + item.count - item.request.prompt_length)
        sampled = self._sampler.sample(logits, rows, counts)
        if self.depth > 1:
            self._drawn[rows] = sampled.token_ids
        return sampled


def score_prompt(decoder: Decoder, item: StepItem, hidden: Tensor) -> Iterator[SampledTokens]:
    """Scores the prompt's tokens that follow those of an item, if its request wants that.

    Args:
        decoder: the model.
        item: a request's part in a step.
        hidden: [item.count, width], of the item's tokens.
    """
    request = item.request
    if not request.scores_prompt:
        return
    start = max(item.start, len(request.prompt_infos) - 1)
    end = min(item.start + item.count, request.prompt_length - 1)
    for first in range(start, end, _SCORED_ROWS):
        last = min(first + _SCORED_ROWS, end)
        logits = decoder.logits(hidden[first - item.start : last - item.start])
        next_ids = torch.tensor(request.token_ids[first + 1 : last + 1], device=logits.device)
        yield prompt_logprobs(logits, next_ids, request.params.logprobs or 0)


def add_scores(output: ItemOutput, item: StepItem, scored: SampledTokens) -> None:
    """Adds scored tokens of an item's prompt to its output; waits for the device."""
    asked = [item.request.params.logprobs] * len(scored.token_ids)
    output.prompt_infos = (*output.prompt_infos, *token_infos(scored, asked))


def token_infos(sampled: SampledTokens, asked: Sequence[int | None]) -> list[TokenInfo]:
    """Reads tokens from the device; `asked[i]` alternatives are reported for the i-th."""
    token_ids = sampled.token_ids.tolist()
    if all(count is None for count in asked):
        return [TokenInfo(token_id) for token_id in token_ids]
    logprobs = sampled.logprobs.tolist()
    top_ids = top_logprobs = [()] * len(asked)
    if sampled.top_ids is not None and sampled.top_logprobs is not None:
        top_ids, top_logprobs = sampled.top_ids.tolist(), sampled.top_logprobs.tolist()
    return [
        TokenInfo(token_ids[i])
        if count is None
        else TokenInfo(
            token_ids[i],
            logprobs[i],
            tuple(zip(top_ids[i][:count], top_logprobs[i][:count], strict=True)),
        )
        for i, count in enumerate(asked)
    ]
