"""From rendered prompts to token ids, keeping what the model has already computed.

A conversation grows at its end. Two things keep its token ids, and with them the KV of all earlier
turns, as they were: units that were encoded before are not encoded again, and a reply keeps the
ids that the model generated, which need not be those that its text would be encoded to.
"""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

from townsfolk.dialogue.chat_template import Unit
from townsfolk.text.tokenizer import Tokenizer

# Text that a continuation is encoded behind, so that it is not taken for the start of a text (where
# SentencePiece vocabularies put a space). One of them hardly ever merges with what follows.
_ANCHORS = ("x", ".", "\n")


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """A prompt and its token ids."""

    units: tuple[Unit, ...] = ()
    unit_ids: tuple[tuple[int, ...], ...] = ()
    """The ids of each unit."""

    @property
    def token_ids(self) -> list[int]:
        """The ids of the whole prompt."""
        return [token_id for ids in self.unit_ids for token_id in ids]

    def __len__(self) -> int:
        """The number of tokens."""
        return sum(map(len, self.unit_ids))


class PromptEncoder:
    """Encodes the prompts of one session."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._last = EncodedPrompt()
        self._generated: tuple[int, ...] = ()
        self._seen: dict[Unit, tuple[int, ...]] = {}  # of the last prompt, and what was tried since

    def encode(self, units: Sequence[Unit]) -> EncodedPrompt:
        """Encode a prompt. Several can be tried; the one that is used is given to `remember`."""
        ids = [self._kept(i, unit) or self._encode_unit(unit) for i, unit in enumerate(units)]
        return EncodedPrompt(tuple(units), tuple(ids))

    def remember(self, prompt: EncodedPrompt, generated_ids: Sequence[int]) -> None:
        """The model has continued `prompt` with these ids."""
        self._last = prompt
        self._seen = dict(zip(prompt.units, prompt.unit_ids, strict=True))
        self._generated = tuple(generated_ids)

    def _encode_unit(self, unit: Unit) -> tuple[int, ...]:
        if unit not in self._seen:
            control, encode = unit.control, self._tokenizer.encode
            head = () if control is None else (self._tokenizer.special_tokens[control],)
            self._seen[unit] = (*head, *encode(unit.text, continues=control is not None))
        return self._seen[unit]

    def _kept(self, index: int, unit: Unit) -> tuple[int, ...] | None:
        """The ids of a unit that the last prompt had at this place, or ended in."""
        if index >= len(self._last.units):
            return None
        last, ids = self._last.units[index], self._last.unit_ids[index]
        if unit == last:
            return ids
        was_open = index == len(self._last.units) - 1
        if not was_open or unit.control != last.control or not unit.text.startswith(last.text):
            return None
        reply_ids = self._reply_ids(unit.text[len(last.text) :])
        return None if reply_ids is None else ids + reply_ids

    def _reply_ids(self, text: str) -> tuple[int, ...] | None:
        """The ids of `text`, which begins with the reply: as generated as far as they agree.

        White space before the reply is the model's affair: the template may write another.
        """
        wanted = text.lstrip()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        said, kept, rest = "", 0, ""
        for count, token_id in enumerate(self._generated, start=1):
            if self._tokenizer.is_control(token_id):
                break
            said = (said + decoder.decode(self._tokenizer.token_bytes(token_id))).lstrip()
            if not wanted.startswith(said):
                break
            is_whole = not decoder.getstate()[0]  # no character that the next token completes
            if said and is_whole:
                kept, rest = count, wanted[len(said) :]
        rest_ids = self._continuation_ids(rest) if kept else None
        return None if rest_ids is None else self._generated[:kept] + rest_ids

    def _continuation_ids(self, text: str) -> tuple[int, ...] | None:
        """The ids of text that goes on after other text; None where they can't be told apart."""
        if not text:
            return ()
        for anchor in _ANCHORS:
            before = self._tokenizer.encode(anchor)
            ids = self._tokenizer.encode(anchor + text)
            if ids[: len(before)] == before:
                return tuple(ids[len(before) :])
        return None
