"""Keeping company: needs, the place around, opinions, marriage, time, skills, coming along."""

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.exchange import exchanges
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.talk import Talk

_TEXT = book("topics/company")

_PLEAS = tuple(exchanges(_TEXT.section("pleas")).values())
_SKILLS = tuple(exchanges(_TEXT.section("skills")).values())
_OPINIONS = _TEXT.section("opinions")


def plea(talk: Talk) -> None:
    """The player is in need."""
    self = talk.character
    said = pick(talk.rng, _PLEAS)
    if not said.tell:
        if self.work:
            talk.exchange(said.ask, _TEXT["here"])
        elif self.home:
            talk.exchange(said.ask, _TEXT["here home"])
        return
    talk.exchange(said.ask, said.tell, food=pick(talk.rng, lexicon.FOODS))


def surroundings(talk: Talk) -> None:
    """What this place is."""
    self = talk.character
    if self.work:
        sights = talk.rng.sample(self.scene.sights, 2)
        talk.exchange(
            _TEXT["ask here"],
            pick(talk.rng, (_TEXT["sight"], _TEXT["here"])),
            **{"sight": sights[0], "other sight": sights[1]},
        )
    elif self.home:
        talk.exchange(_TEXT["ask here"], _TEXT["here home"])


def opinion(talk: Talk) -> None:
    """What the character thinks of something."""
    matter = pick(talk.rng, tuple(_OPINIONS.texts))
    talk.exchange(_TEXT["ask opinion"], _OPINIONS[matter], matter=matter)


def personal(talk: Talk) -> None:
    """Marriage, time, skills, coming along."""
    self = talk.character
    draw = talk.rng.random()
    if draw < 0.25:
        talk.exchange(_TEXT["married"], _TEXT["married reply"])
    elif draw < 0.5:
        talk.exchange(
            _TEXT["come"],
            _TEXT["stay work"]
            if self.work and self.trade and talk.rng.random() < 0.4
            else _TEXT["stay"],
        )
    elif draw < 0.7:
        talk.exchange(_TEXT["time"], _TEXT["time reply"])
    else:
        said = pick(talk.rng, _SKILLS)
        talk.exchange(said.ask, said.tell or _TEXT["skill any"])
