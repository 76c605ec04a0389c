"""Low-rank adapters (LoRA, arXiv:2106.09685) in the files of Hugging Face's PEFT.

A folder holds `adapter_config.json` and `adapter_model.safetensors`. Weights of a module that the
model calls `model.layers.0.self_attn.q_proj` are `base_model.model.` + its name +
`.lora_A.weight` [rank, in_features] and `.lora_B.weight` [out_features, rank], whichever way round
the model stores its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from townsfolk.checkpoint.adapter_config import AdapterConfig, AdapterError
from townsfolk.checkpoint.replacing import replace_file
from townsfolk.checkpoint.store import listed

CONFIG_FILE = "adapter_config.json"
GENERATION_FILE = "generation_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"

_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"
_COPY = ".base_layer.weight"  # PEFT adds those of an adapted head, which are the model's own
_DTYPES = ("BF16", "F16", "F32")
# What tensors of other kinds of adapters are for, by what their names hold.
_REFUSED = {
    "lora_magnitude_vector": "it is a DoRA adapter, whose weights depend on those of the model",
    "lora_embedding_": "it adapts the embedding, which is not supported",
    "lora_B.bias": "it adds biases (lora_bias), which is not supported",
    "modules_to_save": "it replaces whole modules (modules_to_save), which is not supported",
    "trainable_tokens": "it replaces rows of the embedding (trainable_token_indices), which is "
    "not supported",
}


@dataclass(frozen=True, slots=True, eq=False)
class LowRank:
    """What an adapter adds to the weight of one module: `scale * b @ a`.

    Attributes:
        a: [rank, in_features].
        b: [out_features, rank].
        scale: factor of the product.
    """

    a: Tensor
    b: Tensor
    scale: float

    @property
    def rank(self) -> int:
        """Rows of `a`."""
        return self.a.shape[0]

    @property
    def nbytes(self) -> int:
        """Memory of both."""
        return self.a.nbytes + self.b.nbytes

    def delta(self) -> Tensor:
        """Return what is added to the weight, [out_features, in_features] fp32."""
        return self.scale * (self.b.float() @ self.a.float())


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """An adapter.

    Attributes:
        config: how it was made.
        weights: by the name of the module in transformers, without ".weight".
    """

    config: AdapterConfig
    weights: Mapping[str, LowRank]

    @property
    def nbytes(self) -> int:
        """Memory of its weights."""
        return sum(each.nbytes for each in self.weights.values())

    @property
    def num_parameters(self) -> int:
        """Numbers in its weights."""
        return sum(each.a.numel() + each.b.numel() for each in self.weights.values())


def read_adapter(directory: Path) -> Adapter:
    """Read an adapter; its tensors are copies, in the dtype they are stored in.

    Raises:
        AdapterError: there is none, it is damaged, or it is of a kind that is not supported; the
            message says which.
    """
    config = AdapterConfig.parse(_read_config(directory / CONFIG_FILE))
    tensors = _read_tensors(directory)
    names = {name.removesuffix(_A).removesuffix(_B) for name in tensors}
    weights = {
        name.removeprefix(_PREFIX): _low_rank(name, tensors, config) for name in sorted(names)
    }
    if not weights:
        raise AdapterError(f"{directory / WEIGHTS_FILE} holds no tensors")
    if strays := [name for name in weights if not config.targets(name)]:
        raise AdapterError(
            f"the adapter has weights for {listed(strays)}, which target_modules of {CONFIG_FILE} "
            "doesn't name"
        )
    return Adapter(config, weights)


def read_generation(directory: Path) -> dict[str, Any]:
    """Return how an adapter's authors would have replies drawn; empty where they don't say.

    Raises:
        AdapterError: Its `generation_config.json` holds something else.
    """
    path = directory / GENERATION_FILE
    try:
        told = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise AdapterError(f"{path}: {error}") from error
    if not isinstance(told, dict):
        raise AdapterError(f"{path} holds no object")
    return told


def write_adapter(adapter: Adapter, directory: Path) -> None:
    """Write an adapter; a folder that holds one gets the new one, file by file.

    Raises:
        ValueError: a weight's rank or scale is not what the config says of it.
    """
    tensors: dict[str, Tensor] = {}
    for name, weight in adapter.weights.items():
        expected = adapter.config.scale_of(name)
        if adapter.config.rank_of(name) != weight.rank:
            raise ValueError(
                f"{name} has rank {weight.rank}, the config says {adapter.config.rank_of(name)}"
            )
        if not math.isclose(expected, weight.scale, rel_tol=1e-9):
            raise ValueError(f"{name} has scale {weight.scale}, the config says {expected}")
        tensors[f"{_PREFIX}{name}{_A}"] = weight.a.detach().cpu().contiguous()
        tensors[f"{_PREFIX}{name}{_B}"] = weight.b.detach().cpu().contiguous()
    directory.mkdir(parents=True, exist_ok=True)
    replace_file(directory / WEIGHTS_FILE, lambda path: save_file(tensors, path, {"format": "pt"}))
    text = json.dumps(adapter.config.to_json(), indent=2) + "\n"
    replace_file(directory / CONFIG_FILE, lambda path: Path(path).write_text(text, "utf-8"))


def _low_rank(name: str, tensors: Mapping[str, Tensor], config: AdapterConfig) -> LowRank:
    """Return the weights of a module, by its name in the file."""
    module = name.removeprefix(_PREFIX)
    a, b = tensors.get(f"{name}{_A}"), tensors.get(f"{name}{_B}")
    if a is None or b is None:
        raise AdapterError(f"{module} has {'lora_B' if a is None else 'lora_A'} alone")
    if a.dim() != 2 or b.dim() != 2:
        raise AdapterError(
            f"{module}: lora_A is {list(a.shape)} and lora_B {list(b.shape)}; only matrices are "
            "adapted"
        )
    rank = config.rank_of(module)
    if a.shape[0] != rank or b.shape[1] != rank:
        raise AdapterError(
            f"{module}: lora_A is {list(a.shape)} and lora_B {list(b.shape)}, but {CONFIG_FILE} "
            f"says rank {rank}"
        )
    if not (a.isfinite().all() and b.isfinite().all()):
        raise AdapterError(f"{module} has weights that are not finite: the training went astray")
    return LowRank(a, b, config.scale_of(module))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AdapterError(
            f"{path} does not exist; an adapter is a folder with {CONFIG_FILE} and {WEIGHTS_FILE}, "
            "as PEFT writes it"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterError(f"{path} cannot be read: {error}") from error
    if not isinstance(contents, dict):
        raise AdapterError(f"{path} does not hold a JSON object")
    return contents


def _read_tensors(directory: Path) -> dict[str, Tensor]:
    """Return all tensors by name, after a look at what they are for."""
    path = directory / WEIGHTS_FILE
    if not path.is_file():
        pickled = (directory / "adapter_model.bin").exists()
        raise AdapterError(
            f"{path} does not exist"
            + ("; pickled weights (adapter_model.bin) are not read" if pickled else "")
        )
    tensors: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (safe_open is no mapping)
                if name.endswith(_COPY):
                    continue
                for part, reason in _REFUSED.items():
                    if part in name:
                        raise AdapterError(f"{path} holds {name}: {reason}")
                if not name.startswith(_PREFIX) or not name.endswith((_A, _B)):
                    raise AdapterError(
                        f"{path} holds {name}, which is no weight of LoRA: those are called "
                        f"{_PREFIX}...{_A} and ...{_B}"
                    )
                if (dtype := str(file.get_slice(name).get_dtype())) not in _DTYPES:
                    raise AdapterError(
                        f"{path}: {name} is {dtype}, only {', '.join(_DTYPES)} are read"
                    )
                tensors[name] = torch.clone(file.get_tensor(name))
    except (SafetensorError, OSError) as error:
        raise AdapterError(f"{path} is not a readable safetensors file: {error}") from error
    return tensors
