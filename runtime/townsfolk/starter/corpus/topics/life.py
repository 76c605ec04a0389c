"""The character's life: likes, fears, secrets, family, friends, wishes, what it never does."""

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.exchange import exchanges
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.talk import Talk

_TEXT = book("topics/life")
_THOUGHTS = _TEXT.section("thoughts")


_TASTES = exchanges(_TEXT.section("tastes"))


def _fact(talk: Talk) -> None:
    key = pick(talk.rng, _TEXT["asked tastes"])
    taste = _TASTES[key]
    tells = taste.tell
    if key == "secret" and not talk.character.secret_is_past:
        tells = _TEXT["present secret"]
    talk.exchange(taste.ask, tells if getattr(talk.character, key) else taste.unknown)
    if talk.rng.random() < 0.25:
        talk.exchange(_TEXT["why"], _TEXT["because"])


def taste(talk: Talk) -> None:
    """Likes, dislikes, fears, secrets, things carried."""
    _fact(talk)


def guess(talk: Talk) -> None:
    """The player guesses at a like, a dislike or a fear."""
    self = talk.character
    known = [key for key in ("like", "hate", "fear") if getattr(self, key)]
    if not known or talk.rng.random() < 0.3:
        thing = talk.typed(lexicon.food(talk.rng, talk.split))
        if thing not in (self.like, self.hate, self.fear):
            talk.exchange(_TEXT["ask like"], _TEXT["guess neutral"], guess=thing)
        return
    key = pick(talk.rng, known)
    answers = {
        "like": _TEXT["guess like"],
        "hate": _TEXT["guess hate"],
        "fear": _TEXT["guess fear"],
    }[key]
    talk.exchange(
        _TEXT["ask fear"] if key == "fear" else _TEXT["ask like"],
        answers,
        guess=talk.typed(getattr(self, key)),
    )


def family(talk: Talk) -> None:
    """Relatives: whether, who, what they do."""
    relatives = talk.character.relatives
    rng = talk.rng
    if not relatives:
        if rng.random() < 0.5:
            talk.exchange(_TEXT["ask family"], _TEXT["no family"])
        else:
            talk.exchange(_TEXT["ask for kin"], _TEXT["no kin"], kin=pick(rng, lexicon.KIN))
        return
    kin = pick(rng, relatives)
    slots = {
        "kin": kin.kin,
        "kin name": kin.name,
        "pronoun": "she" if kin.she else "he",
        "poss": "her" if kin.she else "his",
        "kin trade": kin.trade or "",
    }
    draw = rng.random()
    slots["fate"] = kin.fate or ""
    tells = _TEXT["tell kin"]
    if rng.random() < 0.5:
        tells = (
            _TEXT["tell kin trade"]
            if kin.trade
            else _TEXT["tell kin fate"]
            if kin.fate
            else _TEXT["tell kin"]
        )
    if draw < 0.35 and len(relatives) == 1:
        talk.exchange(_TEXT["ask family"], tells, **slots)
    elif draw < 0.75:
        talk.exchange(_TEXT["ask for kin"] + _TEXT["ask about kin"], tells, **slots)
    elif draw < 0.85:
        talk.exchange(_TEXT["ask who"], _TEXT["who kin"], **slots)
    elif kin.kin not in [other.kin for other in relatives if other is not kin]:
        missing = pick(
            rng,
            [k for k in lexicon.KIN if k not in [r.kin for r in relatives]],
        )
        talk.exchange(_TEXT["ask for kin"], _TEXT["no kin"], kin=missing)
    if rng.random() < 0.4:
        talk.exchange(
            _TEXT["ask kin trade"],
            _TEXT["kin trade"] if kin.trade else _TEXT["kin trade unknown"],
            **slots,
        )
    if rng.random() < 0.5:
        asks = _TEXT["ask fate"] + _TEXT["ask after kin"] if kin.fate else _TEXT["ask after kin"]
        talk.exchange(
            asks,
            _TEXT["tell fate"]
            if kin.fate
            else _TEXT["kin trade"]
            if kin.trade
            else _TEXT["tell no fate"],
            **slots,
        )


def companions(talk: Talk) -> None:
    """Pets and friends."""
    self = talk.character
    if talk.rng.random() < 0.5:
        if self.pet:
            talk.exchange(
                _TEXT["ask for pets"] + _TEXT["ask about pet"],
                _TEXT["tell pet"],
                animal=self.pet[0],
                pet=self.pet[1],
            )
        else:
            talk.exchange(_TEXT["ask for pets"], _TEXT["no pet"])
    elif self.friend:
        talk.exchange(
            _TEXT["ask for friends"] + _TEXT["ask about friend"],
            _TEXT["tell friend"],
            **{"friend": self.friend[0], "friend trade": self.friend[1]},
        )
    else:
        talk.exchange(_TEXT["ask for friends"], _TEXT["no friend"])


def wishes(talk: Talk) -> None:
    """Goals."""
    goals = [goal.replace("{poss}", "my") for goal in talk.character.goals]
    if not goals:
        talk.exchange(_TEXT["ask goal"], _TEXT["no goal"])
    elif len(goals) > 1 and talk.rng.random() < 0.4:
        talk.exchange(
            _TEXT["ask goal"], _TEXT["tell two goals"], **{"goal": goals[0], "goal two": goals[1]}
        )
    else:
        talk.exchange(_TEXT["ask goal"], _TEXT["tell goal"], goal=pick(talk.rng, goals))


def thought(talk: Talk) -> None:
    """What the character thinks of something that its persona speaks of."""
    known = [key for key in _THOUGHTS.texts if getattr(talk.character, key)]
    if known:
        key = pick(talk.rng, known)
        talk.exchange(
            _TEXT["ask thought"],
            _THOUGHTS[key],
            matter=talk.typed(getattr(talk.character, key)),
        )


def rules(talk: Talk) -> None:
    """What the character never does."""
    if not talk.character.taboos:
        return
    taboo = pick(talk.rng, talk.character.taboos)
    mine, yours = taboo.replace("{poss}", "my"), taboo.replace("{poss}", "your")
    for verb in _TEXT["speaking"]:
        if taboo.startswith(verb) and talk.rng.random() < 0.6:
            talk.hear(_TEXT["ask matter"], matter=talk.typed(yours.removeprefix(verb)))
            talk.say(_TEXT["refuse matter"], taboo=mine, matter=mine.removeprefix(verb))
            return
    if talk.rng.random() < 0.7:
        talk.hear(_TEXT["ask taboo"], taboo=yours)
    else:
        talk.hear(_TEXT["ask never"])
        talk.say(_TEXT["tell never"], taboo=mine)
        return
    talk.say(_TEXT["refuse"], taboo=mine)
