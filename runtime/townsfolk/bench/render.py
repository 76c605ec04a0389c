"""Characters that talk while a game draws on the same processor: what each does to the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from townsfolk.bench.renderer import LEAD_IN_S, Drawn, Frames, Renderer
from townsfolk.bench.report import Row, percentile
from townsfolk.bench.rival import Rival
from townsfolk.bench.scene import Scene, pause_s, text
from townsfolk.client import AsyncRuntime, Persona, SamplingParams
from townsfolk.client.process import Endpoint

SCENE = Scene(npcs=8, turns=8, lore=0, persona=300, said=30, reply=64, thinking_s=0.25)
_WARM_S = 2.0  # of talk beside frames before the first measurement


@dataclass(slots=True)
class _Heard:
    """What the players heard, of answers that were whole in time."""

    first_s: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)  # tokens a second, of each answer


@dataclass(frozen=True, slots=True)
class Ways:
    """What is measured.

    Attributes:
        frames: what is drawn.
        npcs: numbers of characters that talk at once; 0 for the renderer alone.
        policies: None for a game that says nothing.
    """

    frames: Sequence[Frames]
    npcs: Sequence[int]
    policies: Sequence[str | None]


def render(
    renderer: Renderer,
    endpoint: Endpoint,
    ways: Ways,
    scene: Scene = SCENE,
    rival: Rival | None = None,
) -> list[Row]:
    """Draw frames beside so many characters, paced and not; return a row for each way.

    Args:
        renderer: draws them.
        endpoint: of the runtime that speaks for the characters.
        ways: what is measured.
        scene: what they talk.
        rival: a program that computes in the runtime's place, for a row of its own.
    """
    renderer.calibrate(ways.frames)
    if max(ways.npcs):
        warm = replace(ways.frames[0], seconds=_WARM_S, policy=None)
        _measure(renderer, endpoint, warm, replace(scene, npcs=max(ways.npcs), take=-1))
    rows: list[Row] = []
    for frames in ways.frames:
        for npcs in ways.npcs:
            for policy in ways.policies if npcs else (None,):
                own = replace(frames, policy=policy)
                talk = replace(scene, npcs=npcs, take=len(rows))
                drawn, heard, stats = _measure(renderer, endpoint, own, talk)
                beside = "" if not npcs else policy or "no"
                rows.append(_row(own, npcs, beside, drawn, heard) | stats)
        if rival is not None:
            with rival:
                drawn, heard, stats = _measure(renderer, endpoint, frames, replace(scene, npcs=0))
            rows.append(_row(frames, 0, rival.name, drawn, heard) | stats)
    return rows


def _row(frames: Frames, npcs: int, beside: str, drawn: Drawn, heard: _Heard) -> dict[str, object]:
    def frame_ms(share: float) -> float:
        return 1000 * percentile(drawn.times_s, share)

    def or_none(value: float) -> float | None:
        return value if heard.first_s else None

    return {
        "frames/s": 1 / frames.frame_s,
        "work ms": 1000 * frames.work_s,
        "NPCs": npcs,
        "paced": beside,
        "frame p50 ms": frame_ms(0.5),
        "frame p99 ms": frame_ms(0.99),
        "frame p99.9 ms": frame_ms(0.999),
        "longest ms": frame_ms(1.0),
        "missed": drawn.missed,
        "frames": len(drawn.times_s),
        "work p50 ms": 1000 * percentile(drawn.work_s, 0.5),
        "work p99 ms": 1000 * percentile(drawn.work_s, 0.99),
        "work longest ms": 1000 * percentile(drawn.work_s, 1.0),
        "TTFT p50 ms": or_none(1000 * percentile(heard.first_s, 0.5)),
        "TTFT p99 ms": or_none(1000 * percentile(heard.first_s, 0.99)),
        "tokens/s each": or_none(percentile(heard.rates, 0.5)),
        "slowest": or_none(percentile(heard.rates, 0.0)),
        "answers": len(heard.first_s),
    }


def _measure(
    renderer: Renderer, endpoint: Endpoint, frames: Frames, scene: Scene
) -> tuple[Drawn, _Heard, dict[str, object]]:
    heard, stats = asyncio.run(_talk_beside(renderer, endpoint, frames, scene))
    return renderer.result(), heard, stats


async def _talk_beside(
    renderer: Renderer, endpoint: Endpoint, frames: Frames, scene: Scene
) -> tuple[_Heard, dict[str, object]]:
    async with AsyncRuntime.connect(endpoint.address, endpoint.token) as runtime:
        renderer.begin(frames)
        heard, end = _Heard(), time.perf_counter() + LEAD_IN_S + frames.seconds
        talks = [_talk(runtime, scene, number, end, heard) for number in range(scene.npcs)]
        talking = asyncio.gather(*talks)
        # While frames are reported still; they end with the talk.
        await asyncio.sleep(max(end - 0.2 - time.perf_counter(), 0.0))
        pace = (await anext(aiter(runtime.watch_stats()))).pace
        await talking
        await asyncio.sleep(max(end - time.perf_counter(), 0.0))
        return heard, {
            "budget ms": pace.budget_ms,
            "delayed": pace.steps_delayed,
            "forced": pace.steps_forced,
            "misjudged": pace.estimates_missed,
        }


async def _talk(
    runtime: AsyncRuntime, scene: Scene, number: int, end: float, heard: _Heard
) -> None:
    """Talk with a character, and with another one after some questions, until the time is up."""
    draw = scene.draw(f"player {number}")
    length = SamplingParams(max_new_tokens=scene.reply, min_new_tokens=scene.reply)
    while time.perf_counter() < end:
        persona = Persona(name=f"Npc {number}", description=text(draw, scene.persona))
        npc = runtime.npc(persona, sampling=length)
        for _ in range(scene.turns):
            await asyncio.sleep(pause_s(draw, scene.thinking_s))
            if time.perf_counter() >= end:
                break
            turn = npc.say(text(draw, scene.said))
            usage = (await turn.wait()).usage
            if time.perf_counter() < end:
                heard.first_s.append(usage.time_to_first_token_ms / 1000)
                heard.rates.append(usage.tokens_per_second)
        await npc.close()
