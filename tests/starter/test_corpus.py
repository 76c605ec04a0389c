import re
from random import Random

import pytest
from townsfolk.dialogue.prompt import system_text
from townsfolk.dialogue.transcript import EntryKind
from townsfolk.starter import form, interview
from townsfolk.starter.corpus import lexicon, names
from townsfolk.starter.corpus.conversation import conversation
from townsfolk.starter.corpus.split import Split

COUNT = 1500


@pytest.fixture(scope="module")
def told():
    return [conversation(f"test:{number}") for number in range(COUNT)]


def lines(conversation, kind):
    return [entry.text for entry in conversation.transcript if entry.kind is kind]


def text_of(conversation) -> str:
    parts = [system_text(conversation.persona, conversation.world.lore)]
    return "\n".join(parts + [entry.text for entry in conversation.transcript])


def test_a_seed_always_gives_the_same_conversation(told):
    for number in (0, 7, 99):
        again = conversation(f"test:{number}")
        assert text_of(again) == text_of(told[number])
        assert again.persona == told[number].persona


def test_seeds_differ(told):
    assert len({text_of(each) for each in told}) == COUNT


def test_every_conversation_ends_with_a_reply(told):
    for each in told:
        assert each.transcript[-1].kind is EntryKind.SPOKE


GENERATORS = {
    "name": lambda rng, split: names.given_name(rng, split, rng.random() < 0.5),
    "house": names.house,
    "trade": lexicon.trade,
    "thing": lexicon.thing,
    "food": lexicon.food,
    "beasts": lexicon.beasts,
    "monsters": lexicon.monsters,
}


@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS.keys())
def test_held_out_values_never_come_up_in_training(generator):
    rng = Random(0)
    training = {generator(rng, Split.TRAIN).lower() for _ in range(3000)}
    held_out = {generator(rng, Split.HELD_OUT).lower() for _ in range(3000)}
    assert not training & held_out
    assert len(held_out) > 20


def test_training_characters_have_no_held_out_facts(told):
    for each in told:
        self = each.character
        facts = [self.name.short, self.trade, self.keepsake]
        facts += [kin.name for kin in self.relatives]
        for fact in filter(None, facts):
            assert Split.TRAIN.owns(fact), fact


def test_held_out_names_and_homes_are_in_no_training_text(told):
    training = "\n".join(map(text_of, told)).lower()
    words = set(re.findall(r"\w+", training))
    for number in range(200):
        self = conversation(f"test:{number}", Split.HELD_OUT).character
        assert self.name.short.lower() not in words
        if self.home and self.home.lower() in training:
            assert not re.search(rf"\b{re.escape(self.home.lower())}\b", training)


def test_unseen_questions_are_unseen(told):
    def plain(text: str) -> str:
        return re.sub(r"[^a-z ]", "", text.lower()).strip()

    asked = {plain(line) for each in told for line in lines(each, EntryKind.HEARD)}
    for questions in interview.UNSEEN.values():
        for question in questions:
            assert plain(question) not in asked


def test_replies_of_the_corpus_are_not_broken(told):
    known = {word for each in told for word in form.words(text_of(each))}
    for each in told[:400]:
        for entry in each.transcript:
            if entry.kind is EntryKind.SPOKE and not entry.cut:
                assert form.faults(entry.text, known, [text_of(each)]) == [], entry.text


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("", "empty"),
        ("I am", "end"),
        ("I am am here.", "doubled"),
        ('He said "no.', "quotation"),
        ("I'm a owl.", "article"),
        ("I'm a blorfel.", "nowhere"),
        ("i am here.", "small letter"),
    ],
)
def test_broken_replies_are_found(reply, fault):
    known = {"i", "am", "here", "he", "said", "no", "i'm", "a", "owl"}
    assert any(fault in found for found in form.faults(reply, known, []))


def test_words_of_the_conversation_are_known():
    assert form.faults("I'm a blorfel.", {"i'm", "a"}, ["Mira is a blorfel."]) == []
