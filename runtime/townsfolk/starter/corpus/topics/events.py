"""Things that happen in the world while people talk."""

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.grammar import expand, phrases, pick
from townsfolk.starter.corpus.talk import Talk

# What happens: in the present tense as the game reports it, and as the character tells it afterwards.
_HAPPENINGS = tuple(
    tuple(line.strip().split(" => "))
    for line in """
    {A monster} flies over the {town} => {a monster} flew over the {town}
    {A monster} attacks the {town} => {a monster} attacked the {town}
    {A monster} appears at the {spot} => {a monster} appeared at the {spot}
    It begins to rain => it began to rain
    It starts to snow => it started to snow
    Thunder rolls in the distance => thunder rolled in the distance
    The sun sets => the sun set
    The sun rises => the sun rose
    Night falls => night fell
    The {spot} catches fire => the {spot} caught fire
    The {spot} collapses => the {spot} collapsed
    A bell rings at the {spot} => a bell rang at the {spot}
    Somebody screams near the {spot} => somebody screamed near the {spot}
    {person} enters => {person} came in
    {person} leaves without a word => {person} left without a word
    {person} drops {a thing} => {person} dropped {a thing}
    {person} steals {a thing} => {person} stole {a thing}
    {person} falls to the ground => {person} fell to the ground
    {person} starts to sing => {person} started to sing
    {person} is killed by {a monster} => {person} was killed by {a monster}
    A ship arrives from {place} => a ship arrived from {place}
    Soldiers from {place} march through the {town} => soldiers from {place} marched through the {town}
    A messenger arrives from {place} => a messenger arrived from {place}
    {A animal} runs past => {a animal} ran past
    {A animal} steals {a thing} => {a animal} stole {a thing}
    The ground shakes => the ground shook
    The lights go out => the lights went out
    The player shows {a thing} => you showed me {a thing}
    The player draws {a thing} => you drew {a thing}
    The player gives you {a thing} => you gave me {a thing}
    The player breaks {a thing} => you broke {a thing}
    The king of {place} is dead => the king of {place} died
    War breaks out with {place} => war broke out with {place}
    Smoke rises over {place} => smoke rose over {place}
    """.strip().splitlines()
)
_ASK = phrases("""
    What happened? / What was that? / Did you see that? / Did you hear that? / What's going on? /
    What just happened? / What is happening? / Any news? / Did I miss something? / What did you
    see? / Why do you look so worried? / what was that noise
""")
_TELL = phrases("""
    {Past}. / {Past}. [Did you not see it|I saw it myself|Strange times|I can hardly believe it]. /
    Did you not notice? {Past}. / I think {past}. / Just now {past}. / {Past}, {addr}.
""")
_REMARK = phrases("""
    {Past}! Did you see that? / Did you see? {Past}. / {Past}, {addr}. But go on. / Look! {Past}! /
    Forgive me, {past}. What did you say?
""")
_ASK_LATER = phrases("""
    What happened earlier? / Did anything happen today? / What happened before? / Do you remember
    what happened? / What was that earlier? / What did you see earlier?
""")
_NOTHING = phrases("""
    Nothing happened, {addr}. / Nothing that I saw. / It's been quiet. / I didn't see anything. /
    Did something happen? I noticed nothing.
""")


def happening(talk: Talk) -> str:
    """Something happens; returns how it is told afterwards."""
    rng = talk.rng
    present, past = pick(rng, _HAPPENINGS)
    slots = {
        "monster": talk.split.draw(rng, lambda r: pick(r, lexicon.MONSTERS)),
        "animal": pick(rng, lexicon.ANIMALS),
        "thing": lexicon.thing(rng, talk.split),
        "place": names.place(rng, talk.split),
        "person": talk.someone(),
        "spot": pick(rng, lexicon.PLACES_NEAR),
        "town": pick(rng, ("village", "town", "city", "harbour", "castle")),
    }
    ending = pick(rng, (".", ".", ".", "", "!"))
    talk.happen(expand(present, rng, slots) + ending)
    # ``tidy`` capitalises; a past that begins with a name keeps its capital.
    told = expand(past, rng, slots)
    return told if past.startswith("{person}") else told[0].lower() + told[1:]


def event(talk: Talk) -> str:
    """Something happens and the player asks about it, or the character speaks of it unasked."""
    past = happening(talk)
    talk.exchange(_ASK, _TELL, past=past)
    return past


def earlier(talk: Talk, past: str) -> None:
    """Something that happened some turns ago."""
    talk.exchange(_ASK_LATER, _TELL, past=past)


def nothing(talk: Talk) -> None:
    """The player asks what happened when nothing did."""
    talk.exchange(_ASK[:6] + _ASK_LATER[:4], _NOTHING)
