"""What a character wants and what it never does. The possessive stays open as ``{poss}``."""

from random import Random

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.character import Character
from townsfolk.starter.corpus.grammar import capitalise, fill, phrases, pick
from townsfolk.starter.corpus.split import Split

_GOALS = phrases("""
    find {poss} lost {kin} / earn {price} / keep {work} open / buy {a thing} / leave {home} one day
    / learn to read / win back {poss} good name / find the thief who took {poss} {thing} / get rid
    of the {foes} / see the sea / grow rich / protect the people of {home} / marry before {time} /
    find a new {trade} to train / pay back {poss} debts / sell {poss} {thing} / keep {poss} secret
    safe / find out who killed {poss} {kin} / make the best {food} in {home} / become famous /
    travel to {place} / win the harvest contest / bring {poss} {kin} home / buy back {poss}
    family's land / build a {noun} / write a book about {place} / raise {poss} {beasts} / drive the
    {foes} out of {place} / keep the peace / sleep for a week /
    [find|free|avenge|marry|meet|forget|protect|help|punish|thank|rescue|find out what happened
    to|save|trust] [{name}|{poss} {kin}|{poss} {kin} {name}|the {other trade}|the {noun}] /
    [sell|find|steal|repair|destroy|give back|hide|learn to make|keep|get back|finish|polish|earn
    enough for] [{poss} {thing}|the {thing}|{a thing}|the new {noun}|the {thing} of {name}] /
    [rebuild|leave|see|defend|visit|return to|rule|save|travel to|find the way
    to|protect|burn down] [{place}|the {spot}|the {spot} of {place}|the old {noun}] /
    [catch|breed|get rid of|hunt down|drive away|tame|understand|be friends with|stop|fight]
    [{foes}|{people}|the {foes} of {place}|the {villain}|the {villain} of {place}] /
    [keep|open|save|run|sell|repair|buy back|protect|win back] [{poss} {noun}|the {noun}
    {kept}|{a noun} in {place}] /
    [catch|find|stop|unmask|forgive] the {villain} who {crime} / [find out|learn|discover|tell
    everyone|understand] why {reason} / [raise|collect|save] [money|{price}|coins] for
    [the {noun} {part}|the {spot}|{poss} {kin}|a new {noun}] / finish the {thing} for [{name}|the
    {spot}|the {other trade}|{poss} {kin}] / hire {number} {people} [before {time}|for the
    {noun}|this {season}] / keep {poss} {people} [happy|safe|busy|fed|quiet] / prove that {name}
    {crime} / pay {price} to {name} [before {time}|this {season}] / bring {a thing} to [{place}|the
    {spot}|{name}] / get [to {place}|home|rich|out of {place}] before {time} / find a
    [cure|buyer|wife|husband|home|use|name] for [{poss} {kin}|the {thing}|{name}|{poss} {noun}] /
    teach {name} to [read|fight|cook|sing|behave] / make {home} [safe|famous|rich|clean] again /
    learn who [{crime}|built the {spot}|{poss} {kin} was|rules {place}] / talk to [{name}|the
    {people}|the {villain}] [before {time}|about {place}|once more] / keep [{people}|{foes}] out of
    [{home}|the {spot}|{poss} {noun}] / become {a other trade} like {poss} {kin}
""")
_TABOOS = phrases("""
    talk about the war / give credit / lie / speak of {poss} {kin} / go near the {spot} / sell to
    children / talk about magic / swear / reveal {poss} secret / leave {work} at night / talk about
    {place} / drink {food} / mention the old king / trust a stranger / talk about money / speak ill
    of the dead / help thieves / talk about the {thing} / fight / talk about {poss} past / speak
    about the {foes} / gossip / break a promise / tell {poss} age /
    [talk about|speak of|mention|discuss|speak about] [{poss} {kin}|the {thing}|{place}|{foes}|{people}|
    the {noun}|the {spot}|{name}|the night when {reason}|the {villain} who {crime}|{poss} {noun}] /
    [speak of|mention|show|sell] the {thing} to {people} / [eat|drink|cook|sell] {food} /
    [trust|serve|help|sell to|lie to|drink with|sit with|obey] {people} /
    [touch|hurt|feed|name|eat] {beasts} / let {people} into the {spot} / walk past the {spot} after
    dark / take off {poss} {thing} / forgive [{name}|{people}] / say the name of {name} / go to
    {place} / open the {noun} / work on {day} / go back to {place} / leave the {noun} alone
""")
_VILLAINS = phrases("""
    thief / spy / traitor / killer / liar / smuggler / ghost / robber / poisoner / cheat / stranger
    / man / woman / knight / beggar / forger
""")
_CRIMES = phrases("""
    robbed [{place}|the {spot}|{name}|the {noun}] / stole [{poss} {thing}|the {thing}|{beasts}] /
    burned [down the {spot}|{place}|{poss} {noun}] / killed [{poss} {kin}|{name}|the {other trade}] /
    cheated [{name}|{poss} {kin}] / poisoned [the well|the {food}|{name}] / broke {poss} {thing} /
    sold [the {thing}|{name}] to {people} / betrayed [{place}|{name}|the {people}] / left the gate
    of {place} open / lied about [{place}|the {thing}] / let the {foes} in
""")
_REASONS = phrases("""
    the {spot} is [empty|dark|locked|silent|cold] / {name} [left|never came back|lied|fell silent] /
    the {beasts} [are dying|ran away|keep away] / nobody goes to {place} / the {foes} came to
    {place} / the {noun} [burned|fell|sank|is broken] / {poss} {kin} left {place} / the well ran dry
""")


def aims(character: Character, rng: Random, split: Split) -> None:
    """Gives the character goals and taboos, or not."""
    if rng.random() < 0.4:
        character.goals = [
            _aim(_GOALS, character, rng, split) for _ in range(pick(rng, (1, 1, 2, 3)))
        ]
    if rng.random() < 0.3:
        character.taboos = [
            _aim(_TABOOS, character, rng, split) for _ in range(pick(rng, (1, 1, 2)))
        ]


def _aim(templates: tuple[str, ...], character: Character, rng: Random, split: Split) -> str:
    slots = {
        "poss": "{poss}",
        "price": lexicon.price(rng),
        "work": character.work or "the shop",
        "home": character.home or "the village",
        "trade": character.trade or "helper",
        "other trade": lexicon.trade(rng, split),
        "thing": lexicon.thing(rng, split),
        "kin": pick(rng, lexicon.KIN),
        "foes": lexicon.monsters(rng, split),
        "people": lexicon.people(rng, split),
        "beasts": lexicon.beasts(rng, split),
        "food": lexicon.food(rng, split),
        "place": names.place(rng, split),
        "spot": lexicon.noun(rng, lexicon.PLACES_NEAR),
        "noun": lexicon.noun(rng, lexicon.BUILDINGS),
        "part": pick(rng, ("roof", "bell", "wall", "door", "fire", "garden", "fund")),
        "kept": pick(rng, ("full", "open", "clean", "safe", "quiet", "warm")),
        "name": names.given_name(rng, split, rng.random() < 0.5),
        "time": pick(rng, _TIMES),
        "season": pick(rng, ("winter", "spring", "summer", "autumn", "week", "year")),
        "day": pick(rng, ("Sundays", "feast days", "rainy days", "the full moon", "market days")),
        "number": lexicon.in_words(rng.randint(2, 20)),
        "villain": pick(rng, _VILLAINS),
    }
    slots["crime"] = fill(pick(rng, _CRIMES), rng, slots)
    slots["reason"] = fill(pick(rng, _REASONS), rng, slots)
    return fill(pick(rng, templates), rng, slots)


_TIMES = phrases("""
    winter / the next tide / spring / the full moon / midsummer / the harvest / the war comes here /
    it is too late / the year is over / the snow falls / sunset / the king finds out
""")


def possessive(text: str, poss: str) -> str:
    """A goal or taboo with its possessive filled in."""
    return text.replace("{poss}", poss)


def written(items: list[str], character: Character, rng: Random) -> tuple[str, ...]:
    """Goals or taboos as a developer writes them: capital or not, ``her``, ``your`` or ``my``."""
    poss = pick(rng, ("her" if character.name.she else "his", "your", "my"))
    capital = rng.random() < 0.5
    texts = [possessive(item, poss) for item in items]
    return tuple(capitalise(text) if capital else text for text in texts)
