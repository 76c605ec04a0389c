"""Questions about the world, whether the lore answers them or not."""

from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.talk import Talk
from townsfolk.starter.corpus.truths import TRUTHS
from townsfolk.starter.corpus.world import ASK_ABOUT, World

_TEXT = book("topics/lore")


def world_fact(talk: Talk, world: World) -> None:
    """A question that the lore answers."""
    if not world.facts:
        return unknown_fact(talk, world)
    fact = pick(talk.rng, world.facts)
    draw = talk.rng.random()
    if draw < 0.65 or "fact" in fact.values:
        talk.exchange(fact.truth.asks, fact.truth.answers, **fact.values)
    elif draw < 0.9:
        matter = talk.typed(pick(talk.rng, tuple(fact.values.values())))
        if matter.replace(" ", "").isalpha():
            talk.exchange(ASK_ABOUT, _TEXT["repeat"], matter=matter, fact=fact.sentence)
    else:
        claim = fact.sentence.rstrip(".")
        if claim.split(" ")[0] in _TEXT["lower first words"]:
            claim = claim[0].lower() + claim[1:]
        talk.exchange(_TEXT["true"], _TEXT["confirm"], claim=claim, fact=fact.sentence)
    return None


def unknown_fact(talk: Talk, world: World) -> None:
    """A question that nothing answers."""
    rng = talk.rng
    if rng.random() < 0.4:
        matter = talk.typed(pick(rng, (talk.someone(), talk.other_place())))
        talk.exchange(ASK_ABOUT, _TEXT["unknown matter"], matter=matter)
        return
    known = [fact.truth for fact in world.facts]
    truth = pick(rng, [truth for truth in TRUTHS if truth not in known])
    values = {key: talk.typed(value(rng, talk.split)) for key, value in truth.values.items()}
    if "spot" in values:
        talk.exchange(_TEXT["ask direction"], _TEXT["direction"], **values)
        return
    asks = [ask for ask in truth.asks if "{" in ask] or list(truth.asks)
    talk.exchange(asks, _TEXT["unknown"], **values)
