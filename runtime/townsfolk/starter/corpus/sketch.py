"""Characters as designers sketch them: any facts in any order, and questions about them.

Where the other generators know what a character is, here every fact is alike: told somewhere
between sentences that don't matter, asked for in many ways, and found or not.
"""

from random import Random

from townsfolk.dialogue.persona import Persona
from townsfolk.starter.corpus import lexicon, names, strange
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.character import Character
from townsfolk.starter.corpus.grammar import expand, fill, pick, with_article
from townsfolk.starter.corpus.names import Name
from townsfolk.starter.corpus.scene import SCENES
from townsfolk.starter.corpus.split import Source
from townsfolk.starter.corpus.style import any_style, wording
from townsfolk.starter.corpus.talk import Talk
from townsfolk.starter.corpus.values import Generator

_TEXT = book("sketch")
_FACTS = _TEXT.section("facts").sections
_NAME = _TEXT.section("name")
_USUAL = ("trade", "dwelling", "fear", "price", "relative")
_CASES = (("she", "her", "her"), ("he", "his", "him"))
_MOST = 60


class Sketch:
    """A character of loose facts, and what everybody knows.

    Attributes:
        character: What the other generators may ask for.
        persona: The facts in sentences.
        lore: Facts of the world.
        kinds: Of the facts that are told.
        slots: What fills the holes of their texts.
    """

    def __init__(self, rng: Random, source: Source) -> None:
        self._rng = rng
        self._source = source
        self.slots = self._values(names.person(rng, source))
        usual = rng.sample(_USUAL, rng.randint(2, len(_USUAL)))
        others = [kind for kind in _FACTS if kind not in _USUAL]
        self.kinds = usual + rng.sample(others, rng.randint(0, 3))
        trade = self.slots["trade"] if "trade" in self.kinds else None
        self.character = Character(self._name, pick(rng, SCENES), any_style(rng), trade=trade)
        self.lore, self._known = self._world()
        self.persona = self._told()

    def _values(self, name: Name) -> dict[str, str]:
        """Return what the holes of all texts may be filled with."""
        rng, source = self._rng, self._source
        self._name = name
        slots = {"n": name.full, "short": name.short}
        for key in ("kin name", "rival", "boss", "lender", "pet", "who"):
            person = names.person(rng, source)
            slots[key] = person.full if rng.random() < 0.4 else person.short
        good = self._good()
        slots |= {
            "trade": self._of("trades", lexicon.trade),
            "fear": self._of("fears", lexicon.fear),
            "good": with_article(good) if rng.random() < 0.7 else lexicon.plural(good),
            "price": self._price(),
            "kin": pick(rng, lexicon.KIN if rng.random() < 0.4 else _TEXT["more kin"]),
            "thing": lexicon.thing(rng, source),
            "animal": pick(rng, lexicon.ANIMALS),
            "monster": source.draw(rng, lambda r: pick(r, lexicon.MONSTERS)),
            "food": lexicon.food(rng, source),
            "birthplace": names.place(rng, source),
            "age": str(rng.randint(8, 99)),
            "number": str(rng.randint(2, 99)),
            "year": str(rng.randint(100, 2500)),
            "debt": lexicon.price(rng),
            "place": names.place(rng, source),
            "song": f"{pick(rng, lexicon.ADJECTIVES)} {lexicon.noun(rng, lexicon.ANIMALS)}",
            "spot": self._spot(),
        }
        return slots | {"at home": self._home(), "street": self._street()}

    def _good(self) -> str:
        """Return what can be bought: a thing, food, or two nouns that belong together."""
        rng = self._rng
        draw = rng.random()
        if draw < 0.4:
            return lexicon.thing(rng, self._source)
        if draw < 0.65:
            return lexicon.food(rng, self._source)
        return self._source.draw(rng, lambda r: f"{strange.word(r)} {strange.word(r)}")

    def _price(self) -> str:
        rng = self._rng
        if rng.random() < 0.5:
            return lexicon.price(rng)
        word = strange.word(rng)
        count = rng.randint(2, 300)
        slots = {
            "c": str(count) if count > 99 or rng.random() < 0.6 else lexicon.in_words(count),
            "w": word,
            "p": lexicon.plural(word),
        }
        return fill(pick(rng, _TEXT["prices"]), rng, slots)

    def _of(self, key: str, usual: Generator) -> str:
        """Return a value of this book's list, or as often one of the lexicon's."""
        if self._rng.random() < 0.5:
            return usual(self._rng, self._source)
        return self._source.draw(self._rng, lambda r: pick(r, _TEXT[key]))

    def _spot(self) -> str:
        """Return a building or a place near by, of a word or two."""
        rng = self._rng
        near = (lexicon.BUILDINGS, lexicon.PLACES_NEAR)
        spot = lexicon.noun(rng, pick(rng, near)).removeprefix("the ")
        if rng.random() < 0.3:
            return f"{lexicon.noun(rng, lexicon.ADJECTIVES)} {spot}"
        return spot

    def _street(self) -> str:
        rng = self._rng
        words = (lexicon.noun(rng, lexicon.THINGS), lexicon.noun(rng, lexicon.FOODS))
        name = pick(rng, (pick(rng, words).title(), names.place(rng, self._source)))
        return fill(pick(rng, _TEXT["streets"]), rng, {"x": name})

    def _home(self) -> str:
        rng, source = self._rng, self._source

        def home(r: Random) -> str:
            slots = {
                "place": names.place(r, source),
                "street": self._street(),
                "number": str(r.randint(1, 199)),
                "trade": self._of("trades", lexicon.trade),
                "thing": lexicon.thing(r, source),
                "who": names.person(r, source).short,
                "spot": self._spot(),
            }
            return fill(pick(r, _TEXT["homes"]), r, slots)

        return home(rng)

    def _world(self) -> tuple[list[str], list[tuple[str, str, dict[str, str]]]]:
        """Return what everybody knows, and questions that it answers."""
        rng = self._rng
        if rng.random() < 0.5:
            return [], []
        known: list[tuple[str, str, dict[str, str]]] = []
        texts: list[str] = []
        for told, ask, answer in rng.sample(_TEXT.triples("lore"), rng.randint(1, 6)):
            slots = self._values(self._name)
            texts.append(expand(told, rng, slots))
            known.append((ask, answer, slots))
        at = rng.randint(0, len(texts))
        return [" ".join(part) for part in (texts[:at], texts[at:]) if part], known

    def _told(self) -> Persona:
        """Return the facts in sentences, in any order, between others."""
        rng = self._rng
        s, poss, o = pick(rng, _CASES)
        you = rng.random() < 0.3
        person = {"s": s, "poss": poss, "o": o, "person": "third"}
        if you:
            person = {"s": "you", "poss": "your", "o": "you", "person": "second"}
        sentences = []
        kinds = list(self.kinds)
        rng.shuffle(kinds)
        for kind in kinds:
            sentences.append(self._sentence(_FACTS[kind]["tell"], person, you))
        for _ in range(pick(rng, (0, 0, 1, 2, 3, 5))):
            filler = self._sentence(_TEXT["filler"], person, you)
            sentences.insert(rng.randint(0, len(sentences)), filler)
        between = pick(rng, (" ", " ", " ", " ", "\n"))
        style = wording(self.character.style, rng)
        return Persona(
            name=self._name.full, description=between.join(sentences), speaking_style=style
        )

    def _sentence(self, templates: tuple[str, ...], person: dict[str, str], you: bool) -> str:
        rng = self._rng
        name = "you" if you else pick(rng, (self._name.full, self._name.short, person["s"]))
        slots = self.slots | person | {"n": name}
        return expand(pick(rng, self._source.more(templates)), rng, slots)

    def ask(self, talk: Talk) -> str:
        """Ask for a fact, or for what nobody can know; return which."""
        rng = self._rng
        draw = rng.random()
        if draw < 0.16:
            talk.exchange(_NAME["ask"], _NAME["answer"], **self.slots)
            return "name"
        if draw < 0.3 and self._known:
            ask, answer, slots = pick(rng, self._known)
            talk.exchange((ask,), (answer,), **slots)
            return "lore"
        if draw < 0.42:
            slots = self._values(self._name)
            talk.exchange(_TEXT["never told"], _TEXT["not told"], **slots)
            return "unknown"
        if draw < 0.46 and "relative" not in self.kinds:
            talk.exchange(_FACTS["relative"]["ask"], _TEXT["not told"], **self.slots)
            return "unknown"
        kind = pick(rng, self.kinds)
        told = _FACTS[kind]
        if kind == "price" and rng.random() < 0.2:
            other = strange.word(rng)
            talk.hear(told["ask"], **self.slots | {"good": with_article(other)})
            talk.say(_TEXT["not sold"], **self.slots, x=other)
            return "unknown"
        if kind == "relative" and rng.random() < 0.15:
            other = pick(rng, [each for each in lexicon.KIN if each not in self.slots["kin"]])
            talk.hear(told["ask"], **self.slots | {"kin": other})
            talk.say(_TEXT["no relative"], **self.slots, x=other)
            return "unknown"
        talk.exchange(told["ask"], told["answer"], **self.slots)
        return kind
