"""What a turn may be asked for besides its cue: the options of `say`, `greet` and `react`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from townsfolk.client.actions import actions_now
from townsfolk.client.arguments import check_options, message, milliseconds
from townsfolk.v1.dialogue_pb2 import ActionsNow, TurnCue, Utterance
from townsfolk.v1.sampling_pb2 import Grammar, SamplingParams


class TurnOptions(TypedDict, total=False):
    """The options of a turn; each may be left out."""

    sampling: SamplingParams | None
    """Overrides of the session's sampling for this turn."""
    deadline_s: float | None
    """The answer ends within this many seconds from now, whole or not; time in which the character
    is busy does not count. When the runtime does not
    say so within a second more, the turn raises `DeadlineExceededError`, and what had come is in
    its `text`."""
    grammar: Grammar | None
    """What the answer must be; see `json_schema`, `regex`, `lark` and `choices`. Not given:
    speech."""
    actions: ActionsNow | Iterable[str] | None
    """Names of the actions that the character may take now, or how; all of its own if not given."""


def utterance(
    cue: TurnCue, options: TurnOptions, *, turn_id: str, text: str = "", speaker: str = ""
) -> Utterance:
    """Return the message that begins a turn.

    Raises:
        InvalidArgumentError: `deadline_s` is no time, or a text is no Unicode text.
        TypeError: There is no such option.
    """
    check_options("a turn", options, TurnOptions)
    return message(
        Utterance,
        cue=cue,
        text=text,
        speaker=speaker,
        turn_id=turn_id,
        sampling=options.get("sampling"),
        deadline_ms=milliseconds("deadline_s", options.get("deadline_s")),
        grammar=options.get("grammar"),
        actions=actions_now(options.get("actions")),
    )
