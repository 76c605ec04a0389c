"""What a run leaves on disk: the model in Hugging Face's layout, and all it takes to go on."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from townsfolk.checkpoint import Checkpoint
from townsfolk.checkpoint.replacing import replace_file
from townsfolk.models import Architecture, UnsupportedModelError, open_source
from townsfolk.models.weights import expected_tensors
from townsfolk.training.model import TrainableDecoder
from townsfolk.training.module import DecoderModule

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def save_model(
    model: TrainableDecoder, folder: Path, dtype: str, generation: dict[str, Any]
) -> None:
    """Write model.safetensors in this dtype, and config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.detach().to("cpu", DTYPES[dtype]).contiguous()
        for name, tensor in model.weights().items()
    }
    replace_file(
        folder / "model.safetensors", lambda path: save_file(weights, path, {"format": "pt"})
    )
    kept = {name: value for name, value in model.shape.items() if name != "torch_dtype"}
    ends = {name: generation[name] for name in ("bos_token_id", "eos_token_id")}
    config = {**kept, **ends, "dtype": dtype}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def load_model(folder: Path) -> TrainableDecoder:
    """Return a model in fp32 from a Hugging Face directory.

    Raises:
        UnsupportedModelError: No family has such a model, or it is quantised.
        CheckpointError: Its weights are broken.
    """
    found = open_source(folder).architecture()
    config = json.loads((folder / "config.json").read_text())
    if config.get("quantization_config"):
        raise UnsupportedModelError(
            f"{folder} is quantised, and what is rounded can't be trained: take the model that it "
            "was made from"
        )
    checkpoint = Checkpoint(folder)
    found = Architecture(found.spec, found.names.rooted(checkpoint))
    expected = expected_tensors(found)
    checkpoint.check(
        {name: spec.shape for name, spec in expected.items()},
        (*found.names.ignored, f"{found.names.head}.weight"),
    )
    model = TrainableDecoder(config, found)
    model.load_weights({name: checkpoint.tensor(name).float() for name in expected})
    return model


def require_progress(folder: Path) -> None:
    """Raise FileNotFoundError where there is nothing to go on from."""
    if not (folder / "progress.json").exists():
        raise FileNotFoundError(f"there is no run to go on from: {folder} holds no progress.json")


def save_progress(
    model: DecoderModule,
    optimizers: Sequence[Optimizer],
    progress: dict[str, Any],
    folder: Path,
) -> None:
    """Write weights in fp32, the optimizers' states and the run's progress."""
    folder.mkdir(parents=True, exist_ok=True)
    moments = {
        f"{first + index}.{name}": value.detach().cpu().contiguous()
        for first, optimizer in _numbered(optimizers)
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    _save_weights(model, folder / "weights.safetensors")
    replace_file(folder / "optimizer.safetensors", lambda path: save_file(moments, path))
    replace_file(folder / "progress.json", lambda path: Path(path).write_text(json.dumps(progress)))


def save_best(model: DecoderModule, folder: Path) -> None:
    """Write weights in fp32 beside those of ``save_progress``."""
    folder.mkdir(parents=True, exist_ok=True)
    _save_weights(model, folder / "best.safetensors")


def load_best(model: DecoderModule, folder: Path) -> None:
    """Restore what ``save_best`` wrote."""
    model.load_weights(load_file(folder / "best.safetensors"))


def load_progress(
    model: DecoderModule, optimizers: Sequence[Optimizer], folder: Path
) -> dict[str, Any]:
    """Restore what ``save_progress`` wrote; returns the progress. Raises FileNotFoundError."""
    require_progress(folder)
    progress: dict[str, Any] = json.loads((folder / "progress.json").read_text())
    model.load_weights(load_file(folder / "weights.safetensors"))
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in load_file(folder / "optimizer.safetensors").items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    for first, optimizer in _numbered(optimizers):
        groups = optimizer.state_dict()["param_groups"]
        own = range(first, first + sum(len(group["params"]) for group in groups))
        states = {index - first: state[index] for index in own if index in state}
        optimizer.load_state_dict({"state": states, "param_groups": groups})
    return progress


def _numbered(optimizers: Sequence[Optimizer]) -> Iterator[tuple[int, Optimizer]]:
    """Yield each optimizer behind the number of its first parameter among those of all."""
    first = 0
    for optimizer in optimizers:
        yield first, optimizer
        first += sum(len(group["params"]) for group in optimizer.param_groups)


def _save_weights(model: DecoderModule, path: Path) -> None:
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.weights().items()}
    replace_file(path, lambda beside: save_file(weights, beside))
