"""A character's facts, sampled; any of them may be unknown."""

from dataclasses import dataclass, field
from random import Random

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.grammar import expand, pick, with_article
from townsfolk.starter.corpus.names import Name
from townsfolk.starter.corpus.scene import SCENES, Scene
from townsfolk.starter.corpus.split import Source
from townsfolk.starter.corpus.style import PLAIN, Style, any_style

_TEXT = book("character")


@dataclass(slots=True)
class Relative:
    """Somebody of the family: ``brother``, ``Aldric``, ``fisherman`` (or None)."""

    kin: str
    name: str
    she: bool
    trade: str | None
    fate: str | None = None
    """What became of them, without subject: ``went missing at sea``."""


@dataclass(slots=True)
class Good:
    """Something for sale."""

    name: str
    price: str


@dataclass(slots=True)
class Errand:
    """Work for ``reward``: bring ``thing`` from ``place``, or get rid of ``foe``."""

    thing: str | None
    foe: str | None
    place: str
    reward: str


@dataclass(slots=True)
class Character:
    """Who a character is. None and empty mean that the persona does not say."""

    name: Name
    scene: Scene
    style: Style = PLAIN
    trade: str | None = None
    deed: tuple[str, str] | None = None
    work: str | None = None
    home: str | None = None
    birthplace: str | None = None
    age: int | None = None
    trait: str | None = None
    like: str | None = None
    hate: str | None = None
    fear: str | None = None
    secret: tuple[str, str] | None = None
    pet: tuple[str, str] | None = None
    friend: tuple[str, str] | None = None
    keepsake: str | None = None
    relatives: list[Relative] = field(default_factory=list)
    goods: list[Good] = field(default_factory=list)
    errand: Errand | None = None
    goals: list[str] = field(default_factory=list)
    taboos: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def secret_is_past(self) -> bool:
        """Whether the secret was done once, rather than being done still."""
        return self.secret is not None and self.secret[0] == self.secret[1]

    @property
    def at_work(self) -> str | None:
        """The place of work with its preposition: ``at the Salted Herring``."""
        if self.work is None:
            return None
        return f"{self.scene.at} {self.work}"


def _maybe(rng: Random, share: float) -> bool:
    return rng.random() < share


def _work(rng: Random, scene: Scene, split: Source) -> str:
    kind = pick(rng, scene.work)
    if kind == "house":
        return names.house(rng, split)
    if kind == "ship":
        return names.ship(rng, split)
    if kind == "farm":
        return f"{names.family_name(rng, split)} Farm"
    return kind


def goods(rng: Random, scene: Scene, split: Source) -> list[Good]:
    """Two to four things for sale with their prices, some usual for the scene and some invented."""
    chosen: list[str] = []
    for _ in range(rng.randint(1, 4)):
        draw = rng.random()
        if draw < 0.6:
            item = pick(rng, scene.goods)
        elif draw < 0.8:
            item = lexicon.food(rng, split)
        else:
            item = with_article(lexicon.thing(rng, split))
        if item not in chosen and item.split(" ", 1)[-1] not in " ".join(chosen):
            chosen.append(item)
    return [Good(item, lexicon.price(rng)) for item in chosen]


def relative(rng: Random, split: Source) -> Relative:
    """Return a member of the family."""
    she = _maybe(rng, 0.5)
    kin = pick(rng, lexicon.KIN_SHE if she else lexicon.KIN_HE)
    if _maybe(rng, 0.15):
        kin = pick(rng, lexicon.COMPANIONS)
    self = Relative(kin, names.given_name(rng, split, she), she, None)
    draw = rng.random()
    if draw < 0.4:
        self.trade = lexicon.trade(rng, split)
    elif draw < 0.75:
        slots = {
            "season": pick(rng, _TEXT["seasons"]),
            "place": names.place(rng, split),
            "foes": lexicon.monsters(rng, split),
            "trade": lexicon.trade(rng, split),
            "thing": lexicon.thing(rng, split),
            "things": lexicon.plural(lexicon.thing(rng, split)),
            "food": lexicon.food(rng, split),
        }
        fate = expand(pick(rng, _TEXT["fates"]), rng, slots)
        self.fate = fate[0].lower() + fate[1:]
    return self


def errand(rng: Random, split: Source) -> Errand:
    """Work to offer to the player."""
    place = f"the {pick(rng, lexicon.PLACES_NEAR)}" if _maybe(rng, 0.5) else names.place(rng, split)
    if _maybe(rng, 0.6):
        return Errand(lexicon.thing(rng, split), None, place, lexicon.price(rng))
    foes = lexicon.monsters(rng, split)
    return Errand(None, foes, place, lexicon.price(rng))


def character(rng: Random, split: Source) -> Character:
    """Somebody, from a bare name to a rich life."""
    scene = pick(rng, SCENES)
    self = Character(names.person(rng, split), scene, any_style(rng))
    richness = pick(rng, (0.08, 0.25, 0.25, 0.4, 0.4, 0.6))
    if _maybe(rng, 0.87):
        own = split.owns(trade := pick(rng, scene.trades))
        self.trade = trade if own and _maybe(rng, 0.45) else lexicon.trade(rng, split)
        if fitting := [place for place in SCENES if self.trade.endswith(place.trades)]:
            self.scene = scene = pick(rng, fitting)
    if _maybe(rng, 0.7 if self.trade is None else 0.12):
        self.deed = lexicon.deed(rng, split)
    if _maybe(rng, 0.5):
        self.work = _work(rng, scene, split)
    if _maybe(rng, 0.85):
        self.home = names.place(rng, split)
    if _maybe(rng, richness * 0.5):
        self.birthplace = names.place(rng, split)
    if _maybe(rng, richness):
        self.age = rng.randint(9, 90)
    if _maybe(rng, 0.5):
        self.trait = pick(rng, lexicon.TRAITS)
    if _maybe(rng, richness * 1.3):
        self.like = lexicon.like(rng, split)
    if _maybe(rng, richness):
        self.hate = lexicon.like(rng, split)
    if _maybe(rng, richness * 1.3):
        self.fear = lexicon.fear(rng, split)
    if _maybe(rng, richness):
        self.secret = lexicon.secret(rng, split)
    if _maybe(rng, richness * 0.6):
        self.pet = (pick(rng, lexicon.ANIMALS), names.given_name(rng, split, _maybe(rng, 0.5)))
    if _maybe(rng, richness * 0.6):
        self.friend = (names.given_name(rng, split, _maybe(rng, 0.5)), lexicon.trade(rng, split))
    if _maybe(rng, richness * 0.5):
        self.keepsake = lexicon.thing(rng, split)
    if _maybe(rng, richness * 1.5):
        self.relatives = [relative(rng, split)]
        if _maybe(rng, 0.3) and (other := relative(rng, split)).kin != self.relatives[0].kin:
            self.relatives.append(other)
    if _maybe(rng, richness * 1.3):
        self.goods = goods(rng, scene, split)
    if _maybe(rng, richness):
        self.errand = errand(rng, split)
    return self
