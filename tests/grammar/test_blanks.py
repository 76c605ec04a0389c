"""Texts in JSON don't fill up with white space."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import townsfolk.starter
from townsfolk.grammar import Grammar, GrammarCompiler, MaskRows
from townsfolk.grammar.blanks import MOST_BLANK
from townsfolk.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_directory(Path(townsfolk.starter.__file__).parent / "model")


@pytest.fixture(scope="module")
def compiler(tokenizer):
    return GrammarCompiler(tokenizer, tokenizer.vocab_size, tokenizer.eos_ids)


def stubborn(tokenizer, compiled, blanks, limit):
    """The reply of a model that likes these tokens best, then letters, and an end least."""
    matcher, ids = compiled.matcher(), []
    rows = MaskRows(tokenizer.vocab_size)
    letters = tokenizer.encode("x", continues=True)
    for _ in range(limit):
        masks, failed = rows.fill([matcher])
        assert not failed
        bits = np.unpackbits(masks.view(np.uint8), bitorder="little")
        allowed = np.flatnonzero(bits).tolist()
        wanted = [each for each in (*blanks, *letters) if bits[each]]
        token_id = wanted[0] if wanted else allowed[0]
        if token_id in tokenizer.eos_ids:
            break
        matcher.accept(token_id)
        ids.append(token_id)
    return b"".join(map(tokenizer.token_bytes, ids)).decode()


def blank_tokens(tokenizer, pattern):
    ids = range(tokenizer.vocab_size)
    found = [n for n in ids if re.fullmatch(pattern, tokenizer.token_bytes(n))]
    assert found
    return sorted(found, key=lambda n: -len(tokenizer.token_bytes(n)))


def test_a_model_that_writes_blanks_comes_to_other_things(tokenizer, compiler):
    compiled = compiler.compile(Grammar.json_schema({"type": "string"}))
    text = stubborn(tokenizer, compiled, blank_tokens(tokenizer, rb" +"), 200)
    longest = max(map(len, re.findall(" +", text)))
    assert MOST_BLANK <= longest < 2 * MOST_BLANK
    blanks = len(re.findall(" ", text))
    assert blanks < 4 * MOST_BLANK + len(text) / 2  # fewer in a row each time


def test_blanks_that_a_schema_wants_are_written(tokenizer, compiler):
    wanted = "a" + " " * (3 * MOST_BLANK) + "b"
    compiled = compiler.compile(Grammar.json_schema({"const": wanted}))
    text = stubborn(tokenizer, compiled, blank_tokens(tokenizer, rb" +"), 200)
    assert json.loads(text) == wanted


def test_other_grammars_are_left_alone(tokenizer, compiler):
    compiled = compiler.compile(Grammar.regex(" {100}"))
    text = stubborn(tokenizer, compiled, blank_tokens(tokenizer, rb" +"), 200)
    assert text == " " * 100
