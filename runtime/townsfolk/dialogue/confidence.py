"""How sure a character is of what it says."""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from townsfolk.dialogue.speech import Spoken
from townsfolk.engine.outputs import TokenInfo
from townsfolk.text.tokenizer import Tokenizer

MOST_PEAKS = 3

HesitationEntropy = Annotated[
    float | None, Field(ge=0, le=20, allow_inf_nan=False, description="0 to 20 nats")
]


@dataclass(frozen=True, slots=True)
class EntropyPeak:
    """A place of a sentence where much else could have been said."""

    start: int
    """The first of its characters within the sentence, in code points."""
    length: int
    """How many characters it has."""
    entropy: float
    """Of the model's own distribution there, in nats."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure the character was of a sentence."""

    mean_logprob: float
    """Of its tokens, in nats."""
    peaks: tuple[EntropyPeak, ...]
    """The places with the highest entropy, highest first."""
    hesitated: bool
    """Whether the entropy reached the threshold somewhere."""


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A token, and where its characters are in the answer."""

    start: int
    end: int
    logprob: float
    entropy: float


class ConfidenceMeter:
    """Follows the tokens of one answer, and tells of each sentence how sure it was."""

    def __init__(self, tokenizer: Tokenizer, threshold: float) -> None:
        """Take the entropy, in nats, from which on the character hesitates."""
        self._tokenizer = tokenizer
        self._threshold = threshold
        self._tokens: list[_Spoken] = []
        self._written = 0  # characters of the answer so far

    def take(self, text: str, tokens: tuple[TokenInfo, ...]) -> None:
        """Note the tokens behind the next piece of what the model writes.

        A token is where its text is found in the piece; tokens whose text is not shown, such as a
        label or an end, are nowhere.

        Args:
            text: The piece.
            tokens: With log-probabilities.
        """
        begin, self._written = self._written, self._written + len(text)
        place = 0
        for token in tokens:
            if token.logprob is None or token.entropy is None or math.isnan(token.logprob):
                continue
            shown = (self._tokenizer.whole_text(token.token_id) or "").strip()
            found = text.find(shown, place) if shown else -1
            if found >= 0:
                place = found + len(shown)
                self._tokens.append(
                    _Spoken(begin + found, begin + place, token.logprob, token.entropy)
                )

    def of(self, sentence: Spoken) -> Confidence | None:
        """Return how sure the next sentence of an answer was; None where none of it was drawn."""
        own = [
            (first, last - first + 1, token)
            for token in self._tokens
            if (first := _first_place(sentence, range(token.start, token.end))) is not None
            if (last := _first_place(sentence, range(token.end - 1, token.start - 1, -1)))
            is not None
        ]
        self._tokens = [token for token in self._tokens if token.end > sentence.raw_end]
        if not own:
            return None
        highest = sorted(own, key=lambda each: -each[2].entropy)[:MOST_PEAKS]
        return Confidence(
            mean_logprob=math.fsum(token.logprob for _, _, token in own) / len(own),
            peaks=tuple(
                EntropyPeak(start, length, token.entropy) for start, length, token in highest
            ),
            hesitated=highest[0][2].entropy >= self._threshold,
        )


def _first_place(sentence: Spoken, characters: range) -> int | None:
    """Return where in the sentence the first of these characters stands that is said in it."""
    places = (sentence.place_of(each) for each in characters)
    return next((place for place in places if place is not None), None)
