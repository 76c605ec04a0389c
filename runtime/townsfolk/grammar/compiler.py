"""From a grammar's text to what follows a reply token by token."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # only who uses grammars has to wait for the library, or to have it
    from llguidance import LLMatcher, LLParserLimits, LLTokenizer
    from llguidance._lib import JsonCompileOptions

from townsfolk.grammar.blanks import BlankCount, Blanks
from townsfolk.grammar.ending import Ender, EndFinder
from townsfolk.grammar.errors import InvalidGrammarError
from townsfolk.grammar.matcher import Matcher, mask_words
from townsfolk.grammar.schema import fullest, parse_schema
from townsfolk.grammar.source import Grammar, GrammarKind
from townsfolk.grammar.threads import most_threads

MAX_KEPT = 64
"""Compiled grammars that are kept."""

# As json.dumps writes, and most JSON that models have seen. Nothing else is white space: a model
# that may write any amount of it can go on for ever.
_JSON_STYLE: JsonCompileOptions = {
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
}
_MOST_STATES = 50_000  # 1 to 2 KB each
_MOST_SYMBOLS = 200_000
_MOST_ITEMS = 50_000  # of a mask: 2.5 ms
_MOST_FUEL = 200_000  # of a mask: 14 ms
# Tokens of so many letters are known to fit into a text as one, instead of each being tried. Where
# the lengths stop at 10, a mask of a text that has a limit takes eight times as long in a real
# vocabulary, whose tokens have up to 128. More of them take memory.
_LETTER = r'[^"\\\x00-\x1F\x7F]'
_SLICES = [
    r"[\x20\x0A\x0D\x09]+",
    *(f"{_LETTER}{{1,{most}}}" for most in (2, 5, 8, 12, 20, 40)),
]
_QUICK_S = 0.005  # a grammar that is compiled in less is compiled once for each thread of masks
_MOST_LEXERS = 4  # of a grammar; each takes some 100 KB, and three times as much in use
_MOST_TEXTS = 4096  # whose tokens are kept
_MOST_REASON = 400  # characters of a message


@dataclass(frozen=True, slots=True, eq=False)
class CompiledGrammar:
    """A grammar that is ready for a model's vocabulary.

    Attributes:
        grammar: what it was made from.
        shortest: tokens of a short reply; None where none was found.
        fullest: bytes of a reply with all that is optional, of a schema; else 0.
        _prototypes: follow no reply yet; each has a lexer, for which its copies wait in turn.
        _finder: of ends.
        _blanks: of the vocabulary, where a reply must not fill up with them.
        _numbers: of replies.
    """

    grammar: Grammar
    shortest: int | None
    fullest: int
    _prototypes: tuple[LLMatcher, ...]
    _finder: EndFinder
    _blanks: Blanks | None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def matcher(self) -> Matcher:
        """Return what follows one reply."""
        blanks = None if self._blanks is None else BlankCount(self._blanks)
        prototype = self._prototypes[next(self._numbers) % len(self._prototypes)]
        return Matcher(prototype.deep_copy(), blanks, id(prototype))

    def ender(self, matcher: Matcher, limit: int) -> Ender | None:
        """Return what brings a reply to its end within so many tokens, where that can be done."""
        if self.shortest is None or self.shortest > limit:
            return None
        return Ender(self._finder, matcher, max(2 * self.shortest, self.fullest), limit)


class Vocabulary(Protocol):
    """What a grammar has to know of a tokenizer."""

    @property
    def vocab_size(self) -> int:
        """Largest token id plus one."""

    @property
    def bos_id(self) -> int | None:
        """The token that begins a text."""

    @property
    def special_tokens(self) -> Mapping[str, int]:
        """Tokens that mean something besides their letters."""

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes that a token stands for."""

    def encode(self, text: str, *, continues: bool = False) -> list[int]:
        """Return the tokens of a text."""


class GrammarCompiler:
    """Compiles grammars for one vocabulary, and keeps the latest; methods are for any thread.

    A grammar takes milliseconds, a large one a second, and the vocabulary's own table as long with
    the first: none of it is for an event loop.
    """

    def __init__(
        self,
        tokenizer: Vocabulary,
        vocab_size: int,
        eos_ids: Collection[int],
        threads: int | None = None,
    ) -> None:
        """Take a model's vocabulary.

        Args:
            tokenizer: its tokens, as those of `text.tokenizer`.
            vocab_size: of its logits.
            eos_ids: tokens that end a reply, which a grammar allows where it is complete.
            threads: that may compute masks of a grammar at once; the machine's if not given.
        """
        self._tokenizer = tokenizer
        self._vocab_size = vocab_size
        self._eos_ids = sorted(each for each in eos_ids if each < vocab_size)
        self._lexers = min(most_threads() if threads is None else threads, _MOST_LEXERS)
        self._lock = threading.Lock()
        self._table: tuple[LLTokenizer, EndFinder, Blanks] | None = None
        self._known: OrderedDict[Grammar, CompiledGrammar] = OrderedDict()

    def find(self, grammar: Grammar) -> CompiledGrammar | None:
        """Return a grammar that was compiled before, at once."""
        with self._lock:
            found = self._known.get(grammar)
            if found is not None:
                self._known.move_to_end(grammar)
            return found

    def compile(self, grammar: Grammar) -> CompiledGrammar:
        """Return a grammar, ready for use.

        Raises:
            InvalidGrammarError: it can't be used; the message says why.
        """
        found = self.find(grammar)
        if found is not None:
            return found
        from llguidance import LLMatcher

        table, finder, blanks = self._vocabulary()
        text, begin = _text(grammar), time.perf_counter()
        prototype = LLMatcher(table, text, log_level=0, limits=_limits())
        if prototype.is_error():
            raise InvalidGrammarError(_reason(grammar.kind, prototype.get_error()))
        copies = self._lexers - 1 if time.perf_counter() - begin < _QUICK_S else 0
        others = (LLMatcher(table, text, log_level=0, limits=_limits()) for _ in range(copies))
        end = finder.find(prototype)
        shortest = None if end is None else len(end)
        is_schema = grammar.kind is GrammarKind.JSON_SCHEMA
        full = fullest(parse_schema(grammar.source)) if is_schema else 0
        compiled = CompiledGrammar(
            grammar, shortest, full, (prototype, *others), finder, blanks if is_schema else None
        )
        with self._lock:
            self._known[grammar] = compiled
            while len(self._known) > MAX_KEPT:
                self._known.popitem(last=False)
        return compiled

    def _vocabulary(self) -> tuple[LLTokenizer, EndFinder, Blanks]:
        if not self._eos_ids:
            raise InvalidGrammarError("grammar: this model has no token that ends a reply")
        table = self._table
        if table is None:
            from llguidance import LLTokenizer
            from llguidance._tokenizer import TokenizerWrapper

            words = _Words(self._tokenizer, self._eos_ids[0])
            llg = LLTokenizer(
                TokenizerWrapper(words),
                n_vocab=self._vocab_size,
                eos_token=self._eos_ids,
                slices=_SLICES,
            )
            finder = EndFinder(words.bytes_ids(), words.nesting(), self._eos_ids[0])
            blanks = Blanks.of(words.tokens[: self._vocab_size], mask_words(self._vocab_size))
            table = self._table = (llg, finder, blanks)
        return table


class _Words:
    """A vocabulary as llguidance asks for it."""

    def __init__(self, tokenizer: Vocabulary, eos_id: int) -> None:
        self.eos_token_id = eos_id
        self.bos_token_id = tokenizer.bos_id
        self.tokens = [tokenizer.token_bytes(each) for each in range(tokenizer.vocab_size)]
        self.special_token_ids = [*tokenizer.special_tokens.values()]
        self._tokenizer = tokenizer
        self._known: dict[bytes, list[int]] = {}  # what schemas spell out comes again and again

    def bytes_ids(self) -> dict[int, int]:
        """Return the tokens of a single byte, by it."""
        special = {*self.special_token_ids}
        return {
            data[0]: token_id
            for token_id, data in reversed([*enumerate(self.tokens)])
            if len(data) == 1 and token_id not in special
        }

    def nesting(self) -> dict[int, int]:
        """Return how many brackets of JSON a token opens more than it closes, of those with any."""
        found = {}
        for token_id, data in enumerate(self.tokens):
            opened = data.count(b"[") + data.count(b"{") - data.count(b"]") - data.count(b"}")
            if opened:
                found[token_id] = opened
        return found

    def __call__(self, text: bytes) -> list[int]:
        ids = self._known.get(text)
        if ids is None:
            if len(self._known) >= _MOST_TEXTS:
                self._known.clear()
            ids = self._tokenizer.encode(text.decode("utf-8", errors="replace"), continues=True)
            self._known[text] = ids
        return ids


def _text(grammar: Grammar) -> str:
    """Return a grammar in llguidance's notation."""
    from llguidance import LLMatcher

    source = grammar.source
    match grammar.kind:
        case GrammarKind.JSON_SCHEMA:
            schema = parse_schema(source)
            try:
                return LLMatcher.grammar_from_json_schema(schema, overrides=_JSON_STYLE)
            except (ValueError, RecursionError) as error:
                raise InvalidGrammarError(_reason(grammar.kind, str(error))) from None
        case GrammarKind.REGEX:
            return LLMatcher.grammar_from_regex(source)
        case GrammarKind.LARK:
            return LLMatcher.grammar_from_lark(source)
        case GrammarKind.CHOICES:
            options = " | ".join(json.dumps(each) for each in json.loads(source))
            return LLMatcher.grammar_from_lark(f"start: {options}")


def _limits() -> LLParserLimits:
    from llguidance import LLParserLimits

    return LLParserLimits(
        max_lexer_states=_MOST_STATES,
        max_grammar_size=_MOST_SYMBOLS,
        step_max_items=_MOST_ITEMS,
        step_lexer_fuel=_MOST_FUEL,
        verbose_errors=False,
    )


def _reason(kind: GrammarKind, error: str) -> str:
    """Return what is wrong, in a few lines."""
    if kind is GrammarKind.REGEX:  # without the rule that it stands in
        error = error.rpartition("(in regex): ")[2]
        error = re.sub(r"(?m)^ *(\d+ )? *\|.*$(\n *\^$)?", "", error)
    lines = [line.rstrip() for line in error.strip().splitlines() if line.strip()]
    text = re.sub(r"^at (\d+)\((\d+)\): ", r"line \1, column \2: ", "\n".join(lines))
    text = text if len(text) <= _MOST_REASON else text[:_MOST_REASON] + "…"
    return f"grammar.{kind.value}: {text}"
