"""One request inside the engine."""

from __future__ import annotations

import weakref
from asyncio import AbstractEventLoop
from collections import deque
from dataclasses import dataclass, field

from townsfolk.engine.generation import Event, Generation
from townsfolk.engine.outputs import TokenInfo
from townsfolk.engine.reply import Reply
from townsfolk.engine.rules import NO_RULES, ReplyRules
from townsfolk.kv import BlockTable
from townsfolk.sampling.params import SamplingParams


@dataclass(slots=True, eq=False, repr=False)
class Request:
    """A prompt, its reply so far, and how far the model has come.

    Attributes:
        number: order of arrival.
        params: how to sample.
        rules: what the reply is held to besides.
        eos_ids: the model's end tokens.
        seed: of the draws.
        prompt_length: tokens of the prompt.
        token_ids: the prompt, then what was drawn.
        max_tokens: the longest that `token_ids` may become.
        table: its KV blocks.
        reply: its text.
        priority: larger goes first.
        arrived: when it was submitted, in seconds of the monotonic clock.
        deadline: when it must end, on the same clock.
        echo: whether the prompt's tokens are reported.
        event_loop: where its handle lives.
        handle: what its caller holds.
        letters: what its caller is to be told, oldest first; see `Outbox` for these three.
        announced: whether the event loop knows that there are letters.
        urgent: whether a letter is its first or last one, which does not wait for its turn.
        row: its row in the runner's state while it is in the batch.
        num_launched: positions whose KV is written once all steps launched so far have run.
        num_pending: tokens that launched steps are drawing.
        epoch: goes up when the request leaves the batch; results of older steps are void.
        waits: whether it was never in the batch.
        cached_tokens: prompt tokens found in the cache when it first ran.
        prompt_infos: with `echo` and log-probabilities, what is known of the prompt.
        first_token_at: when its first token came, on the monotonic clock.
        last_token_at: when its latest token came.
    """

    number: int
    params: SamplingParams
    seed: int
    prompt_length: int
    token_ids: list[int]
    max_tokens: int
    table: BlockTable
    reply: Reply
    priority: int
    arrived: float
    deadline: float | None
    echo: bool
    event_loop: AbstractEventLoop
    rules: ReplyRules = NO_RULES
    eos_ids: frozenset[int] = frozenset()
    handle: weakref.ref[Generation] = field(init=False)
    letters: deque[Event] = field(default_factory=deque)
    announced: bool = False
    urgent: bool = True
    row: int | None = None
    num_launched: int = 0
    num_pending: int = 0
    epoch: int = 0
    waits: bool = True
    cached_tokens: int = 0
    prompt_infos: list[TokenInfo] = field(default_factory=list)
    first_token_at: float | None = None
    last_token_at: float = 0.0

    @property
    def penalized_prompt(self) -> list[int]:
        """The prompt's tokens that the repetition penalty counts.

        Never end tokens: to end would grow less likely with each turn of a conversation.
        """
        if not self.rules.penalizes_prompt:
            return []
        ends = self.eos_ids | self.rules.end_ids
        return [
            token_id for token_id in self.token_ids[: self.prompt_length] if token_id not in ends
        ]

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
    def scores_prompt(self) -> bool:
        """Whether the log-probabilities of the prompt's own tokens are wanted."""
        return self.echo and self.params.logprobs is not None

    @property
    def reusable_tokens(self) -> int:
        """How many leading tokens may be taken from the cache.

        One is always computed, to have something to draw from; and where the prompt is scored,
        the cache is of no use for positions whose scores are not known yet.
        """
        most = len(self.token_ids) - 1
        if self.scores_prompt and len(self.prompt_infos) < self.prompt_length:
            return min(most, max(len(self.prompt_infos) - 1, 0))
        return most
