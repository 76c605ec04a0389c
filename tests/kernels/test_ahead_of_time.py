"""Kernels compile for cards that are not here, within their limits; none is forgotten."""

import importlib
import os
import pkgutil
import re
import subprocess
import sys

import pytest

pytest.importorskip("triton")
import townsfolk_kernels
from townsfolk_kernels.gpu.card import capabilities, sample_cards

LINE = re.compile(r"^(\d+\.\d): (\d+) kernels", re.MULTILINE)

LIST = """
import importlib, pkgutil, sys
import torch
import townsfolk_kernels
from townsfolk.engine.cuda_steps import CudaSteps
from townsfolk.engine.launch_list import launch_list, random_on_paper
from townsfolk.engine.step_inputs import LARGE_TOKENS, TOKENS
from townsfolk.kv import KvCache
from townsfolk.models import named_spec
from townsfolk.models.mixes import MIXES
from townsfolk_kernels.gpu.card import sample_cards
from townsfolk_kernels.gpu.kernel import KERNELS, recorded

for module in pkgutil.walk_packages(townsfolk_kernels.__path__, "townsfolk_kernels."):
    importlib.import_module(module.name)
card = sample_cards((8, 6))[0]
launched = set()
for shape, mix in (("llama-tiny", None), ("llama-tiny", MIXES["q4_k_m"]), ("gemma-3-1b", None)):
    found = launch_list(random_on_paper(named_spec(shape), mix=mix), card)
    launched |= {launch.kernel.full_name for _, launch in found.every()}
    assert mix or all(each.kernel.room != "prefill" for each in found.decoding.values())
tiny = random_on_paper(named_spec("llama-tiny"))
first, second = (dict(launch_list(tiny, card).every()).keys() for _ in range(2))
assert first == second, "what was noted once is noted again"
with recorded(card) as noted, torch.inference_mode():
    kv = KvCache.allocate(tiny.spec, 8, 16, tiny.dtype, tiny.device)
    steps = CudaSteps.make(tiny, kv, [1], 64, 512, graph_tokens=LARGE_TOKENS[-1])
    large = [each for each in steps.wanted if getattr(each, "tokens", 0) > TOKENS[-1]]
    assert {each.decodes for each in large} == {0, 8, 16, 32, 64}
    for shape in large:
        steps.graph(shape).run()
assert {launch.place for launch in noted.values()} <= first, "large graphs have others"
print(*({kernel.full_name for kernel in KERNELS} - launched), sep="\\n")
"""


def run(arguments, cache):
    """A process without Triton's interpreter, which tests/conftest.py chooses."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(cache)}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    return done


@pytest.fixture(scope="module")
def cache(pytestconfig, tmp_path_factory):
    """Where Triton keeps what it compiled: for the next run, too, if pytest has a cache."""
    if pytestconfig.pluginmanager.has_plugin("cacheprovider"):
        return pytestconfig.cache.mkdir("townsfolk-kernels")
    return tmp_path_factory.mktemp("townsfolk-kernels")


@pytest.mark.timeout(3600)  # a busy machine takes many times as long as its processors do
def test_the_largest_of_each_kernel_fits(cache):
    check(cache, ("8.0", "8.6", "8.9", "9.0", "12.0"), ("llama-3.1-8b",), "decode", "prefill")


@pytest.mark.timeout(3600)
def test_the_largest_of_each_kernel_of_wide_heads_fits(cache):
    """Of 256, which take most: on a card of each kind of limits and of machine code."""
    check(cache, ("8.6", "9.0", "12.0"), ("gemma-3-1b",), "decode", "prefill")


@pytest.mark.timeout(3600)
def test_the_largest_of_each_kernel_of_packed_weights_and_8_bit_pages_fits(cache):
    """With guessed tiles on a card of the least shared memory, and with those measured."""
    options = ("--quantization", "q4_k_m", "--kv-dtype", "int8")
    check(cache, ("8.6", "9.0"), ("llama-3.1-8b",), "decode", "prefill", options=options)


@pytest.mark.timeout(3600)
def test_the_largest_of_each_kernel_that_draws_fits(cache):
    """Of one capability only: they know no tiles, and take longest."""
    check(cache, ("12.0",), ("llama-3.1-8b", "gemma-3-1b"), "sampling", least=10)


def check(cache, versions, shapes, *rooms, options=(), least=15):
    """Compile for all in one process; assert that none is too large and none was left out."""
    command = ["-m", "townsfolk", "kernels", "check", "--quick", "--rooms", *rooms, *options]
    command += ["--capability", *versions]
    for shape in shapes:
        command += ["--shape", shape]
    done = run([*command, "--processes", "1"], cache)
    assert done.returncode == 0, done.stderr
    compiled = {version: int(count) for version, count in LINE.findall(done.stdout)}
    assert set(compiled) == set(versions)
    assert min(compiled.values()) >= least, compiled


def test_a_kernel_that_takes_too_much_is_found(cache):
    source = """
import sys
from dataclasses import replace
from townsfolk.engine import kernel_library
from townsfolk_kernels.gpu import card
small = replace(card.sample_cards((8, 6))[0], shared_memory=4096)
kernel_library.sample_cards = lambda capability: (small,)
from townsfolk.cli import main
main(["kernels", "check", "--quick", "--shape", "llama-tiny", "--capability", "8.6",
    "--rooms", "decode", "--processes", "1"])
"""
    done = run(["-c", source], cache)
    assert done.returncode == 1
    assert "of 4096 bytes" in done.stderr


def test_every_kernel_is_launched_by_some_step(cache):
    done = run(["-c", LIST], cache)
    assert done.returncode == 0, done.stderr
    assert not done.stdout.split()


def test_cards_have_the_limits_of_their_capability():
    kib = {each: sample_cards(each)[0].shared_memory // 1024 for each in capabilities()}
    assert kib == {(8, 0): 163, (8, 6): 99, (8, 9): 99, (9, 0): 227, (12, 0): 99}


def test_launched_kernels_are_declared_so():
    """One with `triton.jit` alone would be found in no library."""
    for module in pkgutil.walk_packages(townsfolk_kernels.__path__, "townsfolk_kernels."):
        source = importlib.import_module(module.name).__file__
        with open(source, encoding="utf-8") as file:
            text = file.read()
        bare = re.findall(r"@triton\.jit[^@]*?\ndef (\w+_kernel)\(", text)
        assert not bare, f"{module.name}: {bare}"
