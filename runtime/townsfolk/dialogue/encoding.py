"""From rendered prompts to token ids, keeping what the model has already computed.

A conversation grows at its end. Two things keep its token ids, and with them the KV of all earlier
turns, as they were: units that were encoded before are not encoded again, and a reply keeps the
ids that the model drew, which need not be those that its text would be encoded to. These are
known to all sessions: one that is opened with the history of another finds the other's KV.
"""

import codecs
import threading
from collections import OrderedDict
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
        """Return the number of tokens."""
        return sum(map(len, self.unit_ids))


class Spellings:
    """How the model spelled the replies of all sessions of late; for any thread."""

    def __init__(self, most_tokens: int) -> None:
        """Keep so many tokens: more than the KV cache holds are of no use."""
        self._most = most_tokens
        self._tokens = 0
        self._lock = threading.Lock()
        self._known: OrderedDict[Unit, tuple[int, ...]] = OrderedDict()

    def get(self, unit: Unit) -> tuple[int, ...] | None:
        """Return the ids of a unit that ends with a reply, if it was spelled here."""
        return self._known.get(unit)

    def note(self, unit: Unit, ids: tuple[int, ...]) -> None:
        """Note how the model has spelled a unit."""
        with self._lock:
            self._tokens += len(ids) - len(self._known.pop(unit, ()))
            self._known[unit] = ids
            while self._tokens > self._most:
                self._tokens -= len(self._known.popitem(last=False)[1])


class PromptEncoder:
    """Encodes the prompts of one session; knows the units of one prompt, and what is tried next."""

    def __init__(self, tokenizer: Tokenizer, spellings: Spellings | None = None) -> None:
        self._tokenizer = tokenizer
        self._spellings = spellings or Spellings(0)
        self._known: dict[tuple[Unit, bool], tuple[int, ...]] = {}
        self._tried: dict[tuple[Unit, bool], tuple[int, ...]] = {}
        self._answered = EncodedPrompt()
        self._generated: tuple[int, ...] = ()

    def unknown_characters(self, units: Sequence[Unit]) -> int:
        """Return how many characters `encode` would have to encode."""
        places = enumerate(units)
        return sum(len(unit.text) for i, unit in places if (unit, i == 0) not in self._known)

    def encode(self, units: Sequence[Unit]) -> EncodedPrompt:
        """Encode a prompt. Several can be tried; the one that is used is given to `keep`."""
        ids = [self._spelled(i, unit) or self._ids(unit, i == 0) for i, unit in enumerate(units)]
        return EncodedPrompt(tuple(units), tuple(ids))

    def keep(self, prompt: EncodedPrompt | None) -> None:
        """Know the units of this prompt and no others; None for those known before."""
        self._tried = {}
        if prompt is not None:
            places = enumerate(zip(prompt.units, prompt.unit_ids, strict=True))
            self._known = {(unit, i == 0): ids for i, (unit, ids) in places}

    def remember(self, prompt: EncodedPrompt, generated_ids: Sequence[int]) -> None:
        """Note that the model has continued `prompt` with these ids."""
        self.keep(prompt)
        self._answered = prompt
        self._generated = tuple(generated_ids)

    def _ids(self, unit: Unit, is_first: bool) -> tuple[int, ...]:
        key = unit, is_first
        ids = self._known.get(key) or self._tried.get(key) or self._spellings.get(unit)
        if ids is None:
            ids = self._tried[key] = self._encoded(unit, is_first)
        return ids

    def _encoded(self, unit: Unit, is_first: bool) -> tuple[int, ...]:
        if unit.control is not None:
            head = self._tokenizer.special_tokens[unit.control]
            return (head, *self._tokenizer.encode(unit.text, continues=True))
        line = None if is_first else self._continuation_ids(unit.text, _ANCHORS[::-1])
        return tuple(self._tokenizer.encode(unit.text)) if line is None else line

    def _spelled(self, index: int, unit: Unit) -> tuple[int, ...] | None:
        """Return the ids of the unit that the answered prompt ended in, with the reply in it."""
        if index != len(self._answered.units) - 1:
            return None
        last, ids = self._answered.units[index], self._answered.unit_ids[index]
        if unit.control != last.control or not unit.text.startswith(last.text):
            return None
        reply_ids = self._reply_ids(unit.text[len(last.text) :])
        if reply_ids is None:
            return None
        self._spellings.note(unit, ids + reply_ids)
        return ids + reply_ids

    def _reply_ids(self, text: str) -> tuple[int, ...] | None:
        """Return the ids of `text`, which begins with the reply: as generated as far as they agree.

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

    def _continuation_ids(
        self, text: str, anchors: Sequence[str] = _ANCHORS
    ) -> tuple[int, ...] | None:
        """Return the ids of text that follows other text; None where they can't be told apart."""
        if not text:
            return ()
        for anchor in anchors:
            before = self._tokenizer.encode(anchor)
            ids = self._tokenizer.encode(anchor + text)
            if ids[: len(before)] == before:
                return tuple(ids[len(before) :])
        return None
