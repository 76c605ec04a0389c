"""What a reply is held to, besides what its request asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from townsfolk.engine.outputs import FinishReason


class TextFilter(Protocol):
    """What the text of one reply goes through on its way out, in the engine's thread.

    Attributes:
        finish_reason: why the reply ends here; None as long as it goes on.
    """

    finish_reason: FinishReason | None

    def push(self, text: str, tokens_left: int) -> str:
        """Take more text, and how many tokens may still be drawn; give what can be shown."""
        ...

    def finish(self, text: str) -> str:
        """Take the last text; give what was held back, as the reply has ended."""
        ...


MAX_CONTRAST = 10.0
"""The most that a contrast's strength can be."""


@dataclass(frozen=True, slots=True)
class Contrast:
    """What a reply is drawn in contrast to; see `sampling.contrast`.

    Attributes:
        prompt_ids: the prompt without something, which the reply then shows more of.
        strength: how much more; above 0.
    """

    prompt_ids: tuple[int, ...]
    strength: float


@dataclass(frozen=True, slots=True)
class ReplyRules:
    """Rules of whoever submits a request, in places of their own: nothing in it pushes them out.

    Attributes:
        end_ids: tokens that end the reply as the model's own end tokens do.
        penalizes_prompt: whether the repetition penalty counts the prompt's tokens.
        text_filter: what the text goes through; one for each request.
        speaker: who says it, for engines that speak by a script.
        own_lines: what it has said before, as tokens: what DRY and `no_repeat_tokens` count besides
            the reply.
        contrast: a prompt that the reply is drawn in contrast to.
        is_action: whether it is the JSON of an action, for engines that speak by a script.
        begins_action: with what it ends where the character begins to act, for such engines; empty
            where it can't.
        records_draws: whether it is told of each token how likely it was among those it was drawn
            from, and of which there was no choice; see `TokenInfo.drawn_logprob`.
    """

    end_ids: frozenset[int] = frozenset()
    penalizes_prompt: bool = True
    text_filter: TextFilter | None = None
    speaker: str = ""
    own_lines: tuple[tuple[int, ...], ...] = ()
    contrast: Contrast | None = None
    is_action: bool = False
    begins_action: str = ""
    records_draws: bool = False


NO_RULES = ReplyRules()
