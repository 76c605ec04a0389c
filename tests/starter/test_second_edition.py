"""What the second edition of the starter model is to learn from."""

import json
import re
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import mean

import pytest
import townsfolk.starter
from exam_texts import VALUES, phrasings, plain
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.dialogue.actions import NONE, OURS, ActionBook, possible
from townsfolk.dialogue.prompt import messages, opening
from townsfolk.dialogue.transcript import EntryKind
from townsfolk.starter import recipe
from townsfolk.starter.corpus import strange
from townsfolk.starter.corpus.conversation import conversation, natural
from townsfolk.starter.corpus.second import SecondEdition
from townsfolk.starter.corpus.sketch import Sketch
from townsfolk.starter.corpus.split import Split
from townsfolk.training import tokenizer as tokenizers
from townsfolk.training.cuts import Cuts
from townsfolk.training.encoding import PROMPT, REPLY, Encoder

COUNT = 500
STARTER = Path(townsfolk.starter.__file__).parent / "model"


@pytest.fixture(scope="module")
def told():
    return [conversation(f"second:{number}", Split.TRAIN, 2) for number in range(COUNT)]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.from_directory(STARTER)


def acted(each):
    """The action that the last reply ends in."""
    last = each.transcript[-1].text
    begun = last.find(OURS.opens)
    if begun < 0:
        return None
    return json.loads(last[begun + len(OURS.opens) :].removesuffix(OURS.closes))


def test_a_seed_always_gives_the_same_conversation(told):
    assert [conversation(f"second:{n}", Split.TRAIN, 2) for n in range(30)] == told[:30]


def test_names_are_of_many_writings_and_have_marks(told):
    names = [each.character.name.full for each in told]
    assert sum(not name.isascii() for name in names) > COUNT / 20
    assert sum(bool(re.search(r"\d", name)) for name in names) > COUNT / 100
    assert sum(bool(re.search(r"['-]", name)) for name in names) > COUNT / 50
    assert len(set(names)) > 0.98 * COUNT


@pytest.mark.parametrize("split", Split)
def test_strange_values_keep_to_their_side_of_the_split(split):
    source = SecondEdition(split, 1.0)
    rng = Random(0)
    values = [source.draw(rng, lambda r: f"Mira {r.randrange(10**6)}") for _ in range(200)]
    assert all(split.owns(value) for value in values)
    assert sum("Mira" in value for value in values) < 40  # those that would be too long stay


@pytest.mark.parametrize("value", ["Mira Stone", "eel trapper", "the Salted Herring", "fox"])
def test_a_strange_value_has_the_form_of_the_other(value):
    for seed in range(100):
        drawn = strange.estranged(value, Random(seed))
        assert drawn != value
        assert drawn.startswith("the ") == value.startswith("the ")
        assert len(drawn.splitlines()) == 1


def test_no_value_is_strange_without_a_share():
    source = SecondEdition(Split.TRAIN, 0.0)
    values = [source.draw(Random(seed), lambda r: f"Mira {r.random()}") for seed in range(50)]
    assert all(value.startswith("Mira 0.") for value in values)


@given(st.integers())
def test_repeated_syllables_come_up_and_are_whole(seed):
    assert strange.name(Random(seed)).strip()
    assert strange.word(Random(seed)).strip()


def test_actions_keep_to_what_the_runtime_allows(told):
    acting = [each for each in told if acted(each)]
    assert len(acting) > COUNT / 10
    for each in acting:
        call, book = acted(each), ActionBook(each.actions, None)
        known = {action.name: action for action in each.actions}
        assert call["name"] in known
        assert set(call) == {"name", OURS.arguments}
        assert set(call[OURS.arguments]) == {p.name for p in known[call["name"]].parameters}
        assert book.read(json.dumps(call)).name == call["name"]
        # As the grammar writes it: an action in another form could never be drawn.
        assert json.dumps(call, ensure_ascii=False) in each.transcript[-1].text


def test_arguments_stand_in_what_was_asked(told):
    for each in told:
        if call := acted(each):
            asked = each.transcript[-2]
            assert asked.kind is EntryKind.HEARD
            for value in call[OURS.arguments].values():
                assert str(value).lower() in asked.text.lower(), each.transcript


def test_an_action_has_the_tokens_of_the_runtimes_requests(told):
    """Speech with what opens the action is encoded by itself, then the action, whatever merges."""
    tokenizer = tokenizers.train(
        (entry.text for each in told for entry in each.transcript if acted(each)), 600
    )
    config = json.loads((STARTER / "tokenizer_config.json").read_text("utf-8"))
    encoder = Encoder(tokenizer, config)
    acting = [each for each in told if acted(each)]
    for each in acting[:10]:
        said, opens, action = each.transcript[-1].text.partition(OURS.opens)
        assert said == said.rstrip()
        wanted = [
            token
            for text in (said + opens, action.removesuffix(OURS.closes))
            for token in tokenizer.encode(text, add_special_tokens=False).ids
        ]
        example = encoder(recipe.script(each))
        last = list(map(int, example.tokens[-len(wanted) - 40 :]))
        assert any(
            last[at : at + len(wanted)] == wanted for at in range(len(last) - len(wanted) + 1)
        )


def test_in_the_transcript_an_action_is_an_event(told):
    for each in told:
        for entry in each.transcript[:-1]:
            assert OURS.opens not in entry.text
    events = [e.text for each in told for e in each.transcript if e.kind is EntryKind.EVENT]
    assert any(text.endswith(" is done") for text in events)


def test_most_replies_of_who_can_act_do_not(told):
    able = [each for each in told if each.actions]
    assert COUNT / 5 < len(able) < COUNT / 2
    spoken = sum(e.kind is EntryKind.SPOKE for each in able for e in each.transcript)
    assert sum(acted(each) is not None for each in able) < spoken / 3


def test_who_speaks_unasked_is_told_so_as_the_runtime_tells_it(told):
    begun = 0
    for each in told:
        for at, entry in enumerate(each.transcript):
            if not entry.turn_id:
                continue
            begun += 1
            line = opening(each.transcript[:at])
            before = messages("", [*each.transcript[:at], *filter(None, [line])])
            assert messages("", each.transcript[: at + 1])[:-1] == before
            assert entry.kind is EntryKind.SPOKE
    assert begun > COUNT / 10


def test_what_happens_is_taken_up(told):
    pairs = [pair for each in told for pair in pairwise(each.transcript)]
    happened = [after for before, after in pairs if before.kind is EntryKind.EVENT]
    assert sum(after.kind is EntryKind.SPOKE for after in happened) > len(happened) / 10


def test_nobody_acts_in_a_way_that_is_not_possible_now(told):
    hints = 0
    for each in told:
        names = {action.name for action in each.actions}
        for entry in each.transcript:
            if entry.kind is EntryKind.EVENT and entry.text.startswith(possible(["x"])[:-1]):
                hints += 1
                given = entry.text.removeprefix(possible(["x"])[:-1]).split(", ")
                now = set(given) - {NONE}
                assert now < names
                call = acted(each)
                assert call is None or call["name"] in now
    assert hints > COUNT / 50


@pytest.mark.parametrize("seed", range(20))
def test_facts_of_a_sketch_stand_in_its_persona(seed):
    sketch = Sketch(Random(seed), SecondEdition(Split.TRAIN, 0.5))
    told = sketch.persona.description.lower()
    values = {
        "trade": "trade", "dwelling": "at home", "fear": "fear", "price": "price",
        "relative": "kin name", "rival": "rival", "boss": "boss", "age": "age",
        "origin": "birthplace", "food": "food", "pet": "pet",
    }  # fmt: skip
    for kind in values.keys() & set(sketch.kinds):
        assert sketch.slots[values[kind]].lower() in told, kind


def test_some_say_more_than_they_are_asked_for():
    spoken = [
        entry.text
        for number in range(60)
        for entry in natural(f"more:{number}").transcript
        if entry.kind is EntryKind.SPOKE
    ]
    plain_spoken = [
        entry.text
        for number in range(60)
        for entry in conversation(f"more:{number}", edition=2).transcript
        if entry.kind is EntryKind.SPOKE
    ]
    assert mean(map(len, spoken)) > 1.15 * mean(map(len, plain_spoken))


def test_the_prompt_lists_the_actions(told):
    each = next(each for each in told if each.actions)
    system = recipe.script(each).messages()[0]["content"]
    assert system.endswith(ActionBook(each.actions, None).text)


def test_nothing_of_the_exam_is_in_it(told):
    texts = [recipe.script(each).messages() for each in told]
    text = "\n".join(message["content"] for each in texts for message in each)
    said = {plain(line) for line in text.splitlines()}
    assert [each for each in phrasings() if plain(each) in said] == []
    lower = text.lower()
    assert [
        value
        for _, value in VALUES
        if value.lower() in lower and re.search(rf"(?<!\w){re.escape(value.lower())}(?!\w)", lower)
    ] == []


@given(st.text(max_size=200), st.integers(), st.floats(0, 1))
def test_cuts_lose_nothing(text, seed, share):
    assert "".join(Cuts(Random(seed), share)(text)) == text


def test_cuts_go_through_words_and_never_through_control_tokens():
    text = "<|start_header_id|>system<|end_header_id|>\n\nYou are Pettigrew.<|eot_id|>"
    pieces = list(Cuts(Random(1), 1.0)(text))
    assert len(pieces) > 2
    assert pieces[0].startswith("<|start_header_id|>system<|end_header_id|>\n\nY")
    assert pieces[-1].endswith("<|eot_id|>")


def test_a_cut_word_has_other_pieces_and_replies_keep_theirs(encoder, told):
    for each in told[:20]:
        script = recipe.script(each)
        whole, cut = encoder(script), encoder(script, Cuts(Random(5), 0.5))
        assert len(cut.tokens) > len(whole.tokens)
        assert encoder.decode(cut.tokens, False) == encoder.decode(whole.tokens, False)
        assert (cut.tokens[cut.kinds == REPLY] == whole.tokens[whole.kinds == REPLY]).all()
        assert (cut.kinds == PROMPT).sum() > (whole.kinds == PROMPT).sum()


def test_a_batch_of_a_step_is_always_the_same():
    first, again, other = (recipe.batch(STARTER, 0, 2, 256, step, edition=2) for step in (3, 3, 4))
    assert (first.tokens == again.tokens).all()
    assert (first.tokens != other.tokens).any()
