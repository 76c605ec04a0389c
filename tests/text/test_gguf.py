"""Tokenizers of GGUF files, against those of Hugging Face from which they were made."""

from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
import small_tokenizers
from gguf_files import tokenizer_metadata
from hypothesis import given
from hypothesis import strategies as st
from townsfolk.text import Tokenizer, TokenizerError
from townsfolk.text.gguf import tokenizer_files
from townsfolk.text.vocabulary import BYTE_ALPHABET

FORMS = {
    "byte-level": small_tokenizers.byte_level,
    "sentencepiece": partial(small_tokenizers.byte_fallback, form="normalizer"),
}
forms = pytest.mark.parametrize("form", FORMS)
texts = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(["innkeeper", " gold", "<s>", "<|eot_id|>", "  ", "\n", "12", "\u2581"]),
    ),
    max_size=8,
).map("".join)


@cache
def directory(form: str) -> Path:
    return FORMS[form](Path(mkdtemp(prefix="townsfolk-test-")))


@cache
def original(form: str) -> Tokenizer:
    return Tokenizer.from_directory(directory(form))


def metadata(form: str) -> dict:
    """As the reader gives it: numbers come as arrays."""
    return tokenizer_metadata(directory(form))


@cache
def loaded(form: str) -> Tokenizer:
    return Tokenizer(tokenizer_files(metadata(form)))


@forms
@given(text=texts)
def test_ids_and_texts_are_the_same(form: str, text: str) -> None:
    ids = loaded(form).encode(text, specials=True)
    assert ids == original(form).encode(text, specials=True)
    assert loaded(form).decode(ids) == original(form).decode(ids)
    assert loaded(form).encode(text) == original(form).encode(text)


@forms
def test_what_else_it_says_is_the_same(form: str) -> None:
    ours, theirs = loaded(form), original(form)
    assert ours.vocab_size == theirs.vocab_size
    assert ours.special_tokens == theirs.special_tokens
    assert ours.prefix_ids == theirs.prefix_ids
    assert ours.chat_template == theirs.chat_template
    assert ours.named_tokens["bos_token"] == theirs.named_tokens["bos_token"]


def test_the_ends_are_those_of_text_of_turn_and_of_message() -> None:
    more = {"tokenizer.ggml.eot_token_id": 5, "tokenizer.ggml.eom_token_id": 6}
    files = tokenizer_files({**metadata("byte-level"), **more})
    assert Tokenizer(files).eos_ids >= {5, 6}


@pytest.mark.parametrize("adds", [True, False])
@forms
def test_the_file_says_whether_a_text_begins_with_a_token(form: str, adds: bool) -> None:
    files = tokenizer_files({**metadata(form), "tokenizer.ggml.add_bos_token": adds})
    tokenizer = Tokenizer(files)
    assert tokenizer.prefix_ids == ((tokenizer.bos_id,) if adds else ())


def test_without_a_space_before_a_text() -> None:
    more = {"tokenizer.ggml.add_space_prefix": False}
    tokenizer = Tokenizer(tokenizer_files({**metadata("sentencepiece"), **more}))
    assert not tokenizer.adds_prefix_space
    assert tokenizer.decode(tokenizer.encode(" gold")) == " gold"
    assert tokenizer.encode("gold") != loaded("sentencepiece").encode("gold")


def test_tokens_of_users_are_found_in_text_but_are_no_control_tokens() -> None:
    changed = metadata("byte-level")
    token_id = len(changed["tokenizer.ggml.tokens"])
    changed["tokenizer.ggml.tokens"] = [*changed["tokenizer.ggml.tokens"], "<gesture>"]
    kinds = changed["tokenizer.ggml.token_type"]
    changed["tokenizer.ggml.token_type"] = np.append(kinds, np.int32(4))
    tokenizer = Tokenizer(tokenizer_files(changed))
    assert token_id in tokenizer.encode("a <gesture>")
    assert not tokenizer.is_control(token_id)


@pytest.mark.parametrize("controls", ["last", "first"])
def test_whole_words_are_looked_up_but_no_control_token(controls: str) -> None:
    """The file has control tokens among the others; a word that is a token needs no merges."""
    alphabet, control = list(BYTE_ALPHABET), "xyzzy"
    words = [*alphabet, "gold"]
    tokens = [*words, control] if controls == "last" else [control, *words]
    changed = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "llama-bpe",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": np.array([3 if t == control else 1 for t in tokens]),
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.eos_token_id": tokens.index(control),
    }
    tokenizer = Tokenizer(tokenizer_files(changed))
    if controls == "last":
        assert tokenizer.encode("gold") == [tokens.index("gold")]
    assert tokens.index(control) not in tokenizer.encode(control)
    assert tokenizer.encode(control, specials=True) == [tokens.index(control)]
    assert tokenizer.decode(tokenizer.encode(f"gold {control}")) == f"gold {control}"


def test_templates_without_a_default_are_told(caplog: pytest.LogCaptureFixture) -> None:
    changed = {**metadata("byte-level"), "tokenizer.chat_templates": ["rag", "tool_use"]}
    del changed["tokenizer.chat_template"]
    assert tokenizer_files(changed).chat_template is None
    assert "rag, tool_use" in caplog.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tokenizer.ggml.model": "bert"}, "'bert'; llama and gpt2"),
        ({"tokenizer.ggml.model": None}, "tokenizer.ggml.model must be a text"),
        ({"tokenizer.ggml.pre": "elvish"}, "'elvish', a way to cut words that is not known"),
        ({"tokenizer.ggml.tokens": None}, "tokens must be a list of texts"),
        ({"tokenizer.ggml.tokens": np.arange(4)}, "tokens must be a list of texts"),
        ({"tokenizer.ggml.token_type": np.arange(4)}, "has 4 numbers for"),
        ({"tokenizer.ggml.token_type": "all"}, "has 0 numbers for"),
        ({"tokenizer.ggml.merges": np.arange(4)}, "merges must be a list of texts"),
        ({"tokenizer.ggml.bos_token_id": 10**6}, "bos_token_id is 1000000, but there are"),
        ({"tokenizer.ggml.bos_token_id": "1"}, "bos_token_id is '1'"),
        ({"tokenizer.ggml.add_bos_token": 1}, "must be true or false"),
        ({"tokenizer.chat_template": 7}, "tokenizer.chat_template must be a text"),
    ],
)
def test_what_is_broken_or_not_supported_is_told(changes: dict, said: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        Tokenizer(tokenizer_files({**metadata("byte-level"), **changes}))
    assert said in str(caught.value)


def test_merges_of_pieces_that_are_not_there_are_left_out() -> None:
    changed = metadata("byte-level")
    changed["tokenizer.ggml.merges"] = ["q\u4e2d z", "nothing", *changed["tokenizer.ggml.merges"]]
    assert Tokenizer(tokenizer_files(changed)).encode("gold") == original("byte-level").encode(
        "gold"
    )
