"""The text of one reply, from tokens to deltas."""

from __future__ import annotations

from collections.abc import Sequence

from townsfolk.engine.outputs import FinishReason, TextDelta, TokenInfo
from townsfolk.engine.rules import TextFilter
from townsfolk.text.detokenizer import Detokenizer
from townsfolk.text.stop import StopScanner
from townsfolk.text.tokenizer import Tokenizer

# A character has at most four bytes, so what it was begun with is in the last four tokens.
_PROMPT_TAIL = 4


class Reply:
    """Turns the tokens of one reply into text, up to the first stop string.

    A token waits for its text: it is reported with the delta that completes its characters or
    shows that they don't begin a stop string.

    Attributes:
        ended: why the text ends here; None as long as it goes on.
    """

    __slots__ = ("_detokenizer", "_filter", "_parts", "_scanner", "_unreported", "ended")

    def __init__(
        self,
        tokenizer: Tokenizer | None,
        prompt_ids: Sequence[int],
        stops: Sequence[str],
        text_filter: TextFilter | None = None,
    ) -> None:
        """Start a reply; without a tokenizer it has no text."""
        tail = prompt_ids[-_PROMPT_TAIL:]
        self._detokenizer = Detokenizer(tokenizer, tail) if tokenizer is not None else None
        self.ended: FinishReason | None = None
        self._scanner = StopScanner(stops)
        self._filter = text_filter
        self._parts: list[str] = []
        self._unreported: list[TokenInfo] = []

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(self._parts)

    @property
    def stop_text(self) -> str | None:
        """The stop string that was found, if one was."""
        return self._scanner.stopped

    def push(self, token: TokenInfo, tokens_left: int) -> TextDelta | None:
        """Take a token, and how many may follow; return the text that became certain, if any."""
        text = ""
        if self._detokenizer is not None:
            text = self._scanner.push(self._detokenizer.push(token.token_id))
            if self._filter is not None:
                text = self._filter.push(text, tokens_left)
                self.ended = self._filter.finish_reason
            if self._scanner.stopped is not None:
                self.ended = FinishReason.STOP
            if not text:
                self._unreported.append(token)
                return None
        if self._unreported:
            self._unreported.append(token)
            return self._delta(text)
        self._parts.append(text)
        return TextDelta(text, (token,))

    def finish(self, reason: FinishReason, last: TokenInfo | None = None) -> TextDelta | None:
        """Return what was held back, with the end or stop token if there was one.

        A character that is half written is given as U+FFFD only where the model itself ended so.
        """
        if last is not None:
            self._unreported.append(last)
        text = "" if self._detokenizer is None else self._rest(self._detokenizer, reason)
        return self._delta(text) if text or self._unreported else None

    def _rest(self, detokenizer: Detokenizer, reason: FinishReason) -> str:
        text = ""
        if self._scanner.stopped is None:
            if reason in (FinishReason.END, FinishReason.STOP):
                text = self._scanner.push(detokenizer.flush())
            if self._scanner.stopped is None:
                text += self._scanner.flush()
        return text if self._filter is None else self._filter.finish(text)

    def _delta(self, text: str) -> TextDelta:
        self._parts.append(text)
        tokens, self._unreported = tuple(self._unreported), []
        return TextDelta(text, tokens)
