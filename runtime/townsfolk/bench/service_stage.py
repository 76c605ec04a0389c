"""Scenes over the real service: the runtime is a process, and its players are others.

Many players in one process would measure that process: they are spread over several, as far as
there are cores, and a process that has little rest is told of.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from townsfolk.bench.answer import Answer, MeasurementError
from townsfolk.bench.rest import rest
from townsfolk.bench.scene import Scene, pause_s, text
from townsfolk.client import AsyncNpc, AsyncRuntime, Persona, RuntimeProcess, SamplingParams
from townsfolk.client.process import Endpoint

NPCS_A_PROCESS = 4
BUSY = 0.7  # share of a core from which on a process of players may be what is slow


class ServiceStage:
    """A runtime process that has no other work; see `Stage`."""

    def __init__(self, runtime: RuntimeProcess, endpoint: Endpoint) -> None:
        """Take a runtime that serves, which `close` ends."""
        self._runtime = runtime
        self.endpoint = endpoint

    def play(self, scene: Scene) -> list[Answer]:
        """See `Stage`."""
        count = max(1, min((os.cpu_count() or 1) // 2, scene.npcs // NPCS_A_PROCESS))
        shares = [list(range(first, scene.npcs, count)) for first in range(count)]
        players = [_Players(self.endpoint, scene, share, share[0] == 0) for share in shares]
        try:
            for each in players:
                each.wait()  # until all sessions are open
            for each in players:
                each.begin()
            played = [each.result() for each in players]
        finally:
            for each in players:
                each.end()
        busiest = max(part.busy for part in played)
        if busiest > BUSY:
            print(
                f"townsfolk: a process of players was busy {busiest:.0%} of the time; the figures "
                "may be those of the players, not of the runtime",
                file=sys.stderr,
            )
        return [answer for part in played for answer in part.answers]

    def rest(self) -> None:
        """See `Stage`."""
        if self._runtime.pid is not None:
            rest(self._runtime.pid)

    def close(self) -> None:
        """See `Stage`."""
        self._runtime.stop()


@dataclass(frozen=True, slots=True)
class _Played:
    """What a process of players saw, and the share of a core that it took."""

    answers: list[Answer]
    busy: float


class _Players:
    """A process of players."""

    def __init__(
        self, endpoint: Endpoint, scene: Scene, numbers: list[int], intrudes: bool
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_run, args=(theirs, endpoint, scene, numbers, intrudes), daemon=True
        )
        self._process.start()
        theirs.close()

    def wait(self) -> None:
        self._receive()

    def begin(self) -> None:
        self._pipe.send("begin")

    def result(self) -> _Played:
        played: _Played = self._receive()
        return played

    def end(self) -> None:
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.kill()

    def _receive(self) -> Any:
        try:
            result = self._pipe.recv()
        except EOFError:
            raise MeasurementError("a process of players died; see its message above") from None
        if isinstance(result, Exception):
            raise result
        return result


def _run(
    pipe: Connection, endpoint: Endpoint, scene: Scene, numbers: list[int], intrudes: bool
) -> None:
    try:
        pipe.send(asyncio.run(_play(pipe, endpoint, scene, numbers, intrudes)))
    except EOFError:
        pass  # the bench has given up
    except Exception as error:
        pipe.send(MeasurementError(f"a player failed: {error}"))


async def _play(
    pipe: Connection, endpoint: Endpoint, scene: Scene, numbers: list[int], intrudes: bool
) -> _Played:
    async with AsyncRuntime.connect(endpoint.address, endpoint.token) as runtime:
        lore = []
        if scene.lore:
            lore = [f"bench {scene.take} {scene.npcs}"]
            await runtime.register_lore(lore[0], text(scene.draw("lore"), scene.lore))
        players = [_Player.invite(runtime, scene, number, lore) for number in numbers]
        await asyncio.gather(*(player.npc.open() for player in players))
        gc.freeze()  # a full collection of all that was imported would be seen as a pause
        pipe.send("ready")
        await asyncio.to_thread(pipe.recv)
        begin, own = time.perf_counter(), time.process_time()
        played = asyncio.gather(*(player.talk(scene) for player in players))
        if intrudes:
            intruders = range(scene.intruders)
            await asyncio.gather(*(_intrude(runtime, scene, number) for number in intruders))
        answers = await played
        busy = (time.process_time() - own) / (time.perf_counter() - begin)
        await asyncio.gather(*(player.npc.close() for player in players))
        return _Played([answer for each in answers for answer in each], busy)


@dataclass(frozen=True, slots=True)
class _Player:
    """Somebody who talks to one character."""

    npc: AsyncNpc
    number: int

    @classmethod
    def invite(cls, runtime: AsyncRuntime, scene: Scene, number: int, lore: list[str]) -> _Player:
        persona = Persona(
            name=f"Npc {number}", description=text(scene.draw(f"persona {number}"), scene.persona)
        )
        # The least length keeps end tokens out, which random weights would draw now and then.
        length = SamplingParams(max_new_tokens=scene.reply, min_new_tokens=scene.reply)
        return cls(runtime.npc(persona, lore=lore, sampling=length), number)

    async def talk(self, scene: Scene) -> list[Answer]:
        draw = scene.draw(f"player {self.number}")
        answers = []
        for number in range(scene.turns):
            await asyncio.sleep(pause_s(draw, scene.thinking_s))
            said = text(draw, scene.said)
            answer = Answer(number, asked=time.perf_counter())
            turn = self.npc.say(said)
            async for piece in turn:
                answer.receive(time.perf_counter(), len(piece))
            usage = turn.usage
            answer.generated, answer.prompted = usage.generated_tokens, usage.prompt_tokens
            answer.cached = usage.cached_tokens
            answers.append(answer)
        return answers


async def _intrude(runtime: AsyncRuntime, scene: Scene, number: int) -> None:
    await asyncio.sleep(scene.intrusion_s * (number + 1))
    prompt = text(scene.draw(f"intruder {number}"), scene.intruder)
    async for _ in runtime.generate(prompt, SamplingParams(max_new_tokens=1)):
        pass
