"""Adapters beside a frozen decoder, against PEFT on the same models in transformers."""

import json

import pytest
import torch
from family_models import FAMILIES, VOCABULARY, write_model
from gguf import GGMLQuantizationType as Kind
from gguf_files import random_model, write_gguf
from paged import PagedRun
from peft import PeftModel
from peft_adapters import adapt, save, targets_of
from quantized_checkpoints import write_quantized
from safetensors.torch import load_file, save_file
from townsfolk.checkpoint import AdapterConfig, AdapterError, read_adapter, write_adapter
from townsfolk.models import Decoder
from townsfolk.training.lora import LoraDecoder
from townsfolk.training.ops import document_masks, document_positions

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")
GRID = [
    pytest.param(name, changes, id=f"{name}, {case}")
    for name, family in FAMILIES.items()
    for case, changes in {
        "usual": {},
        **({"windowed": family.windowed} if family.windowed else {}),
        **{
            case: family.grid[case] for case in ("tied", "biases", "partial") if case in family.grid
        },
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


def assert_trains_as(ours, peft, tolerance=1e-4):
    """Same logits, and same gradients of the adapter's weights."""
    tokens = torch.randint(VOCABULARY, (2, 37), generator=torch.Generator().manual_seed(0))
    found, expected = logits(ours, tokens), peft(tokens).logits
    limit = tolerance * float(expected.abs().max().detach().clamp(min=1.0))
    torch.testing.assert_close(found, expected, atol=limit, rtol=0)
    wanted = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    (found * wanted).sum().backward()
    (expected * wanted).sum().backward()
    of_theirs = gradients_of(peft)
    assert {each for each, _ in ours.named_parameters()} == of_theirs.keys()
    for each, parameter in ours.named_parameters():
        error = (parameter.grad - of_theirs[each]).norm()
        assert error < 1e-3 * of_theirs[each].norm() + 1e-3, each


@pytest.mark.parametrize(("name", "changes"), GRID)
def test_logits_and_gradients_are_those_of_peft(tmp_path, name, changes):
    peft = adapt(write_model(name, tmp_path / "base", **changes), name)
    save(peft, tmp_path / "adapter")
    ours = LoraDecoder(tmp_path / "base", config(name), CPU)
    ours.load_adapter(read_adapter(tmp_path / "adapter"))
    assert_trains_as(ours, peft)


@pytest.mark.parametrize("kind", [Kind.Q8_0, Kind.BF16])
@pytest.mark.parametrize("name", ["llama", "qwen3", "gemma3", "granite", "phi3", "gpt2"])
def test_a_gguf_file_is_trained_as_the_model_it_was_made_from(tmp_path, name, kind):
    changes = {"phi3": {"pad_token_id": 0, "sliding_window": None}}
    model = random_model(name, **changes.get(name, {}))
    path = write_gguf(tmp_path / "model.gguf", model, name, kind)
    peft = adapt(model, name)
    save(peft, tmp_path / "adapter")
    ours = LoraDecoder(path, config(name), CPU)
    ours.load_adapter(read_adapter(tmp_path / "adapter"))
    assert_trains_as(ours, peft)


def test_a_quantised_directory_is_trained(tmp_path):
    model = random_model("llama")
    settings = {"quant_method": "gptq", "bits": 4}
    write_quantized(*(tmp_path, model, "gptq", settings), bits=4, group=32, symmetric=True)
    ours = LoraDecoder(tmp_path, config("llama"), CPU)
    tokens = torch.randint(VOCABULARY, (1, 20))
    logits(ours, tokens).square().sum().backward()
    # B starts at zero, so that A has no gradient yet.
    assert all(each.grad.norm() > 0 for name, each in ours.named_parameters() if "lora_B" in name)
    frozen = ours._weights.layers[0].qkv.parts[0].base
    assert frozen.nbytes < frozen.values().nbytes / 4


@pytest.mark.parametrize("kind", [Kind.F32, Kind.Q8_0])
def test_checkpointing_gives_the_same_gradients(tmp_path, kind):
    path = write_gguf(tmp_path / "model.gguf", random_model("llama"), "llama", kind)
    tokens = torch.randint(VOCABULARY, (2, 37))
    documents = torch.ones_like(tokens)[:, 1:]
    gradients = []
    for checkpointing in (False, True):
        model = LoraDecoder(path, config("llama", lora_dropout=0.3), CPU)
        model.checkpointing = checkpointing
        torch.manual_seed(2)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter)
        masks = document_masks(documents, model.spec, blockwise=False)
        wanted = torch.rand(documents.shape) < 0.5
        losses = model.losses(tokens, document_positions(documents), masks, wanted)
        assert (losses != 0).equal(wanted)
        losses.sum().backward()
        gradients.append({name: each.grad for name, each in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


def test_dropout_ends_where_the_model_is_measured(tmp_path):
    write_model("llama", tmp_path)
    model = LoraDecoder(tmp_path, config("llama", lora_dropout=0.5), CPU)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    tokens = torch.randint(VOCABULARY, (1, 20))
    assert not logits(model, tokens).equal(logits(model, tokens))
    model.eval()
    assert logits(model, tokens).equal(logits(model, tokens))


def test_losses_of_packed_dialogues_are_those_of_each_alone(tmp_path):
    write_model("gemma3", tmp_path)  # with windows, too
    model = LoraDecoder(tmp_path, config("gemma3"), CPU)
    tokens = torch.randint(VOCABULARY, (1, 51))
    documents = torch.tensor([[1] * 13 + [2] * 30 + [0] * 7])

    def losses(tokens, documents):
        masks = document_masks(documents, model.spec, blockwise=False)
        wanted = torch.ones_like(documents, dtype=torch.bool)
        return model.losses(tokens, document_positions(documents), masks, wanted)

    packed = losses(tokens, documents)[:, 13:42]
    alone = losses(tokens[:, 13:43], torch.ones(1, 29, dtype=torch.long))
    torch.testing.assert_close(packed, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["llama", "gpt2", "phi3", "granite 4"])
def test_what_was_trained_gives_the_same_logits_in_peft(tmp_path, name):
    base = write_model(name, tmp_path / "base")
    ours = LoraDecoder(tmp_path / "base", config(name), CPU, seed=3)
    tokens = torch.randint(VOCABULARY, (2, 20))
    before = logits(ours, tokens)
    torch.testing.assert_close(before, base(tokens).logits, atol=1e-4, rtol=0)
    optimizer = torch.optim.AdamW(ours.parameters(), lr=0.02)
    for _ in range(3):
        logits(ours, tokens).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    write_adapter(ours.adapter(), tmp_path / "adapter")
    peft = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    found = logits(ours, tokens)
    assert (found - before).abs().max() > 0.1
    torch.testing.assert_close(found, peft(tokens).logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["llama", "gemma3", "gpt2", "phi3"])
@pytest.mark.parametrize("kind", [None, Kind.Q8_0])
def test_the_engine_plays_what_was_trained(tmp_path, name, kind):
    if kind is None:
        path = tmp_path / "base"
        write_model(name, path)
    else:
        changes = {"phi3": {"pad_token_id": 0, "sliding_window": None}}
        model = random_model(name, **changes.get(name, {}))
        path = write_gguf(tmp_path / "model.gguf", model, name, kind)
    ours = LoraDecoder(path, config(name), CPU)
    generator = torch.Generator().manual_seed(3)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=generator)
    write_adapter(ours.adapter(), tmp_path / "adapter")
    decoder = Decoder.load(path, torch.float32, adapter=read_adapter(tmp_path / "adapter"))
    tokens = torch.randint(VOCABULARY, (1, 30), generator=generator)
    with torch.no_grad():
        expected = logits(ours, tokens)[0]
    found = PagedRun(decoder, (30,)).step({0: tokens[0].tolist()})[0]
    plain = PagedRun(Decoder.load(path, torch.float32), (30,)).step({0: tokens[0].tolist()})[0]
    limit = 2e-4 * float(expected.abs().max())
    assert (found - expected).abs().max() < limit < (plain - expected).abs().max()


@pytest.mark.parametrize(
    ("name", "root", "modules", "changes"),
    [
        ("gpt2", ("transformer.", ""), "transformer.h.", {}),
        ("gemma3", ("model.", "language_model.model."), "model.language_model.layers.", {
            "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
        }),
    ],
)  # fmt: skip
def test_names_are_those_of_transformers_whatever_the_files_have(
    tmp_path, name, root, modules, changes
):
    write_model(name, tmp_path)
    path, config_path = tmp_path / "model.safetensors", tmp_path / "config.json"
    tensors = load_file(path)
    save_file({each.replace(*root): tensor for each, tensor in tensors.items()}, path)
    if changes:
        text = json.loads(config_path.read_text())
        config_path.write_text(json.dumps({**changes, "text_config": text}))
    ours = LoraDecoder(tmp_path, config(name), CPU)
    assert all(each.startswith(modules) for each in ours.scales)
    write_adapter(ours.adapter(), tmp_path / "adapter")
    Decoder.load(tmp_path, torch.float32, adapter=read_adapter(tmp_path / "adapter"))


def test_targets_that_the_model_has_not_are_refused(tmp_path):
    write_model("phi3", tmp_path)
    with pytest.raises(AdapterError, match="down_proj, gate_up_proj, o_proj, qkv_proj"):
        LoraDecoder(tmp_path, AdapterConfig(target_modules=("q_proj",)), CPU)
