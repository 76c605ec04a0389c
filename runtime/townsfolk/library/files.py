"""Which files of a repository or a folder make a model."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

# Never pickle: weights come from safetensors and GGUF alone.
_WANTED = ("*.safetensors", "*.json", "tokenizer.model", "*.jinja")
_PART = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.gguf$")
_USUAL = "Q4_K_M"
_NAMES_SHOWN = 12


class NoSuchFileError(ValueError):
    """No file of these is the one that is meant; the message says which there are."""


def choose(names: Sequence[str], wanted: str = "") -> list[str]:
    """Return the files of a model among all of a repository.

    Args:
        names: of all files.
        wanted: a file, or its quantisation such as "Q8_0"; with nothing, safetensors where there
            are some, and else the GGUF file in Q4_K_M, or the only one.

    Raises:
        NoSuchFileError: there is none, or it can't be told which is meant.
    """
    models = [name for name in names if name.endswith(".gguf") and "mmproj" not in name.lower()]
    if wanted in names:
        chosen = [wanted]
    elif wanted:
        chosen = [name for name in models if _is_of_type(name, wanted)]
    elif "config.json" in names and fnmatch.filter(names, "*.safetensors"):
        return [name for name in names if any(fnmatch.fnmatch(name, each) for each in _WANTED)]
    else:
        firsts = first_parts(models)
        chosen = firsts if len(firsts) == 1 else [n for n in models if _is_of_type(n, _USUAL)]
    firsts = first_parts(chosen)
    if len(firsts) != 1:
        shown = first_parts(models)
        more = f" and {len(shown) - _NAMES_SHOWN} more" if len(shown) > _NAMES_SHOWN else ""
        listed = f"{', '.join(shown[:_NAMES_SHOWN])}{more}" if shown else "no GGUF file"
        what = f"no file {wanted!r}" if wanted and not firsts else "several that could be meant"
        raise NoSuchFileError(f"{what if shown else 'no model'}: it has {listed}")
    return parts_of(firsts[0])


def first_parts(names: Iterable[str]) -> list[str]:
    """Return GGUF files without the later parts of those that come in parts."""
    matches = ((name, _PART.match(name)) for name in names)
    return sorted(name for name, match in matches if match is None or int(match[2]) == 1)


def parts_of(name: str) -> list[str]:
    """Return the names of all parts of a file, of which `name` is one."""
    match = _PART.match(name)
    if match is None:
        return [name]
    return [f"{match[1]}-{n:05}-of-{match[3]}.gguf" for n in range(1, int(match[3]) + 1)]


def is_whole(folder: Path) -> bool:
    """Return whether a folder has all that a model in safetensors needs, as far as it says."""
    index = folder / "model.safetensors.index.json"
    weights = {path.name for path in folder.glob("*.safetensors")}
    if index.exists():
        try:
            needed = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return False
    else:
        needed = set()
    tokenizer = any((folder / name).exists() for name in ("tokenizer.json", "tokenizer.model"))
    has_all = bool(weights) and needed <= weights
    return has_all and tokenizer and (folder / "config.json").exists()


def _is_of_type(name: str, kind: str) -> bool:
    """Return whether a file's name says that it has this type, as repositories name theirs."""
    match = _PART.match(name)
    stem = match[1] if match else name.removesuffix(".gguf")
    return re.search(rf"(^|[-./]){re.escape(kind.lower())}$", stem.lower()) is not None
