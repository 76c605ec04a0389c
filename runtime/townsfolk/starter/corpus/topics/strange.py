"""What no character expects: things from outside its world, attacks on the role, nonsense."""

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.exchange import exchanges
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.talk import Talk

_TEXT = book("topics/strange")

_STATEMENTS = tuple(exchanges(_TEXT.section("statements")).values())


def outside(talk: Talk) -> None:
    """Things from another world."""
    rng = talk.rng
    slots = {
        "country": pick(rng, _TEXT["countries"]),
        "gadget": pick(rng, _TEXT["gadgets"]),
        "company": pick(rng, _TEXT["companies"]),
        "sport": pick(rng, _TEXT["sports"]),
    }
    own_trade = talk.character.trade and rng.random() < 0.35
    talk.exchange(
        _TEXT["outside"], _TEXT["puzzled trade"] if own_trade else _TEXT["puzzled"], **slots
    )


def role(talk: Talk) -> None:
    """The player attacks the role; the character stays in it."""
    own_trade = talk.character.trade and talk.rng.random() < 0.4
    talk.exchange(
        _TEXT["role"],
        _TEXT["in role trade"]
        if own_trade
        else pick(talk.rng, (_TEXT["in role"], _TEXT["in role"], _TEXT["puzzled"])),
    )


def statement(talk: Talk) -> None:
    """The player says something; the character takes up the words."""
    rng = talk.rng
    said = pick(rng, _STATEMENTS)
    values = {
        "monster": pick(rng, lexicon.MONSTERS),
        "place": talk.other_place(),
        "work": talk.other_trade(),
        "thing": lexicon.thing(rng, talk.split),
        "person": talk.someone(),
        "beasts": lexicon.beasts(rng, talk.split),
        "food": lexicon.food(rng, talk.split),
        "spot": pick(rng, lexicon.PLACES_NEAR),
        "number": str(rng.randint(2, 99)),
        "price": lexicon.price(rng),
    }
    talk.exchange(said.ask, said.tell, **{key: talk.typed(value) for key, value in values.items()})


def nonsense(talk: Talk) -> None:
    """Not a sentence."""
    talk.exchange(_TEXT["nonsense"], _TEXT["lost"])
