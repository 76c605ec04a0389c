"""Topics by the names that books give them."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from townsfolk.starter.corpus.book import Book
from townsfolk.starter.corpus.talk import Talk
from townsfolk.starter.corpus.topics import (
    company,
    events,
    identity,
    life,
    services,
    smalltalk,
    strange,
    trade,
)

Topic: TypeAlias = Callable[[Talk], object]
"""Adds what is said about something to a conversation."""

TOPICS: Mapping[str, Topic] = {
    "identity name": identity.name,
    "identity trade": identity.trade,
    "identity home": identity.home,
    "identity work": identity.work,
    "identity birthplace": identity.birthplace,
    "identity age": identity.age,
    "identity itself": identity.itself,
    "identity doubt": identity.doubt,
    "identity two at once": identity.two_at_once,
    "life taste": life.taste,
    "life guess": life.guess,
    "life family": life.family,
    "life companions": life.companions,
    "life wishes": life.wishes,
    "life rules": life.rules,
    "life thought": life.thought,
    "trade goods": trade.goods,
    "trade price": trade.price,
    "trade missing": trade.missing,
    "trade order": trade.order,
    "services service": services.service,
    "trade errand": trade.errand,
    "smalltalk health": smalltalk.health,
    "smalltalk business": smalltalk.business,
    "smalltalk weather": smalltalk.weather,
    "smalltalk manners": smalltalk.manners,
    "smalltalk entertainment": smalltalk.entertainment,
    "company plea": company.plea,
    "company surroundings": company.surroundings,
    "company opinion": company.opinion,
    "company personal": company.personal,
    "smalltalk greeting": smalltalk.greeting,
    "smalltalk farewell": smalltalk.farewell,
    "strange outside": strange.outside,
    "strange role": strange.role,
    "strange statement": strange.statement,
    "strange nonsense": strange.nonsense,
    "events nothing": events.nothing,
}


def topic(weights: Book, name: str) -> Topic:
    """Return the topic of this name; raise BookError where there is none.

    Args:
        weights: The section that names it.
        name: Such as ``life family``.
    """
    if name not in TOPICS:
        raise weights.lines[name][0].error(
            f"no topic is called {name!r}; there are {', '.join(TOPICS)}"
        )
    return TOPICS[name]
