"""`townsfolk quantize`: what is written can be loaded, and computes nearly the same."""

import json
from itertools import pairwise

import pytest
import torch
from family_models import FAMILIES, VOCABULARY, make_model
from gguf_files import random_model
from paged import PagedRun
from safetensors.torch import load_file
from starter_numbers import starter_numbers
from townsfolk import cli
from townsfolk.checkpoint import Checkpoint
from townsfolk.models import Decoder, open_source
from townsfolk.quantization.importance import measure
from townsfolk.text import Tokenizer
from townsfolk_kernels.ops.stacked import StackedWeight
from townsfolk_kernels.quantized.blocks import BlockFormat

WIDE = {"hidden_size": 256, "intermediate_size": 512, "initializer_range": 0.05}
# Of logits, relative to their norm: several times those of the weights.
BOUNDS = {"int8": 0.03, "fp8": 0.12, "int4": 0.3}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def quantize(*arguments):
    with pytest.raises(SystemExit) as ended:
        cli.main(["quantize", *map(str, arguments)])
    return ended.value.code


@pytest.fixture
def original(tmp_path):
    random_model("llama", **WIDE).save_pretrained(tmp_path / "original")
    return tmp_path / "original"


def logits(directory, tokens=40, vocabulary=101):
    decoder = Decoder.load(directory, torch.float32)
    ids = (torch.arange(tokens) * 7 % vocabulary).tolist()
    return PagedRun(decoder, (tokens,)).step({0: ids})[0]


def error(found, expected):
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("to", BOUNDS)
def test_logits_are_nearly_the_same(original, tmp_path, to):
    assert quantize(original, "--to", to, "-o", tmp_path / "small") == 0
    assert error(logits(tmp_path / "small"), logits(original)) < BOUNDS[to]


def test_fewer_bits_take_less(original, tmp_path, capsys):
    sizes = [sum(map(Checkpoint(original).nbytes, Checkpoint(original)))]
    for to in ("fp8", "int8", "int4"):
        quantize(original, "--to", to, "-o", tmp_path / to)
        sizes.append((tmp_path / to / "model.safetensors").stat().st_size)
    assert all(more > less for more, less in pairwise(sizes))
    assert "MiB of weights, before" in capsys.readouterr().out


def test_weights_stay_in_blocks(original, tmp_path):
    quantize(original, "--to", "int4", "-o", tmp_path / "small")
    weights = Decoder.load(tmp_path / "small").weights
    (part,) = weights.layers[0].up.parts
    assert part.block_format is BlockFormat.Q4_K
    assert weights.embedding.block_format is BlockFormat.Q8_0


def test_the_layout_is_the_documented_one(original, tmp_path):
    quantize(original, "--to", "int8", "-o", tmp_path / "small")
    config = json.loads((tmp_path / "small" / "config.json").read_text())["quantization_config"]
    assert (config["quant_method"], config["version"]) == ("townsfolk", 1)
    name = "model.layers.1.mlp.down_proj.weight"
    assert config["blocks"][name] == "q8_0"
    raw = load_file(tmp_path / "small" / "model.safetensors")[name]
    assert raw.dtype == torch.uint8
    assert raw.shape == (256, 512 // 32 * 34)
    scale = raw[3, :2].view(torch.float16).float()
    values = raw[3, 2:34].view(torch.int8).float() * scale
    expected = Checkpoint(original).tensor(name)[3, :32]
    assert (values - expected).abs().max() < scale * 0.51


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_can_be_quantised(tmp_path, name, capsys):
    make_model(name).save_pretrained(tmp_path / "original")
    assert quantize(tmp_path / "original", "--to", "int8", "-o", tmp_path / "small") == 0
    found, expected = (logits(tmp_path / each, 20, VOCABULARY) for each in ("small", "original"))
    assert error(found, expected) < 0.1
    if name == "gpt2":
        assert "stored transposed" in capsys.readouterr().out


def test_a_text_says_what_matters(tmp_path):
    """The starter model is closer to itself on a text like the one that it was told of."""
    source = starter_numbers()
    text = tmp_path / "text.txt"
    text.write_text("Good evening, traveller. What brings you to our inn tonight? " * 40)
    quantize(source, "--to", "int4", "-o", tmp_path / "plain")
    asked = ("--calibration", text, "--calibration-tokens", "256")
    assert quantize(source, "--to", "int4", "-o", tmp_path / "told", *asked) == 0
    ids = Tokenizer(open_source(source).tokenizer()).encode(text.read_text())[:200]

    def scores(directory):
        return PagedRun(Decoder.load(directory, torch.float32), (200,)).step({0: ids})[0]

    expected = scores(source)
    told, plain = (error(scores(tmp_path / each), expected) for each in ("told", "plain"))
    assert told < 0.98 * plain
    decoder = Decoder.load(source, torch.float32)
    importance = measure(decoder, open_source(source).architecture(), [ids])
    name = "model.layers.0.mlp.down_proj.weight"
    assert importance[name].shape == (Checkpoint(source).shape(name)[1],)


def test_the_starter_still_speaks(tmp_path, capsys):
    assert quantize(starter_numbers(), "--to", "int8", "-o", tmp_path / "small") == 0
    asked = ["generate", "Hello", "--model", str(tmp_path / "small"), "--max-new-tokens", "8"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*asked, "--temperature", "0"])
    assert ended.value.code == 0
    assert isinstance(Decoder.load(tmp_path / "small").weights.layers[0].qkv, StackedWeight)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("-o", "{original}"), "is there already"),
        (("-o", "{new}", "--calibration", "none.txt", "--to", "int8"), "changes nothing for int8"),
        (("-o", "{new}", "--calibration", "none.txt"), "none.txt"),
    ],
)
def test_what_can_not_be_done_is_told(original, tmp_path, capsys, more, said):
    places = {"original": original, "new": tmp_path / "new"}
    arguments = [each.format(**places) for each in more]
    assert quantize(original, "--to", "int4", *arguments) == 1
    assert said in capsys.readouterr().err


def test_what_is_quantised_is_not_quantised_again(original, tmp_path, capsys):
    quantize(original, "--to", "int8", "-o", tmp_path / "small")
    assert quantize(tmp_path / "small", "--to", "int4", "-o", tmp_path / "smaller") == 1
    assert "is quantised already" in capsys.readouterr().err
    assert not (tmp_path / "smaller").exists()
