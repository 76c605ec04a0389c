"""The starter model caught in a loop: driven to it, it says `Pettigrewrewrewrew` to the end."""

from __future__ import annotations

import asyncio

import pytest
from townsfolk.config import EngineSettings
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.events import TextDelta, TurnFinished
from townsfolk.dialogue.overrides import SamplingOverrides
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.sessions import Sessions
from townsfolk.dialogue.turn import Utterance
from townsfolk.engine import Engine
from townsfolk.engine.outputs import FinishReason

pytestmark = pytest.mark.timeout(1800)  # on a busy machine

SEEDS = range(6)


@pytest.fixture(scope="module")
def engine():
    return Engine.from_pretrained(
        settings=EngineSettings(model="starter", device="cpu", kv_memory_mib=64, threads=1)
    )


# Of a token: enough for nothing else to be drawn once it has come up.
DRIVEN = 60.0


async def replies(engine: Engine, name: str, **sampling) -> list[TurnFinished]:
    """What a character says its name is, by each seed."""
    sessions = Sessions(engine)

    async def ask(seed: int) -> TurnFinished:
        settings = SamplingOverrides(seed=seed, max_new_tokens=128, **sampling)
        persona = Persona(name=name, description="An old lighthouse keeper.")
        session = sessions.open(SessionConfig(persona=persona, sampling=settings))
        said = ""
        async for event in session.say(Utterance(text="What is your name?")):
            said += event.text if isinstance(event, TextDelta) else ""
        assert isinstance(event, TurnFinished)
        assert said == event.text == session.transcript[-1].text
        return event

    try:
        return await asyncio.gather(*map(ask, SEEDS))
    finally:
        await sessions.aclose()


async def test_no_reply_is_a_loop(engine):
    rew = engine.tokenizer.encode("rew", continues=True)[-1]
    try:
        bias = {rew: DRIVEN}
        free = await replies(engine, "Old Pettigrew", logit_bias=bias, stop_repetition=False)
        # Else the rest of the test shows nothing.
        assert all(turn.text.endswith("rew" * 27) for turn in free)
        assert all(turn.finish_reason is FinishReason.LENGTH for turn in free)
        for turn in await replies(engine, "Old Pettigrew", logit_bias=bias):
            assert turn.finish_reason is FinishReason.REPETITION
            assert turn.text.count("rew") <= 4
            assert turn.usage.generated_tokens <= 27 + 13
        own = await replies(engine, "Old Pettigrew")
        assert all(turn.finish_reason is not FinishReason.REPETITION for turn in own)
        assert any("Pettigrew" in turn.text for turn in own)
    finally:
        await engine.aclose()
