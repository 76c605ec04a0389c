"""A whole conversation: a character, its world, and a course of topics, from one seed."""

from dataclasses import dataclass
from random import Random

from townsfolk.dialogue.actions import Action
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.starter.corpus import names
from townsfolk.starter.corpus.acts import abilities, act, unable
from townsfolk.starter.corpus.aims import aims
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.character import Character, character
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.portrait import persona
from townsfolk.starter.corpus.second import SecondEdition
from townsfolk.starter.corpus.split import Source, Split
from townsfolk.starter.corpus.talk import Talk
from townsfolk.starter.corpus.topics import events, identity, lore, memory, smalltalk
from townsfolk.starter.corpus.topics.catalogue import topic
from townsfolk.starter.corpus.world import World, world

_TEXT = book("conversation")
_TOPICS = tuple(topic(_TEXT.section("topics"), name) for name in _TEXT.section("topics").texts)
_WEIGHTS = tuple(_TEXT.section("topics").number(name) for name in _TEXT.section("topics").texts)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A persona, what it knows of the world, what was said, and the facts behind them."""

    character: Character
    world: World
    persona: Persona
    transcript: tuple[TranscriptEntry, ...]
    actions: tuple[Action, ...] = ()
    """What the character can do; the last reply may end in one of them."""


def _fill_lines(self: Character, rng: Random) -> None:
    for line in rng.sample(_TEXT["lines"], pick(rng, (1, 1, 2, 3))):
        if ("{work}" in line and not self.work) or ("{home}" in line and not self.home):
            continue
        self.lines.append(line.format(work=self.work, home=self.home, food="bread"))


def _interrupt(talk: Talk, rng: Random) -> None:
    """Cuts the last reply short; the player may then ask for the rest."""
    last = talk.entries[-1]
    words = last.text.split(" ")
    if last.kind is not EntryKind.SPOKE or len(words) < 4:
        return
    kept = " ".join(words[: rng.randint(1, len(words) - 2)]).rstrip(".,!?")
    talk.entries[-1] = TranscriptEntry(kind=EntryKind.SPOKE, text=kept, cut=True)
    draw = rng.random()
    if draw < 0.35:
        talk.exchange(_TEXT["interruptions"], _TEXT["after interruption"])
    elif draw < 0.7:
        talk.hear(_TEXT["continue"])
        talk.respeak(pick(rng, _TEXT["continued"]).replace("{last}", last.text))


def _other_speaker(talk: Talk, rng: Random) -> None:
    """Somebody else takes over, sometimes one of the earlier speakers."""
    earlier = {entry.speaker for entry in talk.entries if entry.kind is EntryKind.HEARD} - {
        talk.speaker
    }
    if earlier and rng.random() < 0.5:
        talk.speaker = pick(rng, sorted(earlier))
        return
    talk.speaker = names.given_name(rng, talk.split, rng.random() < 0.5)
    talk.player_names[talk.speaker] = talk.speaker


def _topic(talk: Talk, where: World, rng: Random) -> None:
    draw = rng.random()
    if where.facts and draw < 0.16:
        lore.world_fact(talk, where)
    elif draw < 0.19:
        lore.unknown_fact(talk, where)
    elif draw < 0.22 and not any(str(talk.character.home) in text for text in where.lore):
        identity.own_places(talk)
    else:
        rng.choices(_TOPICS, _WEIGHTS)[0](talk)


def _course(talk: Talk, where: World, rng: Random) -> None:
    """Topics in a row, with facts told, remembered, events, interruptions and several speakers."""
    taken: set[tuple[str, str]] = set()
    waiting: list[tuple[int, memory.Told]] = []
    happened: list[tuple[int, str]] = []
    steps = (
        pick(rng, (1, 2, 3, 3, 4, 5, 6, 7, 8, 10, 12))
        if rng.random() < 0.94
        else rng.randint(14, 60)
    )
    forgetful = rng.random() < 0.35
    crowd = rng.random() < 0.15
    for step in range(steps):
        if crowd and rng.random() < 0.3:
            _other_speaker(talk, rng)
        draw = rng.random()
        due = [told for at, told in waiting if at <= step]
        if due:
            told = due[0]
            waiting = [(at, other) for at, other in waiting if other is not told]
            if told.speaker == talk.speaker:
                memory.recall(talk, told)
            elif told.speaker in talk.player_names:
                memory.recall_other(talk, told, told.speaker)
            if rng.random() < 0.2:
                waiting.append((step + rng.randint(1, 8), told))
        elif happened and happened[0][0] <= step:
            events.earlier(talk, happened.pop(0)[1])
        elif draw < (0.0 if forgetful else 0.34):
            told = memory.fresh(talk, taken)
            if rng.random() < 0.2:
                other = memory.fresh(talk, taken)
                memory.tell_two(talk, told, other)
                waiting += [(step + rng.randint(1, 7), told), (step + rng.randint(1, 7), other)]
                continue
            asks_back = told.kind == "name" and rng.random() < 0.3
            (memory.tell_and_ask_name if asks_back else memory.tell)(talk, told)
            if rng.random() < 0.85:
                waiting.append((step + rng.randint(1, 7), told))
        elif draw < 0.38:
            memory.ask_untold(talk, taken)
        elif draw < 0.42 and not happened:
            past = events.event(talk)
            if rng.random() < 0.4:
                happened.append((step + rng.randint(1, 5), past))
        elif draw < 0.46:
            memory.echo(talk)
        else:
            if draw > 0.97 and not happened:
                events.happening(talk)
            _topic(talk, where, rng)
        if talk.entries and rng.random() < 0.025:
            _interrupt(talk, rng)
    for _, told in waiting:
        if told.speaker == talk.speaker:
            memory.recall(talk, told)


def _acting(talk: Talk, rng: Random) -> tuple[Action, ...]:
    """Ends a conversation in which the character can act; not every line calls for it."""
    able = abilities(rng)
    for _ in range(pick(rng, (0, 0, 0, 1, 2))):
        act(talk, pick(rng, able), is_last=False)
        identity.trade(talk)
    draw = rng.random()
    if draw < 0.55:
        act(talk, pick(rng, able), is_last=True)
    elif draw < 0.7:
        unable(talk, able)
    return tuple(each.action for each in able)


def conversation(seed: str, split: Split = Split.TRAIN, edition: int = 1) -> Conversation:
    """The conversation of this seed: the same seed always gives the same one.

    Args:
        seed: Decides everything.
        split: The side that names, trades, homes and facts are of.
        edition: Of the starter model: 1 is what the weights that ship were trained with, 2 has
            values that can only be copied, more phrasings, and actions.
    """
    rng = Random(seed)
    if edition == 1:
        return _conversation(rng, split, acts=False)
    share = pick(rng, (0.0, 0.3, 0.6, 1.0))
    return _conversation(rng, SecondEdition(split, share), acts=rng.random() < 0.35)


def _conversation(rng: Random, split: Source, *, acts: bool) -> Conversation:
    self = character(rng, split)
    aims(self, rng, split)
    if rng.random() < 0.2:
        _fill_lines(self, rng)
    where = world(rng, split, self.home) if rng.random() < 0.45 else World()
    talk = Talk(rng, split, self)
    if rng.random() < 0.6:
        smalltalk.greeting(talk)
    _course(talk, where, rng)
    if rng.random() < 0.25:
        smalltalk.farewell(talk)
    while not talk.entries or talk.entries[-1].kind is not EntryKind.SPOKE:
        _topic(talk, where, rng)
    actions = _acting(talk, rng) if acts else ()
    told = persona(self, rng, split)
    return Conversation(self, where, told, tuple(talk.entries), actions)
