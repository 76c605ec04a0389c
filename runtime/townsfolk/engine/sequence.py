"""How far the computation of a request has come."""

from __future__ import annotations

from dataclasses import replace

from townsfolk.engine.request import Request
from townsfolk.kv import BlockTable
from townsfolk.sampling.params import SamplingParams


class Sequence:
    """The tokens of a request and its reply, and where their keys and values are.

    Owned by the scheduler, which alone changes it. Nothing in it is known to a runner but what
    step plans say.

    One that is drawn in contrast to another prompt has a partner, which has that prompt and gets
    each token that is drawn for it. The two join and leave the batch together, and the steps in
    which they draw are the same.

    Attributes:
        request: what was asked.
        table: its KV blocks.
        token_ids: the prompt, then what was drawn.
        prompt_length: tokens of the prompt.
        logprobs: how many alternatives are reported with each token; None for nothing at all.
        is_masked: whether it draws late, once the host knows among which tokens.
        is_simple: whether nothing is asked but tokens; see `StepPlan.is_simple`.
        is_extended: whether its latest token was not drawn, so that no runner knows it.
        scores_prompt: whether the log-probabilities of the prompt's tokens are wanted.
        max_tokens: the longest that `token_ids` may become.
        priority: larger goes first.
        slot: its slot in the batch while it is in it.
        num_launched: positions whose KV is written once all steps launched so far have run.
        num_pending: tokens that launched steps are drawing.
        num_drafted: tokens that a launched step is verifying; until it has, no other is planned.
        num_scored: tokens of the prompt whose log-probabilities are known, where they are wanted.
        round: its turn among those of all namespaces, once it has waited.
        last_turn: number of its last step of those in which not all who decode had a part.
        epoch: goes up when the sequence leaves the batch; results of older steps are void.
        waits: whether it was never in the batch.
        cached_tokens: prompt tokens found in the cache when it first ran.
        partner: the other of a pair; None for all others.
        follows: whether it is the one of a pair for which nothing is drawn.
    """

    __slots__ = (
        "cached_tokens",
        "epoch",
        "follows",
        "is_extended",
        "is_masked",
        "is_simple",
        "last_turn",
        "logprobs",
        "max_tokens",
        "num_drafted",
        "num_launched",
        "num_pending",
        "num_scored",
        "number",
        "partner",
        "priority",
        "prompt_length",
        "request",
        "round",
        "scores_prompt",
        "slot",
        "table",
        "token_ids",
        "waits",
    )  # fmt: skip

    def __init__(self, request: Request, table: BlockTable) -> None:
        """Make the sequence of a request that nothing is computed of yet."""
        self.request = request
        self.table = table
        self.number = request.number
        self.token_ids = list(request.prompt_ids)
        self.prompt_length = len(request.prompt_ids)
        self.logprobs = request.params.logprobs
        self.is_masked = request.draws_late
        self.is_extended = False
        self.scores_prompt = request.scores_prompt
        self.is_simple = not (self.is_masked or self.scores_prompt or self.logprobs is not None)
        self.max_tokens = request.max_tokens
        self.priority = request.priority
        self.slot: int | None = None
        self.num_launched = 0
        self.num_pending = 0
        self.num_drafted = 0
        self.num_scored = request.scored_from or 0
        self.round: int | None = None
        self.last_turn = 0
        self.epoch = 0
        self.waits = True
        self.cached_tokens = 0
        self.partner: Sequence | None = None
        self.follows = False

    def pair_with(self, table: BlockTable) -> None:
        """Give it a partner with the prompt that it is drawn in contrast to."""
        contrast = self.request.contrast
        assert contrast is not None
        request = replace(
            self.request,
            params=SamplingParams(max_new_tokens=self.request.params.max_new_tokens),
            prompt_ids=contrast.prompt_ids,
            max_tokens=len(contrast.prompt_ids) + self.max_tokens - self.prompt_length,
            grammar=None,
            penalized_ids=(),
            own_lines=(),
            echo=False,
        )
        self.partner = Sequence(request, table)
        self.partner.partner = self
        self.is_simple = self.partner.is_simple = False
        self.partner.follows = True

    @property
    def leader(self) -> Sequence:
        """The one that replies: itself, or the one that it follows."""
        return self.partner if self.follows and self.partner is not None else self

    @property
    def members(self) -> tuple[Sequence, ...]:
        """All that join and leave the batch together with it."""
        return (self,) if self.partner is None else (self.leader, self.leader.partner or self)

    @property
    def num_generated(self) -> int:
        """Tokens drawn so far."""
        return len(self.token_ids) - self.prompt_length

    @property
    def num_remaining(self) -> int:
        """Tokens that the next steps can compute, counting those still being drawn."""
        length = len(self.token_ids) + self.num_pending
        # The last token of the longest reply is drawn but never computed.
        return min(length, self.max_tokens - 1) - self.num_launched

    @property
    def num_computable(self) -> int:
        """Those of them that need not wait: a pair draws in the same step or not at all."""
        remaining = self.num_remaining
        if self.partner is None or remaining == 0:
            return remaining
        return 1 if remaining == self.partner.num_remaining == 1 else remaining - 1

    @property
    def reusable_tokens(self) -> int:
        """How many leading tokens may be taken from the cache.

        One is always computed, to have something to draw from; and where the prompt is scored,
        the cache is of no use for positions whose scores are not known yet.
        """
        most = len(self.token_ids) - 1
        if self.scores_prompt and self.num_scored < self.prompt_length:
            return min(most, max(self.num_scored - 1, 0))
        return most

    def leave(self) -> None:
        """Leave the batch: the blocks are given back, and steps under way are void."""
        self.table.release()
        self.slot = None
        self.num_launched = self.num_pending = self.num_drafted = 0
        self.epoch += 1
