"""What the exam is made of, for the tests that nothing of it is in the corpus."""

import re

from townsfolk.starter.exam.paper import read

BOOKS = read()
VALUES = [
    (key, text)
    for key in ("names", "foreign names", "marked names", "trades", "homes", "goods", "players")
    for text in BOOKS["values"][key]
]
ASKED = (
    "name",
    "trade",
    "home",
    "fear",
    "price",
    "relative",
    "deflect",
    "between",
    "provoked",
    "provoked then",
)


def plain(text: str) -> str:
    """A template without its holes, choices and marks, for comparison."""
    text = re.sub(r"\{[^}]*\}", "_", text)
    return " ".join(re.sub(r"[^\w ]", "", text.lower()).split())


def phrasings() -> list[str]:
    asks, acts = BOOKS["questions"], BOOKS["acts"]
    texts = [text for key in ASKED for text in asks[key]]
    for key in ("player", "told"):
        texts += [part for pair in asks.pairs(key) for part in pair]
    texts += [part for fact in asks.triples("lore") for part in fact[:2]]
    texts += [line for line, _, _ in acts.triples("lines")] + list(acts["idle"])
    sentences = [re.split(r"(?<=[.!?:]) ", text) for text in BOOKS["people"]["people"]]
    return texts + [each for parts in sentences for each in parts]
