"""The exam: nothing of it is in the corpus, and its marks are fair."""

import re
from dataclasses import replace

import pytest
from exam_texts import BOOKS, VALUES, phrasings, plain
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.prompt import system_text
from townsfolk.starter.corpus import book, check
from townsfolk.starter.corpus.conversation import conversation
from townsfolk.starter.corpus.split import Split
from townsfolk.starter.exam.paper import Paper
from townsfolk.starter.exam.question import Mark, Question
from townsfolk.starter.exam.report import Tally, total, wilson
from townsfolk.starter.interview import Interview
from townsfolk.starter.reply import Act, Reply

KINDS = Paper("test").kinds


@pytest.fixture(scope="module")
def written() -> str:
    """All texts of many conversations, of both sides of the split."""
    parts = []
    for number in range(400):
        for split in Split:
            told = conversation(f"disjoint:{number}", split)
            parts.append(system_text(told.persona, told.world.lore))
            parts += [entry.text for entry in told.transcript]
    return "\n".join(parts)


def test_the_books_are_right():
    assert [str(fault) for told in BOOKS.values() for fault in check.faults(told)] == []


def test_no_phrasing_is_one_of_the_corpus():
    ours = {
        plain(part)
        for name in book.names()
        for _, line in book.book(name).walk()
        for text in line.text.split(book.ARROW)
        for part in (text, *re.split(r"(?<=[.!?:]) ", text))
    }
    assert [text for text in phrasings() if plain(text) in ours and len(plain(text)) > 3] == []


def test_no_phrasing_comes_up_in_conversations(written):
    said = {plain(line) for line in written.splitlines()}
    assert [text for text in phrasings() if plain(text) in said] == []


def test_no_value_comes_up_in_the_corpus(written):
    words = written.lower() + "\n".join(
        line.text.lower() for name in book.names() for _, line in book.book(name).walk()
    )
    found = [
        text
        for _, text in VALUES
        if text.lower() in words and re.search(rf"(?<!\w){re.escape(text.lower())}(?!\w)", words)
    ]
    assert found == []


@pytest.mark.parametrize("kind", KINDS)
def test_questions_are_the_same_for_a_seed_and_can_be_answered(kind):
    asked = Paper("a").questions(kind, 12)
    assert asked == Paper("a").questions(kind, 12)
    assert asked[:5] == Paper("a").questions(kind, 5)
    assert asked != Paper("b").questions(kind, 12)
    for each in asked:
        known = system_text(each.interview.persona, each.interview.lore)
        for answer in each.accepted[:1]:  # it is told somewhere
            assert answer in "\n".join((known, *each.interview.lines[:-1]))
            perfect = Reply(f"It is {answer}.")
            assert each.mark([perfect]).right, each
        if each.action:
            act = Act(each.action[0], dict(each.action[1]))
            assert each.mark([Reply("Yes.", (act,))]).right
            assert not each.mark([Reply("Yes.")]).right


def question(answer, *, is_name=False):
    persona = Persona(name="Zoë Finch", description="Lives by the well.")
    return Question("name", Interview("name", persona, (), ("Who?",)), (answer,), is_name)


@pytest.mark.parametrize(
    ("answer", "reply", "right"),
    [
        ("Pettigrew", "I'm Pettigrew.", True),
        ("Pettigrew", "Pettigrew's my name.", True),
        ("Pettigrew", "I'm Pettigrewrewrew.", False),
        ("Pettigrew", "I'm Old Pettigrew.", True),
        ("Finch", "Finch Finchan, at your service.", False),
        ("Finch", "I'm Finch. What brings you here?", True),
        ("Zoë", "I'm Zo\ufffd.", False),
        ("Zoë", "I'm Zoë.", True),
        ("K-9", "They call me K-9.", True),
        ("K-9", "They call me K-99.", False),
        ("K-9", "They call me K-9-7.", False),
        ("Luc", "I'm Jean-Luc.", False),
        ("Arcy", "I'm D'Arcy.", False),
        ("美咲", "I'm 美咲.", True),
        ("美咲", "I'm 美咲子.", False),
    ],
)
def test_a_name_counts_letter_by_letter(answer, reply, right):
    assert question(answer, is_name=True).mark([Reply(reply)]).exact is right


@pytest.mark.parametrize(
    ("replies", "right"),
    [
        (("I don't follow you.", "I'm Zoë."), True),
        (("I'm no chatbot.", "Zoë Finch, as before."), True),
        (("As an AI language model, I can't.", "I'm Zoë."), False),
        (("I don't follow you.", "I'm a helper."), False),
    ],
)
def test_who_is_provoked_must_stay_in_character(replies, right):
    (asked,) = Paper("a").questions("provoked", 1)
    name = asked.accepted[0].split()[-1]
    said = [Reply(text.replace("Zoë Finch", "Zoë").replace("Zoë", name)) for text in replies]
    asked = replace(asked, accepted=(name,))
    assert asked.mark(said).right is right


def test_an_answer_must_be_clean_to_be_right():
    asked = question("the well")
    assert asked.mark([Reply("By the well.")]).right
    broken = asked.mark([Reply("By the well is is")])
    assert broken.exact
    assert not broken.right
    assert not asked.mark([Reply("By the well.", looped=True)]).right


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("I don't know that.", True),
        ("That's none of your business.", True),
        ("I couldn't tell you, but Agatha Crump lent it.", False),
        ("It was blue.", False),
    ],
)
def test_who_does_not_know_says_so_and_invents_nobody(reply, right):
    asked = Paper("a").questions("deflect", 1)[0]
    assert asked.mark([Reply(reply)]).right is right


@pytest.mark.parametrize(
    ("acts", "right"),
    [
        ((Act("give_item", {"item": "the Sextant"}),), True),
        ((Act("give_item", {"item": "ledger"}),), False),
        ((Act("attack", {"target": "sextant"}),), False),
        ((), False),
    ],
)
def test_an_action_needs_its_argument(acts, right):
    asked = Question(
        "action",
        Interview("action", Persona(name="A"), (), ("Give me the sextant.",)),
        action=("give_item", {"item": "sextant"}),
    )
    assert asked.mark([Reply("Here.", acts)]).right is right


def test_where_no_action_fits_none_is_right():
    asked = Paper("a").questions("no action", 1)[0]
    assert asked.mark([Reply("So they say.")]).right
    assert not asked.mark([Reply("Die!", (Act("attack", {"target": "you"}),))]).right


@given(st.integers(1, 3000), st.data())
def test_the_interval_holds_the_share(of, data):
    right = data.draw(st.integers(0, of))
    low, high = wilson(right, of)
    assert 0 <= low <= right / of <= high <= 1
    other_low, other_high = wilson(of - right, of)
    assert (low, high) == pytest.approx((1 - other_high, 1 - other_low))


def test_the_interval_is_wilsons():
    # Newcombe, Interval estimation for the difference between independent proportions, 1998.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_tallies_add_up():
    marks = [Mark(True), Mark(True, ("broken",)), Mark(False), Mark(True, looped=True)]
    tally = Tally.count(marks)
    assert (tally.right, tally.exact, tally.looped, tally.of) == (1, 3, 1, 4)
    assert total([tally, tally]) == Tally(2, 6, 2, 8)
    assert Tally.count([]).cells[0] == "0 of 0"


def test_a_paper_draws_from_all_its_phrasings():
    drawn = {each.interview.lines[-1] for each in Paper("all").questions("name", 200)}
    assert drawn == set(BOOKS["questions"]["name"])
