"""A runtime speaks with built kernels: no compiler is there, and no folder to write into."""

import os
import subprocess
import sys

import pytest
import torch
from townsfolk_kernels.gpu.card import capabilities

SPEAKS = """
import asyncio, logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.sampling import SamplingParams

async def main():
    engine = Engine.from_pretrained("starter", EngineSettings(device="cuda", kv_memory_mib=64))
    done = await engine.generate("The tavern", SamplingParams(temperature=0, max_new_tokens=16))
    await engine.aclose()
    print(*done.token_ids)

asyncio.run(main())
"""


def speak(**environment):
    done = subprocess.run(
        [sys.executable, "-c", SPEAKS],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.timeout(600)
def test_built_kernels_speak_without_any_compiler(tmp_path):
    capability = torch.cuda.get_device_capability()
    if capability not in capabilities():
        pytest.skip("this processor is of no capability that kernels are built for")
    version = f"{capability[0]}.{capability[1]}"
    command = ["kernels", "build", "--model", "starter", "--capability", version, "-o"]
    subprocess.run([sys.executable, "-m", "townsfolk", *command, str(tmp_path)], check=True)
    nowhere = "/proc/nowhere"
    without = {"PATH": nowhere, "CC": nowhere, "TRITON_CACHE_DIR": nowhere}
    without["TRITON_PTXAS_PATH"] = without["TRITON_PTXAS_BLACKWELL_PATH"] = nowhere
    built = speak(TOWNSFOLK_KERNELS=str(tmp_path), **without)
    assert "built kernels come from" in built.stderr
    assert "compiled here" not in built.stderr
    assert built.stdout == speak().stdout
