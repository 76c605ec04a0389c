"""A whole conversation: a character, its world, and a course of topics, from one seed."""

from dataclasses import dataclass, replace
from random import Random

from townsfolk.dialogue.actions import Action
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.starter.corpus import cues, names
from townsfolk.starter.corpus.acts import abilities, act, idle, refuse, remind, unable
from townsfolk.starter.corpus.aims import aims
from townsfolk.starter.corpus.authored import authored
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.character import Character, character
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.portrait import persona
from townsfolk.starter.corpus.scene import SCENES
from townsfolk.starter.corpus.second import SecondEdition
from townsfolk.starter.corpus.sketch import Sketch
from townsfolk.starter.corpus.split import Source, Split
from townsfolk.starter.corpus.talk import Talk
from townsfolk.starter.corpus.topics import events, identity, lore, memory, smalltalk, strange
from townsfolk.starter.corpus.topics.catalogue import topic
from townsfolk.starter.corpus.world import World, world

_TEXT = book("conversation")
_MORE = book("natural")
_OPEN = _MORE.pairs("open")
_ABOUT = {kind: _MORE.section("about").pairs(kind) for kind in _MORE.section("about").texts}
# Of models that can write already: how many of their conversations were written whole, how many
# lines ask for no fact, and how many replies say more than was asked for; all of one.
_AUTHORED, _OPEN_SHARE, _MORE_SHARE = 0.25, 0.25, 0.3
_TOPICS = tuple(topic(_TEXT.section("topics"), name) for name in _TEXT.section("topics").texts)
_BETWEEN = (
    smalltalk.health,
    smalltalk.weather,
    smalltalk.manners,
    strange.outside,
    strange.role,
    strange.statement,
    strange.nonsense,
)
"""Topics that ask for nothing of a character."""
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
    """Cut the last reply short; the player may then ask for the rest."""
    last = talk.entries[-1]
    words = last.text.split(" ")
    if last.kind is not EntryKind.SPOKE or len(words) < 4:
        return
    kept = " ".join(words[: rng.randint(1, len(words) - 2)]).rstrip(".,!?")
    talk.entries[-1] = last.model_copy(update={"text": kept, "cut": True})
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


def _course(talk: Talk, where: World, rng: Random, *, cued: bool) -> None:
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
        if cued and rng.random() < 0.06:
            cues.unasked(talk)
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
    """End a conversation in which the character can act; not every line calls for it."""
    able = abilities(rng)
    for _ in range(pick(rng, (0, 0, 0, 1, 2))):
        act(talk, pick(rng, able), is_last=False)
        (smalltalk.weather if rng.random() < 0.5 else idle)(talk)
    draw = rng.random()
    hinted = rng.random() < 0.3 and len(able) > 1
    one = pick(rng, able)
    others = [each for each in able if each is not one and rng.random() < 0.6]
    if draw < 0.55:
        act(talk, one, is_last=True)
        possible = [each for each in able if each is one or each in others]
    else:
        possible = others
        if draw < 0.65:
            if hinted:
                refuse(talk, one)
            else:
                unable(talk, able)
        elif draw < 0.85:
            idle(talk)
    if hinted and len(possible) < len(able):
        remind(talk, possible)
    return tuple(each.action for each in able)


def _powerless(talk: Talk, rng: Random) -> tuple[Action, ...]:
    """Sometimes ask who can do nothing but speak for an action, or speak idly; return no action."""
    draw = rng.random()
    if draw < 0.15:
        unable(talk, ())
    elif draw < 0.25:
        idle(talk)
    return ()


def conversation(seed: str, split: Split = Split.TRAIN, edition: int = 1) -> Conversation:
    """Return the conversation of this seed: the same seed always gives the same one.

    Args:
        seed: Decides everything.
        split: The side that names, trades, homes and facts are of.
        edition: Of the starter model: 1 is what the weights that ship were trained with, 2 has
            values that can only be copied, more phrasings, and actions.
    """
    rng = Random(seed)
    if edition == 1:
        return _conversation(rng, split, acts=False)
    source = SecondEdition(split, pick(rng, (0.0, 0.3, 0.6, 1.0)))
    acts = rng.random() < 0.42
    if rng.random() < 0.5:
        return _sketched(rng, source, acts=acts)
    return _conversation(rng, source, acts=acts, cued=True)


def natural(seed: str, split: Split = Split.TRAIN) -> Conversation:
    """Return the conversation of this seed with somebody who says more than was asked for.

    For models that can write already, and are to learn how characters talk.
    """
    rng = Random(seed)
    if rng.random() < _AUTHORED:
        told = authored(rng, split)
        self = Character(told.name, pick(rng, SCENES))
        return Conversation(self, World(), told.persona, told.transcript)
    source = SecondEdition(split, pick(rng, (0.0, 0.0, 0.2, 0.5)))
    return _sketched(rng, source, acts=rng.random() < 0.35, is_natural=True)


def _sketched(rng: Random, source: Source, *, acts: bool, is_natural: bool = False) -> Conversation:
    """Return a conversation with a character of loose facts.

    Args:
        rng: Decides everything.
        source: Where values come from.
        acts: Whether the character can act.
        is_natural: Whether it is for a model that can write already.
    """
    sketch = Sketch(rng, source)
    if is_natural:  # who says more has less need of a catchword
        style = sketch.character.style
        sketch.character.style = replace(
            style, opening=style.opening / 3, closing=style.closing / 3
        )

    def more(kind: str) -> None:
        if rng.random() < _MORE_SHARE and is_natural:
            talk.add(_MORE[kind], **sketch.slots)

    talk = Talk(rng, source, sketch.character)
    if rng.random() < 0.2:
        cues.first(talk)
    elif rng.random() < 0.4:
        smalltalk.greeting(talk)
    taken: set[tuple[str, str]] = set()
    waiting: list[tuple[int, memory.Told]] = []
    for step in range(pick(rng, (1, 2, 3, 3, 4, 5, 6, 8, 10))):
        draw = rng.random()
        if is_natural and rng.random() < _OPEN_SHARE:
            _ask_openly(talk, sketch)
        elif waiting and waiting[0][0] <= step:
            memory.recall(talk, waiting.pop(0)[1])
            more("recall")
        elif draw < 0.55:
            more(sketch.ask(talk))
        elif draw < 0.72:
            told = memory.fresh(talk, taken)
            memory.tell(talk, told)
            more("told")
            waiting.append((step + rng.randint(1, 5), told))
        elif draw < 0.8:
            cues.unasked(talk)
        else:
            pick(rng, _BETWEEN)(talk)
    for _, told in waiting:
        memory.recall(talk, told)
    if not talk.entries:
        sketch.ask(talk)
    actions = _acting(talk, rng) if acts else _powerless(talk, rng)
    lore = World(sketch.lore)
    return Conversation(sketch.character, lore, sketch.persona, tuple(talk.entries), actions)


def _ask_openly(talk: Talk, sketch: Sketch) -> None:
    """Say what asks for no fact; the answer may be of what the persona says."""
    rng = talk.rng
    told = [kind for kind in sketch.kinds if kind in _ABOUT]
    known = _ABOUT[pick(rng, told)] if told and rng.random() < 0.4 else _OPEN
    ask, answer = pick(rng, known)
    talk.exchange((ask,), (answer,), **sketch.slots)


def _conversation(rng: Random, split: Source, *, acts: bool, cued: bool = False) -> Conversation:
    self = character(rng, split)
    aims(self, rng, split)
    if rng.random() < 0.2:
        _fill_lines(self, rng)
    where = world(rng, split, self.home) if rng.random() < 0.45 else World()
    talk = Talk(rng, split, self)
    if cued and rng.random() < 0.2:
        cues.first(talk)
    elif rng.random() < 0.6:
        smalltalk.greeting(talk)
    _course(talk, where, rng, cued=cued)
    if rng.random() < 0.25:
        smalltalk.farewell(talk)
    while not talk.entries or talk.entries[-1].kind is not EntryKind.SPOKE:
        _topic(talk, where, rng)
    actions = _acting(talk, rng) if acts else _powerless(talk, rng) if cued else ()
    told = persona(self, rng, split)
    return Conversation(self, where, told, tuple(talk.entries), actions)
