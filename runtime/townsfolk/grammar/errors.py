"""What can go wrong with a grammar."""

from __future__ import annotations


class InvalidGrammarError(ValueError):
    """A grammar can't be used; the message names the field and says what is wrong with it."""


class GrammarFailedError(Exception):
    """A reply can't go on under its grammar: it is too complex, or nothing may follow."""
