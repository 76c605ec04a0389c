"""All that a process takes on the GPU stays under its limit; an idle one gives it back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from starter_numbers import starter_numbers
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine, NotEnoughMemoryError
from townsfolk.models import Decoder

STORM = Path(__file__).parent.parent / "support" / "memory_storm.py"
# PyTorch's smallest segments, and what cuBLAS keeps for each thread that has used it.
SMALL_MIB = 100


def storm(model, dtype="bfloat16", layers=None, **settings):
    """Runs an engine in a process of its own and gives what it took."""
    job = {"model": model, "dtype": dtype, "settings": settings}
    if layers:
        job["layers"] = layers
    command = [sys.executable, STORM, json.dumps(job)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=160)
    assert run.returncode == 0, run.stderr[-3000:]
    report = json.loads(run.stdout.splitlines()[-1])
    print(report)
    return report


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("starter", {"gpu_memory_mib": 1500}),
        ("llama-3.2-1b", {"gpu_memory_mib": 4500}),
        ("llama-3.2-1b", {"gpu_memory_mib": 4000, "max_batch": 8, "step_token_budget": 256}),
        ("llama-3.1-8b", {"gpu_memory_mib": 6000, "layers": 4}),
    ],
    ids=["starter", "1B", "1B, small steps", "8B, 4 layers"],
)
def test_under_a_storm_of_requests_the_limit_holds(model, fields):
    report = storm(model, **fields)
    assert 0 < report["peak process"] <= fields["gpu_memory_mib"]
    assert report["stats"] <= fields["gpu_memory_mib"]


def test_a_released_model_leaves_little_and_comes_back_the_same():
    report = storm("starter", "float32", gpu_memory_mib=2000, idle_release_s=0.2)
    assert report["released"][1] < SMALL_MIB
    assert report["same text"]
    assert report["peak process again"] <= 2000


def test_twenty_releases_leave_nothing():
    job = {
        "model": "starter",
        "cycles": 20,
        "settings": {"device": "cuda", "dtype": "float32", "kv_memory_mib": 256},
    }
    command = [sys.executable, STORM.parent / "release_cycles.py", json.dumps(job)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=160)
    assert run.returncode == 0, run.stderr[-3000:]
    report = json.loads(run.stdout.splitlines()[-1])
    print(report)
    assert report["texts"] == 1
    assert all(each["torch"] < SMALL_MIB for each in report["released"])
    for state in ("released", "warm"):
        # PyTorch takes 20 MiB at once, and whether it has to depends on what is made first: of
        # each half the least counts.
        earlier, later = report[state][2:11], report[state][11:]
        for kind, most_mib in (("torch", 24), ("host", 64)):
            assert min(n[kind] for n in later) - min(n[kind] for n in earlier) < most_mib


def test_a_closed_engine_leaves_little():
    assert storm("starter", kv_memory_mib=256)["closed"][1] < SMALL_MIB


def test_a_limit_that_is_too_small_says_what_fits():
    with pytest.raises(NotEnoughMemoryError, match="leave nothing of gpu_memory_mib, 100 MiB"):
        Engine.from_pretrained("starter", EngineSettings(device="cuda", gpu_memory_mib=100))


def test_what_others_have_can_not_be_had():
    total = torch.cuda.get_device_properties(0).total_memory // 2**20
    settings = EngineSettings(device="cuda", gpu_memory_mib=total + 10_000)
    with pytest.raises(NotEnoughMemoryError, match="MiB free, but"):
        Engine.from_pretrained("starter", settings)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_streamed_weights_are_those_of_the_file(dtype):
    directory = starter_numbers()
    found = Decoder.load(directory, dtype, "cuda").weights
    expected = Decoder.load(directory, torch.float32, "cpu").weights
    assert torch.equal(found.embedding.cpu(), expected.embedding.to(dtype))
    for ours, theirs in zip(found.layers, expected.layers, strict=True):
        norm = ours.mlp_norm.weight.cpu()
        assert torch.equal(norm, theirs.mlp_norm.weight.to(norm.dtype))
        for name in ("qkv", "output", "up", "down"):
            weight, wanted = getattr(ours, name).dense()[0], getattr(theirs, name).dense()[0]
            assert torch.equal(weight.cpu(), wanted.to(dtype))
