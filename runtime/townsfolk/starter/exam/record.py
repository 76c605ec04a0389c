"""The outcome of an exam as a file, and as a picture beside those of other models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from townsfolk.starter.exam.report import Tally, wilson


class RecordError(ValueError):
    """A file holds no outcome of an exam, or it can't be drawn; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """What came of one model's exam.

    Attributes:
        title: The model, and its adapter.
        seed: Of the questions.
        tallies: By kind.
    """

    title: str
    seed: int
    tallies: Mapping[str, Tally]

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values, with each share's 95% interval."""
        kinds = {
            kind: {**asdict(tally), "interval": wilson(tally.right, tally.of)}
            for kind, tally in self.tallies.items()
        }
        return {"exam": self.title, "seed": self.seed, "kinds": kinds}

    def write(self, path: Path) -> None:
        """Write it as JSON; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read what `write` wrote.

        Raises:
            RecordError: The file holds no such thing.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            tallies = {
                kind: Tally(**{name: each[name] for name in Tally.__slots__})
                for kind, each in values["kinds"].items()
            }
            return cls(values["exam"], values["seed"], tallies)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordError(
                f"{path} holds no outcome of an exam, as --output writes it: {error!r}"
            ) from error


def draw(records: Sequence[Record], path: Path) -> None:
    """Draw shares of right answers with their 95% intervals, the models beside each other.

    Raises:
        RecordError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise RecordError("the plot needs matplotlib: pip install 'townsfolk[train]'") from None
    kinds = list(dict.fromkeys(kind for record in records for kind in record.tallies))
    figure = Figure(figsize=(7, 1.2 + 0.2 * len(kinds) * (1 + len(records))), dpi=110)
    figure.set_layout_engine("constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(records)
    for number, record in enumerate(records):
        places = [place for place, kind in enumerate(kinds) if kind in record.tallies]
        tallies = [record.tallies[kinds[place]] for place in places]
        shares = [tally.share for tally in tallies]
        ends = [wilson(tally.right, tally.of) for tally in tallies]
        errors = [
            [share - low for share, (low, _) in zip(shares, ends, strict=True)],
            [high - share for share, (_, high) in zip(shares, ends, strict=True)],
        ]
        axes.barh(
            [place + (number + 0.5) * height - 0.4 for place in places],
            shares,
            height,
            xerr=errors,
            error_kw={"elinewidth": 0.8},
            label=record.title,
        )
    axes.set_yticks(range(len(kinds)), kinds)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="right and cleanly said, with 95% intervals")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", fontsize="small")
    figure.savefig(path)
