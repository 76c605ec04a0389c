"""Sentences about something, told again when somebody asks for it: the model learns to find them."""

from random import Random

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.grammar import capitalise, expand, fill, phrases, pick
from townsfolk.starter.corpus.split import Split
from townsfolk.starter.corpus.truths import Known, Truth, day, someone

_TALES: tuple[tuple[str, str], ...] = (
    (
        "the {spot}",
        "The {spot} has been {state} for {span}[|, and nobody knows why|, because of {cause}|. People blame {name}|].",
    ),
    (
        "the {spot}",
        "The {spot} [stands|lies] {where}[|, and {name} looks after it|. Only {people} go there].",
    ),
    (
        "the {spot}",
        "The {spot} [is the work of|belongs to|was given to|was built for] [{name}|{people}|the {trade}].",
    ),
    ("the {thing}", "The {thing} {fate}."),
    (
        "the {thing}",
        "{name} [keeps|stole|sold|wants|made] the {thing}[| of {place}| and will not say why| {when}].",
    ),
    (
        "{name}",
        "{name} [is|was once|claims to be] the {trade} [who found {place}|of {place}|whom everyone fears|and lives {where}|who {crime}].",
    ),
    (
        "{name}",
        "{name} [disappeared|died|was seen last|was crowned|arrived|went mad|found gold] [{when}|near {place}|in {place}|in the {spot}].",
    ),
    ("{name}", "{name} {crime}, and {people} [still talk about it|never forgave it|paid for it]."),
    ("{place}", "{place} is {a size} {adjective} {settlement} {where}."),
    (
        "{place}",
        "{place} is {a adjective} {settlement} {where}[|, known for its {food}|, ruled by {name}|. {people cap} live there].",
    ),
    ("{place}", "[It takes|One needs] {number} days to reach {place}[| on foot| by ship]."),
    (
        "the {house}",
        "The {house} is [the only|the best|the oldest|an old|a famous] [tavern|inn|shop|house|bakery] [in {place}|{where}|in town].",
    ),
    (
        "the {foes}",
        "The {foes} [sleep by day|come down from {place} in winter|fear {fear}|took {number} {beasts} this year|have not been seen {when}|speak the old tongue].",
    ),
    (
        "the {people}",
        "The {people} [pay no taxes|of {place} are not welcome here|meet in secret {where}|went on strike {when}|serve {name}|wear {colour} on feast days].",
    ),
    (
        "the {beasts}",
        "The {beasts} [are sacred|have all fled|fell ill {when}|are sold in {place}|belong to {name}|eat only {food}].",
    ),
    (
        "the {word} War",
        "The {word} War [ended|began|was lost|was won] {when}[| near {place}|, and {name} died in it].",
    ),
    (
        "the {word} {gathering}",
        "The {word} {gathering} is held {often}[| in {place}|, and {people} come from afar|].",
    ),
    (
        "the {word} {body}",
        "The {word} {body} [rules|watches over|owns|hates] [{place}|the {spot}|the {people}][|, and {name} leads it].",
    ),
)
_WHERE = phrases("""
    by the sea / in the hills / on the {word} Coast / in the {word} Mountains / behind the {other
    spot} / near {other place} / two days from here / on the river {other place} / at the edge of
    the {word} Forest / north of {other place} / under the {other spot} / on an island / beyond the
    desert / between {other place} and the sea
""")
_STATES = phrases(
    "dark / empty / closed / haunted / locked / in ruins / guarded / flooded / silent / cursed / under repair / full of {beasts}"
)
_SPANS = phrases(
    "three nights / a year / ten years / {number} days / {number} years / as long as anyone remembers / two winters / a week / half a day"
)
_WHENS = phrases(
    "last winter / {number} years ago / before the war / this spring / three nights ago / on the longest night / since the flood / in the year of the comet"
)
_OFTEN = phrases("""
    every seventh day / every {ordinal} day / on the first day of {season} / every {season} / on
    {day} / every year at midsummer / at the full moon / once in {number} years / every market day
""")
_TALE_FATES = phrases("""
    was made by the elves / has magic in it / brings bad luck / lies at the bottom of the lake /
    belongs to the crown / is said to sing at night / was lost in the great fire / was stolen from
    {place} / hangs in the {spot} / can heal {people} / is worth {price} / was broken by {name}
""")
_TALE_ANSWERS = phrases("""
    {fact} / {fact} / {fact} / What I know is this. {fact} / People say this: {fact} / {fact}
    [Nobody knows more|That's what they say|Ask no more|More I don't know].
""")
_TALE_ASKS = phrases("""
    Tell me about {x}. / What do you know about {x}? / What about {x}? / Have you heard of {x}? /
    What can you tell me about {x}? / What happened to {x}? / Do you know anything about {x}? /
    What's the story of {x}? / I heard something about {x}. / What's with {x}? / Is there anything
    I should know about {x}? / And {x}?
""")


_WHY_ASKS = phrases("""
    Why is the {spot} {state}? / What happened to the {spot}? / How long has the {spot} been {state}?
    / Do you know why the {spot} is {state}? / What's wrong with the {spot}?
""")
_HOUSE_ASKS = phrases("""
    Is there [a tavern|an inn|a shop] here? / Where is the [tavern|inn|shop]? / Where can I [drink
    something|sleep|buy something]? / Do you know a good [tavern|inn|shop]? / I need a drink.
""")
_WHEN_ASKS = phrases("""
    When is {x}? / How often is {x} held? / What is {x}? / When does {x} take place?
""")


def tale(rng: Random, split: Split) -> Known:
    """A sentence about somebody, some place or something, and the questions that it answers."""
    subject, template = pick(rng, _TALES)
    slots = {
        "spot": lexicon.noun(rng, lexicon.PLACES_NEAR),
        "other spot": lexicon.noun(rng, lexicon.PLACES_NEAR),
        "thing": lexicon.thing(rng, split),
        "name": someone(rng, split),
        "trade": lexicon.trade(rng, split),
        "place": names.place(rng, split),
        "other place": names.place(rng, split),
        "people": lexicon.people(rng, split),
        "foes": lexicon.monsters(rng, split),
        "beasts": lexicon.beasts(rng, split),
        "food": lexicon.food(rng, split),
        "fear": lexicon.fear(rng, split),
        "house": names.house(rng, split).removeprefix("the "),
        "colour": pick(rng, lexicon.COLOURS),
        "price": lexicon.price(rng),
        "number": lexicon.in_words(rng.randint(2, 40)) if rng.random() < 0.5 else str(rng.randint(2, 99)),
        "ordinal": pick(rng, ("second", "third", "fifth", "seventh", "ninth", "tenth")),
        "season": pick(rng, ("spring", "summer", "autumn", "winter")),
        "day": day(rng, split),
        "word": capitalise(lexicon.noun(rng, _PROPER)),
        "size": pick(rng, ("small", "large", "tiny", "great", "rich", "poor", "quiet", "proud")),
        "adjective": pick(rng, ("harbour", "mining", "fishing", "mountain", "market", "walled", "forgotten", "holy", "trading", "farming")),
        "settlement": pick(rng, ("town", "village", "city", "port", "fortress", "place", "hamlet")),
        "gathering": pick(rng, ("Market", "Fair", "Festival", "Games", "Feast", "Race", "Hunt", "Council", "Ball")),
        "body": pick(rng, ("Guild", "Council", "Order", "Company", "Brotherhood", "Church", "Circle", "Crown")),
        "crime": pick(rng, ("burned the bridge", "saved the town", "killed the king", "built the wall", "broke the peace", "sold the mill")),
        "cause": pick(rng, ("the plague", "the flood", "the war", "a curse", "the rats", "the taxes", "the storm")),
    }  # fmt: skip
    slots |= {"people cap": capitalise(slots["people"])}
    for key, options in (("where", _WHERE), ("state", _STATES), ("span", _SPANS), ("when", _WHENS), ("often", _OFTEN), ("fate", _TALE_FATES)):  # fmt: skip
        slots[key] = fill(pick(rng, options), rng, slots)
    sentence = expand(template, rng, slots)
    asks = _TALE_ASKS
    if "{state}" in template and rng.random() < 0.5:
        asks = tuple(fill(ask, rng, slots) for ask in _WHY_ASKS)
    elif "{house}" in template and rng.random() < 0.5:
        asks = _HOUSE_ASKS
    elif "{often}" in template and rng.random() < 0.6:
        asks = _WHEN_ASKS
    truth = Truth({}, (), asks, _TALE_ANSWERS)
    return Known(truth, {"x": fill(subject, rng, slots), "fact": sentence}, sentence)


_PROPER = phrases("""
    Grey / Tide / Iron / Silver / Golden / Black / White / Red / Salt / Storm / Winter / Amber / Long /
    Broken / Old / Free / First / Last / Northern / Southern / Rose / Raven / Wolf / Lantern / Harvest
""")
