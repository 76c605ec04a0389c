"""Sessions whose replies are drawn in contrast to a persona that lacks something."""

from __future__ import annotations

from typing import Any

import pytest
from dialogue_session import LORE, STYLES, Start, finish, open_session, say, until_text
from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.sessions import Sessions

VILLAIN = {
    "description": "A smuggler who fears nobody.",
    "goals": ("Get the crown out of the harbour.",),
    "taboos": ("pity anybody",),
}


def submitted(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What is asked of the engine from now on: prompts, and what they are contrasted with."""
    engine, asked = sessions._model.engine, []
    submit = engine.submit

    def note(prompt: Any, *args: Any, rules: Any, **more: Any) -> Any:
        asked.append((list(prompt), rules.contrast))
        return submit(prompt, *args, rules=rules, **more)

    monkeypatch.setattr(engine, "submit", note)
    return asked


@pytest.mark.parametrize("style", STYLES)
async def test_the_other_prompt_is_that_of_the_persona_without_it(
    start: Start, style: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = start(style)
    sessions.register_lore(LORE)
    contrast = {"fields": ("goals", "taboos"), "strength": 0.8}
    shared: dict[str, Any] = {"lore_ids": ("king",), "max_new_tokens": 8}
    session = open_session(sessions, persona=VILLAIN, contrast=contrast, **shared)
    asked = submitted(sessions, monkeypatch)
    for line in ("Who are you?", "Will you help me?", "Please."):
        await finish(say(session, line))
    prompts = [each for each in asked if each[1] is not None]
    assert len(prompts) >= 3
    asked.clear()
    meek = {"description": VILLAIN["description"]}
    history = session.transcript
    for number, (_, own) in enumerate(prompts[-1:], start=2):
        plain = open_session(sessions, persona=meek, history=history[: 2 * number], **shared)
        await finish(say(plain, history[2 * number].text))
        length = len(asked[0][0])
        assert list(own.prompt_ids[:length]) == asked[0][0]
        assert own.strength == 0.8


async def test_an_interrupted_turn_and_those_behind_it(start: Start) -> None:
    session = open_session(start(), persona=VILLAIN, contrast={"strength": 1.0}, max_new_tokens=200)
    turn, waiting = say(session), say(session, "And then?")
    await until_text(turn)
    turn.interrupt()
    assert (await finish(waiting)).text
    await session._model.engine.check()


async def test_a_restored_session_keeps_it(start: Start) -> None:
    sessions = start()
    session = open_session(sessions, persona=VILLAIN, contrast={"strength": 1.0})
    await finish(say(session))
    saved = session.config
    assert saved.contrast is not None
    again = sessions.open(saved.model_copy(update={"session_id": "again"}))
    assert again.config.contrast == saved.contrast
    assert (await finish(say(again, "Go on."))).usage.cached_tokens > 0


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ({"strength": 0.0}, "contrast.strength: .*allowed: above 0, at most 10"),
        ({"strength": 11.0}, "contrast.strength"),
        ({"strength": float("nan")}, "contrast.strength"),
        ({"strength": 1.0, "fields": ("speaking_style", "example_lines")}, "has no speaking_style"),
        ({"strength": 1.0, "fields": ("name",)}, "contrast.fields"),
    ],
)
async def test_what_can_t_be_contrasted(start: Start, contrast: Any, message: str) -> None:
    with pytest.raises(InvalidFieldError, match=message):
        open_session(start(), persona=VILLAIN, contrast=contrast)
