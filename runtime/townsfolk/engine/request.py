"""What was asked of the engine."""

from __future__ import annotations

from dataclasses import dataclass

from townsfolk.engine.rules import Contrast
from townsfolk.grammar import CompiledGrammar
from townsfolk.sampling.params import SamplingParams


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Request:
    """A prompt, and how it is to be answered. Nobody changes it.

    Attributes:
        number: order of arrival.
        prompt_ids: the prompt, at least one token.
        params: how to sample.
        seed: of the draws.
        max_tokens: the longest that prompt and reply together may become.
        namespace: requests of different namespaces share no KV.
        priority: at first; larger goes first.
        arrived: when it was submitted, in seconds of the monotonic clock.
        deadline: when it must end, on the same clock.
        echo: whether the prompt's tokens are reported.
        end_ids: at most MAX_END_TOKENS tokens that end the reply, besides the model's.
        penalized_ids: the prompt's tokens that the repetition penalty counts.
        grammar: what the reply must be; anything if not given.
        scored_from: the log-probabilities of the prompt's tokens from this one on, at least 1, are
            all that is wanted: no token is drawn. None for a reply.
        own_lines: what whoever speaks has said before, as far as it must not be repeated.
        adapter: number of the adapter that answers; 0 for the model alone.
        contrast: a prompt that the reply is drawn in contrast to.
        records_draws: whether tokens of which the grammar leaves no choice need no log-probability.
    """

    number: int
    prompt_ids: tuple[int, ...]
    params: SamplingParams
    seed: int
    max_tokens: int
    namespace: str = ""
    priority: int = 0
    arrived: float = 0.0
    deadline: float | None = None
    echo: bool = False
    end_ids: frozenset[int] = frozenset()
    penalized_ids: tuple[int, ...] = ()
    grammar: CompiledGrammar | None = None
    scored_from: int | None = None
    own_lines: tuple[tuple[int, ...], ...] = ()
    adapter: int = 0
    contrast: Contrast | None = None
    records_draws: bool = False

    @property
    def draws_late(self) -> bool:
        """Whether each token waits for what the host makes of those before."""
        looks_back = self.params.looks_back and self.scored_from is None
        return self.grammar is not None or looks_back or self.contrast is not None

    @property
    def scores_prompt(self) -> bool:
        """Whether the log-probabilities of the prompt's own tokens are wanted."""
        return self.scored_from is not None or (self.echo and self.params.logprobs is not None)

    @property
    def is_reported(self) -> bool:
        """Whether its caller is told of tokens of the prompt."""
        return self.echo or self.scored_from is not None

    @property
    def reported_from(self) -> int:
        """From which token of the prompt on."""
        return self.scored_from or 0
