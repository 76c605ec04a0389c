"""A step as plain numbers: what a runner is to compute, and what it gives back.

Nothing here refers to requests, sequences or tensors, so that a runner may live in another process
or on another device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from townsfolk.sampling import SlotSampling, TokenInfo


@dataclass(slots=True)
class Scoring:
    """Tokens of a prompt whose log-probabilities are wanted.

    Attributes:
        first: the first of an item's tokens that another is scored after.
        next_ids: the tokens that follow it and those behind it.
        top: how many of the likeliest tokens to report with each.
    """

    first: int
    next_ids: list[int]
    top: int


@dataclass(slots=True)
class StepItem:
    """One sequence's part in a step. Nobody changes it.

    Attributes:
        slot: where the runner keeps what it knows of the sequence.
        start: position of the first token.
        count: tokens.
        token_ids: those of them that are known; the last is missing while an earlier step of the
            same slot still draws it. None for one alone that the slot drew last.
        draws: whether the last of them is the sequence's latest, so that another is drawn.
        index: how many tokens the sequence has drawn before.
        logprobs: how many alternatives to report with a drawn token; None for nothing at all.
        drafts: how many of the tokens, the last ones, are guesses. Each is kept if it is the one
            that is drawn in its place, and the first that is not is replaced by what is.
        scoring: tokens of the prompt to score.
        masked: whether it draws only once the runner is told among which tokens.
        paired: whether its logits are needed for a draw in contrast, as `ContrastPair` says.
    """

    slot: int
    start: int
    count: int
    token_ids: Sequence[int]
    draws: bool
    index: int
    logprobs: int | None = None
    drafts: int = 0
    scoring: Scoring | None = None
    masked: bool = False
    paired: bool = False


@dataclass(slots=True)
class ContrastPair:
    """What an item's draw is contrasted with.

    Attributes:
        place: of the item in the plan that has the other prompt; it goes on by the same token.
        strength: see `sampling.contrast`.
    """

    place: int
    strength: float


@dataclass(slots=True)
class Admission:
    """A sequence that joins the batch.

    Attributes:
        sampling: its slot, and how it draws.
        block_ids: its block table.
        adapter: number of its adapter; 0 for none.
    """

    sampling: SlotSampling
    block_ids: list[int]
    adapter: int = 0


@dataclass(slots=True)
class StepPlan:
    """What the next step does, in the order in which a runner takes notice of it.

    Attributes:
        vacated: slots whose sequences have left the batch since the last step.
        admitted: sequences that join it, in slots that may be among those.
        grown: slots whose block tables have got longer; from which place on, and the new blocks.
        items: what each sequence computes, a slot at most once.
        timed: whether its time is to be taken.
        is_simple: whether all items take tokens and draw one, and nothing else: none is scored,
            masked, paired, verified or reports log-probabilities. Most steps are, and none of their
            items need then be asked.
    """

    vacated: list[int] = field(default_factory=list)
    admitted: list[Admission] = field(default_factory=list)
    grown: list[tuple[int, int, list[int]]] = field(default_factory=list)
    items: list[StepItem] = field(default_factory=list)
    timed: bool = False
    is_simple: bool = False

    def work(self) -> tuple[int, int, int] | None:
        """Count sequences that decode, tokens of prompts, and pairs of these and those before them.

        None where items are scored or have drafts, which take longer than these tell.
        """
        decodes = prompt_tokens = pairs = 0
        for item in self.items:
            if item.scoring is not None or item.drafts:
                return None
            if item.count == 1 and item.draws:
                decodes += 1
            else:
                prompt_tokens += item.count
                pairs += item.count * (item.start + item.count // 2)
        return decodes, prompt_tokens, pairs


@dataclass(slots=True)
class ItemOutput:
    """What a step gave for one item.

    Attributes:
        tokens: the tokens drawn: one if the item draws, and one more for each draft that is kept.
        prompt_infos: the next scored tokens of the prompt, if they were wanted.
        error: why this sequence can't go on; the others of the step are not concerned.
    """

    tokens: Sequence[TokenInfo] = ()
    prompt_infos: Sequence[TokenInfo] = ()
    error: Exception | None = None
