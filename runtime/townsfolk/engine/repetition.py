"""What keeps replies from going round in circles, and the end of those that do."""

from __future__ import annotations

from townsfolk.engine.outputs import FinishReason
from townsfolk.engine.request import Request
from townsfolk.engine.rules import ReplyRules, TextFilter
from townsfolk.sampling.params import SamplingParams
from townsfolk.sampling.repeats import RepeatPenalty
from townsfolk.text.repetition import RepetitionGuard
from townsfolk.text.tokenizer import Tokenizer


class RepetitionFilter:
    """Ends a reply whose text is a loop. A `TextFilter`."""

    def __init__(self, guard: RepetitionGuard) -> None:
        """Start a reply."""
        self.finish_reason: FinishReason | None = None
        self._guard = guard

    def push(self, text: str, tokens_left: int) -> str:
        """Take more text; give what can be shown."""
        shown = self._guard.push(text, tokens_left)
        if self._guard.found:
            self.finish_reason = FinishReason.REPETITION
        return shown

    def finish(self, text: str) -> str:
        """Take the last text; give what was held back, as the reply has ended."""
        return self._guard.push(text) + self._guard.flush()


def guard_of(params: SamplingParams) -> RepetitionGuard:
    """Return what looks for loops in a reply, which doesn't end before its minimum."""
    return RepetitionGuard(params.max_new_tokens - params.min_new_tokens)


def repeats_of(request: Request, tokenizer: Tokenizer | None) -> RepeatPenalty | None:
    """Return what makes it less likely that a reply repeats; None where nothing is to."""
    params = request.params
    if not params.looks_back or request.grammar is not None or request.scored_from is not None:
        return None

    def is_breaker(token_id: int) -> bool:
        text = "" if tokenizer is None else tokenizer.whole_text(token_id) or ""
        return any(breaker in text for breaker in params.dry_breakers)

    return RepeatPenalty(params, request.own_lines, is_breaker)


def filter_of(params: SamplingParams, rules: ReplyRules, *, is_free: bool) -> TextFilter | None:
    """Return what a reply's text goes through; a reply that is free is under no grammar."""
    if rules.text_filter is None and params.stop_repetition and is_free:
        return RepetitionFilter(guard_of(params))
    return rules.text_filter
