"""The starter model in plain numbers, for who compares arithmetic: what ships is in blocks."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from safetensors.torch import save_file
from townsfolk.library import resolve
from townsfolk.models import open_source

_FOLDER = TemporaryDirectory()
"""Goes with the process."""


@cache
def starter_numbers() -> Path:
    """Return a directory of the starter in fp32, each weight the number that it stands for."""
    directory = Path(_FOLDER.name)
    source = resolve("starter")
    checkpoint = open_source(source).checkpoint()
    weights = {name: checkpoint.tensor(name).contiguous() for name in checkpoint}
    save_file(weights, directory / "model.safetensors", {"format": "pt"})
    config = json.loads((source / "config.json").read_text())
    config.pop("quantization_config", None)
    config["dtype"] = "float32"
    (directory / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (directory / name).write_bytes((source / name).read_bytes())
    return directory
