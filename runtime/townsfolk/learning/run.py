"""A run: play, learn, have the runtime take the adapter up, and again."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from townsfolk.checkpoint import AdapterConfig, read_adapter
from townsfolk.client import AsyncRuntime, TownsfolkError
from townsfolk.engine.threads import compute_with
from townsfolk.learning.curve import Curve, CurvePoint, plot_curve
from townsfolk.learning.environment import EnvironmentSource
from townsfolk.learning.learner import Learner, LearnerSettings
from townsfolk.learning.rollouts import Players, seeds
from townsfolk.learning.samples import mean_reward
from townsfolk.learning.significance import Comparison, compare
from townsfolk.library import resolve
from townsfolk.models import open_source
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.training import record
from townsfolk.training.lora import module_names
from townsfolk.training.plot import PlottingUnavailableError
from townsfolk.v1.episode_pb2 import Trajectory

# Worlds of play and of measuring never meet.
_HELD_OUT_WORLDS = 2**40
# Settings that change nothing of what a run comes to.
_NOT_NOTED = [
    *(
        "address",
        "token",
        "output",
        "resume",
        "iterations",
        "max_minutes",
        "device",
        "play_on",
        "threads",
    )
]


class LearningError(ValueError):
    """The run can't begin or go on, and the message says what to do."""


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run is begun with; see the options of `townsfolk learn`.

    Attributes:
        environment: `module:Class`; empty where a game plays.
        address: of the runtime that a game plays with; empty where this program plays.
    """

    environment: str
    address: str
    token: str
    base: str
    output: Path
    task: str
    adapter: Path | None
    resume: bool
    iterations: int
    max_minutes: float | None
    rollouts: int
    group: int
    at_once: int
    temperature: float
    held_out: int
    measure_every: int
    rank: int
    device: str
    play_on: str
    threads: int | None
    learner: LearnerSettings

    @property
    def name(self) -> str:
        """The adapter's, in the runtime's folder of adapters."""
        return self.output.resolve().name

    @property
    def noted(self) -> dict[str, Any]:
        """All that decides what a run comes to."""
        fields = asdict(self)
        for name in _NOT_NOTED:
            del fields[name]
        fields["adapter"] = None if self.adapter is None else str(self.adapter)
        return fields


async def learn(settings: RunSettings) -> None:
    """Do a run.

    Raises:
        LearningError: It can't begin.
        TownsfolkError: The runtime failed.
        EnvironmentFailedError: The game did.
    """
    device = _device(settings.device)
    if settings.threads:
        compute_with(settings.threads)
    source = EnvironmentSource.find(settings.environment) if settings.environment else None
    if source is not None:
        source.open()  # what is wrong with it is told before a model is loaded
    folder = settings.output / "checkpoint"
    if settings.resume:
        record.check_same(folder, settings.noted)
    else:
        record.begin(folder, settings.noted)
    learner = _learner(settings, device)
    done = learner.load(folder)["iteration"] if settings.resume else 0
    curve = Curve(settings.output / "curve.jsonl", resume=settings.resume)
    curve.cut(done)
    learner.write(settings.output)
    async with _runtime(settings) as runtime:
        await _take_up(runtime, settings)
        game = _Game(runtime, source, settings)
        print(f"{learner.parameters:,} numbers learn {settings.task} beside {settings.base}")
        before = await game.measure("") if done == 0 else _noted_before(folder)
        _note_before(folder, before)
        ends = math.inf
        if settings.max_minutes is not None:
            ends = time.perf_counter() + 60 * settings.max_minutes
        for iteration in range(done + 1, settings.iterations + 1):
            begun = time.perf_counter()
            if begun > ends:
                break
            played = await game.play(iteration)
            between = time.perf_counter()
            update = await asyncio.to_thread(learner.learn, played, iteration)
            learner.write(settings.output)
            await _take_up(runtime, settings)
            point = _point(iteration, curve.points, played)
            point = replace(
                point,
                kl=update.kl,
                clipped=update.clipped,
                ratio_error=update.ratio_error,
                play_s=between - begun,
                update_s=time.perf_counter() - between,
            )
            every = settings.measure_every
            if source is not None and every and iteration % every == 0:
                measured = await game.measure(settings.name)
                point = replace(point, held_out=float(np.mean(measured)) if measured else None)
            learner.save(folder, {"iteration": iteration})
            curve.add(point)
            print(_line(point), flush=True)
        after = await game.measure(settings.name)
    _finish(settings, curve, before, after)


class _Game:
    """Plays with a runtime, or waits for a game that does."""

    def __init__(
        self, runtime: AsyncRuntime, source: EnvironmentSource | None, settings: RunSettings
    ) -> None:
        self._runtime, self._settings = runtime, settings
        self._players = self._judges = None
        if source is not None:
            player = partial(
                Players,
                runtime,
                source,
                places=settings.at_once,
                temperature=settings.temperature,
            )
            self._players = player(settings.task)
            self._judges = player(f"{settings.task} held out", held_out=True)

    async def play(self, iteration: int) -> list[Trajectory]:
        """Return an iteration's episodes."""
        own = self._settings
        if self._players is None:
            taken: list[Trajectory] = []
            while len(taken) < own.rollouts:
                taken += await self._runtime.take_episodes(
                    own.task, min(own.rollouts - len(taken), 1024), 30.0
                )
            return taken
        rng = np.random.default_rng((own.learner.seed, iteration))
        worlds = [int(each) for each in rng.integers(0, 2**31, own.rollouts // own.group)]
        first = int(rng.integers(0, 2**60))
        await self._players.play(seeds(worlds, own.group, first), own.name)
        return await self._players.take(own.rollouts)

    async def measure(self, adapter: str) -> list[float]:
        """Return what episodes come to that nobody learns from; none where a game plays."""
        own = self._settings
        if self._judges is None or not own.held_out:
            return []
        worlds = range(_HELD_OUT_WORLDS, _HELD_OUT_WORLDS + own.held_out)
        rewards = await self._judges.play(seeds(worlds, 1, 2**61), adapter)
        await self._judges.take(own.held_out)
        return rewards


def _learner(settings: RunSettings, device: torch.device) -> Learner:
    path = resolve(settings.base)
    source = open_source(path)
    begun = None if settings.adapter is None else read_adapter(settings.adapter)
    if begun is not None:
        config = begun.config.model_copy(update={"lora_dropout": 0.0})
    else:
        architecture = source.architecture()
        modules = module_names(architecture, source.checkpoint())
        config = AdapterConfig(
            r=settings.rank,
            lora_alpha=2 * settings.rank,
            target_modules=tuple(sorted({name.rsplit(".", 1)[1] for name in modules.values()})),
            fan_in_fan_out=architecture.modules.transposed,
            base_model_name_or_path=settings.base,
        )
    learner = Learner(path, config, Tokenizer(source.tokenizer()), settings.learner, device)
    if begun is not None:
        learner.model.load_adapter(begun)
    return learner


@asynccontextmanager
async def _runtime(settings: RunSettings) -> AsyncIterator[AsyncRuntime]:
    """Connect to the game's runtime, or launch one."""
    if settings.address:
        runtime = AsyncRuntime.connect(settings.address, settings.token)
    else:
        threads = ("--threads", str(settings.threads)) if settings.threads else ()
        runtime = AsyncRuntime.launch(
            *("--model", settings.base, "--adapters", str(settings.output.resolve().parent)),
            *("--device", str(_device(settings.play_on)), *threads),
            *("--max-batch", str(min(settings.at_once, 1024))),
            *("--max-sessions", str(max(settings.at_once, 256))),
        )
    async with runtime:
        yield runtime


async def _take_up(runtime: AsyncRuntime, settings: RunSettings) -> None:
    """Have the runtime speak with the adapter as it is now.

    Raises:
        LearningError: It can't; the message says how it could.
    """
    try:
        await runtime.load_adapter(settings.name)
    except TownsfolkError as error:
        folder = settings.output.resolve().parent
        raise LearningError(
            f"the runtime can't take the adapter up: {error} (start it with --adapters {folder}, "
            "on this machine)"
        ) from error


def _point(
    iteration: int, before: Sequence[CurvePoint], played: Sequence[Trajectory]
) -> CurvePoint:
    rewards = [each.reward for each in played]
    return CurvePoint(
        iteration,
        (before[-1].episodes if before else 0) + len(played),
        mean_reward(played),
        float(np.std(rewards)),
        sum(len(each.acts) for each in played) / len(played),
    )


def _line(point: CurvePoint) -> str:
    held = "" if point.held_out is None else f"  held out {point.held_out:.3f}"
    return (
        f"{point.iteration:4d}  reward {point.reward:7.3f} ± {point.deviation:.3f}  "
        f"acts {point.acts:.1f}  KL {point.kl:.4f}  clipped {point.clipped:.0%}  "
        f"played {point.play_s:.1f} s, learned {point.update_s:.1f} s{held}"
    )


def _finish(
    settings: RunSettings, curve: Curve, before: Sequence[float], after: Sequence[float]
) -> None:
    if before and after:
        found = compare(before, after, settings.learner.seed)
        (settings.output / "measured.json").write_text(json.dumps(asdict(found), indent=2) + "\n")
        print(_verdict(found))
    print(f"The adapter is in {settings.output}.")
    try:
        plot_curve(curve.points, settings.output / "curve.png", settings.task)
    except PlottingUnavailableError as error:
        print(error)


def _verdict(found: Comparison) -> str:
    return (
        f"held out, {found.episodes} episodes each: {found.before:.3f} before, {found.after:.3f} "
        f"after; difference {found.low:+.3f} to {found.high:+.3f} (95%), p = {found.p:.4f}: "
        + ("better" if found.is_better else "not significantly better")
    )


def _note_before(folder: Path, rewards: Sequence[float]) -> None:
    (folder / "before.json").write_text(json.dumps([*rewards]) + "\n")


def _noted_before(folder: Path) -> list[float]:
    rewards: list[float] = json.loads((folder / "before.json").read_text())
    return rewards


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise LearningError(f"--device {name}: is none of auto, cpu, cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise LearningError("--device cuda: there is none that PyTorch can use")
    return torch.device(name)
