"""Sessions over a real engine with a tiny random model: to open, to say, to read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.events import (
    TurnEvent,
    TurnFinished,
)
from townsfolk.dialogue.lore import Lore
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.sessions import Sessions
from townsfolk.dialogue.turn import Turn, Utterance

Start = Callable[..., Sessions]
LORE = Lore(lore_id="king", text="The king is dead. The bridge over the Mirr is closed.")
STYLES = ["llama3", "llama2", "zephyr", "mistral", None]


def open_session(sessions: Sessions, *, max_new_tokens: int = 16, **fields: Any) -> Session:
    sampling = {"seed": 1, "max_new_tokens": max_new_tokens} | fields.pop("sampling", {})
    persona = {"name": "Mira", "description": "An innkeeper."} | fields.pop("persona", {})
    return sessions.open(SessionConfig.checked(persona=persona, sampling=sampling, **fields))


def say(session: Session, text: str = "Hello!", **fields: Any) -> Turn:
    return session.say(Utterance.checked(text=text, **fields))


async def events_of(turn: Turn) -> list[TurnEvent]:
    return [event async for event in turn]


async def finish(turn: Turn) -> TurnFinished:
    last = (await events_of(turn))[-1]
    assert isinstance(last, TurnFinished), last
    return last


async def until_text(turn: Turn, characters: int = 1) -> str:
    """Reads nothing, but waits until the turn has said that much."""
    while len(turn.text) < characters:
        assert not turn.is_over
        await asyncio.sleep(0.002)
    return turn.text


def kinds(session: Session) -> list[str]:
    return [entry.kind.value for entry in session.transcript]
