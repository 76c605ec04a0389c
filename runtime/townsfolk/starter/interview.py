"""Questions to held-out characters, with what a right answer must contain."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind
from townsfolk.starter.corpus.aims import aims
from townsfolk.starter.corpus.character import Character, character
from townsfolk.starter.corpus.conversation import conversation
from townsfolk.starter.corpus.grammar import phrases, pick
from townsfolk.starter.corpus.portrait import persona
from townsfolk.starter.corpus.split import Split
from townsfolk.starter.corpus.talk import Talk
from townsfolk.starter.corpus.topics import (
    company,
    identity,
    life,
    memory,
    smalltalk,
    strange,
    trade,
)
from townsfolk.starter.corpus.world import World, world


@dataclass(frozen=True, slots=True)
class Interview:
    """A character, what it knows, and what the player says to it, line by line.

    ``accepted`` are the texts of which the reply to the last line must contain one; empty where
    only the form of the replies is judged.
    """

    subject: str
    persona: Persona
    lore: tuple[str, ...]
    lines: tuple[str, ...]
    accepted: tuple[str, ...] = ()

    def passes(self, replies: Sequence[str]) -> bool:
        """Whether the last reply contains an accepted text, letter case aside."""
        return any(text.lower() in replies[-1].lower() for text in self.accepted)


# Phrasings that occur nowhere in the corpus, asked as often as those that do.
UNSEEN = {
    "name": phrases("""
        Mind telling me your name? / What might I call you? / Hello there, may I know your name? /
        By what name are you known? / So what do folks call you around here? / I never asked for
        your name. What is it? / hi whats your name / Who are you, stranger? / Please say your
        name. / Hey, what do I call you?
    """),
    "trade": phrases("""
        So what do you do around here? / What do you do to make money? / What sort of job do you
        have? / What is it that you work as? / How do you pay for your bread? / hey what do you do
        / And what is your trade, if I may ask? / What are you by trade? / Would you tell me what
        your job is? / What work keeps you here?
    """),
    "home": phrases("""
        And where is it that you live? / In which town do you live? / Where would I find your
        house? / hey where do you live / Where did you say you live? / May I ask where you live? /
        Where do you make your home? / What's the name of the place where you live? / Could you
        tell me where your home is? / Where do you live, if I may ask?
    """),
}

_FILLERS: tuple[Callable[[Talk], None], ...] = (
    smalltalk.health,
    smalltalk.business,
    smalltalk.weather,
    smalltalk.manners,
    company.opinion,
    company.personal,
    smalltalk.entertainment,
    life.taste,
    life.wishes,
    strange.outside,
    strange.statement,
    trade.goods,
)


def _subject(rng: Random) -> tuple[Character, World]:
    """A held-out character who has a trade and a home, and its world."""
    while True:
        self = character(rng, Split.HELD_OUT)
        if self.trade and self.home:
            aims(self, rng, Split.HELD_OUT)
            return self, world(rng, Split.HELD_OUT, self.home) if rng.random() < 0.4 else World()


def _heard(talk: Talk, topic: Callable[[Talk], None]) -> list[str]:
    """The player's lines of a topic."""
    before = len(talk.entries)
    topic(talk)
    return [entry.text for entry in talk.entries[before:] if entry.kind is EntryKind.HEARD]


def _filler(talk: Talk, count: int) -> list[str]:
    lines: list[str] = []
    while len(lines) < count:
        lines += _heard(talk, pick(talk.rng, _FILLERS))
    return lines[:count]


def _player(rng: Random, self: Character) -> Talk:
    talk = Talk(rng, Split.HELD_OUT, self)
    talk.speaker = "Player"
    talk.player_names.clear()
    return talk


def about_itself(subject: str, number: int, seed: str) -> list[Interview]:
    """Interviews that end in a question for the character's ``name``, ``trade`` or ``home``."""
    asks = {"name": identity.ASK_NAME, "trade": identity.ASK_TRADE, "home": identity.ASK_HOME}[
        subject
    ]
    interviews = []
    for index in range(number):
        rng = Random(f"{seed}:{subject}:{index}")
        self, where = _subject(rng)
        talk = _player(rng, self)
        lines = _heard(talk, smalltalk.greeting) if rng.random() < 0.5 else []
        lines += _filler(talk, pick(rng, (0, 0, 1, 2, 3, 5)))
        if index % 2:
            lines.append(pick(rng, UNSEEN[subject]))
        else:
            talk.hear(asks)
            lines.append(talk.entries[-1].text)
        accepted = {
            "name": (self.name.full, self.name.short),
            "trade": (self.trade or "",),
            "home": (self.home or "",),
        }[subject]
        interviews.append(
            Interview(subject, persona(self, rng), tuple(where.lore), tuple(lines), accepted)
        )
    return interviews


def recall(number: int, seed: str) -> list[Interview]:
    """Interviews in which the player tells something and asks for it after three turns of other talk."""
    interviews: list[Interview] = []
    for index in range(number):
        rng = Random(f"{seed}:recall:{index}")
        self, where = _subject(rng)
        talk = _player(rng, self)
        lines = _heard(talk, smalltalk.greeting) if rng.random() < 0.5 else []
        told = memory.fresh(talk, set())
        lines += _heard(talk, lambda t, told=told: memory.tell(t, told))  # type: ignore[misc]
        lines += _filler(talk, 3)
        lines += _heard(talk, lambda t, told=told: memory.recall(t, told))  # type: ignore[misc]
        interviews.append(
            Interview("recall", persona(self, rng), tuple(where.lore), tuple(lines), (told.value,))
        )
    return interviews


def small_talk(number: int, seed: str) -> list[Interview]:
    """Whole conversations of held-out characters, for the form of the replies."""
    interviews = []
    index = 0
    while len(interviews) < number:
        told = conversation(f"{seed}:talk:{index}", Split.HELD_OUT)
        index += 1
        lines = tuple(entry.text for entry in told.transcript if entry.kind is EntryKind.HEARD)
        if len({entry.speaker for entry in told.transcript if entry.kind is EntryKind.HEARD}) == 1:
            interviews.append(Interview("talk", told.persona, tuple(told.world.lore), lines[:6]))
    return interviews


_MIRA = Persona(
    name="Mira",
    description="The innkeeper of the Salted Herring in Port Merrow. She is warm but nosy, knows every sailor by name, "
    "and has not slept well since her brother Aldric went missing at sea.",
    goals=("find out what happened to Aldric", "keep the inn full"),
    speaking_style="Warm and a little nosy.",
)
_BRAM = Persona(
    name="Bram Ironhand",
    description="You are a gruff old blacksmith living in Oakvale. You lost two fingers in the war and don't like to "
    "talk about it. You respect hard work and hate nobles.",
    speaking_style="Short, gruff sentences.",
    taboos=("talk about the war",),
)
_SELA = Persona(
    name="Sister Sela",
    description="Sela tends the little temple of the Dawn in Highmoor. As a healer she treats anyone who comes, rich or "
    "poor. She is young and worries that she is not good enough.",
)
_DRAX = Persona(
    name="Captain Drax",
    description="Drax commands the city guard of Vell. A veteran of many battles, strict but fair. He suspects that the "
    "thieves' guild has a spy among his men. He lives in the barracks in Vell.",
    goals=("find the spy",),
)
_PIP = Persona(
    name="Pip",
    description="A ten-year-old pickpocket from the harbour quarter of Saltmarsh. Always hungry.",
)
_ZORA = Persona(
    name="Zora-7",
    description="Ship mechanic on the freighter Halcyon. Grew up on Ceres, lives on the freighter now. Distrusts robots.",
)
_WREN = Persona(
    name="Old Wren",
    description="Wren has farmed the same land outside Brackwater for fifty years. Her husband Tom died last spring. "
    "Now she lives alone in Brackwater with her dog Biscuit and sells eggs for 2 coppers each.",
)
_ISKANDER = Persona(
    name="Iskander Voss",
    description="A travelling merchant who deals in silk and spices. He comes from the desert city of Qarrim, where his "
    "three daughters live. He loves haggling more than money.",
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


def wild() -> list[Interview]:
    """Personas as people write them, none made by the corpus' templates."""
    return [Interview("wild", persona, (), lines, accepted) for persona, lines, accepted in _WILD]
