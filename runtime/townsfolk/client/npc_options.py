"""What a character is opened with besides its persona: the options of `npc`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from townsfolk.client.actions import Actions, Function
from townsfolk.client.arguments import message
from townsfolk.v1.dialogue_pb2 import (
    ActionSpec,
    Persona,
    PersonaContrast,
    SessionConfig,
    SpeechSettings,
    TranscriptEntry,
)
from townsfolk.v1.sampling_pb2 import SamplingParams


class NpcOptions(TypedDict, total=False):
    """The options of a character; each may be left out."""

    lore: Iterable[str]
    """Ids given to `register_lore`: what the character knows of the world."""
    sampling: SamplingParams | None
    """Sampling defaults for every turn."""
    priority: int
    """Larger goes first when the runtime is short of time. -100 to 100."""
    session_id: str
    """A name for the session; empty lets the runtime choose."""
    history: Iterable[TranscriptEntry]
    """The transcript of a saved game. Of one that is longer than a request can be, the newest lines
    are taken."""
    hesitation_entropy: float | None
    """Say with each sentence how sure the character was of it: it hesitates where the entropy
    reaches so many nats."""
    actions: Iterable[ActionSpec | Function]
    """What the character can do: functions, which are called when it does; or messages, for games
    that answer with `AsyncNpc.accept` and `reject`."""
    speech: SpeechSettings | None
    """What of its replies is said aloud, and what becomes of stage directions; see `speech`."""
    save_key: str
    """What the character is called in a saved game; empty means the persona's name."""
    adapter: str
    """The adapter (LoRA) that the character speaks with, by its name in the runtime's folder of
    adapters; the model alone if not given."""
    contrast: PersonaContrast | None
    """Parts of the persona that weigh more in its replies; see `contrast`."""
    off_the_record: bool
    """Keep the conversation out of what the runtime records of play, where it does (`serve
    --record-play`)."""


def session_config(
    persona: Persona, options: NpcOptions, actions: Actions, history: Iterable[TranscriptEntry]
) -> SessionConfig:
    """Return what a character's session is opened with.

    Args:
        persona: who the character is.
        options: the character's.
        actions: those of `options`.
        history: what the character remembers.

    Raises:
        InvalidArgumentError: A field can't hold its value.
    """
    return message(
        SessionConfig,
        session_id=options.get("session_id"),
        persona=persona,
        lore_ids=list(options.get("lore", ())),
        sampling=options.get("sampling"),
        priority=options.get("priority"),
        history=history,
        hesitation_entropy=options.get("hesitation_entropy"),
        actions=actions.messages,
        speech=options.get("speech"),
        adapter=options.get("adapter"),
        contrast=options.get("contrast"),
        off_the_record=options.get("off_the_record"),
    )
