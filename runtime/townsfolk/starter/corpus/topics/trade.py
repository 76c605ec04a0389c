"""Work and money: what is for sale, prices, bargaining, buying, errands."""

from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.character import Good
from townsfolk.starter.corpus.grammar import pick, with_article
from townsfolk.starter.corpus.talk import Talk

_TEXT = book("topics/trade")


def _slots(good: Good) -> dict[str, str]:
    bare = good.name
    for article in ("a ", "an "):
        bare = bare.removeprefix(article)
    the = f"the {bare}" if bare != good.name else good.name
    return {"good": good.name, "the good": the, "bare": bare, "price": good.price}


def goods(talk: Talk) -> None:
    """What is for sale; then perhaps a price, haggling and buying."""
    stock = talk.character.goods
    rng = talk.rng
    if not stock:
        talk.exchange(_TEXT["ask goods"], _TEXT["no goods"])
        return
    if rng.random() < 0.6:
        priced = (
            [f"{good.name} for {good.price}" for good in stock]
            if rng.random() < 0.6
            else [good.name for good in stock]
        )
        listing = priced[0] if len(priced) == 1 else f"{', '.join(priced[:-1])} and {priced[-1]}"
        talk.exchange(_TEXT["ask goods"], _TEXT["tell goods"], list=listing)
    if rng.random() < 0.7:
        price(talk)


def price(talk: Talk) -> None:
    """The price of something, haggling, buying."""
    stock = talk.character.goods
    rng = talk.rng
    if not stock:
        missing(talk)
        return
    good = pick(rng, stock)
    slots = _slots(good) | {"good": talk.typed(good.name)}
    if rng.random() < 0.75:
        talk.exchange(
            _TEXT["ask price"] + (_TEXT["how much"] if len(stock) == 1 else ()),
            _TEXT["tell price"],
            **slots,
        )
    if rng.random() < 0.3:
        talk.exchange(_TEXT["too much"], _TEXT["hold"], **slots)
    if rng.random() < 0.3:
        offer = talk.typed(lexicon.price(rng))
        agreed = rng.random() < 0.4
        talk.exchange(
            _TEXT["offer"], _TEXT["take"] if agreed else _TEXT["refuse"], offer=offer, **slots
        )
        if agreed:
            slots["price"] = offer
    if rng.random() < 0.5:
        talk.exchange(_TEXT["buy"], _TEXT["sold"], **slots)
        if rng.random() < 0.5:
            talk.exchange(_TEXT["pay"], _TEXT["paid"], **slots)


def order(talk: Talk) -> None:
    """The player wants something made, or asks for a price out of the blue."""
    rng = talk.rng
    stock = talk.character.goods
    if rng.random() < 0.3:
        if not stock:
            talk.exchange(_TEXT["how much"], _TEXT["not for sale"])
        elif len(stock) == 1:
            talk.exchange(_TEXT["how much"], _TEXT["tell price"], **_slots(stock[0]))
        return
    bare = lexicon.thing(rng, talk.split)
    slots = {key: talk.typed(value) for key, value in _slots(Good(with_article(bare), "")).items()}
    talk.exchange(
        _TEXT["order"],
        _TEXT["ordered trade"] if talk.character.trade and rng.random() < 0.3 else _TEXT["ordered"],
        **slots,
    )


def missing(talk: Talk) -> None:
    """Something the character doesn't have."""
    stock = talk.character.goods
    names = " ".join(good.name for good in stock)
    bare = lexicon.thing(talk.rng, talk.split)
    if any(word in names for word in bare.split()):
        return
    good = Good(with_article(bare), "")
    slots = {key: talk.typed(value) for key, value in _slots(good).items()}
    if stock and talk.rng.random() < 0.5:
        talk.exchange(
            _TEXT["ask missing"], _TEXT["alternative"], instead=pick(talk.rng, stock).name, **slots
        )
    else:
        talk.exchange(_TEXT["ask missing"], _TEXT["no missing"], **slots)


def errand(talk: Talk) -> None:
    """Work for the player: the offer, questions about it, the answer and perhaps its end."""
    task = talk.character.errand
    rng = talk.rng
    if task is None:
        worried = rng.random() < 0.3
        talk.exchange(
            _TEXT["ask work"],
            _TEXT["small work"] if worried else _TEXT["no work"],
            worry=pick(rng, talk.character.scene.worries),
        )
        return
    slots = {"place": task.place, "reward": task.reward}
    slots |= {"thing": task.thing} if task.thing else {"foes": task.foe or ""}
    talk.exchange(
        _TEXT["ask work"], _TEXT["offer fetch"] if task.thing else _TEXT["offer fight"], **slots
    )
    questions = [(_TEXT["ask reward"], _TEXT["tell reward"])]
    if task.thing:
        questions += [
            (_TEXT["ask place"], _TEXT["tell place"]),
            (_TEXT["ask what"], _TEXT["tell what"]),
        ]
    else:
        questions += [(_TEXT["ask foe place"], _TEXT["tell foe place"])]
    for question in rng.sample(questions, pick(rng, (0, 1, 1, 2))):
        talk.exchange(*question, **slots)
    if rng.random() < 0.65:
        talk.exchange(_TEXT["accept"], _TEXT["accepted"])
        if rng.random() < 0.3:
            talk.exchange(
                _TEXT["done thing"] if task.thing else _TEXT["done foe"], _TEXT["rewarded"], **slots
            )
    else:
        talk.exchange(_TEXT["decline"], _TEXT["declined"])
