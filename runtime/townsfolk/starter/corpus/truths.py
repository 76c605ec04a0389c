"""Kinds of facts about a world: how lore tells them, how people ask for them, what the answer is."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.grammar import phrases, pick
from townsfolk.starter.corpus.split import Split


def _ruler(rng: Random, split: Split) -> str:
    she = rng.random() < 0.5
    title = pick(
        rng,
        ("Queen", "Duchess", "Lady", "Empress", "Countess")
        if she
        else ("King", "Duke", "Lord", "Emperor", "Count", "Mayor"),
    )
    return f"{title} {names.given_name(rng, split, she)}"


def someone(rng: Random, split: Split) -> str:
    """Somebody's name, with or without family name."""
    first = names.given_name(rng, split, rng.random() < 0.5)
    return f"{first} {names.family_name(rng, split)}" if rng.random() < 0.25 else first


def _spot(rng: Random, split: Split) -> str:
    return f"the {pick(rng, lexicon.PLACES_NEAR)}"


def _monster(rng: Random, split: Split) -> str:
    return split.draw(rng, lambda r: pick(r, lexicon.MONSTERS))


def day(rng: Random, split: Split) -> str:
    """When something is held."""
    return pick(
        rng,
        phrases("""
        the first day of spring / midsummer / the longest night / the last day of harvest / the
        full moon of autumn / every tenth day / the first snow / Sunday / market day
    """),
    )


def _hour(rng: Random, split: Split) -> str:
    return pick(
        rng,
        phrases("""
        sunset / dusk / the ninth bell / midnight / the evening bell / nightfall / ten at night
    """),
    )


@dataclass(frozen=True, slots=True)
class Truth:
    """A kind of fact about a world: how the lore tells it, who asks for it how, what the answer is."""

    values: dict[str, Callable[[Random, Split], str]]
    texts: tuple[str, ...]
    asks: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A fact of a world, with its values."""

    truth: Truth
    values: dict[str, str]
    sentence: str


TRUTHS: tuple[Truth, ...] = (
    Truth(
        {"ruler": _ruler, "land": names.place},
        phrases("""
            {ruler} rules {land}. / {land} is ruled by {ruler}. / The ruler of {land} is {ruler}. /
            {ruler} has ruled over {land} for many years. / The people of {land} obey {ruler}.
        """),
        phrases("""
            Who rules {land}? / Who is the ruler of {land}? / Who rules here? / Who is in charge[
            here|]? / Who is your ruler? / Who governs {land}? / who's the boss around here
        """),
        phrases("""
            {ruler} rules {land}. / {ruler}. / That would be {ruler}. / {ruler} does. / {ruler},
            {addr}.
        """),
    ),
    Truth(
        {"town": names.place, "river": names.place},
        phrases("""
            {town} lies on the river {river}. / The river {river} flows through {town}. / {town}
            was built on the banks of the {river}. / The {river} is the river that runs past
            {town}.
        """),
        phrases("""
            What is the river called? / Which river runs through {town}? / What's the name of the
            river? / What river is this? / On which river does {town} lie?
        """),
        phrases("""
            The {river}. / It's the {river}. / That's the {river}, {addr}. / The {river} flows
            through {town}.
        """),
    ),
    Truth(
        {"land": names.place, "enemy": names.place},
        phrases("""
            {land} is at war with {enemy}. / There is war between {land} and {enemy}. / The war
            with {enemy} has lasted three years. / Soldiers from {enemy} burned the border
            villages.
        """),
        phrases("""
            Who are we at war with? / Is there a war? / Who is the enemy? / What do you know about
            the war? / Who are you fighting?
        """),
        phrases("""
            We are at war with {enemy}. / There's war with {enemy}. / {enemy} is the enemy. / The
            war with {enemy}. May it end soon.
        """),
    ),
    Truth(
        {"monster": _monster, "place": names.place},
        phrases("""
            {A monster} lives near {place}. / {A monster} haunts {place}. / People fear the
            {monster} of {place}. / Since last winter {a monster} has been seen near {place}. /
            Nobody goes to {place} because of the {monster}.
        """),
        phrases("""
            Are there any monsters here? / What lives near {place}? / Is {place} dangerous? / Why
            does nobody go to {place}? / What should I be afraid of here? / What haunts {place}? /
            Are there dangers around here?
        """),
        phrases("""
            {A monster} lives near {place}. / There's {a monster} near {place}. / The {monster}.
            Stay away from {place}. / Keep away from {place}. There's {a monster}.
        """),
    ),
    Truth(
        {"feast": lambda r, s: names.place(r, s), "day": day},
        phrases("""
            The {feast} Fair is held on {day}. / On {day} everyone celebrates the {feast} Fair. /
            Every year, on {day}, there is the {feast} Fair.
        """),
        phrases("""
            When is the {feast} Fair? / When is the fair? / When do you celebrate? / Is there a
            festival? / When is the festival?
        """),
        phrases("""
            On {day}. / The {feast} Fair is on {day}. / It's on {day}, {addr}. / The fair? On
            {day}.
        """),
    ),
    Truth(
        {"god": someone},
        phrases("""
            The people worship {god}. / The temple is holy to {god}. / Everyone here prays to
            {god}. / {god} is the god of this land.
        """),
        phrases("""
            Who do you worship? / Which god do you pray to? / Who is your god? / Whose temple is
            this? / What god do people pray to here?
        """),
        phrases("""
            We worship {god}. / {god}. / We pray to {god}. / {god} watches over us.
        """),
    ),
    Truth(
        {"founder": someone, "town": names.place},
        phrases("""
            {town} was founded by {founder}. / {founder} founded {town} long ago. / It was
            {founder} who built the first house in {town}.
        """),
        phrases("""
            Who founded {town}? / Who built {town}? / Who founded this town? / Who was the founder
            of {town}?
        """),
        phrases("""
            {founder} did. / {founder} founded {town}. / It was {founder}. / They say {founder}
            built it.
        """),
    ),
    Truth(
        {
            "gate": lambda r, s: pick(
                r,
                phrases("""
            north gate / south gate / city gate / main gate / harbour gate
        """),
            ),
            "hour": _hour,
        },
        phrases("""
            The {gate} closes at {hour}. / At {hour} the guards close the {gate}. / Nobody may pass
            the {gate} after {hour}.
        """),
        phrases("""
            When does the {gate} close? / When do the gates close? / How long is the {gate} open? /
            Until when is the gate open?
        """),
        phrases("""
            At {hour}. / The {gate} closes at {hour}. / It closes at {hour}, {addr}. / Be there
            before {hour}.
        """),
    ),
    Truth(
        {"inn": names.house, "keeper": someone},
        phrases("""
            The best inn is {inn}, kept by {keeper}. / {keeper} runs {inn}, the only inn in town. /
            Travellers sleep at {inn}. Its keeper is {keeper}.
        """),
        phrases("""
            Where can I sleep? / Is there an inn? / Where can I find a bed? / Where can I get
            something to drink? / Is there a tavern here? / I need a room for the night.
        """),
        phrases("""
            Try {inn}. {keeper} runs it. / Go to {inn}, {addr}. / {inn} has beds. Ask for {keeper}.
            / There's {inn}.
        """),
    ),
    Truth(
        {"expert": lexicon.trade, "who": someone},
        phrases("""
            The {expert} is called {who}. / {who} is the {expert}. / {who} works as {a expert}. /
            If you need {a expert}, ask for {who}.
        """),
        phrases("""
            Who is the {expert}? / I need {a expert}. / Do you know {a expert}? / Who is {who}? /
            What is the {expert} called? / Is there {a expert} here? / Where can I find {a expert}?
        """),
        phrases("""
            {who} is the {expert}. / That's {who}, the {expert}. / Ask for {who}. {who} is the
            {expert}. / You mean {who}, the {expert}.
        """),
    ),
    Truth(
        {"spot": _spot, "other": _spot},
        phrases("""
            {spot} is behind {other}. / You find {spot} next to {other}. / {spot} stands across
            from {other}. / The way to {spot} leads past {other}.
        """),
        phrases("""
            Where is {spot}? / How do I get to {spot}? / Where can I find {spot}? / I'm looking for
            {spot}. / Which way to {spot}? / Can you show me the way to {spot}?
        """),
        phrases("""
            {spot}? Near {other}. / Look for {other}, {addr}. {spot} is right there. / By {other}.
            / Go to {other}. You'll see {spot} from there.
        """),
    ),
    Truth(
        {"thing": lexicon.thing, "place": names.place},
        phrases("""
            The {thing} of {place} was stolen. / Somebody stole the {thing} of {place}. / The
            famous {thing} of {place} has disappeared.
        """),
        phrases("""
            What was stolen? / What happened in {place}? / What do you know about the {thing}? /
            Have you heard about the {thing} of {place}? / Did something happen in {place}?
        """),
        phrases("""
            The {thing} of {place} was stolen. / Somebody took the {thing}. All of {place} talks
            about it. / They say the {thing} of {place} is gone.
        """),
    ),
    Truth(
        {"toll": lambda r, s: lexicon.price(r), "bridge": names.place},
        phrases("""
            The toll at {bridge} Bridge is {toll}. / To cross {bridge} Bridge you pay {toll}. /
            {bridge} Bridge costs {toll} to cross.
        """),
        phrases("""
            What is the toll at {bridge} Bridge? / How much is the toll? / What does it cost to
            cross the bridge? / How much do I pay at the bridge?
        """),
        phrases("""
            {Toll}. / The toll is {toll}. / It costs {toll}, {addr}. / {Toll} at {bridge} Bridge.
        """),
    ),
    Truth(
        {"product": lexicon.food, "town": names.place},
        phrases("""
            {town} is famous for its {product}. / {town} is known everywhere for its {product}. /
            People come to {town} for the {product}.
        """),
        phrases("""
            What is {town} famous for? / What do people eat here? / What is {town} known for? /
            What should I eat in {town}?
        """),
        phrases("""
            {town} is famous for its {product}. / The {product}! You must try it. / {Product},
            {addr}. / For its {product}.
        """),
    ),
    Truth(
        {
            "chief": someone,
            "rank": lambda r, s: pick(
                r,
                phrases("""
            captain of the guard / mayor / high priest / harbour master / guild master / sheriff /
            judge
        """),
            ),
        },
        phrases("""
            The {rank} is {chief}. / {chief} is the {rank}. / {chief} became {rank} last year.
        """),
        phrases("""
            Who is the {rank}? / What is the {rank} called? / What's the name of the {rank}? / Who
            is {chief}? / I want to speak to the {rank}.
        """),
        phrases("""
            The {rank} is {chief}. / That's {chief}. / {chief} is the {rank}. / {chief}, {addr}.
            The {rank}.
        """),
    ),
    Truth(
        {"years": lambda r, s: str(r.randint(5, 900)), "fall": names.place},
        phrases("""
            {fall} fell {years} years ago. / {years} years ago, fire destroyed {fall}. / The city
            of {fall} was lost {years} years ago.
        """),
        phrases("""
            When did {fall} fall? / What happened to {fall}? / What do you know about {fall}? / How
            long ago did {fall} fall?
        """),
        phrases("""
            {fall} fell {years} years ago. / It was destroyed {years} years ago. / {years} years
            ago it was lost. / That was {years} years ago, {addr}.
        """),
    ),
    Truth(
        {
            "mountain": names.place,
            "ore": lambda r, s: pick(
                r,
                phrases("""
            gold / silver / iron / copper / tin / crystal / salt / coal / gems
        """),
            ),
        },
        phrases("""
            There is {ore} in the mines of {mountain}. / The miners of {mountain} dig for {ore}. /
            {mountain} is rich in {ore}.
        """),
        phrases("""
            What is mined in {mountain}? / What do the miners dig for? / Is there gold here? / What
            do you find in {mountain}?
        """),
        phrases("""
            {Ore}. From {mountain}. / They dig for {ore} in {mountain}. / {mountain} has {ore}. /
            {Ore}, {addr}.
        """),
    ),
    Truth(
        {
            "road": names.place,
            "reason": lambda r, s: pick(
                r,
                phrases("""
            a landslide / bandits / snow / a flood / a broken bridge / fallen trees / wolves / the
            plague
        """),
            ),
        },
        phrases("""
            The road to {road} is closed because of {reason}. / Nobody can reach {road} because of
            {reason}. / {Reason} blocked the road to {road}.
        """),
        phrases("""
            Is the road to {road} open? / Can I go to {road}? / How do I get to {road}? / Why is
            the road closed? / What's wrong with the road to {road}?
        """),
        phrases("""
            The road to {road} is closed because of {reason}. / You can't. It's closed because of
            {reason}. / Not now, {addr}. Because of {reason}. / Closed. {Reason}.
        """),
    ),
)
