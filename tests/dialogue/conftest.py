from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from chat_models import write_tokenizer
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
