"""The words that facts are made of, and facts composed of them."""

from collections.abc import Sequence
from random import Random

from townsfolk.starter.corpus import names
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.split import Split


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.replace("\n", ",").split(",") if word.strip())


TRADES = _words("""
innkeeper, tavern keeper, barmaid, brewer, cook, blacksmith, armourer, swordsmith, farrier, guard, gate guard,
watchman, soldier, knight, captain of the guard, merchant, peddler, trader, shopkeeper, fishmonger, butcher, baker,
grocer, spice seller, priest, priestess, monk, nun, acolyte, healer, herbalist, alchemist, farmer, shepherd, goatherd,
miller, milkmaid, sailor, fisherman, first mate, ship's cook, captain, navigator, carpenter, mason, thatcher, potter,
weaver, tailor, cobbler, tanner, cooper, fletcher, bowyer, hunter, trapper, ranger, woodcutter, charcoal burner, miner,
stonecutter, jeweller, goldsmith, locksmith, glassblower, candlemaker, beekeeper, gardener, gravedigger, undertaker,
ferryman, bargeman, stable hand, stable master, groom, messenger, courier, scribe, librarian, scholar, teacher,
cartographer, mapmaker, bard, minstrel, storyteller, juggler, dancer, fortune teller, witch, wizard, mage, sorcerer,
enchanter, thief, pickpocket, smuggler, pirate, beggar, bounty hunter, mercenary, executioner, jailer, tax collector,
mayor, judge, lawyer, banker, moneylender, diplomat, noble, duke, baroness, servant, maid, butler, midwife, nurse,
doctor, surgeon, apothecary, rat catcher, chimney sweep, lamplighter, town crier, falconer, huntsman, gamekeeper,
wheelwright, saddler, ropemaker, sailmaker, shipwright, lighthouse keeper, net maker, engineer, pilot, mechanic,
space trader, radio operator, robot repairer, detective, bartender, postman, clockmaker, printer, bookbinder,
inventor, astronomer, apprentice, night watchman, vintner, chandler, dyer, fuller, furrier, hatter, scout, squire,
""")

_TRADE_MATERIALS = _words("""
eel, bone, moss, bell, glass, map, rope, candle, lantern, barrel, basket, boot, button, cheese, honey, mushroom, apple,
onion, salt, spice, silk, wool, leather, horn, feather, paper, ink, book, clock, key, lock, nail, knife, arrow, shield,
saddle, wheel, boat, net, crab, oyster, pearl, amber, coal, iron, copper, tin, silver, gold, gem, crystal, rune, scroll,
potion, herb, root, flower, seed, goose, hen, pig, goat, horse, dog, hawk, pigeon, snake, spider, rat, wolf, bear,
whale, seal, turf, reed, straw, clay, brick, tile, stone, marble, chalk, sand, river, well, harp, drum, flute, lute,
mask, puppet, toy, kite, hat, glove, cloak, ribbon, lace, comb, mirror, soap, dye, pepper, sugar, tea, wine, cider,
pie, bread, pickle, sausage, fish, storm, star, tide, dream, bone, scrap, engine, signal, airship,
""")
_TRADE_WORKERS = _words("""
maker, seller, trader, carver, trapper, gatherer, catcher, breeder, tamer, keeper, hunter, mender, dealer, merchant,
painter, polisher, collector, digger, cutter, binder, reader, smith, wright, master, grower, picker, washer, grinder,
""")

ANIMALS = _words("""
dog, cat, horse, pony, mule, donkey, goat, sheep, pig, cow, hen, goose, duck, raven, crow, owl, hawk, falcon, parrot,
rabbit, hare, fox, wolf, bear, ferret, weasel, badger, otter, mouse, rat, snake, lizard, toad, frog, turtle, spider,
pigeon, hound, kitten, puppy, lamb, calf, foal, lynx, squirrel, hedgehog, monkey, griffin, salamander, beetle,
""")
MONSTERS = _words("""
dragon, troll, goblin, ogre, giant, ghost, wraith, werewolf, vampire, witch, basilisk, griffin, wyvern, hydra, kraken,
sea serpent, bandit, wolf pack, skeleton, ghoul, demon, imp, harpy, minotaur, giant spider, marsh beast, cave bear,
swamp thing, manticore, banshee, cyclops, wild boar,
""")
COLOURS = _words("""
red, blue, green, yellow, black, white, grey, purple, orange, brown, pink, silver, gold, crimson, scarlet, violet,
turquoise, amber, ivory, indigo, teal, copper, emerald, maroon,
""")
ADJECTIVES = _words("""
old, new, small, big, heavy, light, broken, rusty, shiny, carved, painted, plain, fine, cheap, strange, crooked, long,
short, round, black, white, red, blue, green, grey, golden, silver, wooden, bent, cracked, stolen, lucky, cursed,
dusty, polished, striped, tiny, huge, ancient, battered,
""")
MATERIALS = _words("""
iron, copper, silver, gold, bronze, wooden, oak, bone, ivory, glass, crystal, leather, silk, woollen, linen, stone,
clay, tin, brass, steel, jade, amber, velvet, straw, paper, marble, pearl, horn, ebony, wax,
""")
THINGS = _words("""
ring, key, sword, knife, dagger, shield, helmet, cloak, hat, boot, glove, belt, bag, purse, box, chest, cup, bowl,
spoon, pot, kettle, lamp, lantern, candle, mirror, comb, brooch, necklace, bracelet, amulet, locket, coin, book, map,
letter, scroll, flute, harp, drum, lute, bell, whistle, compass, spyglass, hammer, axe, saw, needle, rope, net, hook,
staff, wand, orb, crown, statue, mask, doll, button, buckle, bottle, flask, horn, quiver, bow, arrow, spear, clock,
""")
FOODS = _words("""
bread, cheese, stew, soup, pie, fish, herring, trout, eel, oysters, mutton, beef, ham, bacon, sausage, chicken, goose,
eggs, porridge, turnips, carrots, cabbage, leeks, onions, mushrooms, apples, pears, plums, cherries, berries, honey,
cake, pancakes, dumplings, noodles, rice, beans, nuts, butter, milk, tea, ale, cider, wine, mead, beer, rum, pickles,
""")
FOOD_STYLES = _words("""
smoked, roasted, fried, pickled, fresh, hot, cold, sweet, sour, spiced, salted, boiled, baked, dried, buttered, burnt,
warm, stale, honeyed, peppered, creamed, grilled,
""")
PLACES_NEAR = _words("""
old mill, temple, well, market square, north gate, south gate, harbour, bridge, smithy, inn, graveyard, watchtower,
stables, bakery, town hall, river, oak tree, ruined tower, quarry, lighthouse, ferry, chapel, barracks, library,
bathhouse, orchard, fish market, tannery, granary, crossroads, standing stones, cellar, attic, old barn, docks,
""")
PAST_DEEDS = _words("""
stole, found, buried, sold, broke, hid, lost, burned, forged, carried off, threw away, gave away, copied, drank from,
wagered, melted down, swore on, smuggled, dug up, pawned,
""")
OWNERS = _words("""
the mayor, the priest, the king, the queen, the captain, the abbot, a merchant, a knight, a dead man, the duke,
the miller, the baker, a stranger, the bishop, the tax collector, the judge, a witch, the old smith, a rich widow,
""")
TRAITS = _words("""
kind, gruff, cheerful, gloomy, proud, shy, brave, nervous, patient, stubborn, honest, sly, greedy, generous, lazy,
hard-working, curious, suspicious, gentle, loud, quiet, clever, simple, stern, merry, bitter, loyal, restless, pious,
superstitious, talkative, grumpy, warm, weary, sharp-eyed, sharp-tongued, soft-hearted, friendly, calm, young, old,
middle-aged, tall, stout, thin, broad-shouldered, one-eyed, scarred, red-haired, grey-haired, bearded, handsome,
""")
JOYS = _words("""
singing, dancing, fishing, card games, dice, chess, old songs, stories by the fire, long walks, rainy days, sunrises,
snow, thunderstorms, gossip, wrestling, horse races, gardening, whittling, reading, market days, weddings, silence,
the sea, the smell of rain, the stars, church bells, riddles, fresh air, hard work, good company, poetry, hunting,
""")
DREADS = _words("""
the dark, deep water, heights, ghosts, thunder, fire, crowds, tight places, the sea, the forest at night, being alone,
growing old, the plague, hunger, dying in bed, the tax collector, strangers, magic, empty houses, graveyards, bells,
mirrors, storms, the full moon, blood, needles, being forgotten, drowning, winter,
""")
PEOPLE = _words("""
nobles, thieves, beggars, liars, soldiers, merchants, priests, strangers, children, elves, dwarves, giants, bankers,
pirates, drunkards, lawyers, poets, fools, cowards, heroes, tax collectors, robots, tourists, sailors, wizards,
foreigners, cheats, bards, travellers, orphans, kings, guards,
""")
_POSTS = (
    ("command", "commands", "the city guard"), ("lead", "leads", "the thieves' guild"), ("sit", "sits", "on the town council"), ("keep", "keeps", "the books of the guild"), ("ring", "rings", "the bells"),
    ("sail", "sails", "the northern route"), ("ferry", "ferries", "people across the river"), ("dig", "digs", "graves"), ("brew", "brews", "ale"), ("bake", "bakes", "bread"), ("shoe", "shoes", "horses"),
    ("fish", "fishes", "off the coast"), ("farm", "farms", "the land outside the walls"), ("mine", "mines", "iron"), ("treat", "treats", "anyone who comes"), ("tell", "tells", "fortunes"),
    ("pick", "picks", "pockets"), ("fly", "flies", "a small freighter"), ("fix", "fixes", "engines"), ("study", "studies", "the stars"), ("read", "reads", "old books"), ("rule", "rules", "the harbour"),
    ("serve", "serves", "drinks"), ("cut", "cuts", "wood"), ("watch", "watches", "the north gate at night"), ("drive", "drives", "a coach"), ("carry", "carries", "letters"), ("judge", "judges", "thieves"),
)  # fmt: skip
_DEEDS = (
    ("bake", "bakes", "food"), ("cook", "cooks", "food"), ("sell", "sells", "food"), ("serve", "serves", "food"),
    ("sell", "sells", "things"), ("make", "makes", "things"), ("mend", "mends", "things"), ("collect", "collects", "things"),
    ("carve", "carves", "things"), ("steal", "steals", "things"), ("forge", "forges", "things"), ("paint", "paints", "things"),
    ("hunt", "hunts", "beasts"), ("breed", "breeds", "beasts"), ("raise", "raises", "beasts"), ("train", "trains", "beasts"),
    ("guard", "guards", "spot"), ("tend", "tends", "spot"), ("look after", "looks after", "spot"), ("run", "runs", "spot"),
    ("keep", "keeps", "spot"), ("clean", "cleans", "spot"), ("trade in", "trades in", "stuff"), ("deal in", "deals in", "stuff"),
    ("teach", "teaches", "people"), ("heal", "heals", "people"), ("command", "commands", "people"), ("lead", "leads", "people"),
    ("hunt", "hunts", "people"), ("write songs about", "writes songs about", "people"), ("run", "runs", "house"), ("own", "owns", "house"),
)  # fmt: skip

COINS = _words("copper, silver, gold, crown, penny, shilling, mark, ducat, florin, credit, bit")

KIN_SHE = _words("sister, mother, daughter, aunt, niece, grandmother, wife, cousin, twin sister")
KIN_HE = _words("brother, father, son, uncle, nephew, grandfather, husband, cousin, twin brother")
KIN = KIN_SHE + KIN_HE
COMPANIONS = _words("""
first mate, apprentice, boss, captain, rival, neighbour, teacher, master, partner, best friend, old friend, employer,
assistant, landlord, enemy, servant, student, foreman, mentor, squire,
""")
BUILDINGS = _words("""
inn, mill, forge, temple, farm, shop, ship, school, house, garden, bakery, tavern, theatre, tower, boat, bridge, well,
library, church, roof, wall, harbour, anchor, bell, barn, stable, market, road, gate, tomb,
""")


def plural(noun: str) -> str:
    """The plural of a regular English noun, with the exceptions among this module's words."""
    irregular = {
        "goose": "geese", "mouse": "mice", "sheep": "sheep", "wolf": "wolves", "calf": "calves",
        "knife": "knives", "staff": "staves", "penny": "pennies", "thief": "thieves", "box": "boxes",
        "silver": "silver", "gold": "gold", "foal": "foals", "swamp thing": "swamp things",
    }  # fmt: skip
    if noun in irregular:
        return irregular[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    if noun.endswith("man"):
        return noun[:-2] + "en"
    return noun + "s"


_ONES = _words("""
one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen,
fifteen, sixteen, seventeen, eighteen, nineteen,
""")
_TENS = _words("twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety")


def in_words(number: int) -> str:
    """A number from 1 to 99 in words."""
    if number < 20:
        return _ONES[number - 1]
    ten, one = divmod(number, 10)
    return _TENS[ten - 2] + (f"-{_ONES[one - 1]}" if one else "")


def price(rng: Random) -> str:
    """An amount of money: ``12 silver``, ``1 penny``."""
    amount = pick(
        rng,
        (
            1,
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            10,
            12,
            14,
            15,
            18,
            20,
            25,
            30,
            35,
            40,
            50,
            60,
            75,
            80,
            100,
            120,
        ),
    )
    if rng.random() < 0.2:
        amount = rng.randint(1, 500)
    coin = pick(rng, COINS)
    if coin == "copper" and rng.random() < 0.5:
        coin = "copper coin"
    count = in_words(amount) if amount < 100 and rng.random() < 0.25 else str(amount)
    return f"{count} {coin if amount == 1 else plural(coin)}"


_RANKS = (
    "old",
    "former",
    "retired",
    "travelling",
    "royal",
    "chief",
    "junior",
    "night",
    "court",
    "village",
    "town",
)
_COINED_WORKERS = _words("""
er, ist, monger, wright, ward, smith, man, maid, keeper, master, maker, or, eer, hand, herd, wife, monk, seller, ician,
""")
COINED_SHARE = 0.2
"""How many nouns of a fact are invented, so that the model copies what the persona says instead of guessing."""


def noun(rng: Random, known: Sequence[str]) -> str:
    """A noun of the list, or an invented one."""
    return names.coined_word(rng) if rng.random() < COINED_SHARE else pick(rng, known)


def trade(rng: Random, split: Split) -> str:
    """A line of work: from the list, composed (``eel trapper``) or invented (``vesker``)."""

    def composed(r: Random) -> str:
        draw = r.random()
        if draw < 0.5:
            return f"{noun(r, _TRADE_MATERIALS)} {pick(r, _TRADE_WORKERS)}"
        if draw < 0.6:
            return pick(r, _TRADE_MATERIALS) + pick(r, _COINED_WORKERS)
        if draw < 0.7:
            return f"{pick(r, _RANKS)} {pick(r, TRADES)}"
        return names.coined_word(r) + pick(r, _COINED_WORKERS)

    if rng.random() < 0.45:
        return split.draw(rng, lambda r: pick(r, TRADES))
    return split.draw(rng, composed)


def thing(rng: Random, split: Split) -> str:
    """Something one can carry: ``small copper flute``."""

    def composed(r: Random) -> str:
        parts = [noun(r, THINGS)]
        if r.random() < 0.6:
            parts.insert(0, noun(r, MATERIALS))
        if r.random() < 0.4:
            parts.insert(0, pick(r, ADJECTIVES))
        return " ".join(parts)

    return split.draw(rng, composed)


def food(rng: Random, split: Split) -> str:
    """A dish or a drink: ``smoked trout``."""
    return split.draw(
        rng,
        lambda r: (
            f"{pick(r, FOOD_STYLES)} {noun(r, FOODS)}" if r.random() < 0.7 else noun(r, FOODS)
        ),
    )


def beasts(rng: Random, split: Split) -> str:
    """Animals of some kind: ``black geese``."""
    return split.draw(
        rng,
        lambda r: (
            f"{pick(r, COLOURS[:10])} {plural(noun(r, ANIMALS))}"
            if r.random() < 0.3
            else plural(noun(r, ANIMALS))
        ),
    )


def monsters(rng: Random, split: Split) -> str:
    """Monsters of some kind."""
    return split.draw(rng, lambda r: plural(noun(r, MONSTERS)))


def people(rng: Random, split: Split) -> str:
    """A kind of people: ``nobles``, ``eel trappers``."""
    return (
        split.draw(rng, lambda r: pick(r, PEOPLE))
        if rng.random() < 0.5
        else plural(trade(rng, split))
    )


def _joy(rng: Random, split: Split) -> str:
    return split.draw(rng, lambda r: pick(r, JOYS))


def like(rng: Random, split: Split) -> str:
    """Something to enjoy or to hate; sometimes two things."""
    if rng.random() < 0.15:
        return f"{like(rng, split)} and {like(rng, split)}"
    return pick(rng, (food, food, beasts, people, _joy))(rng, split)


def fear(rng: Random, split: Split) -> str:
    """Something to be afraid of."""
    draw = rng.random()
    if draw < 0.4:
        return split.draw(rng, lambda r: pick(r, DREADS))
    if draw < 0.5:
        return split.draw(rng, lambda r: f"the {pick(r, ADJECTIVES)} {noun(r, PLACES_NEAR)}")
    if draw < 0.65:
        return beasts(rng, split)
    return people(rng, split) if draw < 0.75 else monsters(rng, split)


_PRESENT_SECRETS = (
    ("hide", "hides"),
    ("keep", "keeps"),
    ("guard", "guards"),
    ("still have", "still has"),
    ("want to steal", "wants to steal"),
)


def secret(rng: Random, split: Split) -> tuple[str, str]:
    """What somebody did once or does in secret, as said of "I" and of "she".

    For example ``buried the mayor's tin cup under the well``, ``hides a widow's ring``.
    """
    owner = pick(rng, OWNERS)
    place = noun(rng, PLACES_NEAR)
    where = (
        f" {pick(rng, ('under', 'behind', 'near', 'in'))} the {place}" if rng.random() < 0.5 else ""
    )
    what = f"{owner}'s {thing(rng, split)}{where}"
    if rng.random() < 0.7:
        past = f"{pick(rng, PAST_DEEDS)} {what}"
        return past, past
    mine, hers = pick(rng, _PRESENT_SECRETS)
    return f"{mine} {what}", f"{hers} {what}"


def deed(rng: Random, split: Split) -> tuple[str, str]:
    """What somebody does for a living, as said of "I" and of "she": ``bake bread``, ``bakes bread``."""
    if rng.random() < 0.3:
        verb, verbs, what = pick(rng, _POSTS)
        return f"{verb} {what}", f"{verbs} {what}"
    verb, verbs, kind = pick(rng, _DEEDS)
    objects = {
        "food": lambda: food(rng, split),
        "things": lambda: plural(thing(rng, split)),
        "beasts": lambda: beasts(rng, split),
        "spot": lambda: f"the {noun(rng, PLACES_NEAR)}",
        "stuff": lambda: f"{noun(rng, MATERIALS)} and {noun(rng, _TRADE_MATERIALS)}",
        "people": lambda: people(rng, split),
        "house": lambda: names.house(rng, split),
    }
    what = objects[kind]()
    return f"{verb} {what}", f"{verbs} {what}"
