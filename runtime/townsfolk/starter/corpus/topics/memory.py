"""What the player tells and later asks for, and what was said a moment ago."""

from dataclasses import dataclass

from townsfolk.dialogue.transcript import EntryKind
from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.exchange import exchanges
from townsfolk.starter.corpus.grammar import expand, fill, pick
from townsfolk.starter.corpus.talk import Talk
from townsfolk.starter.corpus.told import KINDS

_TEXT = book("topics/memory")
_OF_OTHERS = exchanges(_TEXT.section("of others"))


@dataclass(frozen=True, slots=True)
class Told:
    """A fact that somebody told: its kind, the value as typed, the word that goes with it."""

    kind: str
    value: str
    word: str
    speaker: str

    def slots(self, talk: Talk) -> dict[str, str]:
        """Return what the kind's templates use."""
        them = "her" if self.word in lexicon.KIN_SHE else "him"
        return {
            "x": self.value,
            "xs": lexicon.plural(self.value),
            "b": self.word,
            "them": them,
            "style addr": pick(talk.rng, talk.character.style.address),
        }


def _lead(leads: tuple[str, ...], templates: tuple[str, ...], talk: Talk) -> tuple[str, ...]:
    lead = pick(talk.rng, leads)
    template = pick(talk.rng, talk.split.more(templates))
    if lead.endswith((", ", ": ")) and template.split(" ")[0] not in (
        "I",
        "I'm",
        "I've",
        "{x}",
        "{X}",
    ):
        template = template[0].lower() + template[1:]
    return (lead + template,)


def _word(talk: Talk, words: tuple[str, ...]) -> str:
    return fill(pick(talk.rng, words), talk.rng, {}) if words else ""


def fresh(talk: Talk, taken: set[tuple[str, str]]) -> Told:
    """Return a fact nobody has told yet."""
    while True:
        key = pick(talk.rng, tuple(KINDS))
        if talk.rng.random() < 0.25:
            key = "name"
        kind = KINDS[key]
        word = _word(talk, kind.words)
        if (key, word) in taken or (key == "name" and talk.speaker in talk.player_names):
            continue
        taken.add((key, word))
        return Told(key, talk.typed(kind.value(talk.rng, talk.split)), word, talk.speaker)


def tell(talk: Talk, told: Told) -> None:
    """The player tells the fact, the character takes note."""
    kind = KINDS[told.kind]
    slots = told.slots(talk)
    talk.hear(_lead(_TEXT["tell leads"], kind.tell, talk), **slots)
    if told.kind == "name":
        talk.player_names[talk.speaker] = told.value
    talk.say(kind.react, **slots)


def tell_two(talk: Talk, first: Told, second: Told) -> None:
    """Two facts in one breath; the character takes up one of them."""
    slots = [first.slots(talk), second.slots(talk)]
    lines = [
        expand(pick(talk.rng, KINDS[told.kind].tell), talk.rng, talk.slots | own)
        for told, own in zip((first, second), slots, strict=True)
    ]
    both = "{first} {second}"
    if lines[0].endswith(".") and lines[1].startswith("I") and talk.rng.random() < 0.4:
        lines[0] = lines[0][:-1]
        both = "{first} and {second}"
    talk.hear((both,), first=lines[0], second=lines[1])
    for told in (first, second):
        if told.kind == "name":
            talk.player_names[talk.speaker] = told.value
    at = 0 if talk.rng.random() < 0.3 else 1
    talk.say(KINDS[(first, second)[at].kind].react, **slots[at])


def tell_and_ask_name(talk: Talk, told: Told) -> None:
    """The player tells a name and asks for the character's."""
    talk.player_names[talk.speaker] = told.value
    talk.exchange(
        _TEXT["tell and ask name"],
        _TEXT["tell name and greet"],
        **told.slots(talk),
    )


def recall(talk: Talk, told: Told) -> None:
    """The player asks for what was told."""
    kind = KINDS[told.kind]
    slots = told.slots(talk)
    talk.hear(_lead(_TEXT["ask leads"], kind.ask, talk), **slots)
    talk.say(kind.recall, **slots)


def recall_other(talk: Talk, told: Told, by: str) -> None:
    """Somebody asks for what another one told."""
    if told.kind in _OF_OTHERS:
        each = _OF_OTHERS[told.kind]
        talk.exchange(each.ask, each.tell, by=by, **told.slots(talk))


def ask_untold(talk: Talk, taken: set[tuple[str, str]]) -> None:
    """The player asks for something never told."""
    key = pick(talk.rng, tuple(KINDS))
    kind = KINDS[key]
    word = _word(talk, kind.words)
    if any(key == other for other, _ in taken):
        return
    if key == "name" and talk.speaker in talk.player_names:
        known = talk.player_names[talk.speaker]
        talk.exchange(
            kind.ask,
            kind.recall,
            x=known,
            **{"style addr": pick(talk.rng, talk.character.style.address)},
        )
        return
    slots = Told(key, "", word, talk.speaker).slots(talk)
    talk.exchange(kind.ask, kind.untold, **slots)


def echo(talk: Talk) -> None:
    """The last line again, the character's or the player's."""
    rng = talk.rng
    if rng.random() < 0.65:
        spoken = [entry for entry in talk.entries if entry.kind is EntryKind.SPOKE]
        if spoken and not spoken[-1].cut and len(spoken[-1].text) < 160:
            talk.hear(_TEXT["ask last"])
            talk.respeak(pick(rng, _TEXT["say again"]).replace("{last}", spoken[-1].text))
    else:
        heard = [entry for entry in talk.entries if entry.kind is EntryKind.HEARD]
        if (
            heard
            and len(heard[-1].text) < 100
            and '"' not in heard[-1].text
            and heard[-1].speaker == talk.speaker
        ):
            last = heard[-1].text
            last += "" if last[-1] in ".!?" else "."
            talk.hear(_TEXT["ask mine"])
            template = pick(rng, _TEXT["you said"])
            if "{addr}" in template:
                last = last.rstrip(".!?")
            talk.respeak(template.replace("{last}", last).replace("{addr}", talk.address))
