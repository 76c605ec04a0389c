from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import townsfolk.starter
from hypothesis import given, settings
from hypothesis import strategies as st
from random_schemas import random_document
from townsfolk.grammar import (
    CompiledGrammar,
    Grammar,
    GrammarCompiler,
    GrammarKind,
    InvalidGrammarError,
    MaskRows,
)
from townsfolk.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_directory(Path(townsfolk.starter.__file__).parent / "model")


@pytest.fixture(scope="module")
def compiler(tokenizer):
    return GrammarCompiler(tokenizer, tokenizer.vocab_size, tokenizer.eos_ids)


def ends_validly(
    tokenizer: Tokenizer, compiler: GrammarCompiler, schema: dict, text: str, limit: int
) -> None:
    """Check that a reply that begins with a text comes to a valid end within so many tokens."""
    compiled, ids = compiler.compile(Grammar.json_schema(schema)), []
    matcher = compiled.matcher()
    ender = compiled.ender(matcher, limit)
    for token_id in tokenizer.encode(text, continues=True):
        end = ender.judge(token_id, limit - len(ids))
        if end is not None:
            ids += end
            break
        matcher.accept(token_id)
        ids.append(token_id)
    assert len(ids) <= limit
    jsonschema.validate(json.loads(tokenizer.decode(ids)), schema)


def accepts(tokenizer: Tokenizer, compiled: CompiledGrammar, text: str) -> bool:
    """Whether a text is complete under a grammar."""
    matcher = compiled.matcher()
    taken = matcher.raw.try_consume_tokens(tokenizer.encode(text, continues=True))
    return taken == len(tokenizer.encode(text, continues=True)) and matcher.is_complete


def walk(tokenizer: Tokenizer, compiled: CompiledGrammar, choose: random.Random, limit: int) -> str:
    """A reply of tokens drawn evenly from those allowed, brought to its end in time."""
    matcher, ids = compiled.matcher(), []
    ender = compiled.ender(matcher, limit)
    assert ender is not None
    for left in range(limit, 0, -1):
        masks, failed = MaskRows(tokenizer.vocab_size).fill([matcher])
        assert not failed
        bits = np.unpackbits(masks.view(np.uint8), bitorder="little")
        token_id = choose.choice(np.flatnonzero(bits).tolist())
        if token_id in tokenizer.eos_ids:
            assert matcher.is_complete
            break
        end = ender.judge(token_id, left)
        if end is not None:
            ids += end
            break
        matcher.accept(token_id)
        ids.append(token_id)
        if matcher.is_over:
            break
    return tokenizer.decode(ids)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_any_walk_under_a_schema_is_a_document_of_it(tokenizer, compiler, seed):
    choose = random.Random(seed)
    schema = random_document(choose)
    compiled = compiler.compile(Grammar.json_schema(schema))
    text = walk(tokenizer, compiled, choose, max(2 * compiled.shortest, 60))
    jsonschema.validate(json.loads(text), schema)
    assert "\n" not in text


@given(
    options=st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5, unique=True),
    seed=st.integers(0, 2**32),
)
def test_a_choice_is_one_of_those_given(tokenizer, compiler, options, seed):
    if any(0xD800 <= ord(letter) < 0xE000 for each in options for letter in each):
        return
    compiled = compiler.compile(Grammar.choices(options))
    for option in options:
        assert accepts(tokenizer, compiled, option)
    assert walk(tokenizer, compiled, random.Random(seed), 200) in options


def test_an_expression_is_matched_from_end_to_end(tokenizer, compiler):
    compiled = compiler.compile(Grammar.regex("[0-9]+ (gold|silver)"))
    assert accepts(tokenizer, compiled, "12 gold")
    for text in ("12", "x12 gold", "12 gold!", "12  gold"):
        assert not accepts(tokenizer, compiled, text)


def test_a_rule_of_lark_s_notation(tokenizer, compiler):
    compiled = compiler.compile(Grammar.lark('start: "buy " item\nitem: "ale" | "bread"'))
    assert accepts(tokenizer, compiled, "buy ale")
    assert not accepts(tokenizer, compiled, "buy cheese")


@pytest.mark.parametrize("text", ['{"a": 1}', '{"a": 1, "b": "x"}'])
def test_white_space_is_that_of_one_line(tokenizer, compiler, text):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}
    compiled = compiler.compile(Grammar.json_schema(schema))
    assert accepts(tokenizer, compiled, text)
    for other in (text.replace(": ", ":"), text.replace("{", "{ "), text + "\n", " " + text):
        assert not accepts(tokenizer, compiled, other)


def test_objects_get_no_properties_that_are_not_listed(tokenizer, compiler):
    listed = {"type": "object", "properties": {"a": {"type": "integer"}}}
    inside = {"type": "array", "items": {"anyOf": [listed]}}
    for schema, text in ((listed, '{"z": 1}'), (inside, '[{"z": 1}]')):
        assert not accepts(tokenizer, compiler.compile(Grammar.json_schema(schema)), text)
    open_ = {**listed, "additionalProperties": True}
    assert accepts(tokenizer, compiler.compile(Grammar.json_schema(open_)), '{"z": 1}')
    required = {**listed, "required": ["z"]}
    assert accepts(tokenizer, compiler.compile(Grammar.json_schema(required)), '{"z": 1}')


@pytest.mark.parametrize(
    ("kind", "source", "says"),
    [
        ("json_schema", '{"type": "strin"}', "strin"),
        ("json_schema", "{", "no JSON"),
        ("json_schema", '"text"', "must be an object"),
        ("json_schema", "false", "allows nothing"),
        ("json_schema", '{"not": {"type": "string"}}', "not"),
        ("json_schema", '{"type": "integer", "minimum": 5, "maximum": 3}', "minimum"),
        ("json_schema", '{"$ref": "http://example.com/x"}', "example.com"),
        ("json_schema", '{"type":"array","items":' * 400 + "{}" + "}" * 400, "json_schema"),
        ("json_schema", "[" * 30_000, "no JSON"),
        ("regex", "(", "unclosed group"),
        ("regex", "a(?=b)", "look-ahead"),
        ("lark", "start: foo", "foo"),
        ("lark", 'nope: "a"', "start"),
        ("lark", " ", "empty"),
        ("regex", "a" * 70_000, "65536"),
    ],
)
def test_what_is_wrong_is_said(compiler, kind, source, says):
    with pytest.raises(InvalidGrammarError, match=says) as caught:
        compiler.compile(Grammar(GrammarKind(kind), source))
    assert str(caught.value).startswith(f"grammar.{kind}: ")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("options", [[], ["a", "a"], ["a", ""], ["x"] * 2000])
def test_choices_that_can_t_be(options):
    with pytest.raises(InvalidGrammarError, match=r"grammar\.choices"):
        Grammar.choices(options)


def test_equal_grammars_are_compiled_once(compiler):
    schema = {"type": "object", "properties": {"once": {"type": "integer"}}}
    assert compiler.find(Grammar.json_schema(schema)) is None
    compiled = compiler.compile(Grammar.json_schema(schema))
    assert compiler.find(Grammar.json_schema(schema)) is compiled
    for number in range(100):
        compiler.compile(Grammar.regex(f"a{{{number + 1}}}"))
    assert compiler.find(Grammar.json_schema(schema)) is None


def test_masks_of_several_are_those_of_each(tokenizer, compiler):
    rows = MaskRows(tokenizer.vocab_size)
    sources = [Grammar.regex("[a-z]+"), Grammar.choices(["yes", "no"]), Grammar.json_schema({})]
    matchers = [compiler.compile(each).matcher() for each in sources]
    together, failed = rows.fill(matchers)
    assert not failed
    for matcher, mask in zip(matchers, together, strict=True):
        assert np.array_equal(rows.fill([matcher])[0][0], mask)


@pytest.mark.parametrize("items", [{}, {"minItems": 1}], ids=["empty at last", "never empty"])
def test_what_goes_ever_deeper_comes_to_its_end(tokenizer, compiler, items):
    node = {
        "type": "object",
        "properties": {"n": {"type": "string"}, "in": {"$ref": "#/$defs/list"}},
    }
    listed = {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}
    schema = {"$defs": {"node": node, "list": {**listed, **items}}, "$ref": "#/$defs/node"}
    ends_validly(tokenizer, compiler, schema, '{"n": ""' + ', "in": [{"n": ""' * 100, limit=240)


def test_brackets_of_many_to_a_token_come_to_their_end(tokenizer, compiler):
    schema = {
        "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}},
        "$ref": "#/$defs/a",
    }
    compiled = compiler.compile(Grammar.json_schema(schema))
    ids = [n for n in range(tokenizer.vocab_size) if set(tokenizer.token_bytes(n)) == {ord("[")}]
    widest = max(ids, key=lambda n: len(tokenizer.token_bytes(n)))
    matcher, taken, limit = compiled.matcher(), [], 200
    ender = compiled.ender(matcher, limit)
    while (end := ender.judge(widest, limit - len(taken))) is None:
        matcher.accept(widest)
        taken.append(widest)
    assert len(taken + end) <= limit
    jsonschema.validate(json.loads(tokenizer.decode(taken + end)), schema)


@pytest.mark.parametrize("begin", [10, 120])
def test_what_an_optional_part_requires_is_known_before_it_is_begun(tokenizer, compiler, begin):
    rest = {f"and the {n}th of them": {"const": f"it is {n}"} for n in range(12)}
    part = {"type": "object", "properties": {"line": {"type": "string"}, **rest}}
    part["required"] = [*part["properties"]]
    schema = {"type": "object", "properties": {"note": {"type": "string"}, "part": part}}
    text = '{"note": "' + "la " * begin + '", "part": {"line": "' + "la " * 400
    ends_validly(tokenizer, compiler, schema, text, limit=360)
