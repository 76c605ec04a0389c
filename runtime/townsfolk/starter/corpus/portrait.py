"""A character's facts written as a persona, the way different developers write one."""

from random import Random

from townsfolk.dialogue.persona import Persona
from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.aims import possessive, written
from townsfolk.starter.corpus.character import Character, Good
from townsfolk.starter.corpus.grammar import expand, fill, phrases, pick, with_article
from townsfolk.starter.corpus.style import wording


def voice(character: Character, rng: Random) -> dict[str, str]:
    """The slots of a grammatical person: second, third by pronoun, or third with the name at first."""
    she = character.name.she
    if rng.random() < 0.3:
        return {"person": "second", "s": "you", "poss": "your", "o": "you", "n": "you"}
    pronoun = "she" if she else "he"
    return {
        "person": "third",
        "s": pronoun,
        "poss": "her" if she else "his",
        "o": "her" if she else "him",
        "n": pick(rng, (character.name.short, character.name.full, pronoun)),
    }


# The opening says trade, place of work and home, as far as they are known. {n} is the subject's first mention.
_TRADE_WORK_HOME = (
    "the {trade} of {work} in {home}.",
    "the {trade} {at work} in {home}.",
    "{Trade} {at work}, {home}.",
    "{a trade} {at work} in {home}.",
    "{n} {are/is} the {trade} {at work} in {home}.",
    "{n} {are/is} {a trade} {at work} in {home}.",
    "{n} {work/works} as {a trade} {at work} in {home}.",
    "{n} {live/lives} in {home} and {work/works} {at work} as {a trade}.",
    "{n} {are/is} {a trade} who lives in {home}. {S} {work/works} {at work}.",
    "{n} {are/is} {a trade} of {home}. {S} can be found {at work}.",
    "{n} {run/runs} {work} in {home}. By trade {s} {are/is} {a trade}.",
    "{A trade}. Works {at work}. Lives in {home}.",
    "Trade: {trade}. Home: {home}. Workplace: {work}.",
    "Occupation: {trade}\nLives in: {home}\nWorks at: {work}",
    "{trade}, {home}, {at work}.",
)
_TRADE_HOME = phrases("""
    the {trade} of {home}. / {a trade} from {home}. / {a trade} who lives in {home}. / the village
    {trade} in {home}. / the only {trade} in {home}. / {n} {are/is} {a trade} from {home}. / {n}
    {are/is} the {trade} of {home}. / {n} {are/is} {a trade} in {home}. / {n} {live/lives} in
    {home} and {work/works} as {a trade}. / {n} {work/works} as {a trade} in {home}. / {n}
    {make/makes} {poss} living as {a trade} in {home}. / {n} {have/has} been {a trade} in {home}
    for {years} years. / {n} {have/has} lived in {home} all {poss} life and {earn/earns} {poss}
    bread as {a trade}. / {n} {are/is} {a trade}. {poss} home is {home}. / Born and raised in
    {home}, {n} became {a trade} like {poss} parents. / {A trade} living in {home}. / Trade:
    {trade}. Home: {home}. / Job: {trade}. Lives in {home}. / Role: {trade}. Hometown: {home}. /
    {home}'s {trade}. / everyone in {home} knows the {trade}. That {are/is} {n}.
""")
_TRADE_WORK = phrases("""
    the {trade} {at work}. / {a trade} {at work}. / {n} {are/is} the {trade} {at work}. / {n}
    {work/works} {at work} as {a trade}. / {n} {are/is} {a trade} and {run/runs} {work}. / Job:
    {trade}, {at work}.
""")
_TRADE = phrases("""
    the {trade}. / {a trade}. / {A trade} by trade. / {n} {are/is} {a trade}. / {n} {work/works} as
    {a trade}. / the local {trade}. / the best {trade} for miles. / Occupation: {trade}.
""")
_DEED_HOME = phrases("""
    {n} {deed} in {home of}. / {n} {deed}. {S} {live/lives} in {home of}. / {n} {live/lives} in
    {home of} and {deed}. / {n} of {home} {deed}. / In {home of}, {n} {deed}. / {n} {deed} in
    {home}. A veteran, strict but fair. / the one who {deed one} in {home of}. / {n} {deed} and
    {live/lives} in {home of}. / Lives in {home of}. {Deed}.
""")
_SHIP = phrases("""
    the {trade} of {work}, a [trading ship|fishing boat|warship|freighter]. {S} {come/comes} from
    {home}. / {n} {are/is}
    the {trade} of {work}, a [trading ship|fishing boat|merchant ship]. {S} {come/comes} from {home}.
    / {trade} on {work}. {S} {come/comes} from {home}.
""")
_ON_HILL = phrases("""
    {a trade} [of|at] the [temple|tower|mill|chapel|school|farm] on {home}. / {n} {live/lives} on
    {home} and {work/works} as {a trade}. / the {trade} on {home}. / {a trade} who lives on {home}.
""")
_HOME = phrases("""
    {n} {live/lives} in {home}. / somebody from {home}. / {n} {have/has} a small house in {home}. /
    Lives in {home}. / a villager of {home}.
""")
_FREE_OPENINGS = phrases("""
    {a trait} {years old} {trade} from {home of}. / {a years old} {trade} from {home of}. / {a
    trait} old {trade} living in {home of}. / {a trait} {trade} {flaw}, from {home of}. / {a trade}
    {flaw}. Lives in {home of}. / {n}, {a trade}, lives in {home of}. / {n} {are/is} {a trade}
    {flaw}. {S} {live/lives} in {home of}. / {n} {come/comes} from {home of}, where {s}
    {work/works} as {a trade}. / {n} {come/comes} from {home of}. {S} {are/is} {a trade} {flaw}. /
    as {a trade}, {n} {know/knows} everyone in {home of}. {S} {live/lives} there, too. / {trade} in
    {home of}. / {trade} from {home of}, {trait} and {other trait}. / {n} {have/has} worked as {a
    trade} in {home of} since childhood. / for {years} years {n} {have/has} been the {trade} of
    {home of}. / {home of} has only one {trade}: {n}. / {n} {live/lives} alone in {home of}. {S}
    {are/is} {a trade}. / a veteran {trade}, {trait} but fair. {S} {live/lives} in {home of}. / {n}
    {are/is} the most {trait} {trade} in all of {home of}. / {n} {work/works} hard as {a trade}. In
    the evening {s} {go/goes} home to {home of}. / Grew up poor, now {a trade}. Lives in {home of}.
    / {home of}. {A trade}, {trait}. / {n} moved to {home of} {years} years ago and became {a
    trade}. / {n} {were/was} a soldier once. Now {s} {are/is} {a trade} in {home of}. / the player
    meets {n} in {home of}: {a trait} {trade}.
""")
_HOME_KINDS = phrases("""
    {home} / {home} / {home} / the village of {home} / the town of {home} / the small town of
    {home} / the city of {home} / the port of {home} / the mountain village of {home} / the harbour
    quarter of {home} / the outskirts of {home} / the desert city of {home} / the fishing village
    of {home} / the old part of {home} / a small house in {home} / the free city of {home}
""")
_FLAWS = phrases("""
    who never sleeps / with a heavy past / who has seen too much / who talks to birds / with a
    sharp tongue / who lost two fingers in the war / who works too much / with little patience /
    who knows every sailor by name / known for honest prices / with a secret / who treats rich and
    poor alike / down on {poss} luck / who would rather be elsewhere / of some renown
""")
_TRAIT_OPENINGS = phrases("""
    {a trait} {trade} from {home}. / {n} {are/is} {a trait} {trade} from {home}. / {a trait}
    {trade} who lives in {home}. / the {trait} {trade} of {home}. / {n} {are/is} {a trait}, {other
    trait} {trade} in {home}.
""")

_FATE_PHRASES = phrases("""
    {have/has} not slept well since {poss} {kin} {name} {fate} / {miss/misses} {poss} {kin} {name},
    who {fate} / {have/has} {kin a} named {name} who {fate} / never {speak/speaks} of {poss} {kin}
    {name}, who {fate} / {live/lives} alone since {poss} {kin} {name} {fate}
""")
# What can be said of the subject in one verb phrase; two of these may share a sentence.
_PHRASES: dict[str, tuple[str, ...]] = {
    "age": phrases("""
        {are/is} {age} years old / {are/is} {age} / turned {age} last winter
    """),
    "birthplace": phrases("""
        {were/was} born in {birthplace} / grew up in {birthplace} / left {birthplace} years ago /
        {come/comes} from {birthplace} originally
    """),
    "like": phrases("""
        {love/loves} {like} / {like/likes} {like} / {enjoy/enjoys} {like} / {are/is} very fond of
        {like} / {have/has} a weakness for {like} / {love/loves} {like} more than money /
        {respect/respects} {like} / {adore/adores} {like}
    """),
    "hate": phrases("""
        {hate/hates} {hate} / can't stand {hate} / {dislike/dislikes} {hate} / {distrust/distrusts}
        {hate} / {despise/despises} {hate} / {have/has} no love for {hate}
    """),
    "fear": phrases("""
        {fear/fears} {fear} / {are/is} afraid of {fear} / {are/is} terrified of {fear} / {have/has}
        always been scared of {fear} / {tremble/trembles} at the thought of {fear}
    """),
    "secret": phrases("""
        once {secret} / {hide/hides} a secret: {s} {secret} / secretly {secret}
    """),
    "pet": phrases("""
        {have/has} {a animal} called {pet} / {keep/keeps} {a animal} named {pet} / never {go/goes}
        anywhere without {pet}, {poss} {animal} / {live/lives} with {poss} {animal} {pet}
    """),
    "friend": phrases("""
        {trust/trusts} {friend} the {friend trade} / {owe/owes} {friend}, {a friend trade}, a
        favour / often {drink/drinks} with {friend} the {friend trade}
    """),
    "keepsake": phrases("""
        always {carry/carries} {a keepsake} / {treasure/treasures} {a keepsake} / {wear/wears} {a
        keepsake} / {own/owns} {a keepsake}
    """),
    "deed": ("{deed}", "{deed}", "{deed} for a living", "{deed} every day"),
    "goal": phrases("""
        {want/wants} to {goal} / {hope/hopes} to {goal} / {dream/dreams} of one thing: to {goal} /
        would do anything to {goal} / {plan/plans} to {goal}
    """),
}

_FACTS: dict[str, tuple[str, ...]] = {
    "trait": phrases("""
        {S} {are/is} {trait}[| and {other trait}]. / People call {o} {trait}. / {trait}[|, {other
        trait}]. / {trait} by nature. / Personality: {trait}[, {other trait}|]. / {S} {are/is}
        {trait} but {other trait}.
    """),
    "age": ("Age: {age}.", "{age} years old."),
    "birthplace": ("Born in {birthplace}.", "Grew up in {birthplace}."),
    "like": phrases("""
        Likes: {like}. / Nothing makes {o} happier than {like}. / Loves {like}.
    """),
    "hate": ("Hates {hate}.", "Dislikes: {hate}.", "Distrusts {hate}."),
    "fear": ("Afraid of {fear}.", "Fears: {fear}."),
    "secret": phrases("""
        Secret: {s} {secret}. / Nobody knows that {s} {secret}. / Long ago, {s} {secret}. / Years
        ago {s} {secret}, and {s} {have/has} told no one.
    """),
    "pet": ("{poss} {animal} is called {pet}.", "Pet: {pet}, {a animal}."),
    "friend": ("{poss} best friend is {friend}, the {friend trade}.",),
    "keepsake": phrases("""
        Carries {a keepsake}. / {poss} most precious thing is {a keepsake}.
    """),
    "deed": ("{Deed}.", "Every day {s} {deed}."),
    "goal": ("{poss} goal is to {goal}.", "Goal: to {goal}."),
}

_RELATIVE = phrases("""
    {S} {have/has} {a kin} named {name}. / {poss} {kin} {name} lives nearby. / {poss} {kin} is
    called {name}. / {S} {miss/misses} {poss} {kin} {name}. / Family: {a kin}, {name}. / {S}
    {live/lives} with {poss} {kin} {name}.
""")
_RELATIVE_TRADE = phrases("""
    {poss} {kin} {name} is {a kin trade}. / {S} {have/has} {a kin}, {name}, who works as {a kin
    trade}. / {poss} {kin} {name}, {a kin trade}, visits often. / {S} {have/has} {a kin} named
    {name}, the {kin trade}.
""")
_RELATIVE_FATE = phrases("""
    {poss} {kin} {name} {fate}. / {S} {have/has} {a kin} named {name} who {fate}. / {S} {have/has}
    not slept well since {poss} {kin} {name} {fate}. / {S} {think/thinks} often of {poss} {kin}
    {name}, who {fate}. / {poss} {kin}, {name}, {fate}. / Ever since {poss} {kin} {name} {fate},
    {s} {have/has} been quiet.
""")
_GOODS_HEADS = phrases("""
    {S} {sell/sells} [*]. / Sells [*]. / For sale: [*]. / Prices: [*]. / Wares: [*]. / {S}
    {offer/offers} [*].
""")
_ERRAND_THING = phrases("""
    {S} lost {a thing} at {place} and {pay/pays} {reward} to whoever brings it back. / {poss}
    {thing} was stolen and taken to {place}. The reward for it is {reward}. / {S} {need/needs}
    somebody to fetch {a thing} from {place}. {S} will pay {reward}. / Quest: bring the {thing}
    from {place}. Reward: {reward}. / {S} {are/is} looking for {a thing}, last seen at {place}, and
    {offer/offers} {reward} for it.
""")
_ERRAND_FOE = phrases("""
    {Foes} from {place} trouble {o}. {S} will pay {reward} to be rid of them. / {S} {want/wants}
    somebody to drive the {foes} away from {place} for {reward}. / Quest: kill the {foes} at
    {place}. Reward: {reward}. / There are {foes} at {place}, and {s} {offer/offers} {reward} to
    anyone who deals with them.
""")
_COLOUR = phrases("""
    {S} {sleep/sleeps} badly. / {S} {wear/wears} {a colour} {garment}. / {S} {have/has} {colour}
    eyes. / {S} {have/has} a scar from the war. / {S} {smell/smells} of {food}. / {S} {walk/walks}
    with a limp. / {S} {know/knows} everyone in the {spot}. / {S} {have/has} seen better days. /
    {S} never learned to read. / {S} once served in the army. / {S} {hum/hums} old tunes while
    working. / {S} {count/counts} every coin. / Life has been hard since the flood. / The last
    winter was hard on {o}. / {S} {dream/dreams} of far countries. / {S} {drink/drinks} too much. /
    {S} {have/has} a good heart under it all. / {S} {remember/remembers} every face. / {S} {are/is}
    always busy. / {S} {have/has} never left the valley. / {S} {are/is} well known and well liked.
    / {S} {speak/speaks} three languages. / {S} {talk/talks} to {poss} tools. / {S} {pray/prays}
    every morning. / {S} {trust/trusts} people slowly but {keep/keeps} {poss} word. / {S}
    {know/knows} the old songs. / Customers trust {o}. / {S} {welcome/welcomes} travellers. / {S}
    {keep/keeps} a cudgel under the counter.
""")


def _slots(character: Character, rng: Random) -> dict[str, str]:
    slots = voice(character, rng)
    slots |= {
        "years": str(rng.randint(2, 50)),
        "other trait": pick(rng, lexicon.TRAITS),
        "colour": pick(rng, lexicon.COLOURS),
        "garment": pick(rng, ("cloak", "hat", "scarf", "coat", "apron", "shawl", "cap")),
        "food": pick(rng, lexicon.FOODS),
        "spot": pick(
            rng,
            phrases("""
            harbour / market / village / valley / town / quarter / street
        """),
        ),
    }
    for key in phrases("""
        trade / work / home / birthplace / trait / like / hate / fear / keepsake
    """):
        if value := getattr(character, key):
            slots[key] = value
    if character.at_work:
        slots["at work"] = character.at_work
    if character.age:
        slots["age"] = str(character.age)
        years = lexicon.in_words(character.age) if rng.random() < 0.5 else str(character.age)
        slots["years old"] = f"{years}-year-old"
    if character.secret:
        slots["secret"] = character.secret[0 if slots["person"] == "second" else 1]
    if character.deed:
        slots["deed"] = character.deed[0 if slots["person"] == "second" else 1]
        slots["deed one"] = character.deed[1]
    if character.goals and rng.random() < 0.4:
        slots["goal"] = possessive(character.goals[0], slots["poss"])
    if character.home:
        slots["home of"] = fill(pick(rng, _HOME_KINDS), rng, slots)
    slots["flaw"] = fill(pick(rng, _FLAWS), rng, slots)
    slots.setdefault("trait", pick(rng, lexicon.TRAITS))
    if character.pet:
        slots["animal"], slots["pet"] = character.pet
    if character.friend:
        slots["friend"], slots["friend trade"] = character.friend
    return slots


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _opening(character: Character, rng: Random) -> tuple[str, ...]:
    match (character.trade, character.work, character.home):
        case (str(), str(), str()) if character.scene.kind == "ship" and rng.random() < 0.5:
            return _SHIP
        case (str(), None, str(home)) if home.endswith(
            ("Hill", "Hollow", "Isle")
        ) or home.startswith(("Isle", "Mount")):
            return _ON_HILL
        case (str(), None, str()) if rng.random() < 0.45:
            return tuple(
                text for text in _FREE_OPENINGS if character.age or "years old" not in text
            )
        case (str(), str(), str()):
            return _TRADE_WORK_HOME
        case (str(), None, str()):
            return _TRADE_HOME + (_TRAIT_OPENINGS if character.trait else ())
        case (str(), str(), None):
            return _TRADE_WORK
        case (str(), None, None):
            return _TRADE
        case (None, _, str()):
            return _DEED_HOME if character.deed else _HOME
    return ()


_GOOD_SENTENCES = phrases("""
    {A good} costs {price}[| a piece| a night| a day]. / {A good} is {price}. / {S} {sell/sells}
    {a good} for {price}. / One pays {price} for {a good}. / {A good} can be had for {price}. / The
    price of {a good} is {price}. / {S} {ask/asks} {price} for {a good}.
""")


def _goods_sentences(character: Character, rng: Random, slots: dict[str, str]) -> list[str]:
    if len(character.goods) < 3 and rng.random() < 0.45:
        return [_good_sentence(good, rng, slots) for good in character.goods]
    form = pick(
        rng, ("{name} for {price}", "{name} ({price})", "{name}: {price}", "{name} at {price}")
    )
    priced = [form.format(name=good.name, price=good.price) for good in character.goods]
    if len(priced) > 1 and rng.random() < 0.6 and ":" not in form:
        listing = f"{', '.join(priced[:-1])} and {priced[-1]}"
    else:
        listing = pick(rng, (", ", "; ")).join(priced)
    return [expand(pick(rng, _GOODS_HEADS).replace("[*]", listing), rng, slots)]


def _good_sentence(good: Good, rng: Random, slots: dict[str, str]) -> str:
    template = (
        pick(rng, _GOOD_SENTENCES).replace("{A good}", "{Good}").replace("{a good}", "{good}")
    )
    return expand(template, rng, slots | {"good": good.name, "price": good.price})


def description(character: Character, rng: Random) -> str:
    """Prose about the character, in one grammatical person and a random order."""
    slots = _slots(character, rng)
    sentences = []
    verbs = []
    told = []
    for key, templates in _FACTS.items():
        if key not in slots or (key == "trait" and not character.trait):
            continue
        if key == "secret" and not character.secret_is_past:
            verbs.append(pick(rng, ("{hide/hides} a secret: {s} {secret}", "secretly {secret}")))
        elif key in _PHRASES and rng.random() < 0.7:
            verbs.append(pick(rng, _PHRASES[key]))
        else:
            sentences.append(expand(pick(rng, templates), rng, slots))
    for kin in character.relatives:
        if kin.fate and rng.random() < 0.3:
            verbs.append(
                pick(rng, _FATE_PHRASES)
                .replace("{kin a}", with_article(kin.kin))
                .replace("{kin}", kin.kin)
                .replace("{name}", kin.name)
                .replace("{fate}", kin.fate)
            )
            told.append(kin)
    rng.shuffle(verbs)
    while verbs:
        together = verbs.pop()
        if verbs and rng.random() < 0.35:
            together += pick(rng, (" and ", " and ", ", and ", " but ")) + verbs.pop()
        sentences.append(expand("{S} " + together + ".", rng, slots))
    for kin in character.relatives:
        if kin in told:
            continue
        own = slots | {
            "kin": kin.kin,
            "name": kin.name,
            "kin trade": kin.trade or "",
            "fate": kin.fate or "",
        }
        templates = _RELATIVE_FATE if kin.fate else _RELATIVE_TRADE if kin.trade else _RELATIVE
        sentences.append(expand(pick(rng, templates), rng, own))
    if character.goods:
        sentences += _goods_sentences(character, rng, slots)
    if character.errand:
        task = character.errand
        own = slots | {"place": task.place, "reward": task.reward}
        own |= {"thing": task.thing} if task.thing else {"foes": task.foe or ""}
        sentences.append(expand(pick(rng, _ERRAND_THING if task.thing else _ERRAND_FOE), rng, own))
    for _ in range(pick(rng, (0, 0, 0, 1, 1, 2, 3))):
        sentences.append(expand(pick(rng, _COLOUR), rng, slots))
    rng.shuffle(sentences)
    if opening := _opening(character, rng):
        template = pick(rng, opening)
        first = expand(template, rng, slots)
        if slots["person"] == "third" and rng.random() < 0.08:
            sentences.insert(rng.randint(0, len(sentences)), first)
        else:
            sentences.insert(0, first)
    return _join(sentences, rng)


def _join(sentences: list[str], rng: Random) -> str:
    text = sentences[0] if sentences else ""
    for sentence in sentences[1:]:
        text += ("\n" if "\n" in text and rng.random() < 0.5 else " ") + sentence
    return text


def persona(character: Character, rng: Random) -> Persona:
    """The persona that a developer would write for this character."""
    style = wording(character.style, rng)
    if style and rng.random() < 0.4:
        style += "."
    return Persona(
        name=character.name.full,
        description=description(character, rng),
        goals=written(character.goals, character, rng),
        speaking_style=style,
        taboos=written(character.taboos, character, rng),
        example_lines=tuple(character.lines),
    )
