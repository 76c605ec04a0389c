"""Prompts keep the token ids that the model has already computed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from townsfolk.dialogue import prompt
from townsfolk.dialogue.chat_template import ChatTemplate, Unit
from townsfolk.dialogue.encoding import PromptEncoder, Spellings
from townsfolk.dialogue.labels import SpeakerLabels
from townsfolk.dialogue.reply import ReplyText
from townsfolk.dialogue.transcript import TranscriptEntry
from townsfolk.text.tokenizer import Tokenizer

Load = Callable[[str | None], Tokenizer]
STYLES = ["llama3", "llama2", "zephyr", "mistral", "mistral-last", None]


def render(tokenizer: Tokenizer, *entries: dict) -> list[Unit]:
    messages = prompt.messages("You are Mira.", [TranscriptEntry(**entry) for entry in entries])
    return ChatTemplate(tokenizer).render(messages, "Mira")


HELLO = {"kind": "heard", "text": "Hello!"}
AGAIN = {"kind": "heard", "text": "Who are you?"}


def said(text: str, *, cut: bool = False) -> dict:
    return {"kind": "spoke", "speaker": "Mira", "text": text, "cut": cut}


def spelled(tokenizer: Tokenizer, word: str) -> list[int]:
    """The ids of a word letter by letter: not what the whole would be encoded to."""
    before = tokenizer.encode("x")
    return [i for letter in word for i in tokenizer.encode("x" + letter)[len(before) :]]


def letters(tokenizer: Tokenizer, ids: list[int]) -> str:
    """The text without white space: that before a reply is the model's affair."""
    return "".join(tokenizer.decode(ids).split())


@pytest.mark.parametrize("style", STYLES)
def test_a_reply_keeps_the_ids_that_were_generated(style: str | None, tokenizer: Load) -> None:
    vocabulary = tokenizer(style)
    encoder = PromptEncoder(vocabulary)
    first = encoder.encode(render(vocabulary, HELLO))
    generated = spelled(vocabulary, "innkeeper")
    text = vocabulary.decode(generated).strip()
    encoder.remember(first, generated)
    second = encoder.encode(render(vocabulary, HELLO, said(text), AGAIN))
    expected = [*first.token_ids, *generated]
    assert second.token_ids[: len(expected)] == expected
    fresh = PromptEncoder(vocabulary).encode(render(vocabulary, HELLO, said(text), AGAIN))
    assert second.token_ids != fresh.token_ids
    assert letters(vocabulary, second.token_ids) == letters(vocabulary, fresh.token_ids)


@pytest.mark.parametrize("style", STYLES)
def test_a_cut_reply_keeps_the_ids_before_the_cut(style: str | None, tokenizer: Load) -> None:
    vocabulary = tokenizer(style)
    encoder = PromptEncoder(vocabulary)
    first = encoder.encode(render(vocabulary, HELLO))
    generated = spelled(vocabulary, "innkeeper")
    encoder.remember(first, [*generated, *vocabulary.eos_ids])
    cut = vocabulary.decode(generated).strip()[:-2]
    second = encoder.encode(render(vocabulary, HELLO, said(cut, cut=True), AGAIN))
    kept = [*first.token_ids, *generated[:-2]]
    assert second.token_ids[: len(kept)] == kept
    fresh = PromptEncoder(vocabulary).encode(render(vocabulary, HELLO, said(cut, cut=True), AGAIN))
    assert letters(vocabulary, second.token_ids) == letters(vocabulary, fresh.token_ids)


@pytest.mark.parametrize("style", STYLES)
def test_control_tokens_that_the_model_drew_are_not_kept(
    style: str | None, tokenizer: Load
) -> None:
    vocabulary = tokenizer(style)
    encoder = PromptEncoder(vocabulary)
    first = encoder.encode(render(vocabulary, HELLO))
    name, control = min(vocabulary.special_tokens.items())
    # Drawn as a token, which has no text, then spelled, so that the text has its name after all.
    generated = [control, *spelled(vocabulary, name)]
    encoder.remember(first, generated)
    text = vocabulary.decode(generated).strip()
    units = render(vocabulary, HELLO, said(text), AGAIN)
    ids = encoder.encode(units).token_ids
    fresh = PromptEncoder(vocabulary).encode(units).token_ids
    assert list(filter(vocabulary.is_control, ids)) == list(filter(vocabulary.is_control, fresh))


@pytest.mark.parametrize("style", ["llama3", "llama2", None])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_the_text_is_that_of_a_fresh_encoding(
    style: str | None, data: st.DataObject, tokenizer: Load
) -> None:
    """Whatever the model drew and wherever it was cut: white space before replies aside."""
    vocabulary = tokenizer(style)
    encoder = PromptEncoder(vocabulary)
    entries = [HELLO]
    for _ in range(3):
        current = encoder.encode(render(vocabulary, *entries))
        ids = st.integers(0, vocabulary.vocab_size - 1)
        generated = data.draw(st.lists(ids, max_size=12))
        encoder.remember(current, generated)
        reply = ReplyText(SpeakerLabels("Mira"))
        text = reply.push(vocabulary.decode(generated)) + reply.finish()
        heard = data.draw(st.integers(0, len(text)))
        entries += [said(text[:heard], cut=True) if heard < len(text) else said(text or "Yes.")]
        entries += [AGAIN]
    units = render(vocabulary, *entries)
    kept = encoder.encode(units).token_ids
    fresh = PromptEncoder(vocabulary).encode(units).token_ids
    assert letters(vocabulary, kept) == letters(vocabulary, fresh)


@pytest.mark.parametrize("style", STYLES)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_conversation_opened_anew_has_the_ids_of_the_one_that_went_on(
    style: str | None, data: st.DataObject, tokenizer: Load
) -> None:
    """Whatever the model drew, wherever it was cut, and whatever was tried and failed."""
    vocabulary = tokenizer(style)
    spellings = Spellings(10_000)
    encoder = PromptEncoder(vocabulary, spellings)
    entries = [HELLO]
    for _ in range(3):
        encoder.encode(render(vocabulary, *entries, {"kind": "heard", "text": "never said"}))
        encoder.keep(None)
        current = encoder.encode(render(vocabulary, *entries))
        encoder.keep(current)
        ids = st.integers(0, vocabulary.vocab_size - 1)
        generated = data.draw(st.lists(ids, max_size=12))
        reply = ReplyText(SpeakerLabels("Mira"))
        text = reply.push(vocabulary.decode(generated)) + reply.finish()
        heard = data.draw(st.integers(0, len(text)))
        entries += [said(text[:heard], cut=True) if heard < len(text) else said(text or "Yes.")]
        entries += [AGAIN]
        encoder.remember(current, generated)
        encoder.keep(encoder.encode(render(vocabulary, *entries)))
    units = render(vocabulary, *entries)
    assert encoder.encode(units) == PromptEncoder(vocabulary, spellings).encode(units)


def test_nothing_of_what_failed_is_kept(tokenizer: Load) -> None:
    vocabulary = tokenizer("llama3")
    encoder = PromptEncoder(vocabulary)
    used = render(vocabulary, HELLO)
    encoder.keep(encoder.encode(used))
    for number in range(50):
        encoder.encode(render(vocabulary, {"kind": "heard", "text": f"Line {number}"}))
        encoder.keep(None)
    assert encoder.unknown_characters(used) == 0
    assert len(encoder._known) + len(encoder._tried) == len(set(used))


def test_spellings_keep_the_newest_within_their_limit() -> None:
    spellings = Spellings(10)
    units = [Unit("<|eot_id|>", f"Reply {number}") for number in range(6)]
    for number, unit in enumerate(units):
        spellings.note(unit, (number,) * 4)
    spellings.note(units[-1], (7,) * 6)
    assert [spellings.get(unit) for unit in units] == [None] * 4 + [(4,) * 4, (7,) * 6]


def test_only_new_units_are_encoded(tokenizer: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary = tokenizer("llama3")
    encoder = PromptEncoder(vocabulary)
    encoder.remember(encoder.encode(render(vocabulary, HELLO)), vocabulary.encode("the ale"))
    encoded: list[str] = []
    encode = vocabulary.encode

    def recording(text: str, **options: bool) -> list[int]:
        encoded.append(text)
        return encode(text, **options)

    monkeypatch.setattr(vocabulary, "encode", recording)
    encoder.encode(render(vocabulary, HELLO, said("the ale"), AGAIN))
    assert "Who are you?" in "".join(encoded)
    assert not any(old in "".join(encoded) for old in ("You are Mira", "Hello", "the ale"))
