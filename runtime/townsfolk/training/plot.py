"""The loss curve as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING

from townsfolk.training.trainer import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PlottingUnavailableError(RuntimeError):
    """matplotlib is not installed."""


def new_figure() -> "Figure":
    """Return an empty picture; raises PlottingUnavailableError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlottingUnavailableError(
            "the plot needs matplotlib: install townsfolk[train]"
        ) from error
    return Figure(figsize=(8, 4.5), dpi=110, layout="constrained")


def plot_losses(history: History, path: Path, title: str) -> None:
    """Write a PNG of the losses; raises PlottingUnavailableError without matplotlib."""
    figure = new_figure()
    axes = figure.add_subplot()
    axes.plot(history.step, history.loss, label="training", linewidth=1.2)
    if history.validation_step:
        axes.plot(
            history.validation_step, history.validation_loss, label="validation", linewidth=1.2
        )
    axes.set(xlabel="step", ylabel="loss on replies (nats per token)", title=title, yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
