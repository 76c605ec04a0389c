"""Actions in conversations, in the form in which the runtime asks for them.

The prompt lists what a character can do. A reply that acts ends in the action; in later prompts it
stands without it, and an event tells what came of it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from townsfolk.dialogue.actions import (
    OURS,
    Action,
    ActionCall,
    ActionParameter,
    Outcome,
    ParameterType,
    possible,
)
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.split import Source
from townsfolk.starter.corpus.talk import Talk

_TEXT = book("acts")
_KINDS = _TEXT.section("acts").sections
_VALUES: dict[str, Callable[[Random, Source], str]] = {
    "give": lexicon.thing,
    "follow": lambda rng, source: "",
    "attack": lambda rng, source: source.draw(rng, lambda r: pick(r, lexicon.MONSTERS)),
    "price": lexicon.thing,
    "go": lambda rng, source: names.place(rng, source),
    "alarm": lambda rng, source: "",
    "sing": lambda rng, source: "",
    "take": lexicon.thing,
    "heal": lambda rng, source: names.given_name(rng, source, rng.random() < 0.5),
    "open": lambda rng, source: source.draw(rng, lambda r: pick(r, _TEXT["closed"])),
}
"""What each kind is about."""


@dataclass(frozen=True, slots=True)
class Ability:
    """An action as a game has registered it, and the kind that it is."""

    kind: str
    action: Action


def abilities(rng: Random) -> tuple[Ability, ...]:
    """Return what a character can do: some of the kinds, in names that differ from game to game."""
    kinds = rng.sample(tuple(_KINDS), rng.randint(1, 6))
    return tuple(Ability(kind, _action(kind, rng)) for kind in kinds)


def _action(kind: str, rng: Random) -> Action:
    told = _KINDS[kind]
    names = told["parameter"]
    parameters = [ActionParameter(name=pick(rng, names))] if names else []
    if amounts := told.get("amount"):
        free = [name for name in amounts if name not in (each.name for each in parameters)]
        whole = ParameterType.INTEGER
        parameters.append(ActionParameter(name=pick(rng, free), type=whole, minimum=0))
    about = pick(rng, told["about"]) if rng.random() < 0.9 else ""
    return Action(name=pick(rng, told["names"]), description=about, parameters=tuple(parameters))


def unable(talk: Talk, known: tuple[Ability, ...]) -> None:
    """The player asks for something that the character has no action for."""
    others = [kind for kind in _KINDS if kind not in (each.kind for each in known)]
    if others:
        kind = pick(talk.rng, others)
        value = talk.typed(_VALUES[kind](talk.rng, talk.split))
        number = str(talk.rng.randint(1, 500))
        talk.exchange(_KINDS[kind]["ask"], _TEXT["unable"], x=value, number=number)


def idle(talk: Talk) -> None:
    """The player names a thing, or none, and wants nothing."""
    thing = talk.typed(lexicon.thing(talk.rng, talk.split))
    talk.exchange(_TEXT["idle"], _TEXT["idle reply"], x=thing)


def refuse(talk: Talk, ability: Ability) -> None:
    """The player asks for an action that isn't possible now."""
    told = _KINDS[ability.kind]
    value = talk.typed(_VALUES[ability.kind](talk.rng, talk.split))
    number = str(talk.rng.randint(1, 500))
    talk.exchange(told["ask"], _TEXT["unable"], x=value, number=number)


def remind(talk: Talk, abilities: Sequence[Ability]) -> None:
    """Before the last line of the player stands what is possible now, as the runtime says it."""
    text = possible(each.action.name for each in abilities)
    heard = talk.entries[-2] if len(talk.entries) > 1 else None
    if heard is not None and heard.kind is EntryKind.HEARD:
        hint = TranscriptEntry(kind=EntryKind.EVENT, text=text)
        talk.entries.insert(-2, hint)


def act(talk: Talk, ability: Ability, *, is_last: bool) -> None:
    """The player asks for an action, and the character takes it.

    Args:
        talk: The conversation.
        ability: What the character does.
        is_last: The action itself stands in the reply; else what came of it stands behind.
    """
    rng, told = talk.rng, _KINDS[ability.kind]
    number = rng.randint(1, 500)
    slots = {"x": talk.typed(_VALUES[ability.kind](rng, talk.split)), "number": str(number)}
    talk.hear(told["ask"], **slots)
    said = talk.say(told["tell"], **slots)
    values: tuple[str | int, ...] = (slots["x"], number)
    names = [each.name for each in ability.action.parameters]
    arguments = dict(zip(names, values, strict=False))
    if is_last:
        call = {"name": ability.action.name, OURS.arguments: arguments}
        written = json.dumps(call, ensure_ascii=False)
        text = f"{said}{OURS.opens}{written}{OURS.closes}"
        talk.entries[-1] = TranscriptEntry(kind=EntryKind.SPOKE, text=text)
    else:
        done = ActionCall(ability.action.name, arguments, "")
        talk.happen(done.told(talk.character.name.full, Outcome(is_accepted=True, text="")))
