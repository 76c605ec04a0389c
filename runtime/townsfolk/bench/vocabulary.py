"""A vocabulary for random weights, which have none."""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator


class MadeUpVocabulary:
    """Words of letters for random weights, which have none: as many as there are, each once.

    It is a `Vocabulary` of the grammars: bytes first, then syllables joined to words, half of them
    with a space before them, as in byte-level vocabularies.
    """

    def __init__(self, vocab_size: int) -> None:
        """Make up so many tokens; the last one ends a reply."""
        self.vocab_size = vocab_size
        self.bos_id = None
        self.eos_id = vocab_size - 1
        self.special_tokens = {"<end>": self.eos_id}
        words = itertools.chain((bytes([each]) for each in range(256)), _words())
        self._tokens = [*itertools.islice(words, vocab_size - 1), b"<end>"]
        self._ids = {data: token_id for token_id, data in enumerate(self._tokens)}

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes that a token stands for."""
        return self._tokens[token_id]

    def encode(self, text: str, *, continues: bool = False) -> list[int]:
        """Return the tokens of a text, always the longest that fits."""
        data, ids = text.encode(), []
        while data:
            length = next(n for n in range(min(len(data), 16), 0, -1) if data[:n] in self._ids)
            ids.append(self._ids[data[:length]])
            data = data[length:]
        return ids


def _words() -> Iterator[bytes]:
    vowels = "aeiou"
    consonants = [letter for letter in string.ascii_lowercase if letter not in vowels]
    syllables = [a + b for a in consonants for b in vowels]
    for count in itertools.count(1):
        for parts in itertools.product(syllables, repeat=count):
            word = "".join(parts)
            yield word.encode()
            yield f" {word}".encode()
