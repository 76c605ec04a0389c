"""Many characters who know the same lore, and players who think before they speak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from townsfolk.bench import recorded
from townsfolk.bench.answer import latencies
from townsfolk.bench.report import Row
from townsfolk.bench.scene import Scene, Stage, elapsed_s


def tavern(stage: Stage, scene: Scene, sizes: Sequence[int]) -> list[Row]:
    """Play the scene with each number of characters; return a row for each.

    What a runtime does once, as compiling kernels, is done before, by the largest number of
    characters who speak a turn at once: what is measured is a game that has run for a while.
    """
    stage.play(replace(scene, npcs=max(sizes), turns=1, thinking_s=0.0, take=-1))
    stage.rest()
    return [_row(stage, replace(scene, npcs=npcs)) for npcs in sizes]


def with_recorded(rows: Sequence[Row], gpu: str | None, shape: str) -> list[Row]:
    """Return the rows, each beside a peer's recorded figures if there are some of this GPU."""
    figures = recorded.tavern(gpu, shape)
    if not figures:
        return list(rows)
    columns = list(dict.fromkeys(key for row in figures.values() for key in row))
    return [
        row | {f"peer {key}": figures.get(_npcs(row), {}).get(key) for key in columns}
        for row in map(dict, rows)
    ]


def _row(stage: Stage, scene: Scene) -> Row:
    answers = stage.play(scene)
    generated = sum(answer.generated for answer in answers)
    return {
        "NPCs": scene.npcs,
        **latencies(answers),
        "tok/s": generated / elapsed_s(answers),
    }


def _npcs(row: Row) -> int:
    npcs = row["NPCs"]
    assert isinstance(npcs, int)
    return npcs
