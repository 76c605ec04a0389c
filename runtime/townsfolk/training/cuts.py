"""Segmentation dropout: words of a prompt arrive in other pieces than the tokenizer's own.

A name that the tokenizer has never joined arrives in pieces that depend on what stands around it.
Who always sees a word in the same pieces learns pieces by heart instead of copying letters. What
the model is to say keeps the tokenizer's pieces, which are those that it will be shown.

Source: Provilkov et al., BPE-Dropout: Simple and Effective Subword Regularization, 2020; here words
are cut in two or three before they are encoded, so that the cuts follow from a seed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

# A control token stays whole, and so does the role that it names.
_PIECES = re.compile(r"<\|[^|>]*\|>(?:(?:system|user|assistant)(?=<\|))?|[^\W_]{3,}")


@dataclass(frozen=True, slots=True)
class Cuts:
    """Where words are cut.

    Attributes:
        rng: Decides it.
        share: How many words are cut, of one.
    """

    rng: Random
    share: float

    def __call__(self, text: str) -> Iterator[str]:
        """Yield the text in pieces that are to be encoded each by itself."""
        start = 0
        for found in _PIECES.finditer(text):
            word = found.group()
            if word.startswith("<|") or self.rng.random() >= self.share:
                continue
            places = self.rng.sample(range(1, len(word)), self.rng.randint(1, 2))
            for place in sorted(places):
                yield text[start : found.start() + place]
                start = found.start() + place
        yield text[start:]
