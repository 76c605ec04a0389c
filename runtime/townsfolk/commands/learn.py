"""`townsfolk learn`: an adapter that learns from play."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from townsfolk.commands.connection import add_token
from townsfolk.commands.options import positive, share, whole_number

if TYPE_CHECKING:
    from townsfolk.learning.run import RunSettings

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:]+):[0-9]{1,5}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    count = whole_number(1)
    add = parser.add_argument
    add(
        "environment",
        metavar="ENV",
        help="module:Class, an environment in Python; or HOST:PORT, a runtime with which a game "
        "plays episodes",
    )
    add("--base", required=True, metavar="MODEL", help="a model directory, GGUF file or hub id")
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="where the adapter goes")
    add("--task", help="what the episodes are called by. Default: the class's name")
    add("--adapter", type=Path, metavar="DIR", help="go on from this adapter, as PEFT writes it")
    add("--resume", action="store_true", help="go on with the run in --output")
    add_token(parser)

    play = parser.add_argument_group("what is played")
    add = play.add_argument
    add("--iterations", type=count, default=40, help="times the adapter is changed. Default 40")
    add("--max-minutes", type=positive, help="end after this time, and measure")
    add("--rollouts", type=count, default=64, help="episodes for each. Default 64")
    add("--group", type=count, default=8, help="of them that begin alike. Default 8")
    add("--at-once", type=count, default=32, help="episodes that are played at once. Default 32")
    add("--temperature", type=positive, default=1.0, help="of the draws. Default 1")
    add("--held-out", type=whole_number(0), default=128, help="episodes to measure on. Default 128")
    add("--measure-every", type=whole_number(0), default=0, help="iterations; 0: at the end")

    learn = parser.add_argument_group("how it learns")
    add = learn.add_argument
    add("--rank", type=count, default=8, help="width of the adapter's matrices. Default 8")
    add("--learning-rate", type=positive, default=1e-3, help="default 0.001")
    add("--kl", type=share, default=0.02, help="weight of the distance to the base. Default 0.02")
    add("--clip", type=positive, default=0.2, help="ratio beyond which nothing counts. Default 0.2")
    add("--passes", type=count, default=2, help="through each batch of episodes. Default 2")
    add("--parts", type=count, default=2, help="steps in each pass. Default 2")
    add("--seed", type=whole_number(0), default=0, help="of worlds, draws and the adapter")
    add("--device", default="auto", help="auto, cpu or cuda. Default auto")
    add("--play-on", help="auto, cpu or cuda: of the runtime alone. Default as --device")
    add("--threads", type=count, help="of the processor, for each of the two")


def run(options: argparse.Namespace) -> int:
    """Learn; return the exit status."""
    from townsfolk.client import TownsfolkError
    from townsfolk.engine.load_errors import LOAD_ERRORS
    from townsfolk.learning.rollouts import EnvironmentFailedError
    from townsfolk.learning.run import learn

    failures = (
        *LOAD_ERRORS, TownsfolkError, EnvironmentFailedError, OSError, ValueError,
    )  # fmt: skip
    try:
        asyncio.run(learn(_settings(options)))
    except KeyboardInterrupt:
        print(f"Stopped. The same command with --resume goes on with {options.output}.")
        return 130
    except BaseExceptionGroup as group:
        failed, others = group.split(failures)
        if others is not None or failed is None:
            raise
        for message in dict.fromkeys(map(str, _leaves(failed))):
            print(f"townsfolk learn: {message}", file=sys.stderr)
        return 2
    except failures as error:
        print(f"townsfolk learn: {error}", file=sys.stderr)
        return 2
    return 0


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """Yield what failed."""
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each


def _settings(options: argparse.Namespace) -> RunSettings:
    from townsfolk.learning.learner import LearnerSettings
    from townsfolk.learning.objective import Objective
    from townsfolk.learning.run import LearningError, RunSettings

    is_address = _ADDRESS.fullmatch(options.environment) is not None
    task = options.task or ("" if is_address else options.environment.rpartition(":")[2])
    if not task:
        raise LearningError("--task: say what the game calls its episodes (OpenEpisode's task)")
    if options.rollouts % options.group:
        raise LearningError(
            f"--rollouts {options.rollouts} are no whole number of groups of {options.group}"
        )
    return RunSettings(
        environment="" if is_address else options.environment,
        address=options.environment if is_address else "",
        token=options.token,
        base=options.base,
        output=options.output,
        task=task,
        adapter=options.adapter,
        resume=options.resume,
        iterations=options.iterations,
        max_minutes=options.max_minutes,
        rollouts=options.rollouts,
        group=options.group,
        at_once=options.at_once,
        temperature=options.temperature,
        held_out=options.held_out,
        measure_every=options.measure_every,
        rank=options.rank,
        device=options.device,
        play_on=options.play_on or options.device,
        threads=options.threads,
        learner=LearnerSettings(
            learning_rate=options.learning_rate,
            objective=Objective(clip=options.clip, kl=options.kl),
            passes=options.passes,
            parts=options.parts,
            seed=options.seed,
        ),
    )
