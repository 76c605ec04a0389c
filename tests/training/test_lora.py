"""Adapters beside a frozen decoder, against PEFT on the same models in transformers."""

import pytest
import torch
import torch.nn.functional as F
from family_models import FAMILIES, VOCABULARY, write_model
from peft_adapters import adapt, save, targets_of
from townsfolk.checkpoint import AdapterConfig, read_adapter
from townsfolk.training.lora import LoraDecoder
from townsfolk.training.ops import document_masks, document_positions

CPU = torch.device("cpu")
GRID = [
    pytest.param(name, changes, id=f"{name}, {case}")
    for name, family in FAMILIES.items()
    for case, changes in {
        "usual": {},
        **({"windowed": family.windowed} if family.windowed else {}),
        **{case: family.grid[case] for case in ("tied", "biases", "partial") if case in family.grid},
    }.items()
]


def config(family, **changes):
    fields = {"r": 4, "lora_alpha": 8, "target_modules": tuple(targets_of(family))}
    return AdapterConfig(**(fields | {"fan_in_fan_out": family == "gpt2"} | changes))


def logits(model, tokens):
    documents = torch.ones_like(tokens)
    masks = document_masks(documents, model.spec, blockwise=False)
    return model(tokens, document_positions(documents), masks)


def gradients_of(peft):
    return {
        name.removeprefix("base_model.model.").replace(".default", ""): parameter.grad
        for name, parameter in peft.named_parameters()
        if "lora_" in name
    }


@pytest.mark.parametrize(("name", "changes"), GRID)
def test_logits_and_gradients_are_those_of_peft(tmp_path, name, changes):
    peft = adapt(write_model(name, tmp_path / "base", **changes), name)
    save(peft, tmp_path / "adapter")
    ours = LoraDecoder(tmp_path / "base", config(name), CPU)
    ours.load_adapter(read_adapter(tmp_path / "adapter"))
    tokens = torch.randint(VOCABULARY, (2, 37), generator=torch.Generator().manual_seed(0))
    found, expected = logits(ours, tokens), peft(tokens).logits
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    wanted = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    (found * wanted).sum().backward()
    (expected * wanted).sum().backward()
    of_theirs = gradients_of(peft)
    assert {each for each, _ in ours.named_parameters()} == of_theirs.keys()
    for each, parameter in ours.named_parameters():
        error = (parameter.grad - of_theirs[each]).norm()
        assert error < 1e-3 * of_theirs[each].norm() + 1e-3, each
