"""How fast a prompt is read, and what share of the arithmetic the hardware can do that is."""

from __future__ import annotations

from collections.abc import Sequence

from townsfolk.bench import recorded
from townsfolk.bench.decode import random_prompts
from townsfolk.bench.engine_stage import EngineStage
from townsfolk.bench.floor import prefill_operations
from townsfolk.bench.report import Row, gpu_name, median
from townsfolk.bench.subject import Subject


def prefill(
    subject: Subject,
    stage: EngineStage,
    matrix_rate: float,
    lengths: Sequence[int],
    rounds: int,
) -> list[Row]:
    """Read a prompt of each length alone, from submission to its first token.

    Args:
        subject: what runs.
        stage: its engine.
        matrix_rate: operations a second of a large product.
        lengths: of prompts, in tokens.
        rounds: of which medians are taken; one more warms up.
    """
    rows: list[Row] = []
    for length in lengths:
        seconds = []
        for number in range(rounds + 1):
            prompt = random_prompts(subject.spec.vocab_size, 1, length, number)
            (answer,) = stage.complete(prompt, 1)
            if number > 0:
                seconds.append(answer.first_token_s)
            else:
                stage.rest()
        time_s = median(seconds)
        operations = prefill_operations(subject.spec, length) / time_s
        row: dict[str, object] = {
            "prompt": length,
            "ms": 1000 * time_s,
            "tok/s": length / time_s,
            "TFLOP/s": operations / 1e12,
            "share of matrix rate": operations / matrix_rate,
        }
        theirs = recorded.prefill(gpu_name(subject.device), subject.name)
        if theirs is not None:
            row["peer (recorded)"] = f"{theirs[0]:.0f} to {theirs[1]:.0f}"
        rows.append(row)
    return rows
