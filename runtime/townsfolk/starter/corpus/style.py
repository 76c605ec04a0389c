"""Ways of speaking: how a persona describes them and what they do to a reply."""

import re
from dataclasses import dataclass
from random import Random

from townsfolk.starter.corpus.grammar import capitalise, expand, phrases, pick, tidy


@dataclass(frozen=True, slots=True)
class Style:
    """A way of speaking.

    ``wordings`` are what a developer may write in the persona's ``speaking_style``. A reply may begin with an
    opener and end with a closer; ``address`` is what the player is called; ``swaps`` replaces whole words.
    """

    wordings: tuple[str, ...]
    address: tuple[str, ...]
    openers: tuple[str, ...] = ()
    closers: tuple[str, ...] = ()
    opening: float = 0.0
    closing: float = 0.0
    swaps: tuple[tuple[str, str], ...] = ()

    def dress(self, reply: str, rng: Random) -> str:
        """The reply as somebody with this style says it."""
        for word, other in self.swaps:
            reply = re.sub(rf"\b{word}\b", other, reply)
        if self.openers and rng.random() < self.opening:
            opener = pick(rng, self.openers)
            if not opener.endswith(",") or _first_word(reply) in _CONTINUES:
                reply = f"{opener} {reply}"
            elif _first_word(reply) in _LOWERED:
                reply = f"{opener} {reply[0].lower()}{reply[1:]}"
        if self.closers and rng.random() < self.closing:
            reply = f"{reply} {pick(rng, self.closers)}"
        return tidy(reply)


_LOWERED = frozenset(
    "A An The This That These Those It There Here They We He She You Your My Only Some Nothing Everyone "
    "If When What Who Where How Just People Folk It's That's There's They're You're He's She's".split()
)


_CONTINUES = frozenset(("I", "I'm", "I've", "I'll", "I'd"))
"""First words that may follow a comma as they are; others than these and ``_LOWERED`` don't follow one at all."""


def _first_word(text: str) -> str:
    return re.split(r"[^A-Za-z']", text, maxsplit=1)[0]


def wording(style: Style, rng: Random) -> str:
    """One way to describe the style in a persona; empty for plain speech."""
    if style.wordings:
        return capitalise(expand(pick(rng, style.wordings), rng, {}))
    if rng.random() < 0.6:
        return ""
    words = rng.sample(_NEUTRAL, pick(rng, (1, 2, 2)))
    text = " and ".join(words)
    return capitalise(text) if rng.random() < 0.5 else text


_NEUTRAL = phrases("""
    calm / clear / brisk / gentle / solemn / thoughtful / direct / measured / soft / even / modest /
    plain / quick / friendly / natural / honest / quiet / sober / steady / patient / serious / polite
    but distant / matter-of-fact / relaxed / casual / deep-voiced / hoarse / melodious / elegant /
    rough / tired / cautious / proud of the work / low and slow / simple words / normal
""")
"""Wordings that change nothing about the words themselves."""

PLAIN = Style(
    wordings=(),
    address=("friend", "traveler", "stranger", "traveller", "good fellow"),
)

_FORMAL_SWAPS = tuple(
    (short, full)
    for short, full in (
        ("I'm", "I am"),
        ("I've", "I have"),
        ("I'll", "I will"),
        ("I'd", "I would"),
        ("don't", "do not"),
        ("can't", "cannot"),
        ("won't", "will not"),
        ("isn't", "is not"),
        ("didn't", "did not"),
        ("doesn't", "does not"),
        ("haven't", "have not"),
        ("couldn't", "could not"),
        ("wouldn't", "would not"),
        ("aren't", "are not"),
        ("it's", "it is"),
        ("It's", "It is"),
        ("that's", "that is"),
        ("That's", "That is"),
        ("you're", "you are"),
        ("You're", "You are"),
        ("you've", "you have"),
        ("You've", "You have"),
        ("there's", "there is"),
        ("There's", "There is"),
        ("wasn't", "was not"),
        ("Don't", "Do not"),
        ("He's", "He is"),
        ("She's", "She is"),
        ("he's", "he is"),
        ("she's", "she is"),
    )
)

STYLES: tuple[Style, ...] = (
    Style(
        wordings=phrases("""
            gruff[ and short|, few words|, grumbles a lot] / short, gruff sentences /
            [speaks|talks] in [short|clipped|gruff] sentences, [growls a lot|never smiles|like a
            bear] / grumbling, blunt, impatient / blunt and rough
        """),
        address=("stranger", "you", "outsider", "lad", "kid"),
        openers=("Hm.", "Bah.", "Hmph.", "What now?", "Grr.", "Right.", "Huh."),
        closers=("That's all.", "Now move along.", "Anything else?", "Hmph."),
        opening=0.45,
        closing=0.2,
    ),
    Style(
        wordings=phrases("""
            warm and [motherly|fatherly|kindly] / kind, calls everyone [dear|love|my dear] /
            friendly and [warm|gentle|soft-spoken] / [sweet|warm], like a [grandmother|good
            neighbour] / full of kind words
        """),
        address=("dear", "my dear", "love", "sweetheart", "dearie"),
        openers=phrases("""
            Oh, my dear! / Bless your heart! / Oh, / Ah, dear. / There now. / Come closer, dear.
        """),
        closers=phrases("""
            Take care of yourself. / You dear thing. / Do sit down, dear. / Mind you stay warm.
        """),
        opening=0.35,
        closing=0.25,
    ),
    Style(
        wordings=phrases("""
            formal and polite / very [formal|correct], never uses contractions /
            [stiff|courtly|noble] and [well-mannered|courteous] / polite, old-fashioned, full
            sentences / like a [butler|courtier|nobleman]
        """),
        address=phrases("""
            good traveller / my good friend / honoured guest / esteemed visitor
        """),
        openers=phrases("""
            Certainly. / If I may, / But of course. / Allow me to say, / Indeed.
        """),
        closers=phrases("""
            I remain at your service. / I trust that answers your question. / I hope that is of
            use.
        """),
        opening=0.3,
        closing=0.2,
        swaps=_FORMAL_SWAPS,
    ),
    Style(
        wordings=phrases("""
            cheerful and loud / [jolly|merry], laughs [a lot|often|at everything] / laughs often,
            full of [good cheer|life] / boisterous and merry / always joking, always happy
        """),
        address=("friend", "my friend", "good friend", "mate"),
        openers=("Ha!", "Ha ha!", "Ho ho!", "Oh ho!", "Splendid!", "Aha!"),
        closers=("Ha ha!", "What a day!", "Cheers!", "Ha!"),
        opening=0.45,
        closing=0.2,
    ),
    Style(
        wordings=phrases("""
            nervous and [stammering|jumpy] / [timid|shy|anxious], hesitates a lot / stammers,
            always looks over the shoulder / quiet and [fearful|nervous]
        """),
        address=("sir or madam", "stranger", "traveler"),
        openers=phrases("""
            Um... / Oh! Um... / Er... / I, um... / Oh dear. / P-please, not so loud. / Well, er...
        """),
        closers=phrases("""
            Please don't tell anyone. / If that's all right. / Did you hear that? / Sorry.
        """),
        opening=0.5,
        closing=0.2,
    ),
    Style(
        wordings=phrases("""
            pious, [blesses everyone|speaks of the gods] / calm and [holy|devout|prayerful] / like
            a [priest|preacher|monk], with many blessings / gentle, always [praying|blessing
            people]
        """),
        address=("my child", "child", "pilgrim", "my son or daughter", "good soul"),
        openers=phrases("""
            Blessings on you. / The gods be praised. / Peace, child. / By the light, / Bless you.
        """),
        closers=phrases("""
            Go in peace. / The gods watch over you. / Blessed be. / I will pray for you.
        """),
        opening=0.35,
        closing=0.25,
    ),
    Style(
        wordings=phrases("""
            like an old sailor / [rough|salty] sailor's talk, says aye and ye / [pirate|sailor]
            talk / speaks like a [pirate|sea dog|deckhand] / says aye and matey
        """),
        address=("matey", "mate", "landlubber", "sailor", "shipmate"),
        openers=phrases("""
            Aye. / Arr! / Ahoy! / Aye aye. / Shiver me timbers! / By the tides!
        """),
        closers=("Arr.", "Fair winds to ye.", "That be the truth.", "Aye."),
        opening=0.5,
        closing=0.2,
        swaps=(
            ("you", "ye"),
            ("your", "yer"),
            ("You", "Ye"),
            ("Your", "Yer"),
            ("my", "me"),
            ("My", "Me"),
            ("you're", "ye be"),
            ("ye're", "ye be"),
            ("Ye're", "Ye be"),
        ),
    ),
    Style(
        wordings=phrases("""
            mysterious, speaks in [riddles|hints|whispers] / [mystic|dreamy|whispering] and slow /
            like a [seer|fortune teller|prophet] / slow and strange, speaks of fate
        """),
        address=("seeker", "wanderer", "traveler", "child of fate"),
        openers=phrases("""
            The stars knew you would ask. / Ah... / Hush, and listen. / I saw this in a dream. / So
            it is asked.
        """),
        closers=phrases("""
            So it is written. / The wind told me so. / All is as it must be. / Remember that.
        """),
        opening=0.4,
        closing=0.3,
    ),
    Style(
        wordings=phrases("""
            [talkative|chatty], loves gossip / talks [a lot|too much|without end] / chatty and nosy
            / a gossip who never stops talking
        """),
        address=("friend", "dear", "neighbour", "love"),
        openers=phrases("""
            Oh, I'm glad you asked! / Well, let me tell you. / Oh, where do I start? / Well now, /
            Between you and me,
        """),
        closers=phrases("""
            But I talk too much. / Everybody knows that here. / And that's the truth of it. / Now,
            where was I? / But don't say I told you.
        """),
        opening=0.45,
        closing=0.4,
    ),
    Style(
        wordings=phrases("""
            dry and sarcastic / [sarcastic|mocking|sardonic], [bored|never impressed] / dry wit,
            rolls eyes / ironic and tired
        """),
        address=("genius", "hero", "your majesty", "stranger"),
        openers=phrases("""
            Oh, wonderful. / How exciting. / Let me guess. / Oh good, a question. / Fascinating.
        """),
        closers=phrases("""
            Shocking, I know. / Try to remember that. / You're welcome. / What a day.
        """),
        opening=0.35,
        closing=0.3,
    ),
    Style(
        wordings=phrases("""
            proud and [haughty|arrogant|cold] / [arrogant|haughty], looks down on everyone / like a
            [queen|king] speaking to a servant / cold and superior
        """),
        address=("peasant", "commoner", "little one", "stranger"),
        openers=phrases("""
            Do you not know who I am? / If you must know, / Listen well. / Kneel when you ask. /
            Hmm.
        """),
        closers=phrases("""
            You may go now. / Be grateful I told you. / Do not waste my time. / Remember your
            place.
        """),
        opening=0.35,
        closing=0.25,
    ),
    Style(
        wordings=phrases("""
            [very few words|terse|laconic] / says as little as possible / one short sentence at a
            time / short and plain / brief
        """),
        address=("friend", "stranger"),
    ),
    Style(
        wordings=phrases("""
            simple country speech / [slow|simple], like a farmer / plain country talk, says aye[
            and reckon|] / rustic and homely
        """),
        address=("neighbour", "friend", "young one", "good folk"),
        openers=phrases("""
            Aye. / Aye, well. / Now then. / Ooh, aye. / I'll tell you what.
        """),
        closers=("So my old ma said.", "That's how it is.", "I reckon.", "Aye."),
        opening=0.45,
        closing=0.2,
    ),
    Style(
        wordings=phrases("""
            learned and [wordy|precise] / like a [scholar|teacher|professor] / [precise|bookish],
            corrects people / clever, uses long words
        """),
        address=("my student", "young scholar", "dear reader", "my friend"),
        openers=phrases("""
            To be precise, / A fine question. / Interesting. / As every scholar knows, / Strictly
            speaking,
        """),
        closers=phrases("""
            It is well documented. / Write that down. / Most curious, is it not? / I read it
            somewhere.
        """),
        opening=0.35,
        closing=0.25,
    ),
    Style(
        wordings=phrases("""
            like a child / [excited|eager], like a child / young and eager, asks many questions /
            bubbly and excited
        """),
        address=("mister", "big person", "new friend"),
        openers=("Ooh!", "Guess what?", "Wow!", "Hee hee!", "Yay!"),
        closers=phrases("""
            Isn't that great? / Do you want to play? / Hee hee! / I know lots of things!
        """),
        opening=0.5,
        closing=0.3,
    ),
)


def any_style(rng: Random) -> Style:
    """A style; plain speech is the most frequent."""
    return PLAIN if rng.random() < 0.4 else pick(rng, STYLES)
