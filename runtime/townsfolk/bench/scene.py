"""What is played: how many characters, how long their texts are, when they are spoken to.

Texts are made of words that the vocabulary of `townsfolk.bench.checkpoint` holds whole, so that a
number of words is a number of tokens. What they say doesn't matter: speed does not depend on it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from townsfolk.bench.answer import Answer

WORDS = 1000  # different ones in all texts
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Scene:
    """Characters and those who talk to them. Lengths are in tokens.

    Attributes:
        npcs: characters.
        turns: questions to each.
        lore: what all of them know; 0 for nothing.
        persona: each one's own description.
        said: a question.
        reply: an answer, exactly.
        thinking_s: mean of the pauses before and between questions, exponentially distributed;
            0 for none.
        intruders: prompts of somebody else that arrive meanwhile, one each `intrusion_s` seconds,
            the first after `intrusion_s`.
        intruder: length of each.
        intrusion_s: see `intruders`.
        take: its number; texts of different takes differ.
    """

    npcs: int
    turns: int = 8
    lore: int = 1000
    persona: int = 300
    said: int = 30
    reply: int = 60
    thinking_s: float = 2.0
    intruders: int = 0
    intruder: int = 4000
    intrusion_s: float = 0.12
    take: int = 0

    @property
    def tokens(self) -> int:
        """Room for all of it in the KV cache, with what chat templates add."""
        own = self.persona + self.turns * (self.said + self.reply + 40) + 40
        return self.lore + self.npcs * own + self.intruders * self.intruder

    def draw(self, part: str) -> random.Random:
        """Random numbers for a part of the scene: the same in every process."""
        return random.Random(f"{self.take} {self.npcs} {part}")


class Stage(Protocol):
    """Where scenes are played: the engine in this process, or a runtime of its own."""

    def play(self, scene: Scene) -> list[Answer]:
        """Play a scene to its end; return all answers of its characters."""

    def rest(self) -> None:
        """Wait until nothing is done in the background any more."""

    def close(self) -> None:
        """End it."""


def word(index: int) -> str:
    """Return the word of a number from 0: four letters."""
    letters = []
    for _ in range(4):
        index, letter = divmod(index, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(reversed(letters))


def text(draw: random.Random, words: int) -> str:
    """Some words, a token each."""
    return " ".join(word(draw.randrange(WORDS)) for _ in range(words))


def pause_s(draw: random.Random, mean_s: float) -> float:
    """Return how long somebody thinks."""
    return draw.expovariate(1 / mean_s) if mean_s > 0 else 0.0


def elapsed_s(answers: Sequence[Answer]) -> float:
    """Return the seconds from the first question to the last token."""
    end = max(answer.arrivals[-1] for answer in answers if answer.arrivals)
    return end - min(answer.asked for answer in answers)
