"""`doctor --model` refuses what `serve` would refuse, and says the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from chat_models import write_model
from gguf import GGMLQuantizationType
from gguf_files import random_model, tokenizer_metadata, write_gguf
from safetensors.torch import load_file, save_file
from townsfolk import cli
from townsfolk.commands.doctor import kernel_finding
from townsfolk.config import EngineSettings
from townsfolk.dialogue.errors import UnsupportedTemplateError
from townsfolk.dialogue.sessions import Sessions
from townsfolk.engine import Engine
from townsfolk.engine.load_errors import LOAD_ERRORS

Doctor = Callable[[Path], tuple[int, str]]


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Gives the command's status, and its line on the model."""

    def run(path: Path) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["doctor", "--model", str(path)])
        lines = capsys.readouterr().out.splitlines()
        (line,) = [line for line in lines if line[4:].startswith("model:")]
        assert isinstance(ended.value.code, int)
        return ended.value.code, line

    return run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", "llama3")


def only_pickles(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def truncated(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-64])


def garbage(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"\x00" * 500)


def missing_shard(model: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "model-00002-of-00002.safetensors"}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))


def missing_tensor(model: Path) -> None:
    tensors = load_file(model / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, model / "model.safetensors")


def another_shape(model: Path) -> None:
    tensors = load_file(model / "model.safetensors")
    tensors["model.norm.weight"] = torch.ones(7)
    save_file(tensors, model / "model.safetensors")


def no_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").unlink()


def broken_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").write_text('{"model": {"type": "BPE"}}')


def broken_template(model: Path) -> None:
    (model / "chat_template.jinja").write_text("{% for %}")


FAULTS = [
    only_pickles,
    truncated,
    garbage,
    missing_shard,
    missing_tensor,
    another_shape,
    no_tokenizer,
    broken_tokenizer,
    broken_template,
]


def load(settings: EngineSettings) -> None:
    engine = Engine.from_pretrained(settings=settings)
    try:
        Sessions(engine)
    finally:
        engine.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_it_says_what_loading_says(model: Path, doctor: Doctor, fault: Callable) -> None:
    assert doctor(model)[0] == 0
    fault(model)
    settings = EngineSettings(model=str(model), device="cpu", threads=1)
    with pytest.raises((*LOAD_ERRORS, UnsupportedTemplateError)) as refused:
        load(settings)
    status, line = doctor(model)
    assert status == 1
    assert line.startswith("NO  model: ")
    assert str(refused.value).splitlines()[0] in line


def write_file(tmp_path: Path, model: Path) -> Path:
    decoder = random_model("llama", vocab_size=1024)
    more = tokenizer_metadata(model)
    kind = GGMLQuantizationType.Q8_0
    return write_gguf(tmp_path / "model.gguf", decoder, "llama", kind, more)


def test_it_knows_a_gguf_file(tmp_path: Path, model: Path, doctor: Doctor) -> None:
    path = write_file(tmp_path, model)
    status, line = doctor(path)
    assert status == 0, line
    assert "2 layers of 64" in line
    assert line.endswith("weights in Q8_0, float32")


def test_it_says_what_is_wrong_with_a_gguf_file(
    tmp_path: Path, model: Path, doctor: Doctor
) -> None:
    path = write_file(tmp_path, model)
    path.write_bytes(path.read_bytes()[:-100])
    status, line = doctor(path)
    assert status == 1
    assert "cut off" in line
    assert str(path) in line


@pytest.mark.parametrize(
    ("built", "can_compile", "cache", "fine", "words"),
    [
        (80, True, "/cache", True, "80 built ones in P; others are compiled"),
        (0, True, "/cache", True, "none built beforehand in P; others .* kept in /cache"),
        (0, True, None, True, "without a C compiler, at each start anew"),
        (80, False, None, True, "not built for does not run"),
        (0, False, None, False, "assembler .ptxas. is missing"),
    ],
)
def test_doctor_says_whether_a_compiler_is_needed_and_there(
    built: int, can_compile: bool, cache: str | None, fine: bool, words: str
) -> None:
    finding = kernel_finding(built, "P", can_compile, cache)
    assert finding.fine == fine
    assert re.search(words, finding.text)
