"""Values that nothing but copying can get right, in the place of those that generators draw.

A model that has seen the corpus' names only copies what looks like them. Here a name is a real one
of any language, letters at random, syllables that repeat, or has marks, digits and accents in it.
"""

from random import Random

from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import capitalise, pick

_TEXT = book("strange")
_ACCENTS = dict(_TEXT.pairs("accents"))


def _letters(rng: Random) -> str:
    return "".join(pick(rng, _TEXT["letters"]) for _ in range(rng.randint(2, 10)))


def _pieces(rng: Random) -> str:
    """Return syllables; often two of a word are the same, which must not begin a loop."""
    parts = [pick(rng, _TEXT["pieces"]) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.5:
        at = rng.randrange(len(parts))
        parts.insert(at, parts[at])
    return "".join(parts)


def _accented(rng: Random) -> str:
    word = _pieces(rng)
    return "".join(
        pick(rng, _ACCENTS[letter]) if letter in _ACCENTS and rng.random() < 0.5 else letter
        for letter in word
    )


def _foreign(rng: Random) -> str:
    if rng.random() < 0.5:
        first, last = (ord(letter) for letter in pick(rng, _TEXT["ranges"]).split("-"))
        letters = (chr(rng.randint(first, last)) for _ in range(rng.randint(2, 5)))
        return "".join(letter for letter in letters if letter.isalpha()) or chr(first)
    alphabet = pick(rng, _TEXT["alphabets"])
    return "".join(pick(rng, alphabet) for _ in range(rng.randint(2, 7)))


def _marked(rng: Random) -> str:
    written = ""
    for mark in pick(rng, _TEXT["marks"]):
        if mark == "*":
            written += capitalise(pick(rng, (_letters, _pieces))(rng)[:6])
        else:
            written += str(rng.randint(1, 999)) if mark == "#" else mark
    return written


def _compound(rng: Random) -> str:
    """Return two nouns in one word: what begins it says nothing of how it ends."""
    return (pick(rng, _TEXT["words"]) + pick(rng, _TEXT["words"])).replace(" ", "")[:14]


def name(rng: Random) -> str:
    """Return a name of a person, a place or a house."""
    draw = rng.random()
    if draw < 0.35:
        return pick(rng, _TEXT["names"] if draw < 0.25 else _TEXT["places"])
    if draw < 0.5:
        return _marked(rng)
    if draw < 0.6:
        return _foreign(rng)
    return capitalise(pick(rng, (_letters, _pieces, _compound, _compound, _accented))(rng))


def word(rng: Random) -> str:
    """Return a common noun in Latin letters, which articles and plurals go with."""
    draw = rng.random()
    if draw < 0.5:
        return pick(rng, _TEXT["words"])
    return pick(rng, (_letters, _pieces, _compound, _accented))(rng)


def estranged(value: str, rng: Random) -> str:
    """Return the value with its proper names, or else one of its nouns, replaced."""
    words = value.split(" ")
    proper = [at for at, each in enumerate(words) if each[:1].isupper()]
    if proper:
        for at in proper:
            words[at] = name(rng)
    else:
        at = rng.randrange(len(words)) if words[0] != "the" else len(words) - 1
        words[at] = word(rng)
    return " ".join(words)
