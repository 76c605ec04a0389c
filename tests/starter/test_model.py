"""The model that ships, through the real engine and dialogue sessions."""

from pathlib import Path

import pytest
import torch
import townsfolk.starter
from starter_numbers import starter_numbers
from townsfolk.commands.evaluate import EngineInterviewer
from townsfolk.config import EngineSettings
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.prompt import system_text
from townsfolk.engine.engine import Engine
from townsfolk.starter import form, interview
from townsfolk.starter.cast import cast
from townsfolk.starter.wild import named, wild
from townsfolk.training.checkpoint import load_model
from townsfolk.training.ops import document_masks, document_positions
from transformers import LlamaForCausalLM

MODEL = Path(townsfolk.starter.__file__).parent / "model"


@pytest.fixture(scope="module")
def interviewer():
    engine = Engine.from_pretrained(MODEL, EngineSettings(device="cpu", kv_memory_mib=256))
    yield EngineInterviewer(engine, seed=0)
    engine.close()


def test_it_is_small_enough_to_ship():
    assert sum(file.stat().st_size for file in MODEL.iterdir()) < 20_000_000


def test_in_plain_numbers_transformers_reads_it():
    theirs = LlamaForCausalLM.from_pretrained(starter_numbers(), dtype=torch.float32)
    tokens = torch.randint(4096, (1, 64), generator=torch.Generator().manual_seed(0))
    documents = torch.ones_like(tokens)
    model = load_model(starter_numbers())
    masks = document_masks(documents, model.spec, blockwise=False)
    ours = model(tokens, document_positions(documents), masks)
    torch.testing.assert_close(ours, theirs(tokens).logits, atol=1e-3, rtol=0)


# A floor for a small sample of a changing corpus, on processors that round otherwise; `townsfolk
# eval` measures against the aims.
@pytest.mark.parametrize("subject", ["name", "trade", "home", "recall"])
def test_held_out_characters_know_themselves_and_listen(interviewer, subject):
    count = 24
    if subject == "recall":
        asked = interview.recall(count, "test")
    else:
        asked = interview.about_itself(subject, count, "test")
    answers = interviewer.hold(asked, greedy=True)
    right = sum(each.passes(replies) for each, replies in zip(asked, answers, strict=True))
    assert right >= 0.8 * count


def test_characters_written_by_people_know_themselves(interviewer):
    asked = wild()
    answers = interviewer.hold(asked, greedy=True)
    right = sum(each.passes(replies) for each, replies in zip(asked, answers, strict=True))
    assert right >= 0.8 * len(asked)


def test_sampled_replies_are_sentences(interviewer):
    known = form.vocabulary()
    asked = interview.small_talk(12, "test")
    broken = []
    for each, replies in zip(asked, interviewer.hold(asked, greedy=False), strict=True):
        context = [system_text(each.persona, each.lore), *each.lines, *replies[:-1]]
        broken += [
            (reply, found) for reply in replies if (found := form.faults(reply, known, context))
        ]
    assert len(broken) <= 3, broken


@pytest.mark.parametrize(
    ("name", "reply", "passes"),
    [
        ("Garrick Stone", "I'm Garrick Stone. What brings you here?", True),
        ("Garrick Stone", "I'm Garrick.", True),
        ("Garrick Stone", "garrick stone, at your service", True),
        ("Garrick Stone", "I'm Garrick Stonehand, the blacksmith.", False),
        ("Nessa Finch", "I am Nessa Finchan.", False),
        ("Mira Holloway", "Mira Hollow is my home.", False),
        ("Mira Holloway", "I'm Mirabel.", False),
        ("Sister Orla", "Sister Orla.", True),
        ("Sister Orla", "Sister Orlan.", False),
        ("Tom the Red", "Tom the Red, they call me.", True),
        ("Pip", "I'm Pipo.", False),
        ("Pip", "Pip's the name.", True),
    ],
)
def test_another_name_is_no_right_answer(name, reply, passes):
    short = name.split()[name.startswith("Sister")]
    asked = interview.Interview(
        "name", Persona(name=name), (), ("Who are you?",), (name, short), name
    )
    assert asked.passes([reply]) is passes


def test_the_cast_that_ships_is_asked_for_its_names(interviewer):
    """A floor; docs/starter-model.md says what is wrong."""
    asked = named()
    assert {each.persona.name for each in asked} == {each.name for each in cast()}
    answers = interviewer.hold(asked, greedy=True)
    right = sum(each.passes(replies) for each, replies in zip(asked, answers, strict=True))
    assert right >= 0.6 * len(asked)
