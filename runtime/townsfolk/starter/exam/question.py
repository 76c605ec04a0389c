"""Questions of the exam, and what a right answer to each is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from townsfolk.dialogue.prompt import system_text
from townsfolk.starter import form
from townsfolk.starter.interview import Interview
from townsfolk.starter.reply import Reply

_WORD = re.compile(r"\w+(?:['\u2019-]\w+)*")
_LATER_CAPITAL = re.compile(r"(?<=[a-z,;] )[A-Z][\w'\u2019-]+")
_ANOTHER_NAME = re.compile(r" [A-Z][\w'\u2019-]")
_ARTICLE = re.compile(r"^(?:an?|the|my|your|this|that)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Mark:
    """What an answer is worth.

    Attributes:
        exact: What was asked for stands in it, letter for letter, and nothing runs on behind it.
        faults: What is broken about it; empty when it is clean.
        looped: It went round in circles or ran to the limit.
    """

    exact: bool
    faults: tuple[str, ...] = ()
    looped: bool = False

    @property
    def right(self) -> bool:
        """Whether it is right and cleanly said."""
        return self.exact and not self.faults and not self.looped


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the exam.

    Attributes:
        kind: Such as ``name``.
        interview: Whom to ask, and what to say, line by line; the last line is the question.
        accepted: An answer has one of these. Empty where it must own up to not knowing.
        is_name: Whether what is asked for is a name, behind which no other may follow.
        owns_up: One of these words is in an answer that owns up to not knowing.
        gives_away: None of these may be in any reply, in small letters,:
            they are words of somebody who has stepped out of the character.
        action: The action that fits, with its arguments; None where none does.
    """

    kind: str
    interview: Interview
    accepted: tuple[str, ...] = ()
    is_name: bool = False
    owns_up: frozenset[str] = frozenset()
    gives_away: frozenset[str] = frozenset()
    action: tuple[str, Mapping[str, str]] | None = None

    def mark(self, replies: Sequence[Reply]) -> Mark:
        """Return what the answer to the last line is worth."""
        reply = replies[-1]
        if self.kind in ACTING:
            return self._mark_action(reply)
        heard = [*self.interview.lines, *(each.text for each in replies[:-1])]
        context = [system_text(self.interview.persona, self.interview.lore), *heard]
        faults = tuple(form.broken(reply.text, context))
        if self.owns_up:
            exact = self._owns_up(reply.text, "\n".join(context))
        else:
            exact = any(self._says(text, reply.text) for text in self.accepted)
        if any(text in each.text.lower() for text in self.gives_away for each in replies):
            exact = False
        return Mark(exact, faults, reply.looped)

    def _says(self, text: str, reply: str) -> bool:
        """Return whether a reply has this text as whole words, and no other name behind a name.

        Case counts but for a first letter, which a sentence may have changed.
        """
        spellings = (text, text[0].swapcase() + text[1:])
        found = [match for each in spellings for match in re.finditer(_bounded(each), reply)]
        if self.is_name:
            return any(not _ANOTHER_NAME.match(reply, match.end()) for match in found)
        return bool(found)

    def _owns_up(self, reply: str, context: str) -> bool:
        words = {word.lower() for word in _WORD.findall(reply.replace("\u2019", "'"))}
        invented = [name for name in _LATER_CAPITAL.findall(reply) if name not in context]
        return bool(words & self.owns_up) and not invented

    def _mark_action(self, reply: Reply) -> Mark:
        if self.action is None:
            return Mark(not reply.acts, looped=reply.looped)
        name, wanted = self.action
        right = any(
            act.name == name
            and all(_same(act.arguments.get(key), value) for key, value in wanted.items())
            for act in reply.acts
        )
        return Mark(right, looped=reply.looped)

    def told(self, replies: Sequence[Reply], mark: Mark) -> str:
        """Return in a line what was asked, said and expected."""
        wanted = self.action or (self.accepted[0] if self.accepted else "that it can't know")
        did = f" and did {[(act.name, dict(act.arguments)) for act in replies[-1].acts]}"
        return (
            f"{self.interview.persona.name}: {self.interview.lines[-1]!r} -> {replies[-1].text!r}"
            f"{did if replies[-1].acts else ''}, not {wanted!r}"
            f"{'; ' + '; '.join(mark.faults) if mark.faults else ''}"
        )

    def right_action(self, reply: Reply) -> bool:
        """Return whether the action is right, whatever its arguments are."""
        return self.action is not None and any(act.name == self.action[0] for act in reply.acts)


ACTING = ("action", "no action")
"""Kinds of which not the words count but what is done."""


def _bounded(text: str) -> str:
    """Return the pattern of a text that is no part of a longer word; a genitive's is fine."""
    return rf"(?<![\w'\u2019-]){re.escape(text)}(?!\w|[-'\u2019](?!s\b)\w)"


def _same(said: object, wanted: str) -> bool:
    """Return whether an argument is what was asked for, but for articles and letter case."""
    text = _ARTICLE.sub("", str(said).strip()).casefold()
    return text == wanted.casefold()
