"""From the name of a model to the directory or the file that holds it."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from townsfolk.installation import BUNDLED, bundle_folder, bundled_model, is_frozen
from townsfolk.library import hub
from townsfolk.library.catalogue import CatalogueModel, catalogue
from townsfolk.library.errors import DownloadError, ModelNotFoundError, NoRoomError
from townsfolk.library.files import NoSuchFileError, choose, first_parts, is_whole
from townsfolk.library.partial import Checksum, hold
from townsfolk.library.places import models_folder, starter_folder

_FILE_ENDINGS = (".gguf", ".safetensors", ".bin", ".pt", ".pth", ".json")
_NAMES_SHOWN = 5
_HUB_ID = re.compile(r"(\w[\w.-]*/\w[\w.-]*?)(?::(.+))?")


def resolve(model: str | Path) -> Path:
    """Find a model's directory or GGUF file, downloading it where it is not here yet.

    Args:
        model: a directory; a GGUF file, or a directory that holds one; a file in the folder for
            models; "starter" for the model that ships with Townsfolk; a name of the catalogue; or
            a Hugging Face hub id such as "meta-llama/Llama-3.2-1B-Instruct", with a file or a
            quantisation behind a colon where it holds several. What is downloaded lies in the
            hub's own cache. What is here is taken without asking the hub. A bundle downloads
            nothing; there "bundled" is its own model, and a relative path is looked for beside the
            program too.

    Raises:
        ModelNotFoundError: no such model, or the download failed.
    """
    here = find(model)
    return here if here is not None else pull(str(model))


def find(model: str | Path) -> Path | None:
    """Find what `resolve` does as far as it is on this machine; None where the hub may have it.

    Raises:
        ModelNotFoundError: it can be no model of the hub's either.
    """
    name = str(model)
    path = Path(model).expanduser()
    if name and path.is_dir():
        return _gguf_in(path) or path
    if path.is_file():
        if path.suffix == ".gguf":
            return path
        raise ModelNotFoundError(
            f"{name} is a file that is not read: give a GGUF file, or the directory that holds it"
        )
    if name == BUNDLED:
        return _bundled()
    if (beside_program := _beside_program(path)) is not None:
        return beside_program
    if name == "starter":
        if not (starter_folder() / "config.json").exists():
            raise ModelNotFoundError(
                f"the starter model is not in this installation ({starter_folder()})"
            )
        return starter_folder()
    if isinstance(model, str) and name in catalogue():
        return find_known(catalogue()[name])
    if isinstance(model, str) and (beside := _in_models_folder(name)) is not None:
        return beside
    hub_id = _HUB_ID.fullmatch(name)
    if isinstance(model, Path) or hub_id is None:
        raise ModelNotFoundError(f"{name!r} {_what_it_could_be(name)}")
    if hub_id[2] is None and (name.endswith(_FILE_ENDINGS) or path.parent.is_dir()):
        raise ModelNotFoundError(f"{name} does not exist{_beside(path)}")
    return _find_fetched(hub_id[1], hub_id[2] or "")


def find_known(model: CatalogueModel) -> Path | None:
    """Return the file of a model of the catalogue, if it is here with all its bytes."""
    for path in (models_folder() / model.file, hub.cached_file(model.repository, model.file)):
        if path is not None and path.is_file() and path.stat().st_size == model.bytes:
            return path
    return None


def pull(name: str) -> Path:
    """Fetch a model from the hub, or hold one that is here against its checksum.

    Args:
        name: of the catalogue, or a hub id; see `resolve`.

    Raises:
        ModelNotFoundError: there is no such model.
        DownloadError: it can't be fetched, or is damaged.
    """
    if is_frozen():
        raise ModelNotFoundError(
            f"{name!r} is not here, and a runtime that ships with a game downloads nothing: put "
            f"the model's folder or file beside the program, into {bundle_folder()}"
        )
    if name in catalogue():
        return _pull_known(catalogue()[name])
    hub_id = _HUB_ID.fullmatch(name)
    if hub_id is None:
        raise ModelNotFoundError(f"{name!r} {_what_it_could_be(name)}")
    repository = hub.Repository.look_up(hub_id[1])
    files = repository.choose(hub_id[2] or "")
    folder = hub.fetch(repository, files)
    return folder / files[0].name if files[0].name.endswith(".gguf") else folder


def _pull_known(model: CatalogueModel) -> Path:
    checksum = Checksum("sha256", model.sha256)
    here = find_known(model)
    if here is not None:
        hold(here, checksum)
        return here
    try:
        repository = hub.Repository.look_up(model.repository)
        (file,) = repository.choose(model.file)
        if file.checksum != checksum:
            raise DownloadError(
                f"the hub's {model.file} is not the file that this catalogue knows: its maker has "
                f"changed it. To take it all the same, name it as {model.repository}:{model.file}"
            )
        return hub.fetch(repository, [file]) / file.name
    except ModelNotFoundError as error:
        where = hub.address(model.repository, model.file)
        kind = NoRoomError if isinstance(error, NoRoomError) else DownloadError
        raise kind(
            f"{model.name} can't be fetched: {error}. Its file is "
            f"{where or f'{model.file} of {model.repository} on the Hugging Face hub'} "
            f"({model.size}), its place here {models_folder() / model.file}"
        ) from error


def _find_fetched(repository: str, wanted: str) -> Path | None:
    """Return what is here of a repository, if it is whole."""
    folder = hub.snapshot(repository)
    if folder is None:
        return None
    names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    try:
        chosen = choose([name.replace("\\", "/") for name in names], wanted)
    except NoSuchFileError:
        return None
    if not chosen[0].endswith(".gguf"):
        return folder if is_whole(folder) else None
    return folder / chosen[0] if all((folder / name).is_file() for name in chosen) else None


def _in_models_folder(name: str) -> Path | None:
    """Return a file or a directory of the folder for models by its own name."""
    if not name or Path(name).name != name:
        return None
    path = models_folder() / name
    if path.is_dir():
        return _gguf_in(path) or path
    return path if path.suffix == ".gguf" and path.is_file() else None


def _bundled() -> Path:
    """Return the model of the bundle that this program belongs to."""
    path = bundled_model()
    if path is None:
        raise ModelNotFoundError(
            "no model is bundled with this program: name one, or make the bundle with "
            "`townsfolk bundle --model`"
        )
    if path.is_file():
        return path
    if not path.is_dir():
        raise ModelNotFoundError(f"the bundle's model is missing: it was at {path}")
    return _gguf_in(path) or path


def _beside_program(path: Path) -> Path | None:
    """Return a model by its place in a bundle's folder, from wherever the game was started."""
    folder = bundle_folder()
    if folder is None or path.is_absolute() or not path.name:
        return None
    beside = folder / path
    if beside.is_dir():
        return _gguf_in(beside) or beside
    return beside if beside.suffix == ".gguf" and beside.is_file() else None


def _gguf_in(directory: Path) -> Path | None:
    """Return the GGUF file of a folder that holds no other model."""
    if (directory / "config.json").exists():
        return None
    found = first_parts(path.name for path in directory.glob("*.gguf"))
    if len(found) > 1:
        names = ", ".join(found[:_NAMES_SHOWN])
        raise ModelNotFoundError(f"{directory} holds several GGUF files; name one of {names}")
    return directory / found[0] if found else None


def _what_it_could_be(name: str) -> str:
    close = difflib.get_close_matches(name, [*catalogue(), "starter", "auto"], n=_NAMES_SHOWN)
    likely = f" (did you mean {', '.join(close)}?)" if close else ""
    return (
        f"is neither a directory, nor a GGUF file, nor 'starter', nor a name that `townsfolk "
        f"models` lists{likely}, nor a hub id such as 'owner/model'; files for use by their names "
        f"go into {models_folder()}"
    )


def _beside(missing: Path) -> str:
    """Say what else lies in the folder of something that is not there."""
    if not missing.parent.is_dir():
        return f", nor does the folder {missing.parent}"
    names = sorted(path.name for path in missing.parent.iterdir() if not path.name.startswith("."))
    close = difflib.get_close_matches(missing.name, names, n=_NAMES_SHOWN) or names[:_NAMES_SHOWN]
    return (
        f"; {missing.parent} holds {', '.join(close)}" if close else f"; {missing.parent} is empty"
    )
