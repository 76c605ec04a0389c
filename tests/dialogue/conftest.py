from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import torch
from chat_models import write_model, write_tokenizer
from townsfolk.config import EngineSettings
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.sessions import Sessions
from townsfolk.engine import Engine
from townsfolk.text.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def tokenizer_directory(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | None], Path]:
    """The directory of the tokenizer of a template style; None is a base model's."""
    root = tmp_path_factory.mktemp("tokenizers")
    written: dict[str | None, Path] = {}

    def directory(style: str | None) -> Path:
        if style not in written:
            written[style] = write_tokenizer(root / str(style), style)
        return written[style]

    return directory


@pytest.fixture(scope="session")
def tokenizer(
    tokenizer_directory: Callable[[str | None], Path],
) -> Callable[[str | None], Tokenizer]:
    """The tokenizer of a template style."""
    loaded: dict[str | None, Tokenizer] = {}

    def load(style: str | None) -> Tokenizer:
        if style not in loaded:
            loaded[style] = Tokenizer.from_directory(tokenizer_directory(style))
        return loaded[style]

    return load


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The directory of a tiny random model with the chat template of a style."""
    root = tmp_path_factory.mktemp("models")
    written: dict[tuple[str | None, int], Path] = {}

    def directory(style: str | None = "llama3", context: int = 1024) -> Path:
        key = (style, context)
        if key not in written:
            written[key] = write_model(root / f"{style}-{context}", style, context=context)
        return written[key]

    return directory


@pytest_asyncio.fixture
async def start(model_directory: Callable[..., Path]) -> AsyncIterator[Callable[..., Sessions]]:
    """Sessions over a real engine; at the end, every KV block must be free again."""
    running: list[tuple[Engine, Sessions]] = []

    def start(
        style: str | None = "llama3", context: int = 1024, *, engine: dict | None = None, **limits
    ) -> Sessions:
        fields = {"kv_memory_mib": 4, "threads": 1, "device": "cpu"} | (engine or {})
        started = Engine.from_pretrained(model_directory(style, context), EngineSettings(**fields))
        running.append((started, Sessions(started, **limits)))
        return running[-1][1]

    yield start
    for engine, sessions in running:
        await sessions.aclose()
        if not engine.closed:
            await engine.check()
            assert engine.stats().kv_blocks_used == 0
        await engine.aclose()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small shapes: threads cost more than they bring."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> Callable[[Session], list[str]]:
    """Records the text of every prompt that a session gives the real engine."""

    def record(session: Session) -> list[str]:
        recorded: list[str] = []
        submit = session._model.engine.submit

        def recording(token_ids: Sequence[int], *args: Any, **options: Any) -> object:
            recorded.append(session._model.tokenizer.decode(token_ids))
            return submit(token_ids, *args, **options)

        monkeypatch.setattr(session._model.engine, "submit", recording)
        return recorded

    return record
