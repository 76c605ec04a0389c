import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from townsfolk.training.tokenizer import CONTROL_TOKENS


@pytest.fixture(scope="module")
def tokenizer(folder) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@given(text=st.text())
def test_any_text_comes_back(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    if not any(token in text for token in CONTROL_TOKENS):
        assert tokenizer.decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("name", ["Thorvald", "Zyx", "Ána", "Ångström"])
def test_a_name_has_the_same_tokens_everywhere(tokenizer, name):
    alone = tokenizer.encode(name).ids
    for before in ("Hello, ", "I am ", '"', "\n", "(", " "):
        assert tokenizer.encode(before + name).ids[-len(alone) :] == alone


def test_digits_stand_alone(tokenizer):
    assert len(tokenizer.encode("12345").ids) == 5


def test_control_tokens_come_first(folder, tokenizer):
    assert [tokenizer.token_to_id(token) for token in CONTROL_TOKENS] == list(range(5))
    generation = json.loads((folder / "generation_config.json").read_text())
    assert generation["eos_token_id"] == [4, 1]
