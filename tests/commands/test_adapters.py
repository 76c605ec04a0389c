"""Adapters on the command line: real processes, the starter model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from townsfolk.checkpoint import Adapter, AdapterConfig, LowRank, write_adapter
from townsfolk.client import NotFoundError, Persona, Runtime, SamplingParams
from townsfolk.library import resolve
from townsfolk.models import Decoder


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "townsfolk", *arguments],
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip


def starter_adapter(directory: Path) -> Adapter:
    """One of the starter model that changes what it says."""
    weights = Decoder.load(resolve("starter"), torch.float32).weights
    down = weights.layers[0].down.dense()[0]
    config = AdapterConfig(r=4, lora_alpha=4, target_modules=("down_proj",))
    torch.manual_seed(1)
    a, b = torch.randn(4, down.shape[1]), torch.randn(down.shape[0], 4)
    adapter = Adapter(config, {"model.layers.0.mlp.down_proj": LowRank(a, b, 1.0)})
    write_adapter(adapter, directory)
    return adapter


GENERATE = ("generate", "Once upon a time", "--temperature", "0", "--max-new-tokens", "12")


def test_an_adapter_speaks_from_the_command_line(tmp_path: Path) -> None:
    starter_adapter(tmp_path)
    plain, adapted = run(*GENERATE), run(*GENERATE, "--adapter", str(tmp_path))
    assert (plain.returncode, adapted.returncode) == (0, 0), adapted.stderr
    assert adapted.stdout.strip()
    assert plain.stdout != adapted.stdout


def test_a_folder_without_an_adapter_is_told(tmp_path: Path) -> None:
    found = run(*GENERATE, "--adapter", str(tmp_path))
    assert found.returncode == 1
    assert "adapter_config.json does not exist" in found.stderr


def test_characters_of_one_runtime_speak_with_adapters_of_its_folder(tmp_path: Path) -> None:
    """By Python's client and by the command line, which names one."""
    starter_adapter(tmp_path / "strange")
    with Runtime.launch("--threads", "1", "--adapters", str(tmp_path)) as runtime:
        assert [(each.name, each.loaded) for each in runtime.adapters()] == [("strange", False)]
        assert runtime.load_adapter("strange").rank == 4
        greedy = SamplingParams(temperature=0, max_new_tokens=12)
        persona = Persona(name="Mira", description="An innkeeper.")
        said = [
            runtime.npc(persona, sampling=greedy, adapter=name).say("Hello!").wait().text
            for name in ("", "strange", "")
        ]
        assert said[0] == said[2] != said[1]
        runtime.unload_adapter("strange")
        with pytest.raises(NotFoundError, match="load it first"):
            runtime.unload_adapter("strange")
        pieces = list(runtime.generate("Once", greedy, adapter="strange"))  # loads it
        assert pieces[-1].HasField("finished")
        with pytest.raises(NotFoundError, match="it has: strange"):
            list(runtime.generate("Once", greedy, adapter="nobody"))
