"""Characters that talk while a game draws on the same processor: what each does to the other."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from townsfolk.bench.renderer import LEAD_IN_S, Drawn, Frames, Renderer
from townsfolk.bench.report import Row, percentile
from townsfolk.bench.rival import Rival
from townsfolk.bench.rival_talk import Heard, RivalTalk
from townsfolk.bench.scene import Scene, pause_s, text
from townsfolk.client import AsyncNpc, AsyncRuntime, Persona, SamplingParams
from townsfolk.client.process import Endpoint

SCENE = Scene(npcs=8, turns=8, lore=0, persona=300, said=30, reply=64, thinking_s=0.25)
_WARM_S = 2.0  # of talk beside frames before the first measurement


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
        rival: a program that computes in the runtime's place, for a row of its own; where it
            serves, for a row for each number of characters, who speak by it.
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
            rows += _beside_rival(
                renderer, frames, ways.npcs, replace(scene, take=len(rows)), rival
            )
    return rows


def _beside_rival(
    renderer: Renderer, frames: Frames, npcs: Sequence[int], scene: Scene, rival: Rival
) -> list[Row]:
    rows: list[Row] = []
    with rival:
        for count in [each for each in npcs if each] if rival.url else [0]:
            talk = replace(scene, npcs=count)
            if rival.url and not rows:  # as ours is warm before the first row
                _measure_rival(renderer, replace(frames, seconds=_WARM_S), talk, rival.url)
            drawn, heard = _measure_rival(renderer, frames, talk, rival.url)
            rows.append(_row(frames, count, rival.name, drawn, heard))
    return rows


def _row(
    frames: Frames, npcs: int, beside: str, drawn: Drawn, heard: list[Heard]
) -> dict[str, object]:
    def frame_ms(share: float) -> float:
        return 1000 * percentile(drawn.times_s, share)

    def of_heard(values: list[float], share: float) -> float | None:
        return percentile(values, share) if values else None

    first_ms, rates = [1000 * each.first_s for each in heard], [each.rate for each in heard]

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
        "woke late p99 ms": 1000 * percentile(drawn.late_s, 0.99),
        "work p50 ms": 1000 * percentile(drawn.work_s, 0.5),
        "work p99 ms": 1000 * percentile(drawn.work_s, 0.99),
        "work longest ms": 1000 * percentile(drawn.work_s, 1.0),
        "TTFT p50 ms": of_heard(first_ms, 0.5),
        "TTFT p99 ms": of_heard(first_ms, 0.99),
        "tokens/s each": of_heard(rates, 0.5),
        "slowest": of_heard(rates, 0.0),
        "answers": len(heard),
    }


def _measure(
    renderer: Renderer, endpoint: Endpoint, frames: Frames, scene: Scene
) -> tuple[Drawn, list[Heard], dict[str, object]]:
    heard, stats = asyncio.run(_talk_beside(renderer, endpoint, frames, scene))
    return renderer.result(), heard, stats


def _measure_rival(
    renderer: Renderer, frames: Frames, scene: Scene, url: str | None
) -> tuple[Drawn, list[Heard]]:
    heard = asyncio.run(_talk_beside_rival(renderer, frames, scene, url))
    return renderer.result(), heard


async def _talk_beside_rival(
    renderer: Renderer, frames: Frames, scene: Scene, url: str | None
) -> list[Heard]:
    renderer.begin(frames)
    heard, end = list[Heard](), time.perf_counter() + LEAD_IN_S + frames.seconds
    with ThreadPoolExecutor(max(scene.npcs, 1)) as threads:

        @contextlib.asynccontextmanager
        async def meet(_: int, persona: str) -> AsyncIterator[Say]:
            assert url is not None
            talk, loop = RivalTalk(url, persona, scene.reply), asyncio.get_running_loop()
            yield lambda said: loop.run_in_executor(threads, talk.say, said)

        talks = [_talk(meet, scene, number, end, heard) for number in range(scene.npcs)]
        await asyncio.gather(*talks)
    await asyncio.sleep(max(end - time.perf_counter(), 0.0))
    return heard


async def _talk_beside(
    renderer: Renderer, endpoint: Endpoint, frames: Frames, scene: Scene
) -> tuple[list[Heard], dict[str, object]]:
    length = SamplingParams(max_new_tokens=scene.reply, min_new_tokens=scene.reply)
    async with AsyncRuntime.connect(endpoint.address, endpoint.token) as runtime:

        @contextlib.asynccontextmanager
        async def meet(number: int, persona: str) -> AsyncIterator[Say]:
            npc = runtime.npc(Persona(name=f"Npc {number}", description=persona), sampling=length)
            yield lambda said: _say(npc, said)
            await npc.close()

        renderer.begin(frames)
        heard, end = list[Heard](), time.perf_counter() + LEAD_IN_S + frames.seconds
        talks = [_talk(meet, scene, number, end, heard) for number in range(scene.npcs)]
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


async def _say(npc: AsyncNpc, said: str) -> Heard:
    begin = time.perf_counter()
    turn = npc.say(said)
    async for _ in turn:
        break
    first_s = time.perf_counter() - begin
    return Heard(first_s, (await turn.wait()).usage.tokens_per_second)


Say = Callable[[str], Awaitable[Heard]]
Meet = Callable[[int, str], AbstractAsyncContextManager[Say]]


async def _talk(meet: Meet, scene: Scene, number: int, end: float, heard: list[Heard]) -> None:
    """Talk with a character, and with another one after some questions, until the time is up."""
    draw = scene.draw(f"player {number}")
    while time.perf_counter() < end:
        async with meet(number, text(draw, scene.persona)) as say:
            for _ in range(scene.turns):
                await asyncio.sleep(pause_s(draw, scene.thinking_s))
                if time.perf_counter() >= end:
                    break
                answer = await say(text(draw, scene.said))
                if time.perf_counter() < end:  # it was whole in time
                    heard.append(answer)
