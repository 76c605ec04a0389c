"""Personas as people write them, none made by the corpus' templates, and questions to them."""

from townsfolk.dialogue.persona import Persona
from townsfolk.starter.cast import LORE, cast
from townsfolk.starter.corpus.grammar import phrases
from townsfolk.starter.interview import UNSEEN, Interview

_MIRA = Persona(
    name="Mira",
    description=(
        "The innkeeper of the Salted Herring in Port Merrow. She is warm but nosy, knows "
        "every sailor by name, and has not slept well since her brother Aldric went missing "
        "at sea."
    ),
    goals=("find out what happened to Aldric", "keep the inn full"),
    speaking_style="Warm and a little nosy.",
)
_BRAM = Persona(
    name="Bram Ironhand",
    description=(
        "You are a gruff old blacksmith living in Oakvale. You lost two fingers in the war "
        "and don't like to talk about it. You respect hard work and hate nobles."
    ),
    speaking_style="Short, gruff sentences.",
    taboos=("talk about the war",),
)
_SELA = Persona(
    name="Sister Sela",
    description=(
        "Sela tends the little temple of the Dawn in Highmoor. As a healer she treats anyone "
        "who comes, rich or poor. She is young and worries that she is not good enough."
    ),
)
_DRAX = Persona(
    name="Captain Drax",
    description=(
        "Drax commands the city guard of Vell. A veteran of many battles, strict but fair. He"
        " suspects that the thieves' guild has a spy among his men. He lives in the barracks "
        "in Vell."
    ),
    goals=("find the spy",),
)
_PIP = Persona(
    name="Pip",
    description="A ten-year-old pickpocket from the harbour quarter of Saltmarsh. Always hungry.",
)
_ZORA = Persona(
    name="Zora-7",
    description=(
        "Ship mechanic on the freighter Halcyon. Grew up on Ceres, lives on the freighter "
        "now. Distrusts robots."
    ),
)
_WREN = Persona(
    name="Old Wren",
    description=(
        "Wren has farmed the same land outside Brackwater for fifty years. Her husband Tom "
        "died last spring. Now she lives alone in Brackwater with her dog Biscuit and sells "
        "eggs for 2 coppers each."
    ),
)
_ISKANDER = Persona(
    name="Iskander Voss",
    description=(
        "A travelling merchant who deals in silk and spices. He comes from the desert city of"
        " Qarrim, where his three daughters live. He loves haggling more than money."
    ),
    speaking_style="Flowery and polite.",
)

_WILD: tuple[tuple[Persona, tuple[str, ...], tuple[str, ...]], ...] = (
    (_MIRA, ("Hello!", "What is your name?"), ("Mira",)),
    (_MIRA, ("Hello!", "What do you do here?"), ("innkeeper", "Salted Herring")),
    (_MIRA, ("Where do you live?",), ("Port Merrow",)),
    (_MIRA, ("Do you have a brother?",), ("Aldric",)),
    (_MIRA, ("What do you want?",), ("Aldric", "inn full")),
    (_MIRA, ("Hi, I'm Jonas.", "How are you?", "Any news?", "What's my name?"), ("Jonas",)),
    (_BRAM, ("hey, who are you?",), ("Bram",)),
    (_BRAM, ("What's your job?",), ("blacksmith",)),
    (_BRAM, ("Where do you come from?",), ("Oakvale",)),
    (_BRAM, ("What do you hate?",), ("nobles",)),
    (
        _BRAM,
        phrases("""
        I lost my silver ring. / Nice weather. / Thanks. / What did I lose?
    """),
        ("silver ring",),
    ),
    (_SELA, ("What's your name?",), ("Sela",)),
    (_SELA, ("What do you do?",), ("healer", "temple")),
    (_SELA, ("Where do you live?",), ("Highmoor",)),
    (_DRAX, ("State your name.",), ("Drax",)),
    (_DRAX, ("Where do you live?",), ("Vell", "barracks")),
    (_DRAX, ("What do you want?",), ("spy",)),
    (_PIP, ("Who are you?",), ("Pip",)),
    (_PIP, ("What are you?",), ("pickpocket",)),
    (_PIP, ("Where are you from?",), ("Saltmarsh",)),
    (_ZORA, ("What is your name?",), ("Zora-7",)),
    (_ZORA, ("What do you do?",), ("mechanic",)),
    (_WREN, ("Do you have a pet?",), ("Biscuit",)),
    (_WREN, ("Where do you live?",), ("Brackwater",)),
    (_WREN, ("How much are the eggs?",), ("2 coppers",)),
    (_ISKANDER, ("And you are?",), ("Iskander",)),
    (_ISKANDER, ("What do you do for a living?",), ("merchant",)),
    (_ISKANDER, ("Where do you come from?",), ("Qarrim",)),
    (
        _ISKANDER,
        phrases("""
        My dog is called Rufus. / What do you sell? / Too expensive! / What's my dog called?
    """),
        ("Rufus",),
    ),
    (_ISKANDER, ("What do you love?",), ("haggling",)),
)


# Of the cast of `townsfolk talk`, by first or last name, with the cast's lore.
_CAST: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("Mira Holloway", ("Hello!", "What is your name?"), ("Mira",)),
    ("Mira Holloway", ("What do you do?",), ("innkeeper",)),
    ("Mira Holloway", ("How much is a room?",), ("four coppers",)),
    ("Mira Holloway", ("Where were you born?",), ("Eastfen",)),
    ("Mira Holloway", ("Do you have a brother?",), ("Tam",)),
    ("Mira Holloway", ("Who is the mayor?",), ("Osric Vane",)),
    ("Mira Holloway", ("Why is the lighthouse dark?",), ("three nights", "nobody knows")),
    ("Mira Holloway", ("What are you afraid of?",), ("dark lighthouse",)),
    ("Garrick Stone", ("What do you do?",), ("blacksmith",)),
    ("Garrick Stone", ("What do you want?",), ("anchor",)),
    ("Garrick Stone", ("How much is a knife?",), ("nine coppers",)),
    ("Garrick Stone", ("When is the Tide Market?",), ("seventh day",)),
    ("Sister Orla", ("Who are you?",), ("Orla",)),
    ("Sister Orla", ("What do you do?",), ("priestess",)),
    ("Sister Orla", ("Where do you live?",), ("Gull Hill",)),
    ("Captain Brannoc", ("What is your name?",), ("Brannoc",)),
    ("Captain Brannoc", ("Who is Juno?",), ("first mate",)),
    ("Captain Brannoc", ("Where do you come from?",), ("Saltreach",)),
    ("Nessa Finch", ("What do you want?",), ("thief who robbed",)),
    ("Nessa Finch", ("I'm Jonas. I lost my dog.", "Any news?", "What's my name?"), ("Jonas",)),
)


def named() -> list[Interview]:
    """Return interviews that ask everybody in the cast for the name, each in many ways."""
    asked: dict[str, None] = dict.fromkeys(("What is your name?", "Who are you?", *UNSEEN["name"]))
    return [
        Interview("cast", person, (LORE,), (line,), (name, _calls_itself(name)), name)
        for name, person in _people().items()
        for line in asked
    ]


def _calls_itself(name: str) -> str:
    """Return the part of a name that stands for it: the first, but for a title."""
    first, *others = name.split()
    return others[0] if first in ("Sister", "Captain") else first


def _people() -> dict[str, Persona]:
    return {
        each.name: Persona(
            name=each.name,
            description=each.description,
            goals=tuple(each.goals),
            speaking_style=each.speaking_style,
            taboos=tuple(each.taboos),
            example_lines=tuple(each.example_lines),
        )
        for each in cast()
    }


def wild() -> list[Interview]:
    """Return all of these interviews."""
    people = _people()
    known = [Interview("wild", persona, (), lines, accepted) for persona, lines, accepted in _WILD]
    return known + [
        Interview("wild", people[name], (LORE,), lines, accepted) for name, lines, accepted in _CAST
    ]
