"""Random adapters, as PEFT makes and writes them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

# Modules that the layers of a family multiply with.
_USUAL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
TARGETS = {
    "phi3": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    "gpt2": ("c_attn", "c_proj", "c_fc"),
    "granite 4": ("q_proj", "k_proj", "v_proj", "o_proj", "input_linear", "output_linear"),
}


def targets_of(family: str) -> list[str]:
    """Ends of the names of a family's adapted modules."""
    return list(TARGETS.get(family, _USUAL))


def adapt(model: PreTrainedModel, family: str, seed: int = 5, **changes: Any) -> PeftModel:
    """Add a random adapter to a model, large enough to show in its logits."""
    fields = {
        "r": 4,
        "lora_alpha": 8,
        "target_modules": targets_of(family),
        "fan_in_fan_out": family == "gpt2",
        "task_type": "CAUSAL_LM",
    }
    adapted = get_peft_model(model, LoraConfig(**(fields | changes)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                values = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(values * parameter.shape[1] ** -0.5 * 0.4)
    return adapted.eval()


def save(adapted: PeftModel, directory: Path) -> Path:
    """Write the adapter alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the model has no name on any hub
        adapted.save_pretrained(str(directory))
    return directory
