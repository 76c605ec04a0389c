"""Who the character is: name, trade, home, age, and doubts about them."""

from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.exchange import exchanges
from townsfolk.starter.corpus.grammar import pick, with_article
from townsfolk.starter.corpus.talk import Talk

_TEXT = book("topics/identity")

ASK_NAME = _TEXT["ask name"]

ASK_TRADE = _TEXT["ask trade"]

ASK_HOME = _TEXT["ask home"]


_NAME_AND = exchanges(_TEXT.section("name and"))


def name(talk: Talk) -> None:
    """The character says its name."""
    own_trade = talk.character.trade and talk.rng.random() < 0.3
    talk.exchange(ASK_NAME, _TEXT["tell name and trade"] if own_trade else _TEXT["tell name"])


def trade(talk: Talk) -> None:
    """The character says its trade."""
    deed = talk.character.deed
    if deed and (not talk.character.trade or talk.rng.random() < 0.2):
        talk.exchange(
            ASK_TRADE,
            _TEXT["tell deed"] if not talk.character.trade else _TEXT["tell trade and deed"],
            deed=deed[0],
        )
        return
    if not talk.character.trade:
        talk.exchange(ASK_TRADE, _TEXT["trade unknown"])
        return
    answers = _TEXT["tell trade"]
    if talk.rng.random() < 0.35:
        answers = _TEXT["tell trade and work"] if talk.character.work else _TEXT["tell trade"]
    elif talk.rng.random() < 0.3 and talk.character.trade in talk.character.scene.trades:
        answers = _TEXT["tell trade and duty"]
    duties = talk.rng.sample(talk.character.scene.duties, 2)
    talk.exchange(ASK_TRADE, answers, **{"duty": duties[0], "other duty": duties[1]})


def home(talk: Talk) -> None:
    """The character says where it lives."""
    talk.exchange(ASK_HOME, _TEXT["tell home"] if talk.character.home else _TEXT["home unknown"])


def work(talk: Talk) -> None:
    """The character says where it works."""
    if talk.character.work:
        named = talk.rng.random() < 0.4
        talk.exchange(
            _TEXT["ask work name"] if named else _TEXT["ask work"],
            _TEXT["tell work name"] if named else _TEXT["tell work"],
        )


def own_places(talk: Talk) -> None:
    """What the character says of its home or its place of work."""
    self = talk.character
    if self.home and (not self.work or talk.rng.random() < 0.6):
        talk.exchange(_TEXT["ask place"], _TEXT["tell of home"], place=talk.typed(self.home))
    elif self.work:
        talk.exchange(_TEXT["ask place"], _TEXT["tell of work"], place=talk.typed(self.work))


def birthplace(talk: Talk) -> None:
    """The character says where it was born."""
    if talk.character.birthplace and talk.character.home and talk.rng.random() < 0.5:
        talk.exchange(_TEXT["ask birthplace"], _TEXT["tell both places"])
    elif talk.character.birthplace:
        talk.exchange(_TEXT["ask birthplace"], _TEXT["tell birthplace"])
    elif talk.character.home:
        talk.exchange(_TEXT["ask birthplace"], _TEXT["birthplace unknown"])


def age(talk: Talk) -> None:
    """The character says how old it is."""
    talk.exchange(
        _TEXT["ask age"], _TEXT["tell age"] if talk.character.age else _TEXT["age unknown"]
    )


def itself(talk: Talk) -> None:
    """The character tells of itself, from what it knows."""
    self = talk.character
    parts = ["I'm {name}[, {a trade}|. I'm {a trade}]." if self.trade else "I'm {name}."]
    more = []
    if self.home:
        more.append(pick(talk.rng, ("I live in {home}.", "My home is {home}.")))
    if self.like:
        more.append("I [like|love] {like}.")
    if self.fear:
        more.append("I'm afraid of {fear}.")
    if self.age:
        more.append("I'm {age} years old.")
    if self.relatives:
        more.append(
            f"I have {with_article(self.relatives[0].kin)} called {self.relatives[0].name}."
        )
    if self.goals:
        more.append("I want to " + self.goals[0].replace("{poss}", "my") + ".")
    talk.rng.shuffle(more)
    parts += more[: pick(talk.rng, (1, 2, 2, 3))]
    talk.exchange(_TEXT["ask self"], (" ".join(parts),))


def _claim(
    talk: Talk,
    truth: str | None,
    other: str,
    asks: tuple[str, ...],
    yes: tuple[str, ...],
    no: tuple[str, ...],
) -> None:
    if truth is None:
        return
    right = talk.rng.random() < 0.5
    claim = talk.typed(truth if right else other)
    talk.exchange(asks, yes if right else no, claim=claim)


def doubt(talk: Talk) -> None:
    """The player guesses a name, a trade or a home, rightly or wrongly."""
    self = talk.character
    draw = talk.rng.random()
    if draw < 0.4:
        _claim(
            talk,
            self.name.short,
            talk.someone(),
            _TEXT["claim name"],
            _TEXT["yes name"],
            _TEXT["no name"],
        )
    elif draw < 0.7:
        _claim(
            talk,
            self.trade,
            talk.other_trade(),
            _TEXT["claim trade"],
            _TEXT["yes trade"],
            _TEXT["no trade"],
        )
    else:
        _claim(
            talk,
            self.home,
            talk.other_place(),
            _TEXT["claim home"],
            _TEXT["yes home"],
            _TEXT["no home"],
        )


def two_at_once(talk: Talk) -> None:
    """Two questions in one breath."""
    key = pick(talk.rng, tuple(_NAME_AND))
    if getattr(talk.character, key):
        talk.exchange(_NAME_AND[key].ask, _NAME_AND[key].tell)
