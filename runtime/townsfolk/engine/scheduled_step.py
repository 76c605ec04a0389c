"""A step of the scheduler: what a runner is told, and whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from townsfolk.engine.sequence import Sequence
from townsfolk.engine.step import Admission, ItemOutput, Scoring, StepItem, StepPlan
from townsfolk.sampling import SlotSampling


@dataclass(slots=True)
class ScheduledStep:
    """A step, and whose it is.

    Attributes:
        plan: what a runner needs to know.
        sequences: of the plan's items, in their order.
        epochs: theirs when the step was planned.
        is_masked: whether any of its draws waits for a mask.
        has_prompts: whether any sequence computes more than one token.
    """

    plan: StepPlan
    sequences: list[Sequence] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    is_masked: bool = False
    has_prompts: bool = False

    def live(self) -> Iterator[tuple[Sequence, StepItem]]:
        """Give those whose sequences have not left the batch since."""
        parts = zip(self.sequences, self.epochs, self.plan.items, strict=True)
        return ((each, item) for each, epoch, item in parts if each.epoch == epoch)

    def parts(
        self, outputs: list[ItemOutput]
    ) -> Iterator[tuple[Sequence, int, StepItem, ItemOutput]]:
        """Give each sequence, its epoch, its item and what the step gave for it."""
        return zip(self.sequences, self.epochs, self.plan.items, outputs, strict=True)


class StepDraft:
    """A plan in the making, from which a sequence that is preempted disappears again."""

    def __init__(self) -> None:
        self.items: dict[Sequence, StepItem] = {}
        self.admitted: dict[Sequence, Admission] = {}
        self.grown: dict[Sequence, tuple[int, int, list[int]]] = {}
        self._has_chunks = False
        self._is_simple = True  # unless they have left again

    @property
    def is_masked(self) -> bool:
        """Whether any draw waits for a mask; most steps have none, and are not looked through."""
        return not self._is_simple and any(item.masked for item in self.items.values())

    @property
    def has_prompts(self) -> bool:
        """Whether any sequence computes more than one token."""
        return self._has_chunks and any(item.count > 1 for item in self.items.values())

    def admit(self, sequence: Sequence) -> None:
        """Note that a sequence has got a slot."""
        self.admitted[sequence] = _admission(sequence)

    def compute(self, sequence: Sequence, count: int) -> None:
        """Have so many more tokens of a sequence computed."""
        assert sequence.slot is not None
        start = sequence.num_launched
        end = start + count
        draws = end == len(sequence.token_ids) + sequence.num_pending
        sequence.num_launched = end
        is_told = count > 1 or not draws or sequence.is_extended
        if draws:
            sequence.num_pending += 1
            sequence.is_extended = False
        item = self.items[sequence] = StepItem(
            sequence.slot,
            start,
            count,
            sequence.token_ids[start:end] if is_told else (),
            draws,
            end - sequence.prompt_length,
        )
        if count > 1:
            self._has_chunks = True
        if not sequence.is_simple:
            self._is_simple = False
            item.logprobs = sequence.logprobs
            item.masked = draws and sequence.is_masked
            item.paired = draws and sequence.partner is not None
            if sequence.scores_prompt:
                item.scoring = _scoring(sequence, start, end)

    def verify(self, sequence: Sequence, guesses: list[int]) -> None:
        """Have guesses of what comes behind its latest token verified in the same step."""
        item = self.items[sequence]
        item.token_ids = [sequence.token_ids[-1], *guesses]
        item.count += len(guesses)
        item.drafts = sequence.num_drafted = len(guesses)
        sequence.num_launched += len(guesses)
        self._has_chunks, self._is_simple = True, False

    def note_growth(self, sequence: Sequence, known: int) -> None:
        """Note the blocks that a sequence has got, behind so many that it had."""
        assert sequence.slot is not None
        if sequence in self.grown:
            known = self.grown[sequence][1]
        self.grown[sequence] = (sequence.slot, known, sequence.table.block_ids[known:])

    def drop(self, sequence: Sequence) -> None:
        """Let go of a sequence that leaves the batch."""
        for of in (self.items, self.admitted, self.grown):
            of.pop(sequence, None)

    def plan(self, vacated: list[int]) -> StepPlan:
        """Return it as it is now."""
        return StepPlan(
            vacated, list(self.admitted.values()), list(self.grown.values()),
            list(self.items.values()), is_simple=self._is_simple,
        )  # fmt: skip


def _scoring(sequence: Sequence, start: int, end: int) -> Scoring | None:
    """Return which tokens of its prompt are scored when these positions are computed."""
    first = max(start, sequence.num_scored - 1)
    last = min(end, sequence.prompt_length - 1)
    if first >= last:
        return None
    next_ids = sequence.token_ids[first + 1 : last + 1]
    return Scoring(first - start, next_ids, sequence.logprobs or 0)


def _admission(sequence: Sequence) -> Admission:
    assert sequence.slot is not None
    request = sequence.request
    sampling = SlotSampling(
        sequence.slot,
        request.params,
        request.seed,
        request.penalized_ids,
        sequence.token_ids[sequence.prompt_length :],
        tuple(request.end_ids),
        sequence.token_ids[-1],
        sequence.is_masked,
    )
    return Admission(sampling, list(sequence.table.block_ids), request.adapter)
