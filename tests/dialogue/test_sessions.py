"""Many sessions over one engine: saved games, together, opened and closed."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from chat_models import TEMPLATES, use_template
from dialogue_session import (
    LORE,
    STYLES,
    Start,
    events_of,
    finish,
    kinds,
    open_session,
    say,
    until_text,
)
from townsfolk.config import EngineSettings
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.errors import (
    AlreadyExistsError,
    LimitReachedError,
    NotFoundError,
    SessionClosedError,
    UnsupportedTemplateError,
)
from townsfolk.dialogue.events import (
    TurnFailed,
    TurnInterrupted,
)
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.sessions import Sessions
from townsfolk.engine import Engine
from townsfolk.text.renderer import RenderingLimits


class TestSavedGame:
    @pytest.mark.parametrize("style", STYLES)
    async def test_history_gives_the_prompt_that_the_live_session_has(
        self, start: Start, style: str | None, prompts: Callable[[Session], list[str]]
    ) -> None:
        sessions = start(style)
        sessions.register_lore(LORE)
        live = open_session(sessions, lore_ids=["king"])
        recorded = prompts(live)
        live.notify("The door opens")
        await finish(say(live, "Evening!", speaker="Anna"))
        cut = say(live, sampling={"max_new_tokens": 500})
        await until_text(cut, 20)
        live.interrupt(cut.id, 9)
        await events_of(cut)
        await finish(say(live))
        live.set_priority(5)
        saved = live.config.model_dump(mode="json")
        await finish(say(live, "Where were we?"))
        await sessions.close(live.id)
        restored = sessions.open(SessionConfig.checked(**saved))
        assert restored.id == live.id
        assert restored.priority == 5
        await finish(say(restored, "Where were we?"))
        # White space before replies is as the model drew it, in the live session only.
        assert "".join(recorded[-1].split()) == "".join(recorded[-2].split())

    @pytest.mark.parametrize("style", STYLES)
    async def test_the_cache_goes_on_where_a_saved_conversation_is_opened(
        self, start: Start, style: str | None
    ) -> None:
        """A random model draws tokens that its text would never be encoded to."""
        sessions = start(style)
        live = open_session(sessions)
        for number in range(4):
            await finish(say(live, f"Hello number {number}."))
        cut = say(live, "Once more.", sampling={"max_new_tokens": 300})
        await until_text(cut, 30)
        live.interrupt(cut.id, 12)
        await events_of(cut)
        await finish(say(live, "Well?"))
        live.interrupt(heard_characters=3)  # of an answer that was over
        saved = live.config.model_dump(mode="json") | {"session_id": ""}
        went_on = await finish(say(live, "Where were we?", sampling={"seed": 9}))
        restored = sessions.open(SessionConfig.checked(**saved))
        again = await finish(say(restored, "Where were we?", sampling={"seed": 9}))
        assert again.text == went_on.text
        assert again.usage.prompt_tokens == went_on.usage.prompt_tokens
        # All of it is there now but the last token.
        assert again.usage.cached_tokens == again.usage.prompt_tokens - 1

    async def test_a_greeting_may_come_first(self, start: Start) -> None:
        for style in STYLES:
            history = [{"kind": "spoke", "speaker": "Mira", "text": "Welcome!"}]
            session = open_session(start(style), history=history)
            await finish(say(session))
            assert kinds(session) == ["spoke", "heard", "spoke"]


class TestTogether:
    async def test_many_sessions_speak_at_once_and_none_harms_another(self, start: Start) -> None:
        sessions = start()
        alone = [open_session(sessions, sampling={"seed": n}) for n in range(8)]
        expected = [(await finish(say(s, f"I am {n}."))).text for n, s in enumerate(alone)]
        crowd = [open_session(sessions, sampling={"seed": n}) for n in range(8)]
        turns = [say(s, f"I am {n}.") for n, s in enumerate(crowd)]
        failing = open_session(sessions)
        bad = say(failing, "word " * 4000)
        closing = open_session(sessions, max_new_tokens=500)
        closed = say(closing)
        reading = asyncio.gather(*map(finish, turns))
        await sessions.close(closing.id)
        assert isinstance((await events_of(closed))[-1], TurnInterrupted)
        assert isinstance((await events_of(bad))[-1], TurnFailed)
        assert [last.text for last in await reading] == expected

    async def test_lore_is_computed_once_for_all_who_know_it(self, start: Start) -> None:
        sessions = start()
        sessions.register_lore(LORE)
        first = open_session(sessions, lore_ids=["king"])
        tokens = len(sessions._model.tokenizer.encode(LORE.text))
        assert tokens > 20
        second = open_session(sessions, lore_ids=["king"], persona={"name": "Bron"})
        await finish(say(first))
        usage = (await finish(say(second))).usage
        assert usage.cached_tokens >= tokens

    async def test_namespaces_share_nothing(self, start: Start) -> None:
        one = start()
        other = Sessions(one._model.engine, namespace="other")
        await finish(say(open_session(one)))
        usage = (await finish(say(open_session(other)))).usage
        assert usage.cached_tokens == 0
        again = (await finish(say(open_session(other)))).usage
        assert again.cached_tokens > 0
        await other.aclose()


LOOPS_LATER = (
    "{% if messages | length > 4 %}{% for a in range(90000) %}{% for b in range(90000) %}"
    "{% endfor %}{% endfor %}{% endif %}" + TEMPLATES["llama3"]
)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows counts no processor time")
async def test_a_template_that_loops_once_a_conversation_is_long_stops_nobody_else(
    model_directory: Callable[..., Path], tmp_path: Path
) -> None:
    directory = shutil.copytree(model_directory("llama3"), tmp_path / "hostile")
    use_template(directory, LOOPS_LATER)
    settings = EngineSettings(kv_memory_mib=4, threads=1, device="cpu")
    engine = Engine.from_pretrained(directory, settings)
    assert engine.tokenizer is not None
    assert engine.tokenizer.renderer is not None
    # Processor time, not the clock: the machine may be busy.
    engine.tokenizer.renderer._limits = RenderingLimits(cpu_s=1, wall_s=120)
    sessions = Sessions(engine)
    session = open_session(sessions, max_new_tokens=4, sampling={"min_new_tokens": 4})
    for _ in range(2):
        await finish(say(session))
    turn = say(session)
    others = 0
    while not turn.is_over:
        other = open_session(sessions, max_new_tokens=4)
        await finish(say(other))
        await sessions.close(other.id)
        others += 1
    assert others > 1
    failed = (await events_of(turn))[-1]
    assert isinstance(failed, TurnFailed)
    assert isinstance(failed.error, UnsupportedTemplateError)
    assert "processor time" in str(failed.error)
    again = (await events_of(say(session)))[-1]
    assert isinstance(again, TurnFailed)
    assert len(session.transcript) == 4
    await sessions.aclose()
    await engine.aclose()


class TestSessions:
    async def test_open_get_list_close(self, start: Start) -> None:
        sessions = start()
        ids = [open_session(sessions, session_id=name).id for name in ("b", "a")]
        generated = open_session(sessions).id
        assert [s.id for s in sessions.list()] == sorted([*ids, generated])
        assert sessions.get("a").config.persona.name == "Mira"
        with pytest.raises(AlreadyExistsError, match="'a'"):
            open_session(sessions, session_id="a")
        await sessions.close("a")
        with pytest.raises(NotFoundError, match="'a'"):
            sessions.get("a")
        with pytest.raises(NotFoundError, match="'a'"):
            await sessions.close("a")
        assert len(sessions) == 2

    async def test_limit(self, start: Start) -> None:
        sessions = start(max_sessions=2)
        for _ in range(2):
            open_session(sessions)
        with pytest.raises(LimitReachedError, match="2 sessions"):
            open_session(sessions)

    async def test_unknown_lore_opens_nothing(self, start: Start) -> None:
        sessions = start()
        with pytest.raises(NotFoundError, match="'queen'"):
            open_session(sessions, lore_ids=["queen"])
        assert len(sessions) == 0

    async def test_a_closed_session_takes_nothing_more(self, start: Start) -> None:
        sessions = start()
        session = open_session(sessions)
        await sessions.close(session.id)
        for call in (lambda: say(session), lambda: session.notify("Rain")):
            with pytest.raises(SessionClosedError, match="open a new one"):
                call()

    async def test_idle_sessions_end_unless_somebody_holds_them(self, start: Start) -> None:
        sessions = start(idle_timeout_s=0.5)
        idle, held = open_session(sessions), open_session(sessions)
        with held.held():
            while idle in sessions.list():
                await asyncio.sleep(0.02)
            assert sessions.list() == [held]
        while sessions.list():
            await asyncio.sleep(0.02)

    async def test_opened_tells_the_sizes(self, start: Start) -> None:
        session = open_session(start())
        event = session.opened(resumed=True)
        assert (event.session_id, event.resumed) == (session.id, True)
        assert 0 < event.system_tokens < 100
        assert event.context_tokens == 1024
