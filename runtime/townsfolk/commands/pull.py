"""`townsfolk pull`: bring a model onto this machine, or check one that is here."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from pathlib import Path

from townsfolk.library import AUTO, ModelNotFoundError, catalogue, models_folder, pull
from townsfolk.library.files import parts_of
from townsfolk.library.partial import Checksum, copy

GIB = 1024**3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "model",
        help="a name that `townsfolk models` lists; a hub id such as owner/model, with a file or a "
        "quantisation behind a colon where it holds several; a GGUF file, which is copied into the "
        "folder for models; or auto, for the largest that fits this machine",
    )
    parser.add_argument(
        "--gpu-memory-mib", type=int, metavar="N", help="with auto: what the model may take"
    )


def run(options: argparse.Namespace) -> int:
    """Fetch the model; return the exit status."""
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    for library in ("httpx", "httpx2"):  # a line for each request
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        path = _bring(options)
    except (ModelNotFoundError, ValueError, OSError) as error:
        print(f"townsfolk: {error}", file=sys.stderr)
        return 1
    print(path)
    return 0


def _bring(options: argparse.Namespace) -> Path:
    name = options.model
    given = Path(name).expanduser()
    if given.is_file():
        return _put(given)
    if name == AUTO:
        from townsfolk.engine.fit import Machine
        from townsfolk.engine.model_choice import choose

        machine = Machine.here(options.gpu_memory_mib)
        choice = choose(name, machine.device, machine.settings)
        print(choice.why, file=sys.stderr)
        return choice.path
    if name == "starter":
        raise ValueError("the starter model ships with Townsfolk: there is nothing to fetch")
    return pull(name)


def _put(given: Path) -> Path:
    """Copy a GGUF file, with all its parts, into the folder for models."""
    from townsfolk.checkpoint import GgufCheckpoint

    if given.suffix != ".gguf":
        raise ValueError(f"{given} is no GGUF file; a directory is used where it lies")
    GgufCheckpoint(given)  # raises where it is broken
    known = {model.file: Checksum("sha256", model.sha256) for model in catalogue().values()}
    folder = models_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for part in (given.parent / name for name in parts_of(given.name)):
        target = folder / part.name
        if not (target.exists() and target.samefile(part)):
            needed, free = part.stat().st_size, shutil.disk_usage(folder).free
            if needed > free:
                raise ValueError(
                    f"{part} has {needed / GIB:.1f} GiB, but {folder} has {free / GIB:.1f} free"
                )
            copy(part, target, known.get(part.name))
    return folder / given.name
