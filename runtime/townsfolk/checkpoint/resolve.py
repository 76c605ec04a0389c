"""From the name of a model to the directory or the file that holds it."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

_STARTER = Path(__file__).parent.parent / "starter" / "model"
_LATER_PART = re.compile(r"-(?!00001)[0-9]{5}-of-[0-9]{5}\.gguf$")
_FILE_ENDINGS = (".gguf", ".safetensors", ".bin", ".pt", ".pth", ".json")
_NAMES_SHOWN = 5
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
# Never pickle: weights come from safetensors alone.
_WANTED = ["*.safetensors", "*.json", "tokenizer.model", "*.jinja"]


class ModelNotFoundError(FileNotFoundError):
    """No model of this name can be had, and the message says what to do."""


def resolve(model: str | Path) -> Path:
    """Find a model's directory or GGUF file, downloading a directory where needed.

    Args:
        model: a directory; a GGUF file, or a directory that holds one; "starter" for the model that
            ships with Townsfolk; or a Hugging Face hub id such as
            "meta-llama/Llama-3.2-1B-Instruct", which is downloaded once (with a progress bar) into
            the hub's own cache.

    Raises:
        ModelNotFoundError: no such directory, or the download failed.
    """
    name = str(model)
    directory = Path(model).expanduser()
    if name and directory.is_dir():
        return _gguf_in(directory) or directory
    if directory.suffix == ".gguf" and directory.is_file():
        return directory
    if name == "starter":
        if not (_STARTER / "config.json").exists():
            raise ModelNotFoundError(f"the starter model is not in this installation ({_STARTER})")
        return _STARTER
    if directory.is_file():
        raise ModelNotFoundError(
            f"{name} is a file that is not read: give a GGUF file, or the directory that holds it"
        )
    if isinstance(model, Path) or not _HUB_ID.fullmatch(name):
        raise ModelNotFoundError(
            f"{name!r} is neither a directory, nor a GGUF file, nor 'starter', nor a hub id such "
            "as 'owner/model'"
        )
    if name.endswith(_FILE_ENDINGS) or directory.parent.is_dir():
        raise ModelNotFoundError(f"{name} does not exist{_beside(directory)}")
    return _download(name)


def _gguf_in(directory: Path) -> Path | None:
    """The GGUF file of a folder that holds no other model."""
    if (directory / "config.json").exists():
        return None
    found = sorted(path for path in directory.glob("*.gguf") if not _LATER_PART.search(path.name))
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:_NAMES_SHOWN])
        raise ModelNotFoundError(f"{directory} holds several GGUF files; name one of {names}")
    return found[0] if found else None


def _beside(missing: Path) -> str:
    """Say what else lies in the folder of something that is not there."""
    if not missing.parent.is_dir():
        return f", nor does the folder {missing.parent}"
    names = sorted(path.name for path in missing.parent.iterdir() if not path.name.startswith("."))
    close = difflib.get_close_matches(missing.name, names, n=_NAMES_SHOWN) or names[:_NAMES_SHOWN]
    return (
        f"; {missing.parent} holds {', '.join(close)}" if close else f"; {missing.parent} is empty"
    )


def _download(hub_id: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            GatedRepoError,
            HfHubHTTPError,
            LocalEntryNotFoundError,
            RepositoryNotFoundError,
        )
    except ImportError:
        raise ModelNotFoundError(
            f"{hub_id} is not a directory here; to download it from the Hugging Face hub install "
            "the extra: pip install 'townsfolk[hub]'"
        ) from None
    try:
        return Path(snapshot_download(hub_id, allow_patterns=_WANTED))
    except GatedRepoError as error:
        raise ModelNotFoundError(
            f"{hub_id} is gated: accept its licence on the hub, then log in with `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelNotFoundError(f"the hub has no model {hub_id} (or it is private)") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelNotFoundError(
            f"{hub_id} is not in the local cache and cannot be downloaded ({error}); go online, or "
            "give a directory"
        ) from error
