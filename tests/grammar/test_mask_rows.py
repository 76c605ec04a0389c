"""Masks of a batch are those that llguidance computes for each reply alone."""

import random
from pathlib import Path

import numpy as np
import pytest
import townsfolk.starter
from hypothesis import given, settings
from hypothesis import strategies as st
from townsfolk.grammar import Grammar, GrammarCompiler, GrammarFailedError, MaskRows, mask_words
from townsfolk.text.tokenizer import Tokenizer

THING = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 9},
        "mood": {"enum": ["calm", "angry", "afraid", "merry and wise"]},
        "gold": {"type": "integer", "minimum": 0, "maximum": 500},
        "line": {"type": "string"},
        "weight": {"type": "number"},
    },
    "required": ["name", "mood"],
}
GRAMMARS = [
    Grammar.json_schema(THING),
    Grammar.json_schema({"type": "array", "items": THING}),
    Grammar.json_schema({"type": "string", "maxLength": 60}),
    Grammar.regex("[A-Z][a-z]+( of [A-Z][a-z]+)?, [0-9]{1,3} gold"),
    Grammar.lark('start: "buy " ("ale" | "bread" | "a very old sword")+'),
    Grammar.choices(["never", "never again", "not today", "ganz gewiß"]),
]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_directory(Path(townsfolk.starter.__file__).parent / "model")


@pytest.fixture(scope="module")
def compilers(tokenizer):
    """One that compiles a grammar once, and one that does so for each of three threads."""
    return [
        GrammarCompiler(tokenizer, tokenizer.vocab_size, tokenizer.eos_ids, threads)
        for threads in (1, 3)
    ]


class Row:
    """A reply of a batch, with what it has said."""

    def __init__(self, compiled, vocab_size, token_ids=()):
        self.vocab_size = vocab_size
        self.compiled, self.matcher, self.said = compiled, compiled.matcher(), [*token_ids]
        for token_id in token_ids:
            self.matcher.accept(token_id)

    def oracle(self):
        """The mask of what it has said, by llguidance alone."""
        fresh = self.compiled.matcher()
        assert fresh.raw.consume_tokens(self.said)
        words = mask_words(self.vocab_size)
        mask = np.frombuffer(fresh.raw.compute_bitmask(), dtype=np.int32)[:words].copy()
        if fresh.blanks is not None:
            for token_id in self.said:
                fresh.blanks.add(token_id)
            fresh.blanks.restrict(mask)
        return mask


def allowed(mask):
    return np.flatnonzero(np.unpackbits(mask.view(np.uint8), bitorder="little")).tolist()


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32), threads=st.sampled_from([1, 2]))
def test_rows_that_come_and_go_have_the_masks_that_each_has_alone(
    tokenizer, compilers, seed, threads
):
    choose = random.Random(seed)
    compiler = choose.choice(compilers)
    masks = MaskRows(tokenizer.vocab_size, threads)
    if choose.random() < 0.5:
        masks.use(np.full((6, mask_words(tokenizer.vocab_size)), -1, dtype=np.int32))
    size = tokenizer.vocab_size
    rows = [
        Row(compiler.compile(choose.choice(GRAMMARS)), size) for _ in range(choose.randint(1, 9))
    ]
    for _ in range(20):
        choose.shuffle(rows)
        found, failed = masks.fill([each.matcher for each in rows])
        assert not failed
        for row, mask in zip(rows, found, strict=True):
            assert np.array_equal(mask, row.oracle())
        drawn = [choose.choice(allowed(mask)) for mask in found]
        ahead = [n for n in range(len(rows)) if choose.random() < 0.7]
        masks.go_on([rows[n].matcher for n in ahead], [drawn[n] for n in ahead])
        over = []
        for number, (row, token_id) in enumerate(zip(rows, drawn, strict=True)):
            row.matcher.accept(token_id)
            row.said.append(token_id)
            if row.matcher.is_over or token_id in tokenizer.eos_ids or choose.random() < 0.05:
                over.append(number)  # it ends, or its request is cancelled
        rows = [row for number, row in enumerate(rows) if number not in over]
        while len(rows) < 10 and choose.random() < 0.4:  # others join, some with a beginning
            other = choose.choice(rows) if rows else None
            said = other.said[: choose.randint(0, len(other.said))] if other else []
            compiled = other.compiled if other else compiler.compile(GRAMMARS[0])
            rows.append(Row(compiled, size, said))
        if not rows:
            return


def test_a_token_that_does_not_follow_fails_its_own_row_only(tokenizer, compilers):
    compiled = compilers[1].compile(GRAMMARS[0])
    rows = [Row(compiled, tokenizer.vocab_size) for _ in range(6)]
    masks = MaskRows(tokenizer.vocab_size)
    found, _ = masks.fill([each.matcher for each in rows])
    good = allowed(found[0])[0]
    bad = next(n for n in range(tokenizer.vocab_size) if n not in allowed(found[2]))
    drawn = [bad if number == 2 else good for number in range(len(rows))]
    masks.go_on([each.matcher for each in rows], drawn)
    for number, row in enumerate(rows):
        if number == 2:
            with pytest.raises(GrammarFailedError):
                row.matcher.accept(bad)
        else:
            row.matcher.accept(good)
            row.said.append(good)
    del rows[2]
    found, failed = masks.fill([each.matcher for each in rows])
    assert not failed
    for row, mask in zip(rows, found, strict=True):
        assert np.array_equal(mask, row.oracle())


def test_another_token_than_the_one_that_was_forced_forgets_what_was_to_follow(
    tokenizer, compilers
):
    """A matcher that was told what must follow, and is then given something else, is not misled."""
    compiled = compilers[0].compile(Grammar.choices(["the old sword"]))
    row = Row(compiled, tokenizer.vocab_size)
    forced = row.matcher.forced()
    assert tokenizer.decode(forced[:1]) == "the"
    (other,) = tokenizer.encode("t", continues=True)
    row.matcher.accept(other)
    row.said.append(other)
    assert tokenizer.decode([other, *row.matcher.forced()]) == "the old sword"
    found, failed = MaskRows(tokenizer.vocab_size).fill([row.matcher])
    assert not failed
    assert np.array_equal(found[0], row.oracle())
