"""The course of learning: a line of JSON for each iteration, and a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One iteration.

    Attributes:
        iteration: from 1 on; 0 is before the first.
        episodes: that were played until then.
        reward: their mean reward in this iteration.
        deviation: the standard deviation of the reward.
        acts: acts in an episode, on average.
        kl: the distance to the base model, in nats for each draw.
        clipped: the share of draws that gained nothing more.
        ratio_error: the largest difference of log-probabilities between runtime and trainer for the
            adapter that drew, in nats.
        play_s: how long playing took.
        update_s: how long learning took.
        held_out: the mean reward against those that nobody learns from, where it was measured.
    """

    iteration: int
    episodes: int
    reward: float
    deviation: float
    acts: float
    kl: float = 0.0
    clipped: float = 0.0
    ratio_error: float = 0.0
    play_s: float = 0.0
    update_s: float = 0.0
    held_out: float | None = None


class Curve:
    """The points of a run, in a file that grows."""

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        """Begin a file, or go on with one."""
        self._path = path
        self.points: list[CurvePoint] = []
        if resume and path.exists():
            lines = path.read_text("utf-8").splitlines()
            self.points = [CurvePoint(**json.loads(line)) for line in lines]
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("", "utf-8")

    def cut(self, iteration: int) -> None:
        """Forget what came behind an iteration."""
        self.points = [each for each in self.points if each.iteration <= iteration]
        self._path.write_text("".join(map(_line, self.points)), "utf-8")

    def add(self, point: CurvePoint) -> None:
        """Add an iteration."""
        self.points.append(point)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(point))


def plot_curve(points: Sequence[CurvePoint], path: Path, title: str) -> None:
    """Write a PNG of the rewards; raises PlottingUnavailableError without matplotlib."""
    from townsfolk.training.plot import new_figure

    figure = new_figure()
    rewards, distance = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    iterations = [each.iteration for each in points]
    rewards.plot(iterations, [each.reward for each in points], label="played", linewidth=1.2)
    held = [each for each in points if each.held_out is not None]
    rewards.plot(
        [each.iteration for each in held],
        [each.held_out for each in held],
        "o-",
        label="held out",
        linewidth=1.2,
    )
    rewards.set(ylabel="reward of an episode", title=title)
    rewards.legend()
    distance.plot(iterations, [each.kl for each in points], linewidth=1.2)
    distance.set(xlabel="iteration", ylabel="KL (nats a draw)")
    for axes in (rewards, distance):
        axes.grid(alpha=0.3)
    figure.savefig(path)


def _line(point: CurvePoint) -> str:
    return json.dumps(asdict(point)) + "\n"
