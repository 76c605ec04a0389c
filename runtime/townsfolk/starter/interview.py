"""Questions to characters, with what a right answer must contain.

Most of them go to characters that the corpus' generator makes, of names, trades and places that it
holds out of training. These come from the generator's own lists and syllables: the answers measure
how well a model copies what looks like its corpus, not how well it copies any name. `wild` has
personas that people wrote, and `named` asks the cast that ships for its names.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from townsfolk.dialogue.actions import Action
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
    only the form of the replies is judged. ``name`` is the character's, where it is asked for.
    ``actions`` are those that it can take.
    """

    subject: str
    persona: Persona
    lore: tuple[str, ...]
    lines: tuple[str, ...]
    accepted: tuple[str, ...] = ()
    name: str = ""
    actions: tuple[Action, ...] = ()

    def passes(self, replies: Sequence[str]) -> bool:
        """Return whether the last reply has an accepted text in whole words, and no other name."""
        reply = replies[-1]
        if self.name and _gives_another_name(self.name, reply):
            return False
        return any(_has_words(text, reply) for text in self.accepted)


def _has_words(text: str, reply: str) -> bool:
    """Return whether a reply has these words, in any case: "Stonehand" does not have "Stone"."""
    return bool(re.search(rf"(?<!\w){re.escape(text)}(?!\w)", reply, re.IGNORECASE))


def _gives_another_name(name: str, reply: str) -> bool:
    """Return whether another name follows a word of the name than in it: "Garrick Stonehand"."""
    words = name.split()
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word[0].isupper():
            for found in re.finditer(rf"(?<!\w){re.escape(word)} ([A-Z][\w'\u2019-]*)", reply):
                if found[1] != after:
                    return True
    return False


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
    """Return a held-out character who has a trade and a home, and its world."""
    while True:
        self = character(rng, Split.HELD_OUT)
        if self.trade and self.home:
            aims(self, rng, Split.HELD_OUT)
            return self, world(rng, Split.HELD_OUT, self.home) if rng.random() < 0.4 else World()


def _heard(talk: Talk, topic: Callable[[Talk], None]) -> list[str]:
    """Return the player's lines of a topic."""
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
    """Return interviews that end by asking for the character's ``name``, ``trade`` or ``home``."""
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
            Interview(
                subject,
                persona(self, rng),
                tuple(where.lore),
                tuple(lines),
                accepted,
                self.name.full if subject == "name" else "",
            )
        )
    return interviews


def recall(number: int, seed: str) -> list[Interview]:
    """Return interviews in which the player asks for what he told three turns before."""
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
    interviews: list[Interview] = []
    index = 0
    while len(interviews) < number:
        told = conversation(f"{seed}:talk:{index}", Split.HELD_OUT)
        index += 1
        lines = tuple(entry.text for entry in told.transcript if entry.kind is EntryKind.HEARD)
        if len({entry.speaker for entry in told.transcript if entry.kind is EntryKind.HEARD}) == 1:
            interviews.append(Interview("talk", told.persona, tuple(told.world.lore), lines[:6]))
    return interviews
