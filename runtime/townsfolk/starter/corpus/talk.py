"""One conversation while it is being written: who speaks, what was said, what the player told."""

import re
from collections.abc import Sequence
from random import Random

from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.character import Character
from townsfolk.starter.corpus.grammar import expand, pick
from townsfolk.starter.corpus.split import Source

_TEXT = book("talk")

NAMELESS = _TEXT["nameless"]
"""Speaker labels that are not a name."""

_TYPOS = dict(_TEXT.pairs("typos"))
_SHORTHAND = dict(_TEXT.pairs("shorthand"))
# The apostrophe that who types in haste leaves out; those of names are to be copied.
_CONTRACTED = re.compile(r"'(?=(?:s|t|re|ve|m|ll|d)\b)")


def lower_question(text: str, first: str) -> str:
    """Return the question after a lead: a question word loses its capital, a name does not."""
    return text[0].lower() + text[1:] if first in _TEXT["question words"] else text


class Talk:
    """A conversation with one character.

    ``slots`` holds what templates may use: the character's facts and ``addr``, what the player is
    called.
    """

    def __init__(self, rng: Random, split: Source, character: Character) -> None:
        self.rng = rng
        self.split = split
        self.character = character
        self.entries: list[TranscriptEntry] = []
        self.player_names: dict[str, str] = {}
        self.speaker = pick(rng, NAMELESS)
        if rng.random() < 0.3:
            self.speaker = names.given_name(rng, split, rng.random() < 0.5)
            self.player_names[self.speaker] = self.speaker
        draw = rng.random()
        self.lowercase = draw < 0.2
        self.careless = draw < 0.35
        self.slots = self._facts()

    def _facts(self) -> dict[str, str]:
        self_ = self.character
        facts = {"name": self_.name.full, "short": self_.name.short}
        for key in (
            "trade",
            "work",
            "home",
            "birthplace",
            "trait",
            "like",
            "hate",
            "fear",
            "keepsake",
        ):
            if value := getattr(self_, key):
                facts[key] = value
        if self_.secret:
            facts["secret"] = self_.secret[0]
        facts["at work"] = self_.at_work or "here"
        facts["age"] = str(self_.age)
        return facts

    def typed(self, value: str) -> str:
        """Return a value as this player types it."""
        return value.lower() if self.lowercase else value

    @property
    def address(self) -> str:
        """What the character calls whoever speaks now."""
        known = self.player_names.get(self.speaker)
        if known and self.rng.random() < 0.5:
            return known
        return pick(self.rng, self.character.style.address)

    def _expand(self, templates: Sequence[str], slots: dict[str, str]) -> str:
        merged = self.slots | slots
        merged.setdefault("addr", self.address)
        text = expand(pick(self.rng, self.split.more(tuple(templates))), self.rng, merged)
        # A nameless "you" as an address reads badly at the end.
        return re.sub(r", you([.!?])", r"\1", text)

    def hear(self, templates: Sequence[str], **slots: str) -> str:
        """Somebody speaks to the character; returns the line as typed."""
        text = self._expand(templates, slots)
        if self.rng.random() < 0.05:
            text = f"{pick(self.rng, _TEXT['preambles'])} {text}"
        text = self._sloppy(text)
        self.entries.append(TranscriptEntry(kind=EntryKind.HEARD, speaker=self.speaker, text=text))
        return text

    def happen(self, text: str) -> None:
        """Something happens in the world."""
        self.entries.append(TranscriptEntry(kind=EntryKind.EVENT, text=text))

    def say(self, templates: Sequence[str], **slots: str) -> str:
        """Have the character answer in its style."""
        style = self.character.style
        text = self._expand(templates, slots)
        if "few words" in style.wordings[0] if style.wordings else False:
            text = min((self._expand(templates, slots) for _ in range(2)), key=len)
        text = style.dress(text, self.rng)
        self.entries.append(TranscriptEntry(kind=EntryKind.SPOKE, text=text))
        return text

    def begin(self, templates: Sequence[str], **slots: str) -> None:
        """The character speaks of its own accord."""
        self.say(templates, **slots)
        self.entries[-1] = self.entries[-1].model_copy(update={"turn_id": "1"})

    def add(self, templates: Sequence[str], **slots: str) -> None:
        """The character adds a sentence to what it has just said."""
        said = self.entries[-1]
        if said.kind is EntryKind.SPOKE and not said.cut:
            more = self._expand(templates, slots)
            self.entries[-1] = said.model_copy(update={"text": f"{said.text} {more}"})

    def exchange(self, questions: Sequence[str], answers: Sequence[str], **slots: str) -> None:
        """The player says one of the first, the character answers with one of the second."""
        self.hear(questions, **slots)
        self.say(answers, **slots)

    def respeak(self, text: str) -> None:
        """The character says exactly this."""
        self.entries.append(TranscriptEntry(kind=EntryKind.SPOKE, text=text))

    def _phrased(self, text: str) -> str:
        """Return a question with something before or after it, as people ask."""
        rng = self.rng
        if not text.endswith("?") or len(text) > 70 or text.count("?") > 1:
            return text
        draw = rng.random()
        if draw < 0.18:
            lead = pick(rng, _TEXT["leads"])
            first = text.split(" ", 1)[0]
            text = (
                f"{lead} {text}"
                if lead[-1] in ".!:" and rng.random() < 0.8
                else f"{lead} {lower_question(text, first)}"
            )
        elif draw < 0.3:
            tail = pick(rng, _TEXT["tails"])
            tail = tail.replace("{short}", self.character.name.short).replace(
                "{trade}", self.character.trade or "friend"
            )
            text = f"{text[:-1]}{tail}?"
        return text

    def _sloppy(self, text: str) -> str:
        rng = self.rng
        text = self._phrased(text)
        if (
            len(self.entries) < 2
            and rng.random() < 0.12
            and not text.startswith(_TEXT["greetings"])
        ):
            text = pick(rng, _TEXT["greetings"]) + text
        if self.lowercase:
            text = text.lower()
        if self.careless:
            words = text.split(" ")
            for at, word in enumerate(words):
                draw = rng.random()
                if draw < 0.04:
                    words[at] = _TYPOS.get(word, word)
                elif draw < 0.2 and self.lowercase:
                    words[at] = _SHORTHAND.get(word, word)
            text = " ".join(words)
            if rng.random() < 0.5:
                text = _CONTRACTED.sub("", text)
            if rng.random() < 0.6:
                text = text.rstrip(".?!")
            elif rng.random() < 0.1:
                text += pick(rng, _TEXT["careless ends"])
        elif rng.random() < 0.05:
            text = text.rstrip(".")
        return text or "..."

    def someone(self) -> str:
        """Return a name that is nobody's here."""
        return names.given_name(self.rng, self.split, self.rng.random() < 0.5)

    def other_trade(self) -> str:
        """Return a trade that is not the character's."""
        while (trade := lexicon.trade(self.rng, self.split)) == self.character.trade:
            pass
        return trade

    def other_place(self) -> str:
        """Return a place that is not the character's home."""
        while (place := names.place(self.rng, self.split)) == self.character.home:
            pass
        return place
