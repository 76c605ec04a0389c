"""The model for `--model auto`: the largest that fits, and is here or can be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from townsfolk.config import EngineSettings
from townsfolk.engine.fit import Machine, ModelFootprint
from townsfolk.installation import DEFAULT_MODEL, model_name
from townsfolk.library import (
    AUTO,
    CatalogueModel,
    DownloadError,
    NoRoomError,
    catalogue,
    find_known,
    resolve,
)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model that was chosen.

    Attributes:
        name: what it is called.
        path: its file or directory.
        why: in a sentence; empty where it was named.
    """

    name: str
    path: Path
    why: str = ""


def largest(machine: Machine) -> CatalogueModel | None:
    """Return the largest model of the catalogue that fits, here or not; None where none does."""
    fitting = (
        model
        for model in reversed([*catalogue().values()])
        if not machine.misfit(ModelFootprint.of_known(model, machine.device))
    )
    return next(fitting, None)


def choose(model: str | Path, device: torch.device, settings: EngineSettings) -> ModelChoice:
    """Find the model of this name, or choose one for "auto"; download it where needed.

    Raises:
        ModelNotFoundError: there is none of this name, or it can't be had.
    """
    if model != AUTO:
        return ModelChoice(model_name(str(model)), resolve(model))
    machine = Machine.of(device, settings)
    passed = {"too large": "", "not to be had": ""}  # the last and the first, of the largest first
    only_here = False
    for known in reversed([*catalogue().values()]):
        if reason := machine.misfit(ModelFootprint.of_known(known, device)):
            passed["too large"] = f"{known.name} {reason}"
            continue
        here = find_known(known)
        if here is None and only_here:
            continue
        try:
            path = here or resolve(known.name)
        except DownloadError as error:
            only_here = not isinstance(error, NoRoomError)  # a smaller one may have room
            passed["not to be had"] = passed["not to be had"] or str(error)
        else:
            why = f"{known.name} is the largest that is to be had and fits into {machine}"
            return ModelChoice(known.name, path, "; ".join([why, *filter(None, passed.values())]))
    why = f"the {DEFAULT_MODEL} model, as no larger one is to be had that fits into {machine}"
    reasons = filter(None, passed.values())
    return ModelChoice(
        model_name(DEFAULT_MODEL), resolve(DEFAULT_MODEL), "; ".join([why, *reasons])
    )
