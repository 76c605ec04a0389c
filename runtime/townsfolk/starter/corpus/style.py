"""Ways of speaking: how a persona describes them and what they do to a reply."""

import re
from dataclasses import dataclass
from random import Random

from townsfolk.starter.corpus.book import Book, book
from townsfolk.starter.corpus.grammar import capitalise, expand, pick, tidy

_TEXT = book("styles")


@dataclass(frozen=True, slots=True)
class Style:
    """A way of speaking.

    ``wordings`` are what a developer may write in the persona's ``speaking_style``. A reply may
    begin with an opener and end with a closer; ``address`` is what the player is called; ``swaps``
    replaces whole words.
    """

    wordings: tuple[str, ...]
    address: tuple[str, ...]
    openers: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()
    opening: float = 0.0
    closing: float = 0.0
    swaps: tuple[tuple[str, str], ...] = ()

    def dress(self, reply: str, rng: Random) -> str:
        """Return the reply as somebody with this style says it."""
        for word, other in self.swaps:
            reply = re.sub(rf"\b{word}\b", other, reply)
        if self.openers and rng.random() < self.opening:
            opener = pick(rng, self.openers)
            if not opener.endswith(",") or _first_word(reply) in _TEXT["continues"]:
                reply = f"{opener} {reply}"
            elif _first_word(reply) in _TEXT["lowered"]:
                reply = f"{opener} {reply[0].lower()}{reply[1:]}"
        if self.closers and rng.random() < self.closing:
            reply = f"{reply} {pick(rng, self.closers)}"
        return tidy(reply)


def _first_word(text: str) -> str:
    return re.split(r"[^A-Za-z']", text, maxsplit=1)[0]


def wording(style: Style, rng: Random) -> str:
    """Return one way to describe the style in a persona; empty for plain speech."""
    if style.wordings:
        return capitalise(expand(pick(rng, style.wordings), rng, {}))
    if rng.random() < 0.6:
        return ""
    words = rng.sample(_TEXT["neutral"], pick(rng, (1, 2, 2)))
    text = " and ".join(words)
    return capitalise(text) if rng.random() < 0.5 else text


def _style(told: Book) -> Style:
    return Style(
        wordings=told.get("wordings"),
        address=told["address"],
        openers=told.get("openers"),
        closers=told.get("closers"),
        opening=told.number("opening"),
        closing=told.number("closing"),
        swaps=told.pairs("swaps") if "swaps" in told.texts else (),
    )


_STYLES = {name: _style(told) for name, told in _TEXT.section("styles").sections.items()}
PLAIN = _STYLES["plain"]
STYLES = tuple(style for style in _STYLES.values() if style is not PLAIN)


def any_style(rng: Random) -> Style:
    """Return a style; plain speech is the most frequent."""
    return PLAIN if rng.random() < 0.4 else pick(rng, STYLES)
