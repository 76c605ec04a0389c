"""SentencePiece's own vocabularies, as GGUF files hold them, against SentencePiece."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from nasty_strings import nasty_strings
from real_files import packaged
from sentencepiece import SentencePieceProcessor
from townsfolk.text import Tokenizer
from townsfolk.text.gguf import tokenizer_files

NAMES = (
    "tokenizer.model.v1",
    "mistral_instruct_tokenizer_240323.model.v3",
    "mistral_instruct_tokenizer_241114.model.v7",
)
names = pytest.mark.parametrize("name", NAMES)
_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6


@pytest.fixture(autouse=True, scope="module")
def _forget() -> Iterator[None]:
    yield
    load.cache_clear()
    reference.cache_clear()


@cache
def reference(name: str) -> SentencePieceProcessor:
    return SentencePieceProcessor(model_file=str(packaged("mistral-common") / name))


@cache
def load(name: str) -> Tokenizer:
    processor = reference(name)
    ids = range(processor.vocab_size())

    def kind(token_id: int) -> int:
        if processor.is_byte(token_id):
            return _BYTE
        if processor.is_unknown(token_id):
            return _UNKNOWN
        return _CONTROL if processor.is_control(token_id) else _NORMAL

    metadata = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [processor.id_to_piece(i) for i in ids],
        "tokenizer.ggml.scores": np.array([processor.get_score(i) for i in ids], np.float32),
        "tokenizer.ggml.token_type": np.array([kind(i) for i in ids], np.int32),
        "tokenizer.ggml.bos_token_id": processor.bos_id(),
        "tokenizer.ggml.eos_token_id": processor.eos_id(),
        "tokenizer.ggml.unknown_token_id": processor.unk_id(),
    }
    return Tokenizer(tokenizer_files(metadata))


@names
def test_ids_are_those_of_sentencepiece(name: str) -> None:
    wrong = [
        text
        for text in nasty_strings()
        # SentencePiece itself takes a zero for the end, and writes no sign of its own for a space.
        if "\x00" not in text
        and "\u2581" not in text
        and load(name).encode(text) != reference(name).encode(text)
    ]
    assert not wrong


@names
def test_text_comes_back(name: str) -> None:
    for text in nasty_strings():
        if "\u2581" not in text:
            assert load(name).decode(load(name).encode(text)) == text


@names
def test_a_raw_text_begins_with_its_token(name: str) -> None:
    assert load(name).prefix_ids == (reference(name).bos_id(),)
