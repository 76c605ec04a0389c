"""Names of people, places and houses: lists for the usual ones, syllables for endless unusual ones."""

from dataclasses import dataclass
from random import Random

from townsfolk.starter.corpus.grammar import capitalise, pick
from townsfolk.starter.corpus.split import Split

SHE = """
Mira Elena Anna Lyra Rosalind Ingrid Maeve Brenna Isolde Greta Hilda Agnes Martha Beatrix Clara Edith Freya Gwen
Helga Ida Johanna Katrin Lena Marta Nell Olga Petra Rowena Sigrid Tilda Una Vera Wilma Yrsa Zelda Alice Bess Cora
Dora Elsa Flora Hazel Iris Ivy Joan Kate Lily Mabel Nora Opal Pearl Rose Ruby Sarah Tess Violet Winifred Sofia Maria
Emma Julia Luna Nadia Selene Aria Elara Kaela Seraphina Morgana Thea Sylvia Marian Matilda Yennef Amara Zara Leila
Fatima Aisha Mei Yuki Hana Priya Anika Ada Eve Jane Lucy Molly Polly Sally Dagny Astrid Bryn Ciara Deirdre Eowa
""".split()

HE = """
Aldric Bjorn Thorin Gareth Tom Bob John Harald Cedric Edmund Roland Oswin Tobias Garrick Hugo Ivar Jorund Kolb Leif
Magnus Nils Otto Piers Quentin Ragnar Sven Torvald Ulric Viktor Walter Yorick Anselm Bertram Conrad Duncan Egbert
Felix Godfrey Henrik Ivan Jasper Karl Lothar Martin Norbert Orin Percival Rolf Stefan Tristan Uther Valen Wulf Alan
Ben Chris Dan Ed Finn George Harry Isaac Jack Kurt Liam Max Ned Oliver Peter Ralph Sam Ted Victor Will Zane Arthur
Marcus Lucius Darius Cassian Dorian Kael Ronan Eamon Cormac Bram Dirk Joost Kenji Hiro Ravi Omar Yusuf Tarik Diego
""".split()

_ONSETS = """
b br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pr qu r s sh sk sl sn st t th thr tr v w y z bl dw gw
""".split()
_VOWELS = "a a a e e e i i o o o u y ae ai au ea ee ei eo ia ie io oa ou ui".split()
_MIDDLES = """
b d dr g gr k l ld ll lm ln lr lth lv m mb mm mr n nd ng nn nr nt nth p r rd rg rk rl rm rn rr rth rv s sk sm ss st t
th tt v w z
""".split()
_ENDS_SHE = "a a a ia ina elle eth ette ys is wen wyn ra na la da lyn lin rith ild une ica ora essa anne iel".split()
_ENDS_HE = """
o us ar or an en in on ic ock ald ard ulf mund win rik gar mir dur bert ran das nor ros tan vin ius el eth ek usk
""".split()

_FAMILY_FIRST = """
Ash Black Bright Stone Wind Iron Oak Silver Long Short Gold Grey Green Red White Winter Summer Fen Marsh Hill Wood
Thorn Raven Wolf Fox Hawk Swan Crow Apple Barley Copper Tin Salt Sand Storm Rain Frost Snow Fair Good Strong Swift
""".split()
_FAMILY_LAST = """
ford wood ley ton man well field brook smith wright foot hand heart shaw bane mere wick worth water hollow bottom
thwaite barrow low more son stead croft den ridge cliff
""".split()
_EPITHETS = """
the Bold, the Elder, the Younger, the Quiet, the Lame, One-Eye, the Red, the Grey, the Tall, the Small, Longbeard,
Ironhand, the Wise, the Lucky, Half-Ear, Quickfingers, the Stout, the Pale, the Weaver's Child, the Blind
""".replace("\n", " ").split(", ")
_TITLES_SHE = (
    "Old Young Captain Sister Mother Lady Mistress Dame Widow Sergeant Doctor Granny Aunt".split()
)
_TITLES_HE = (
    "Old Young Captain Brother Father Lord Master Sir Sergeant Doctor Uncle Big Little".split()
)

_PLACE_FIRST = """
Salt Oak Raven Stone Wind Ash Black White Red Green Grey Silver Gold Iron Copper Long High Low North South East West
Wolf Fox Bear Hart Crow Swan Eagle Otter Salmon Eel Winter Summer Spring Storm Rain Frost Snow Sun Moon Star Mill
Bridge Thorn Briar Moss Fern Willow Elm Birch Alder Hazel Apple Barley Rye Honey Amber Marsh Fen Clay Sand Shell
King Queen Bishop Monk Saint Dragon Giant Elf Dwarf Witch Candle Lantern Bell Drum Harp Glass Bone Ember Cinder
""".split()
_PLACE_LAST = """
ford bridge haven mere wick dale ton ham bury stead worth field wood brook well water mouth gate cliff combe ridge
moor heath holm stow thorpe by port shore watch hold keep fall reach vale den leigh barrow cross
""".split()
_PLACE_ENDS = "a en or ia os ar el um eth is an ora ost und holm gard mark heim ane ire esh ul mar dor".split()
_PLACE_FORMS = (
    """
Port *|Upper *|Lower *|Old *|New *|Fort *|Saint *|Mount *|Castle *|* Hollow|* Landing|* Cross|* Bay|* Green|* End
* Falls|* Hill|*-on-the-Water|*-by-the-Sea|Little *|Great *|* Market|* Crossing|Isle of *|Cape *|* Harbour|* Rest
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

_HOUSE_ADJECTIVES = """
Salted Golden Silver Rusty Drunken Sleeping Dancing Prancing Black White Red Green Blue Laughing Weeping Broken
Crooked Merry Leaping Flying Burning Frozen Hungry Thirsty Lonely Lucky Blind Old Copper Iron Wooden Painted Gilded
Tipsy Roaring Whistling Singing Three-Legged Two-Headed Wandering Humble Jolly Muddy Crowned Velvet Smoking Stubborn
""".split()
_HOUSE_NOUNS = """
Herring Pony Stag Boar Goose Gander Hen Cat Hound Wolf Bear Fox Dragon Griffin Unicorn Mermaid Sailor Anchor Barrel
Tankard Flagon Kettle Cauldron Candle Lantern Crown Sword Shield Hammer Anvil Wheel Plough Rose Thistle Oak Willow
Moon Star Sun Raven Owl Swan Eel Trout Pike Crab Whale Rat Mouse Badger Otter Hare Ram Ox Donkey Giant Dwarf Witch
""".split()
_SHIP_NOUNS = """
Maiden Gull Wave Star Tempest Queen Dream Petrel Dolphin Widow Fortune Promise Lady Tide Albatross Siren Venture
Storm Pearl Fury Hope Wind Serpent Marlin Kestrel Wanderer Mercy Gale Lark Herald
""".split()


@dataclass(frozen=True, slots=True)
class Name:
    """What somebody is called."""

    full: str
    """As the persona gives it: ``Captain Ysolde Marr``."""
    short: str
    """What friends say: ``Ysolde``."""
    she: bool


def _syllables(rng: Random, ends: list[str], middles: tuple[int, ...]) -> str:
    parts = [pick(rng, _ONSETS) if rng.random() < 0.8 else "", pick(rng, _VOWELS)]
    for _ in range(pick(rng, middles)):
        parts += [pick(rng, _MIDDLES), pick(rng, _VOWELS)]
    end = pick(rng, ends)
    parts.append(end if end[0] not in "aeiouy" else pick(rng, _MIDDLES) + end)
    return capitalise("".join(parts))


_WORD_ENDS = "er el ow um ip ock ing ash ot en le ard usk ent ine oon ett ish uff ab in ar ick oss it am ud".split()


def coined_word(rng: Random) -> str:
    """An invented common noun: ``grondle``, ``vesk``. Facts made of such words can only be copied."""

    def word(r: Random) -> str:
        draw = r.random()
        if draw < 0.3:
            return pick(r, _ONSETS) + pick(r, _VOWELS) + pick(r, _MIDDLES)
        if draw < 0.5:
            return (pick(r, _FAMILY_FIRST) + pick(r, _FAMILY_LAST)).lower()
        return _syllables(r, _WORD_ENDS, (0,)).lower()

    # Words are parts of facts; the facts are split, and no word may give a held-out name away.
    return Split.TRAIN.draw(rng, word)


def given_name(rng: Random, split: Split, she: bool) -> str:
    """A first name; one in four is a well-known one, the rest are invented."""
    if rng.random() < 0.25:
        return split.draw(rng, lambda r: pick(r, SHE if she else HE))
    ends = _ENDS_SHE if she else _ENDS_HE
    return split.draw(rng, lambda r: _syllables(r, ends, (0, 0, 0, 1)))


def family_name(rng: Random, split: Split) -> str:
    """A family name."""
    if rng.random() < 0.6:
        return split.draw(rng, lambda r: pick(r, _FAMILY_FIRST) + pick(r, _FAMILY_LAST))
    return split.draw(rng, lambda r: _syllables(r, _ENDS_HE, (0, 0, 1)))


def person(rng: Random, split: Split) -> Name:
    """Somebody's name, with or without family name, title or epithet."""
    she = rng.random() < 0.5
    first = given_name(rng, split, she)
    draw = rng.random()
    if draw < 0.45:
        full = first
    elif draw < 0.8:
        full = f"{first} {family_name(rng, split)}"
    elif draw < 0.92:
        full = f"{pick(rng, _TITLES_SHE if she else _TITLES_HE)} {first}"
        if rng.random() < 0.2:
            full += f" {family_name(rng, split)}"
    else:
        full = f"{first} {pick(rng, _EPITHETS)}"
    return Name(full, first, she)


def place(rng: Random, split: Split) -> str:
    """A town, a village or a land."""

    def core(r: Random) -> str:
        if r.random() < 0.55:
            return pick(r, _PLACE_FIRST) + pick(r, _PLACE_LAST)
        return _syllables(r, _PLACE_ENDS, (0, 0, 1))

    # ``Port Merrow`` is held out by ``Merrow``: no form of a place may give it away.
    name = split.draw(rng, core)
    return pick(rng, _PLACE_FORMS).replace("*", name) if rng.random() < 0.3 else name


def house(rng: Random, split: Split) -> str:
    """An inn, a shop: ``the Salted Herring``."""

    def name(r: Random) -> str:
        draw = r.random()
        if draw < 0.75:
            return f"the {pick(r, _HOUSE_ADJECTIVES)} {pick(r, _HOUSE_NOUNS)}"
        if draw < 0.9:
            return f"the {pick(r, _HOUSE_NOUNS)} and {pick(r, _HOUSE_NOUNS)}"
        return f"the {pick(r, _HOUSE_NOUNS)}'s {pick(r, ('Rest', 'Head', 'Den', 'Tail', 'Foot', 'Table'))}"

    return split.draw(rng, name)


def ship(rng: Random, split: Split) -> str:
    """A ship: ``the Grey Petrel``."""
    return split.draw(rng, lambda r: f"the {pick(r, _HOUSE_ADJECTIVES)} {pick(r, _SHIP_NOUNS)}")
