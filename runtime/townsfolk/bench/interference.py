"""What long prompts do to those who speak already."""

from __future__ import annotations

from dataclasses import replace

from townsfolk.bench.answer import Answer
from townsfolk.bench.report import Row, median, percentile
from townsfolk.bench.scene import Scene, Stage

SCENE = Scene(npcs=8, turns=1, lore=0, persona=300, reply=512, thinking_s=0.0, intruders=3)


def interference(stage: Stage, scene: Scene = SCENE, rounds: int = 3) -> Row:
    """Inter-token times of the scene without and with its intruders, in turns; medians of rounds.

    The answers' first eighth is left out of both: while the speakers' own prompts are computed,
    nobody is quiet.
    """
    quiet = replace(scene, intruders=0)
    stage.play(replace(scene, take=-1))  # warms up
    gaps = [
        (
            _gaps(stage.play(replace(quiet, take=2 * number))),
            _gaps(stage.play(replace(scene, take=2 * number + 1))),
        )
        for number in range(rounds)
    ]

    def figure(disturbed: bool, share: float) -> float:
        return 1000 * median([percentile(pair[disturbed], share) for pair in gaps])

    row = {
        "quiet p50 ms": figure(False, 0.5),
        "quiet p99 ms": figure(False, 0.99),
        "disturbed p50 ms": figure(True, 0.5),
        "disturbed p99 ms": figure(True, 0.99),
        "disturbed longest ms": figure(True, 1.0),
    }
    return {
        "speakers": scene.npcs,
        "intruding prompts": f"{scene.intruders} x {scene.intruder}",
        **row,
        "p99 ratio": row["disturbed p99 ms"] / row["quiet p99 ms"],
    }


def _gaps(answers: list[Answer]) -> list[float]:
    return [gap for answer in answers for gap in answer.gaps_s[len(answer.gaps_s) // 8 :]]
