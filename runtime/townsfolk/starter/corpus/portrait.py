"""A character's facts written as a persona, the way different developers write one."""

from random import Random

from townsfolk.dialogue.persona import Persona
from townsfolk.starter.corpus import lexicon
from townsfolk.starter.corpus.aims import possessive, written
from townsfolk.starter.corpus.book import book
from townsfolk.starter.corpus.character import Character, Good
from townsfolk.starter.corpus.grammar import expand, fill, pick, with_article
from townsfolk.starter.corpus.split import Source, Split
from townsfolk.starter.corpus.style import wording

_TEXT = book("portrait")
_FACTS = _TEXT.section("facts")
_PHRASES = _TEXT.section("phrases")


def voice(character: Character, rng: Random) -> dict[str, str]:
    """Return the slots of a grammatical person: second, third, or third with the name at first."""
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


def _slots(character: Character, rng: Random) -> dict[str, str]:
    slots = voice(character, rng)
    slots |= {
        "years": str(rng.randint(2, 50)),
        "other trait": pick(rng, lexicon.TRAITS),
        "colour": pick(rng, lexicon.COLOURS),
        "garment": pick(rng, _TEXT["garments"]),
        "food": pick(rng, lexicon.FOODS),
        "spot": pick(rng, _TEXT["spots"]),
    }
    for key in (
        "trade",
        "work",
        "home",
        "birthplace",
        "trait",
        "like",
        "hate",
        "fear",
        "keepsake",
    ):
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
        slots["home of"] = fill(pick(rng, _TEXT["home kinds"]), rng, slots)
    slots["flaw"] = fill(pick(rng, _TEXT["flaws"]), rng, slots)
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
            return _TEXT["ship"]
        case (str(), None, str(home)) if home.endswith(
            ("Hill", "Hollow", "Isle")
        ) or home.startswith(("Isle", "Mount")):
            return _TEXT["on hill"]
        case (str(), None, str()) if rng.random() < 0.45:
            return tuple(
                text for text in _TEXT["free openings"] if character.age or "years old" not in text
            )
        case (str(), str(), str()):
            return _TEXT["trade work home"]
        case (str(), None, str()):
            return _TEXT["trade home"] + (_TEXT["trait openings"] if character.trait else ())
        case (str(), str(), None):
            return _TEXT["trade work"]
        case (str(), None, None):
            return _TEXT["trade"]
        case (None, _, str()):
            return _TEXT["deed home"] if character.deed else _TEXT["home"]
    return ()


def _goods_sentences(
    character: Character, rng: Random, slots: dict[str, str], source: Source
) -> list[str]:
    if len(character.goods) < 3 and rng.random() < 0.45:
        return [_good_sentence(good, rng, slots, source) for good in character.goods]
    form = pick(
        rng, ("{name} for {price}", "{name} ({price})", "{name}: {price}", "{name} at {price}")
    )
    priced = [form.format(name=good.name, price=good.price) for good in character.goods]
    if len(priced) > 1 and rng.random() < 0.6 and ":" not in form:
        listing = f"{', '.join(priced[:-1])} and {priced[-1]}"
    else:
        listing = pick(rng, (", ", "; ")).join(priced)
    return [expand(pick(rng, _TEXT["goods heads"]).replace("[*]", listing), rng, slots)]


def _good_sentence(good: Good, rng: Random, slots: dict[str, str], source: Source) -> str:
    template = (
        pick(rng, source.more(_TEXT["good sentences"]))
        .replace("{A good}", "{Good}")
        .replace("{a good}", "{good}")
    )
    return expand(template, rng, slots | {"good": good.name, "price": good.price})


def description(character: Character, rng: Random, source: Source = Split.TRAIN) -> str:
    """Prose about the character, in one grammatical person and a random order."""
    slots = _slots(character, rng)
    sentences = []
    verbs = []
    told = []
    for key, templates in _FACTS.texts.items():
        if key not in slots or (key == "trait" and not character.trait):
            continue
        if key == "secret" and not character.secret_is_past:
            verbs.append(pick(rng, ("{hide/hides} a secret: {s} {secret}", "secretly {secret}")))
        elif key in _PHRASES.texts and rng.random() < 0.7:
            verbs.append(pick(rng, source.more(_PHRASES[key])))
        else:
            sentences.append(expand(pick(rng, source.more(templates)), rng, slots))
    for kin in character.relatives:
        if kin.fate and rng.random() < 0.3:
            verbs.append(
                pick(rng, _TEXT["fate phrases"])
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
        templates = (
            _TEXT["relative fate"]
            if kin.fate
            else _TEXT["relative trade"]
            if kin.trade
            else _TEXT["relative"]
        )
        sentences.append(expand(pick(rng, source.more(templates)), rng, own))
    if character.goods:
        sentences += _goods_sentences(character, rng, slots, source)
    if character.errand:
        task = character.errand
        own = slots | {"place": task.place, "reward": task.reward}
        own |= {"thing": task.thing} if task.thing else {"foes": task.foe or ""}
        sentences.append(
            expand(
                pick(rng, _TEXT["errand thing"] if task.thing else _TEXT["errand foe"]), rng, own
            )
        )
    for _ in range(pick(rng, (0, 0, 0, 1, 1, 2, 3))):
        sentences.append(expand(pick(rng, _TEXT["colour"]), rng, slots))
    rng.shuffle(sentences)
    if opening := _opening(character, rng):
        template = pick(rng, source.more(opening))
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


def persona(character: Character, rng: Random, source: Source = Split.TRAIN) -> Persona:
    """Return the persona that a developer would write for this character."""
    style = wording(character.style, rng)
    if style and rng.random() < 0.4:
        style += "."
    return Persona(
        name=character.name.full,
        description=description(character, rng, source),
        goals=written(character.goals, character, rng),
        speaking_style=style,
        taboos=written(character.taboos, character, rng),
        example_lines=tuple(character.lines),
    )
