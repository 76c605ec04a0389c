"""Questions about the world, whether the lore answers them or not."""

from townsfolk.starter.corpus.grammar import phrases, pick
from townsfolk.starter.corpus.talk import Talk
from townsfolk.starter.corpus.truths import TRUTHS
from townsfolk.starter.corpus.world import ASK_ABOUT, World

_UNKNOWN = phrases("""
    I don't know, {addr}. / I couldn't say. / I've never heard of that. / You'd have to ask someone
    else. / No idea. / Nobody ever told me. / I wish I knew. / That's beyond me. / Ask a scholar,
    not me. / I know nothing about that.
""")
_UNKNOWN_MATTER = phrases("""
    {Matter}? Never heard of it. / I know nothing about {matter}. / {Matter}? That means nothing to
    me. / I can't help you with {matter}. / {Matter}? Ask someone else. / I don't know {matter},
    {addr}.
""")
_REPEAT = phrases("""
    {fact} / {fact} / They say this: {fact} / All I know is this. {fact} / Everyone knows it.
    {fact} / {fact} [That's all I know|More I can't say].
""")
_ASK_DIRECTION = phrases("""
    Where is {spot}? / How do I get to {spot}? / Which way to {spot}? / Can you tell me the way to
    {spot}? / I'm looking for {spot}. / Where can I find {spot}?
""")
_DIRECTION = phrases("""
    Down the road, then left at the well. / Follow the street to the end. You can't miss it. / Past
    the big oak, then right. / Go straight on, {addr}, and keep the river on your left. / I'm not
    sure. Ask at the gate. / Behind the houses over there. / Not far. Cross the square and turn
    right. / Take the north road, a short walk. / Back the way you came, then left.
""")
_TRUE = phrases("""
    Is it true that {claim}? / I heard that {claim}. / Somebody told me that {claim}. / They say
    {claim}.
""")
_CONFIRM = phrases("""
    It is true. / Yes, {addr}. {fact} / So it is. {fact} / That's right. / You heard right. {fact}
""")


def world_fact(talk: Talk, world: World) -> None:
    """A question that the lore answers."""
    if not world.facts:
        return unknown_fact(talk, world)
    fact = pick(talk.rng, world.facts)
    draw = talk.rng.random()
    if draw < 0.65 or "fact" in fact.values:
        talk.exchange(fact.truth.asks, fact.truth.answers, **fact.values)
    elif draw < 0.9:
        matter = talk.typed(pick(talk.rng, tuple(fact.values.values())))
        if matter.replace(" ", "").isalpha():
            talk.exchange(ASK_ABOUT, _REPEAT, matter=matter, fact=fact.sentence)
    else:
        claim = fact.sentence.rstrip(".")
        if claim.split(" ")[0] in phrases("""
            The / There / Nobody / Everyone / People / Somebody / A / An / At / On / To
        """):
            claim = claim[0].lower() + claim[1:]
        talk.exchange(_TRUE, _CONFIRM, claim=claim, fact=fact.sentence)
    return None


def unknown_fact(talk: Talk, world: World) -> None:
    """A question that nothing answers."""
    rng = talk.rng
    if rng.random() < 0.4:
        matter = talk.typed(pick(rng, (talk.someone(), talk.other_place())))
        talk.exchange(ASK_ABOUT, _UNKNOWN_MATTER, matter=matter)
        return
    known = [fact.truth for fact in world.facts]
    truth = pick(rng, [truth for truth in TRUTHS if truth not in known])
    values = {key: talk.typed(value(rng, talk.split)) for key, value in truth.values.items()}
    if "spot" in values:
        talk.exchange(_ASK_DIRECTION, _DIRECTION, **values)
        return
    asks = [ask for ask in truth.asks if "{" in ask] or list(truth.asks)
    talk.exchange(asks, _UNKNOWN, **values)
