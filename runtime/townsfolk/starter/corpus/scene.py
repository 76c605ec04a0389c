"""Places of work: who works there, what is sold, what can be seen, what people there say."""

from dataclasses import dataclass

from townsfolk.starter.corpus.book import Book, book


@dataclass(frozen=True, slots=True)
class Scene:
    """A kind of place.

    ``work`` says how the place of work is named (``house``, ``ship``, ``farm`` or a phrase); ``at``
    is its preposition. ``duties`` complete "I ..." and ``sights`` complete "Here you see ...".
    """

    kind: str
    work: tuple[str, ...]
    at: str
    trades: tuple[str, ...]
    goods: tuple[str, ...]
    duties: tuple[str, ...]
    sights: tuple[str, ...]
    news: tuple[str, ...]
    worries: tuple[str, ...]


def _scene(kind: str, told: Book) -> Scene:
    return Scene(
        kind=kind,
        work=told["work"],
        at=told.one("at"),
        trades=told["trades"],
        goods=told["goods"],
        duties=told["duties"],
        sights=told["sights"],
        news=told["news"],
        worries=told["worries"],
    )


SCENES = tuple(_scene(kind, told) for kind, told in book("scenes").sections.items())
