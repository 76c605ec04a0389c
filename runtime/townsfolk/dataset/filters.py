"""What a reply must not be to be learned from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import yaml

from townsfolk.dialogue.prompt import DEFAULT_SPEAKER, system_text
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.starter import form
from townsfolk.text.repetition import RepetitionGuard
from townsfolk.training.script import Script

LOOP = "goes round in circles"
BROKEN = "is a broken sentence"
FOR_THE_PLAYER = "speaks for somebody else"
OUT_OF_ROLE = "steps out of the role"
REPEATED = "says the same again"
RECITED = "recites its prompt"
WRONG = "does not say the fact that was asked for"
CONTRADICTS = "contradicts a fact"
DUPLICATE = "is there already"
EMPTY = "has no reply to learn"
_WORD = re.compile(r"[\w'\u2019-]+")
_LABEL = re.compile(r"^[^\W\d_][\w '\u2019-]{0,30}:\s", re.MULTILINE)
# So many words in a row are no accident.
_RECITED_WORDS = 12


@cache
def _words_of() -> dict[str, list[str]]:
    path = Path(__file__).with_name("filters.yaml")
    values: dict[str, list[str]] = yaml.safe_load(path.read_text("utf-8"))
    return values


def plain(text: str) -> str:
    """Return the words of a text alone: by them two texts are the same."""
    return " ".join(_WORD.findall(text.lower()))


def fault(script: Script, at: int) -> str | None:
    """Return what is wrong with the reply at a place of the transcript; None for nothing.

    What stands in persona, lore and conversation may be said again.
    """
    reply = script.transcript[at].text
    before = script.transcript[:at]
    system = system_text(script.persona, script.lore)
    own = [plain(entry.text) for entry in before if entry.kind is EntryKind.SPOKE]
    guard = RepetitionGuard()
    guard.push(reply)
    if guard.found:
        return LOOP
    if plain(reply) in own:
        return REPEATED
    if _speaks_for_others(reply, before, script.persona.name):
        return FOR_THE_PLAYER
    if any(text in reply.lower() for text in _words_of()["out of role"]):
        return OUT_OF_ROLE
    if _recites(reply, system):
        return RECITED
    if form.broken(reply, [system, *(entry.text for entry in before)]):
        return BROKEN
    return None


def _speaks_for_others(reply: str, before: Sequence[TranscriptEntry], name: str) -> bool:
    if _LABEL.search(reply):
        return True
    speakers = {entry.speaker for entry in before if entry.kind is EntryKind.HEARD}
    others = "|".join(re.escape(each) for each in {"you", DEFAULT_SPEAKER, *speakers} - {"", name})
    does = "|".join(_words_of()["speaks for the player"])
    # Told as in a story: at the beginning of a line, or as a stage direction.
    return bool(re.search(rf"(?im)(?:^|[*(\[])\s*(?:{others}) (?:{does})\b(?!\?)", reply))


def _recites(reply: str, system: str) -> bool:
    words, told = _WORD.findall(reply.lower()), f" {plain(system)} "
    runs = (words[at : at + _RECITED_WORDS] for at in range(len(words) - _RECITED_WORDS + 1))
    return any(f" {' '.join(run)} " in told for run in runs)


def replies(script: Script) -> Iterator[int]:
    """Yield the places of replies that would be learned: heard to the end, and answering."""
    for at, entry in enumerate(script.transcript):
        if entry.kind is EntryKind.SPOKE and not entry.cut and entry.text.strip():
            yield at


def head(script: Script, end: int) -> Script | None:
    """Return the dialogue before a place, if anything can be learned from that.

    It ends with a reply.
    """
    kept = [at for at in replies(script) if at < end]
    if not kept:
        return None
    return Script(script.persona, script.lore, script.transcript[: kept[-1] + 1], script.actions)


def sound(script: Script) -> tuple[Script | None, str | None]:
    """Return what of a dialogue is sound, and what was wrong behind that, if anything.

    A dialogue ends before its first bad reply: what follows was said in the light of it.
    """
    for at in replies(script):
        if (found := fault(script, at)) is not None:
            return head(script, at), found
    whole = head(script, len(script.transcript))
    return whole, None if whole is not None else EMPTY
