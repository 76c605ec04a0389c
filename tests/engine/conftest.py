from __future__ import annotations

import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import torch
from tiny_models import write_llama
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.models import Decoder
from transformers import LlamaForCausalLM


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama; its KV takes 512 bytes a token, 1 MiB holds 2048 tokens."""
    return write_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def oracle(directory: Path) -> LlamaForCausalLM:
    """The same model in transformers."""
    return LlamaForCausalLM.from_pretrained(directory).eval()


@pytest_asyncio.fixture
async def start(directory: Path) -> AsyncIterator[Callable[..., Engine]]:
    """Starts engines; when the test is over, each must have all its blocks back."""
    engines: list[Engine] = []

    def start(**settings: object) -> Engine:
        fields = {"kv_memory_mib": 4, "threads": 1, "device": "cpu"} | settings
        engines.append(Engine.from_pretrained(directory, EngineSettings(**fields)))
        return engines[-1]

    yield start
    for engine in engines:
        if not engine.closed:
            await engine.check()
        await engine.aclose()


@pytest.fixture(scope="session")
def prompts(oracle: LlamaForCausalLM) -> list[list[int]]:
    """Prompts of mixed lengths; some begin alike, some with the whole of another."""
    choose = random.Random(3)

    def some(count: int) -> list[int]:
        return [choose.randrange(oracle.config.vocab_size - 5) for _ in range(count)]

    shared = some(70)
    unlike = [some(length) for length in (1, 2, 15, 16, 17, 33, 64, 100, 150, 200)]
    alike = [shared[:cut] + some(length) for cut, length in [(70, 9), (64, 1), (50, 30), (70, 0)]]
    longer = [prompt + some(5) for prompt in unlike[3:8]]
    return unlike + alike + longer


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small shapes: threads cost more than they bring, and the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def slow_load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], threading.Event]]:
    """Holds each load back until the event is set; it then goes on reading."""
    release = threading.Event()
    load = Decoder.load.__func__

    def wait_and_load(cls, directory, dtype, device, progress, *rest):
        def report(done, total):
            while not release.wait(0.01):
                progress(done, total)

        return load(cls, directory, dtype, device, report, *rest)

    def hold():
        monkeypatch.setattr(Decoder, "load", classmethod(wait_and_load))
        return release

    yield hold
    release.set()
