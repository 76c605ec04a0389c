"""What the player tells and later asks for, and what was said a moment ago."""

from dataclasses import dataclass

from townsfolk.dialogue.transcript import EntryKind
from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.facts import KINDS
from townsfolk.starter.corpus.grammar import expand, phrases, pick
from townsfolk.starter.corpus.talk import Talk

_TELL_LEADS = (
    "",
    "",
    "",
    "",
    "By the way, ",
    "You know, ",
    "Oh, and ",
    "I should tell you: ",
    "Listen. ",
)
_ASK_LEADS = (
    "",
    "",
    "",
    "",
    "",
    "Tell me, ",
    "So, ",
    "Quick question: ",
    "Wait, ",
    "One more thing. ",
)


@dataclass(frozen=True, slots=True)
class Told:
    """A fact that somebody told: its kind, the value as typed, the word that goes with it."""

    kind: str
    value: str
    word: str
    speaker: str

    def slots(self, talk: Talk) -> dict[str, str]:
        """What the kind's templates use."""
        them = "her" if self.word in lexicon.KIN_SHE else "him"
        return {
            "x": self.value,
            "xs": lexicon.plural(self.value),
            "b": self.word,
            "them": them,
            "style addr": pick(talk.rng, talk.character.style.address),
        }


def _lead(leads: tuple[str, ...], templates: tuple[str, ...], talk: Talk) -> tuple[str, ...]:
    lead = pick(talk.rng, leads)
    template = pick(talk.rng, templates)
    if lead.endswith((", ", ": ")) and template.split(" ")[0] not in (
        "I",
        "I'm",
        "I've",
        "{x}",
        "{X}",
    ):
        template = template[0].lower() + template[1:]
    return (lead + template,)


def fresh(talk: Talk, taken: set[tuple[str, str]]) -> Told:
    """A fact nobody has told yet."""
    while True:
        key = pick(talk.rng, tuple(KINDS))
        if talk.rng.random() < 0.25:
            key = "name"
        kind = KINDS[key]
        word = pick(talk.rng, kind.with_word) if kind.with_word else ""
        if (key, word) in taken or (key == "name" and talk.speaker in talk.player_names):
            continue
        taken.add((key, word))
        return Told(key, talk.typed(kind.value(talk.rng, talk.split)), word, talk.speaker)


def tell(talk: Talk, told: Told) -> None:
    """The player tells the fact, the character takes note."""
    kind = KINDS[told.kind]
    slots = told.slots(talk)
    talk.hear(_lead(_TELL_LEADS, kind.tell, talk), **slots)
    if told.kind == "name":
        talk.player_names[talk.speaker] = told.value
    talk.say(kind.react, **slots)


def tell_two(talk: Talk, first: Told, second: Told) -> None:
    """Two facts in one breath; the character takes up one of them."""
    slots = [first.slots(talk), second.slots(talk)]
    lines = [
        expand(pick(talk.rng, KINDS[told.kind].tell), talk.rng, talk.slots | own)
        for told, own in zip((first, second), slots, strict=True)
    ]
    talk.hear(("{first} {second}",), first=lines[0], second=lines[1])
    for told in (first, second):
        if told.kind == "name":
            talk.player_names[talk.speaker] = told.value
    at = 0 if talk.rng.random() < 0.3 else 1
    talk.say(KINDS[(first, second)[at].kind].react, **slots[at])


def tell_and_ask_name(talk: Talk, told: Told) -> None:
    """The player tells a name and asks for the character's."""
    talk.player_names[talk.speaker] = told.value
    talk.exchange(
        phrases("""
            I'm {x}. And you? / My name is {x}. What's yours? / I'm {x}. Who are you? / My name is
            {x}. What is your name? / They call me {x}. And you are?
        """),
        phrases("""
            Well met, {x}. I'm {name}. / I'm {name}. Nice to meet you, {x}. / {name}. Good to meet
            you, {x}. / Welcome, {x}. My name is {name}.
        """),
        **told.slots(talk),
    )


def recall(talk: Talk, told: Told) -> None:
    """The player asks for what was told."""
    kind = KINDS[told.kind]
    slots = told.slots(talk)
    talk.hear(_lead(_ASK_LEADS, kind.ask, talk), **slots)
    talk.say(kind.recall, **slots)


def recall_other(talk: Talk, told: Told, by: str) -> None:
    """Somebody asks for what another one told."""
    asks = {
        "home": ("Where is {by} from?", "Where does {by} live?"),
        "trade": ("What does {by} do?", "What is {by}'s trade?"),
        "pet": ("What is {by}'s {b} called?", "What's the name of {by}'s {b}?"),
        "lost": ("What did {by} lose?", "What is {by} looking for?"),
        "food": phrases("""
            What does {by} like to eat? / What is {by}'s favourite food?
        """),
        "fear": ("What is {by} afraid of?", "What does {by} fear?"),
    }
    answers = {
        "home": ("{by} is from {x}.", "{x}, {by} said."),
        "trade": ("{by} is {a x}.", "{A x}, as far as I know."),
        "pet": ("{by}'s {b} is called {x}.", "{x}."),
        "lost": ("{by} lost {a x}.", "{A x}. {by} told me."),
        "food": ("{by} likes {x}.", "{X}, {by} said."),
        "fear": ("{by} is afraid of {x}.", "{X}, {by} said."),
    }
    if told.kind in asks:
        talk.exchange(asks[told.kind], answers[told.kind], by=by, **told.slots(talk))


def ask_untold(talk: Talk, taken: set[tuple[str, str]]) -> None:
    """The player asks for something never told."""
    key = pick(talk.rng, tuple(KINDS))
    kind = KINDS[key]
    word = pick(talk.rng, kind.with_word) if kind.with_word else ""
    if any(key == other for other, _ in taken):
        return
    if key == "name" and talk.speaker in talk.player_names:
        known = talk.player_names[talk.speaker]
        talk.exchange(
            kind.ask,
            kind.recall,
            x=known,
            **{"style addr": pick(talk.rng, talk.character.style.address)},
        )
        return
    slots = Told(key, "", word, talk.speaker).slots(talk)
    talk.exchange(kind.ask, kind.untold, **slots)


_ASK_LAST = phrases("""
    What did you say? / What did you just say? / Can you repeat that? / Say that again. / Pardon? /
    Come again? / I didn't hear you. / What? / Sorry, what was that? / repeat that
""")
_SAY_AGAIN = phrases("""
    I said: {last} / As I said: {last} / {last} / {last} / Listen this time. {last}
""")
_ASK_MINE = phrases("""
    What did I just say? / What did I say? / What did I ask you? / Did you hear what I said? /
    Repeat what I said.
""")
_YOU_SAID = phrases("""
    You said: "{last}" / Your words were: "{last}" / "{last}" / You said "{last}", {addr}.
""")


def echo(talk: Talk) -> None:
    """The last line again, the character's or the player's."""
    rng = talk.rng
    if rng.random() < 0.65:
        spoken = [entry for entry in talk.entries if entry.kind is EntryKind.SPOKE]
        if spoken and not spoken[-1].cut and len(spoken[-1].text) < 160:
            talk.hear(_ASK_LAST)
            talk.respeak(pick(rng, _SAY_AGAIN).replace("{last}", spoken[-1].text))
    else:
        heard = [entry for entry in talk.entries if entry.kind is EntryKind.HEARD]
        if (
            heard
            and len(heard[-1].text) < 100
            and '"' not in heard[-1].text
            and heard[-1].speaker == talk.speaker
        ):
            last = heard[-1].text
            last += "" if last[-1] in ".!?" else "."
            talk.hear(_ASK_MINE)
            template = pick(rng, _YOU_SAID)
            if "{addr}" in template:
                last = last.rstrip(".!?")
            talk.respeak(template.replace("{last}", last).replace("{addr}", talk.address))
