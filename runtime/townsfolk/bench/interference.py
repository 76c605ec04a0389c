"""What long prompts do to those who speak already."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from townsfolk.bench.answer import Answer
from townsfolk.bench.report import Row, median, percentile
from townsfolk.bench.scene import Scene, Stage

SCENE = Scene(npcs=8, turns=1, lore=0, persona=300, reply=512, thinking_s=0.0, intruders=3)


def interference(stage: Stage, scene: Scene = SCENE, rounds: int = 3) -> list[Row]:
    """Play the scene without and with its intruders, in turns; return a row for each way to count.

    Inter-token times are the gaps between messages. As a runtime may put tokens together when it is
    short of time, the second row has each gap by the tokens that it brings. Figures are medians of
    rounds. The first eighth of each answer is left out: while the speakers' own prompts are
    computed, nobody is quiet.
    """
    quiet = replace(scene, intruders=0)
    stage.play(replace(scene, take=-1))  # warms up
    stage.rest()
    played = [
        (
            stage.play(replace(quiet, take=2 * number)),
            stage.play(replace(scene, take=2 * number + 1)),
        )
        for number in range(rounds)
    ]

    def row(counted: str, times: Callable[[Answer], list[float]]) -> Row:
        def figure(disturbed: bool, share: float) -> float:
            rounds = [percentile(_later(pair[disturbed], times), share) for pair in played]
            return 1000 * median(rounds)

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

    return [
        row("messages", lambda answer: answer.gaps_s),
        row("tokens", lambda answer: answer.token_times_s),
    ]


def _later(answers: list[Answer], times: Callable[[Answer], list[float]]) -> list[float]:
    found = []
    for answer in answers:
        each = times(answer)
        found += each[len(each) // 8 :]
    return found
