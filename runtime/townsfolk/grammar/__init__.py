"""What a reply must be, as masks over the vocabulary.

It is said by a JSON Schema, a regular expression, a grammar in Lark's notation, or a few choices.
"""

from townsfolk.grammar.compiler import CompiledGrammar, GrammarCompiler, Vocabulary
from townsfolk.grammar.errors import GrammarFailedError, InvalidGrammarError
from townsfolk.grammar.matcher import MaskRows, Matcher, mask_words
from townsfolk.grammar.source import Grammar, GrammarKind

__all__ = [
    "CompiledGrammar",
    "Grammar",
    "GrammarCompiler",
    "GrammarFailedError",
    "GrammarKind",
    "InvalidGrammarError",
    "MaskRows",
    "Matcher",
    "Vocabulary",
    "mask_words",
]
