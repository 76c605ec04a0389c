"""What people of a trade are asked for: a room, a blade, passage through the gate."""

from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.exchange import exchanges
from townsfolk.starter.corpus.grammar import pick
from townsfolk.starter.corpus.talk import Talk

_TEXT = book("topics/services")
_SERVICES = {
    scene: tuple(exchanges(told).values())
    for scene, told in _TEXT.section("services").sections.items()
}


def service(talk: Talk) -> None:
    """The player asks for what somebody of this trade does, or has mistaken the trade."""
    self = talk.character
    if self.trade is None:
        if self.scene.kind not in _TEXT["asked of anybody"]:
            talk.exchange(
                pick(talk.rng, _SERVICES[pick(talk.rng, _TEXT["asked of anybody"])]).ask,
                _TEXT["not mine"],
            )
        return
    own = _SERVICES.get(self.scene.kind, ()) if self.trade in self.scene.trades else ()
    if own and talk.rng.random() < 0.85:
        each = pick(talk.rng, own)
        talk.exchange(each.ask, each.tell)
        return
    # Never of a scene where the character might belong: "I'm an innkeeper" must not refuse a bed.
    other = pick(talk.rng, _TEXT["asked by mistake"])
    if other != self.scene.kind and not own and talk.rng.random() < 0.5:
        talk.exchange(pick(talk.rng, _SERVICES[other]).ask, _TEXT["wrong trade"])
