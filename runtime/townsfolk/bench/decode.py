"""Decode speed of a named shape with random weights: requests of equal length in one batch.

Speed does not depend on the weights' values. A decode rate counts the tokens that come while all
requests decode: from when the last has its first token to when the first has its last.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from townsfolk.bench import recorded
from townsfolk.bench.answer import Answer, MeasurementError, long_enough, steady_rate
from townsfolk.bench.engine_stage import EngineStage
from townsfolk.bench.floor import decode_bytes
from townsfolk.bench.report import Row, gpu_name, median
from townsfolk.bench.scene import Scene, Stage
from townsfolk.bench.subject import Subject

OURS = {"grammar": "grammar costs %", "adapters": "adapters cost %"}
"""Contestants that are this engine with something more to do, and what that is called."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What one run reached, in tokens a second over all requests."""

    decode: float
    prefill: float


class Contestant(Protocol):
    """Something that decodes."""

    name: str

    def run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        """Complete all prompts, of equal length, in one batch with `new_tokens` each."""

    def close(self) -> None:
        """End it."""


class TownsfolkContestant:
    """The engine, in this process."""

    name = "townsfolk"

    def __init__(self, stage: EngineStage) -> None:
        """Use an engine that has no other work."""
        self._stage = stage

    def run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        """See `Contestant`."""
        return rates_of(self._stage.complete(prompts, new_tokens), prompts, new_tokens)

    def close(self) -> None:
        """See `Contestant`."""
        self._stage.close()


def rates_of(answers: Sequence[Answer], prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
    """Return what a run reached.

    Raises:
        MeasurementError: an answer has not the length that was asked for.
    """
    if any(answer.generated != new_tokens for answer in answers):
        lengths = [answer.generated for answer in answers]
        raise MeasurementError(f"asked for {new_tokens} tokens each, got {lengths}")
    begin = min(answer.asked for answer in answers)
    all_first = max(answer.arrivals[0] for answer in answers)
    return Rates(
        decode=steady_rate(answers),
        prefill=sum(map(len, prompts)) / (all_first - begin),
    )


def random_prompts(vocab_size: int, batch: int, length: int, seed: int) -> list[list[int]]:
    """Return `batch` prompts of `length` random token ids."""
    draw = random.Random(seed)
    return [[draw.randrange(vocab_size) for _ in range(length)] for _ in range(batch)]


def decode(
    subject: Subject,
    contestants: Sequence[Contestant],
    bandwidth: float,
    batches: Sequence[int],
    prompt_tokens: int,
    new_tokens: Callable[[int], Sequence[int]],
    rounds: int,
) -> list[Row]:
    """Let the contestants, ours first, decode in turns; return a row for each batch size.

    Args:
        subject: what they run.
        contestants: who.
        bandwidth: what the memory can do, in bytes a second.
        batches: numbers of requests.
        prompt_tokens: length of each prompt.
        new_tokens: lengths of answers to try, by the number of requests; see `long_enough`.
        rounds: of which medians are taken; one more warms up.
    """
    rows: list[Row] = []
    ours_alone, *others = contestants
    for batch in batches:
        rates: dict[str, list[Rates]] = {contestant.name: [] for contestant in contestants}
        prompts = random_prompts(subject.spec.vocab_size, batch, prompt_tokens, 0)
        length = long_enough(new_tokens(batch), partial(ours_alone.run, prompts))
        for contestant in others:
            contestant.run(prompts, length)
        for number in range(1, rounds + 1):
            prompts = random_prompts(subject.spec.vocab_size, batch, prompt_tokens, number)
            for contestant in contestants:
                rates[contestant.name].append(contestant.run(prompts, length))
        reached = {name: median([rate.decode for rate in each]) for name, each in rates.items()}
        prefilled = {name: median([rate.prefill for rate in each]) for name, each in rates.items()}
        context = prompt_tokens + length // 2
        weights, element = subject.outline.step_bytes, subject.dtype.itemsize
        kept = subject.kept_dtype
        bytes_read = decode_bytes(subject.spec, element, batch, context, weights, kept)
        ours, floor = reached["townsfolk"], batch * bandwidth / bytes_read
        row: dict[str, object] = {
            "batch": batch,
            "new tokens": length,
            "decode tok/s": ours,
            "step ms": 1000 * batch / ours,
            "floor tok/s": floor,
            "share of floor": ours / floor,
            "prefill tok/s": prefilled["townsfolk"],
        }
        for contestant in contestants[1:]:
            row[f"{contestant.name} tok/s"] = reached[contestant.name]
            if contestant.name in OURS:
                row[OURS[contestant.name]] = 100 * (1 - reached[contestant.name] / ours)
            else:
                row["ratio"] = ours / reached[contestant.name]
            row[f"{contestant.name} prefill"] = prefilled[contestant.name]
        theirs = recorded.decode(gpu_name(subject.device), subject.name, batch)
        if theirs is not None:
            row["peer (recorded)"] = theirs
            row["ratio to it"] = ours / theirs
        rows.append(row)
    return rows


def through_service(
    engine: Stage,
    service: Callable[[], Stage],
    batches: Sequence[int],
    prompt_tokens: int,
    new_tokens: Callable[[int], Sequence[int]],
    rounds: int,
) -> list[Row]:
    """Decode in this process and over the real service in turns; return a row for each batch.

    Args:
        engine: the engine in this process.
        service: starts a runtime with the same weights.
        batches: numbers of requests, of characters over the service.
        prompt_tokens: length of each prompt.
        new_tokens: lengths of answers to try, by the number of requests; see `long_enough`.
        rounds: of which medians are taken; one more warms up.
    """
    stages = {"in process": engine, "through gRPC": service()}
    rows: list[Row] = []
    try:
        for batch in batches:
            rates: dict[str, list[float]] = {name: [] for name in stages}
            held: list[float] = []
            scene = Scene(
                npcs=batch, turns=1, lore=0, persona=prompt_tokens - 30, said=30, thinking_s=0.0
            )

            def warm_up(length: int, scene: Scene = scene) -> None:
                for stage in stages.values():
                    steady_rate(stage.play(replace(scene, reply=length, take=0)))

            length = long_enough(new_tokens(batch), warm_up)
            for stage in stages.values():
                stage.rest()
            for number in range(1, rounds + 1):
                for name, stage in stages.items():
                    answers = stage.play(replace(scene, reply=length, take=number))
                    rates[name].append(steady_rate(answers))
                    if stage is not engine:
                        messages = sum(len(answer.arrivals) for answer in answers)
                        held.append(batch * length / messages)
            reached = {name: median(each) for name, each in rates.items()}
            rows.append(
                {
                    "batch": batch,
                    "new tokens": length,
                    **{f"{name} tok/s": rate for name, rate in reached.items()},
                    "loss %": 100 * (1 - reached["through gRPC"] / reached["in process"]),
                    "tokens/message": median(held),
                }
            )
    finally:
        stages["through gRPC"].close()
    return rows
