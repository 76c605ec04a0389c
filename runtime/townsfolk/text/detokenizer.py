"""Token ids to text, one at a time."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from townsfolk.text.tokenizer import Tokenizer


class Detokenizer:
    """The text of one reply as its tokens come; constant work for each token.

    Everything pushed and flushed, joined, is `Tokenizer.decode` of all the ids. A character whose
    bytes are not all there is held back; bytes that can never become one give U+FFFD as soon as
    that is certain, at the latest in `flush`.
    """

    def __init__(self, tokenizer: Tokenizer, prompt_tail: Sequence[int] = ()) -> None:
        """Start a reply.

        Args:
            tokenizer: the model's vocabulary.
            prompt_tail: the last few ids before the reply (four are enough: a character has at
                most four bytes). A reply that goes on inside a text keeps its first space, and a
                character that the prompt left half written is completed.
        """
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        continues = bool(prompt_tail) and not tokenizer.is_control(prompt_tail[-1])
        self._drops_space = tokenizer.adds_prefix_space and not continues
        self._is_between = True  # no character is half written
        if continues:
            for token_id in prompt_tail:
                self._decode(token_id)

    def push(self, token_id: int) -> str:
        """Take one more token and return the whole characters that it completes."""
        if self._is_between and not self._drops_space:
            text = self._tokenizer.whole_text(token_id)
            if text is not None:
                return text  # nearly always, and at a tenth of the cost
        return self._without_prefix_space(self._decode(token_id))

    def flush(self) -> str:
        """Return what is left at the end: U+FFFD for a character that was never completed."""
        return self._without_prefix_space(self._decoder.decode(b"", final=True))

    def _decode(self, token_id: int) -> str:
        if self._tokenizer.is_control(token_id):
            return ""
        text = self._decoder.decode(self._tokenizer.token_bytes(token_id))
        self._is_between = not self._decoder.getstate()[0]
        return text

    def _without_prefix_space(self, text: str) -> str:
        if text and self._drops_space:
            self._drops_space = False
            return text[1:] if text[0] == " " else text
        return text
