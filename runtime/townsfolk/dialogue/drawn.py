"""What a model has drawn, for who learns from it."""

from dataclasses import dataclass

from townsfolk.engine.outputs import TokenInfo
from townsfolk.grammar import Grammar


@dataclass(frozen=True, slots=True)
class DrawnText:
    """The tokens that one request has drawn.

    Attributes:
        prompt_ids: what they stand behind.
        tokens: each with its log-probability among those that it was drawn from, where it was
            drawn: not where a grammar left no choice, and not where one was brought to its end.
        grammar: what they had to be.
        temperature: that they were drawn at.
    """

    prompt_ids: tuple[int, ...]
    tokens: tuple[TokenInfo, ...]
    grammar: Grammar | None
    temperature: float
