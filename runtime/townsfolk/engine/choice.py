"""The model for `--model auto`: the largest that fits, and is here or can be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from townsfolk.config import EngineSettings
from townsfolk.engine.errors import NotEnoughMemoryError
from townsfolk.engine.fit import Demand, budget
from townsfolk.engine.memory import MIB
from townsfolk.library import (
    CatalogueModel,
    DownloadError,
    NoRoomError,
    catalogue,
    find_known,
    resolve,
)

AUTO = "auto"
# What a model must hold beside its weights: four characters with 2,048 tokens each.
LEAST_TOKENS = 8192
# A CPU reads all weights for each token, at about 20 GB/s: ten tokens a second.
MOST_CPU_WEIGHTS = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Choice:
    """A model that was chosen.

    Attributes:
        name: what it is called.
        path: its file or directory.
        why: in a sentence; empty where it was named.
    """

    name: str
    path: Path
    why: str = ""


def choose(model: str | Path, device: torch.device, settings: EngineSettings) -> Choice:
    """Find the model of this name, or choose one for "auto"; download it where needed.

    Raises:
        ModelNotFoundError: there is none of this name, or it can't be had.
    """
    if model != AUTO:
        return Choice(str(model), resolve(model))
    room = budget(device, settings)
    of = "gpu_memory_mib" if settings.gpu_memory_mib and device.type == "cuda" else "half of free"
    limit = f"{room // MIB:,} MiB ({of})"
    passed: list[str] = []
    can_download = True
    for known in reversed(catalogue().values()):
        if reason := misfit(known, room, device, settings):
            passed.append(f"{known.name} {reason}")
            continue
        here = find_known(known)
        if here is None and not can_download:
            passed.append(f"{known.name} is not here")
            continue
        try:
            path = here or resolve(known.name)
        except NoRoomError as error:
            passed.append(f"{known.name} can't be stored ({error})")
        except DownloadError as error:
            can_download = False
            passed.append(f"{known.name} can't be fetched ({error})")
        else:
            why = f"{known.name} is the largest that fits into {limit} and is to be had"
            return Choice(known.name, path, "; ".join([why, *passed[-2:]]))
    why = f"the starter model: no larger one fits into {limit} and is to be had"
    return Choice("starter", resolve("starter"), "; ".join([why, *passed[-2:]]))


def misfit(
    known: CatalogueModel, room: int, device: torch.device, settings: EngineSettings
) -> str:
    """Return why a model of the catalogue is not for this machine; empty where it is."""
    demand = Demand.of_known(known, device)
    if device.type == "cpu" and demand.outline.nbytes > MOST_CPU_WEIGHTS:
        return f"is too slow on a CPU, which reads its {known.size} for each token"
    try:
        plan = demand.fits(room, device, settings)
    except NotEnoughMemoryError:
        return f"does not fit: its file alone has {known.size}"
    tokens = plan.num_blocks * plan.block_size
    if tokens < min(LEAST_TOKENS, demand.spec.context_length):
        return f"leaves room for {tokens:,} tokens of conversation only"
    return ""
