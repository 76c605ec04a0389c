"""Greetings, farewells and everything said to be polite, kind, rude or merely to say something."""

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.talk import Talk

_TEXT = book("topics/smalltalk")

GREET = _TEXT["greet"]


BYE = _TEXT["bye"]


def greeting(talk: Talk) -> None:
    """Hello and hello."""
    self = talk.character
    options = [_TEXT["greet back"], _TEXT["greet back"], _TEXT["greet named"]]
    if self.trade:
        options.append(_TEXT["greet trade"])
    if self.work and self.scene.at == "at":
        options.append(_TEXT["greet work"])
    if self.home:
        options.append(_TEXT["greet home"])
    if self.deed and not self.trade:
        options = [_TEXT["greet back"], _TEXT["greet named"], _TEXT["greet deed"]]
    talk.hear(GREET)
    if self.lines and talk.rng.random() < 0.35:
        talk.respeak(pick(talk.rng, self.lines))
    else:
        talk.say(pick(talk.rng, options), deed=self.deed[0] if self.deed else "")


def farewell(talk: Talk) -> None:
    """Goodbye and goodbye."""
    talk.exchange(BYE, _TEXT["farewell"])


def health(talk: Talk) -> None:
    """How are you?"""
    worried = talk.rng.random() < 0.2
    talk.exchange(
        _TEXT["how"],
        _TEXT["worried"] if worried else _TEXT["fine"],
        worry=pick(talk.rng, talk.character.scene.worries),
    )


def business(talk: Talk) -> None:
    """How is work, what is new."""
    scene = talk.character.scene
    news = pick(talk.rng, scene.news)
    if talk.rng.random() < 0.5:
        talk.exchange(
            _TEXT["business"], _TEXT["business reply"], worry=pick(talk.rng, scene.worries)
        )
    else:
        talk.exchange(_TEXT["news"], _TEXT["news reply"], news=news)


def weather(talk: Talk) -> None:
    """Rain and sun."""
    talk.exchange(_TEXT["weather"], _TEXT["weather reply"])


def manners(talk: Talk) -> None:
    """Thanks, praise, insults, apologies, threats, mere noises."""
    talk.exchange(
        *pick(
            talk.rng,
            (
                (_TEXT["thanks"], _TEXT["welcome"]),
                (_TEXT["insult"], _TEXT["insulted"]),
                (_TEXT["praise"], _TEXT["praised"]),
                (_TEXT["sorry"], _TEXT["forgiven"]),
                (_TEXT["noises"], _TEXT["noise reply"]),
                (_TEXT["noises"], _TEXT["noise reply"]),
                (_TEXT["threat"], _TEXT["threatened"]),
                (_TEXT["ask liked"], _TEXT["liked"]),
                (_TEXT["ask deep"], _TEXT["deep"]),
            ),
        )
    )


def entertainment(talk: Talk) -> None:
    """Jokes, stories, songs."""
    rng = talk.rng
    asks, tells = pick(
        rng,
        (
            (_TEXT["ask joke"], _TEXT["jokes"]),
            (_TEXT["ask story"], _TEXT["stories"]),
            (_TEXT["ask song"], _TEXT["songs"]),
        ),
    )
    talk.exchange(
        asks,
        tells,
        **{
            "animal": pick(rng, lexicon.ANIMALS),
            "monster": pick(rng, lexicon.MONSTERS),
            "thing": f"{pick(rng, lexicon.MATERIALS)} {pick(rng, lexicon.THINGS)}",
            "trade one": pick(rng, ("miller", "baker", "smith", "sailor", "farmer", "soldier")),
            "place": f"the {pick(rng, lexicon.PLACES_NEAR)}",
            "food": pick(rng, lexicon.FOODS),
            "pronoun": pick(rng, ("she", "he")),
        },
    )
