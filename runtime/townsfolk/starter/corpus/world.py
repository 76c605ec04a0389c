"""What everyone in a place knows: invented worlds as lore, with questions that it answers."""

from dataclasses import dataclass, field
from random import Random

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import expand, pick
from townsfolk.starter.corpus.split import Source
from townsfolk.starter.corpus.tales import tale
from townsfolk.starter.corpus.truths import TRUTHS, Known, Truth

_TEXT = book("world")

ASK_ABOUT = _TEXT["ask about"]


@dataclass(slots=True)
class World:
    """Lore texts and the facts in them."""

    lore: list[str] = field(default_factory=list)
    facts: list[Known] = field(default_factory=list)


def _fact(truth: Truth, rng: Random, split: Source, land: str) -> Known:
    values = {key: value(rng, split) for key, value in truth.values.items()}
    for key in ("land", "town"):
        if key in values and rng.random() < 0.5:
            values[key] = land
    return Known(truth, values, expand(pick(rng, truth.texts), rng, values))


def world(rng: Random, split: Source, home: str | None) -> World:
    """Return a world of one to three lores; the home town is often spoken of."""
    self = World()
    land = home if home and rng.random() < 0.6 else names.place(rng, split)
    truths = rng.sample(TRUTHS, pick(rng, (1, 2, 2, 3, 4, 5, 6)))
    self.facts = [_fact(truth, rng, split, land) for truth in truths]
    self.facts += [tale(rng, split) for _ in range(pick(rng, (0, 1, 1, 2, 3, 4)))]
    rng.shuffle(self.facts)
    sentences = [fact.sentence for fact in self.facts]
    for _ in range(pick(rng, (0, 0, 1, 1, 2, 3))):
        slots = {
            "work": pick(rng, _TEXT["works"]),
            "place": names.place(rng, split),
            "years": str(rng.randint(2, 300)),
            "beasts": lexicon.beasts(rng, split),
        }
        sentences.insert(
            rng.randint(0, len(sentences)), expand(pick(rng, _TEXT["colour"]), rng, slots)
        )
    lores = pick(rng, (1, 1, 1, 2, 3))
    size = -(-len(sentences) // lores)
    self.lore = [" ".join(sentences[at : at + size]) for at in range(0, len(sentences), size)]
    if rng.random() < 0.15:
        self.lore[0] = f"{land}: {self.lore[0]}"
    return self
