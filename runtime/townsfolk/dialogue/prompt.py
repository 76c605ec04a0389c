"""From persona, lore and transcript to the messages that a chat template takes.

Lore comes first so that characters who know the same lore share the KV of it. Every utterance and
every event is one line of a user message, so that no speaker can put words into another's mouth
or make something happen by typing a line break.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, TypedDict

from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry

DEFAULT_SPEAKER = "Player"
CUT_MARK = " —"
SPEAKS_FIRST, SPEAKS_AGAIN = "You speak first.", "You speak again."


class Message(TypedDict):
    """One message of a chat template."""

    role: Literal["system", "user", "assistant"]
    content: str


def system_text(persona: Persona, lore: Sequence[str] = ()) -> str:
    """Return what the character is told before the conversation; empty fields leave no line."""
    lines = [f"You are {persona.name}. {persona.description.strip()}".rstrip()]
    if goals := _filled(persona.goals):
        lines.append("Goals: " + "; ".join(goals))
    if style := persona.speaking_style.strip():
        lines.append(f"You speak like this: {style}")
    if taboos := _filled(persona.taboos):
        lines.append("You never: " + "; ".join(taboos))
    if examples := _filled(persona.example_lines):
        lines.append("You might say: " + " ".join(f'"{line}"' for line in examples))
    lines.append(f"Speak only as {persona.name}, in a few short sentences.")
    known = "".join(f"{text}\n\n" for text in _filled(lore))
    return (f"What everyone here knows:\n{known}" if known else "") + "\n".join(lines)


def messages(system: str, transcript: Iterable[TranscriptEntry]) -> list[Message]:
    """Return the conversation as messages: the system message, then user and assistant in turn.

    Consecutive entries of one side become one message, a line each. Replies of which nothing was
    heard are left out. A turn in which the character spoke of its own accord has a line of the
    user's side before it, as `opening` had when it was begun: templates insist on turns.
    """
    result: list[Message] = [{"role": "system", "content": system}]
    for entry in transcript:
        role: Literal["user", "assistant"] = "user"
        if entry.kind is EntryKind.SPOKE and entry.turn_id and entry.text.strip():
            before = result[-1]["role"]
            if before != "user":
                text = SPEAKS_AGAIN if before == "assistant" else SPEAKS_FIRST
                result.append({"role": "user", "content": f"[{text}]"})
        if entry.kind is EntryKind.SPOKE:
            role = "assistant"
            text = entry.text.strip()
            if not text:
                continue
            if entry.cut:
                text += CUT_MARK
        elif entry.kind is EntryKind.HEARD:
            text = f"{entry.speaker or DEFAULT_SPEAKER}: {_one_line(entry.text)}"
        else:
            text = f"[{_one_line(entry.text)}]"
        if result[-1]["role"] == role:
            result[-1]["content"] += "\n" + text
        else:
            result.append({"role": role, "content": text})
    return result


def opening(transcript: Sequence[TranscriptEntry]) -> TranscriptEntry | None:
    """Return what the model is told where the character speaks of its own accord.

    That is nothing where the last line is one that it may go on from: what it heard or what
    happened, and nobody has answered.
    """
    shown = [each for each in transcript if each.kind is not EntryKind.SPOKE or each.text.strip()]
    if shown and shown[-1].kind is not EntryKind.SPOKE:
        return None
    return TranscriptEntry(kind=EntryKind.EVENT, text=SPEAKS_AGAIN if shown else SPEAKS_FIRST)


def _filled(texts: Iterable[str]) -> list[str]:
    return [text.strip() for text in texts if text.strip()]


def _one_line(text: str) -> str:
    return " ".join(_filled(text.splitlines()))
