"""What long prompts do to those who speak already."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from townsfolk.bench.engine_stage import EngineStage
from townsfolk.bench.report import Row, median, percentile
from townsfolk.bench.scene import Scene, Stage

SCENE = Scene(npcs=8, turns=1, lore=0, persona=300, reply=512, thinking_s=0.0, intruders=3)


def interference(stage: Stage, scene: Scene = SCENE, rounds: int = 3) -> list[Row]:
    """Play the scene without and with its intruders, in turns; return a row for each way to count.

    Between messages is what a player sees. As a runtime joins tokens when it is short of time, the
    second row has each gap by the tokens that it brings. An engine in this process also tells when
    its steps ended, which nothing delays on the way. Figures are medians of rounds.
    """
    quiet = replace(scene, intruders=0)
    _play(stage, replace(scene, take=-1))  # warms up
    stage.rest()
    played = [
        (
            _play(stage, replace(quiet, take=2 * number)),
            _play(stage, replace(scene, take=2 * number + 1)),
        )
        for number in range(rounds)
    ]

    def row(counted: str) -> Row:
        def figure(disturbed: bool, share: float) -> float:
            return 1000 * median([percentile(pair[disturbed][counted], share) for pair in played])

        quiet_p99, disturbed_p99 = figure(False, 0.99), figure(True, 0.99)
        return {
            "ms between": counted,
            "speakers": scene.npcs,
            "intruding prompts": f"{scene.intruders} x {scene.intruder}",
            "quiet p50 ms": figure(False, 0.5),
            "quiet p99 ms": quiet_p99,
            "disturbed p50 ms": figure(True, 0.5),
            "disturbed p99 ms": disturbed_p99,
            "disturbed longest ms": figure(True, 1.0),
            "p99 ratio": disturbed_p99 / quiet_p99,
        }

    return [row(counted) for counted in played[0][0]]


def _play(stage: Stage, scene: Scene) -> dict[str, list[float]]:
    """Inter-token times in seconds, by the way they are counted.

    The first eighth is left out: while the speakers' own prompts are computed, nobody is quiet.
    """
    answers = stage.play(scene)
    found = {
        "messages": [gap for answer in answers for gap in _later(answer.gaps_s)],
        "tokens": [gap for answer in answers for gap in _later(answer.token_times_s)],
    }
    if isinstance(stage, EngineStage):
        # The steps in which everybody spoke; other steps between them count as time.
        ends = [now for now, tokens in stage.steps if tokens >= scene.npcs]
        found["steps"] = _later([after - before for before, after in itertools.pairwise(ends)])
    return found


def _later(times: Sequence[float]) -> list[float]:
    return list(times[len(times) // 8 :])
