"""What makes a reply broken: a rule for each way a small model fails to write a sentence."""

import re
from collections.abc import Iterable

from townsfolk.starter.corpus.conversation import conversation

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_END = re.compile(r"""[.!?…]["')*]*$""")
_DOUBLED = re.compile(r"\b([^\W\d_]+) \1\b", re.IGNORECASE)
_ARTICLE = re.compile(r"\b(?:(a) [aeio]\w|(an) [^aeiouh\W\d])", re.IGNORECASE)
_MAY_DOUBLE = frozenset(("ha", "ho", "la", "hee", "aye", "blah", "well", "no", "wait", "there"))
_VOCABULARY_CONVERSATIONS = 10_000


def words(text: str) -> set[str]:
    """Return the words of a text in lower case."""
    return {match.lower().removesuffix("'s") for match in _WORD.findall(text)}


def _plurals(word: str) -> set[str]:
    """Return what the word may be the plural of."""
    return {
        word.removesuffix("s"),
        word.removesuffix("es"),
        word.removesuffix("ies") + "y",
        word.removesuffix("men") + "man",
    } - {word}


def vocabulary() -> set[str]:
    """Return the words of the corpus' replies."""
    found: set[str] = set()
    for index in range(_VOCABULARY_CONVERSATIONS):
        for entry in conversation(f"vocabulary:{index}").transcript:
            found |= words(entry.text)
    return found


def faults(reply: str, known: set[str], context: Iterable[str]) -> list[str]:
    """Return what is broken about a reply; empty when nothing is.

    Args:
        reply: The whole reply.
        known: The corpus' words.
        context: Persona, lore and conversation: their words may be used too.
    """
    found = broken(reply, context := list(context))
    known = known | words("\n".join(context))
    unknown = {word for word in words(reply) - known if not _plurals(word) & known}
    if unknown:
        found.append(f"words from nowhere: {', '.join(sorted(unknown))}")
    return found


def broken(reply: str, context: Iterable[str]) -> list[str]:
    """Return what is broken about a reply, whatever its words are; empty when nothing is.

    Args:
        reply: The whole reply.
        context: Persona, lore and conversation: what stands in them may be said again.
    """
    if not reply.strip():
        return ["it is empty"]
    found = []
    context_text = "\n".join(context)
    if not _END.search(reply):
        found.append("it does not end with a full stop, an exclamation mark or a question mark")
    for match in _DOUBLED.finditer(reply):
        if (
            match.group(1).lower() not in _MAY_DOUBLE
            and match.group().lower() not in context_text.lower()
        ):
            found.append(f"a doubled word: {match.group()}")
    if reply.count('"') % 2:
        found.append("unbalanced quotation marks")
    article = _ARTICLE.search(reply)
    if article and article.group().lower() not in context_text.lower():
        found.append(f"a wrong article: {article.group()}...")
    if reply[0].islower() and reply.split()[0].strip(",.!?") not in context_text:
        found.append("it begins with a small letter")
    if "�" in reply or "<|" in reply:
        found.append("characters that are no text")
    return found
