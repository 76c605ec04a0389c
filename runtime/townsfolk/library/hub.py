"""The Hugging Face hub: what a repository holds, and how its files come here.

Files go into the cache of the hub's own library, where other programs find them, too. That library
does not go on with a download that another process began, and does not check what has arrived; so
the bytes are fetched here, by its functions, and it is left to place them.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from townsfolk.library.errors import DownloadError, ModelNotFoundError, NoRoomError
from townsfolk.library.files import NoSuchFileError, choose
from townsfolk.library.partial import Checksum, PartialFile, hold
from townsfolk.library.places import models_folder

logger = logging.getLogger(__name__)

MIB = 1024 * 1024
_LOG_EVERY_S = 2.0
# What is left free of a disk beside a download.
_SPARE = 64 * MIB
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository, as the hub describes it.

    Attributes:
        name: its path in the repository.
        nbytes: its size.
        checksum: of its bytes; None where the hub does not say.
    """

    name: str
    nbytes: int
    checksum: Checksum | None


@dataclass(frozen=True, slots=True)
class Repository:
    """What the hub says of a repository now.

    Attributes:
        name: owner/name.
        revision: the commit that is the newest.
        files: all there are.
    """

    name: str
    revision: str
    files: Sequence[HubFile]

    @classmethod
    def look_up(cls, name: str) -> Repository:
        """Ask the hub.

        Raises:
            ModelNotFoundError: there is no such repository, one needs a login, or the hub can't
                be reached.
        """
        hub = _library(name)
        with _failures(name):
            info = hub.HfApi().model_info(name, files_metadata=True)
        return cls(name, str(info.sha), [_described(file) for file in info.siblings or ()])

    def choose(self, wanted: str = "") -> list[HubFile]:
        """Return the files that make a model; see `files.choose`.

        Raises:
            ModelNotFoundError: none does, or it can't be told which are meant.
        """
        try:
            names = set(choose([file.name for file in self.files], wanted))
        except NoSuchFileError as error:
            raise ModelNotFoundError(
                f"{self.name} has {error}; name one as {self.name}:FILE"
            ) from None
        return [file for file in self.files if file.name in names]


def fetch(repository: Repository, files: Sequence[HubFile]) -> Path:
    """Bring files of a repository into the hub's cache; return the folder that holds them.

    What is there already is held against its checksum, and a download that broke off goes on.

    Raises:
        DownloadError: the hub can't be reached, the disk is full, or a file is damaged.
    """
    hub, place = _library(repository.name), _place(repository.name)
    folder = place / "snapshots" / repository.revision
    wanted = [file for file in files if not (folder / file.name).is_file()]
    _check_space(place, sum(file.nbytes for file in wanted))
    for file in files:
        if file not in wanted:
            hold(folder / file.name, file.checksum)
            continue
        with _failures(repository.name):
            blob = _fetch_bytes(repository.name, file)
            # Finds the bytes in their place, and makes them a file of the repository's snapshot.
            placed = Path(hub.hf_hub_download(repository.name, file.name))
        if not placed.is_symlink():  # where the system knows no links, it has copied them
            blob.unlink(missing_ok=True)
    return folder


def snapshot(repository: str) -> Path | None:
    """Return the folder of the cache that holds what is here of a repository."""
    try:
        constants = _module("constants")
    except ModelNotFoundError:
        return None
    place = _place(repository)
    try:
        revision = (place / "refs" / constants.DEFAULT_REVISION).read_text().strip()
    except OSError:
        return None
    folder = place / "snapshots" / revision
    return folder if folder.is_dir() else None


def cached_file(repository: str, name: str) -> Path | None:
    """Return a file of the cache; None where it is not there."""
    folder = snapshot(repository)
    path = None if folder is None else folder / name
    return path if path is not None and path.is_file() else None


def repositories() -> list[str]:
    """Return the repositories of models of which something is in the cache."""
    try:
        cache = Path(_module("constants").HF_HUB_CACHE)
    except ModelNotFoundError:
        return []
    folders = sorted(path.name for path in cache.glob("models--*") if path.is_dir())
    return [folder.removeprefix("models--").replace("--", "/") for folder in folders]


def address(repository: str, name: str) -> str:
    """Return where a browser finds a file; empty where the hub's library is not here."""
    try:
        return str(_library(repository).hf_hub_url(repository, name))
    except ModelNotFoundError:
        return ""


def _library(repository: str) -> Any:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError:
        raise ModelNotFoundError(
            f"{repository} is not on this machine; to download it from the Hugging Face hub, "
            "install the extra: pip install 'townsfolk[hub]'. Or put its file into "
            f"{models_folder()}"
        ) from None


def _module(name: str) -> Any:
    _library("the model")
    return importlib.import_module(f"huggingface_hub.{name}")


def _place(repository: str) -> Path:
    """Return the folder of the cache for a repository."""
    repo_folder_name = _module("file_download").repo_folder_name
    folder: str = repo_folder_name(repo_id=repository, repo_type="model")
    return Path(_module("constants").HF_HUB_CACHE) / folder


def _described(sibling: Any) -> HubFile:
    if sibling.lfs is not None:
        checksum: Checksum | None = Checksum("sha256", sibling.lfs.sha256)
    else:
        checksum = Checksum("git", sibling.blob_id) if sibling.blob_id else None
    return HubFile(sibling.rfilename, sibling.size or 0, checksum)


def _fetch_bytes(repository: str, file: HubFile) -> Path:
    """Bring the bytes of a file into the cache; return where they lie."""
    hub, download, utils = _library(repository), _module("file_download"), _module("utils")
    url = hub.hf_hub_url(repository, file.name)
    described = hub.get_hf_file_metadata(url)
    etag, nbytes = str(described.etag), int(described.size or file.nbytes)
    place = _place(repository)
    blob = place / "blobs" / etag
    lock = place.parent / ".locks" / place.name / f"{etag}.lock"
    for folder in (blob.parent, lock.parent):
        folder.mkdir(parents=True, exist_ok=True)
    # Of two that fetch the same file the second waits, and then finds it.
    with utils.WeakFileLock(lock):
        if blob.exists():
            return blob
        path = blob.with_name(f"{blob.name}.incomplete")
        with PartialFile(path, nbytes, file.checksum, _reporter(file.name, nbytes)) as partial:
            download.http_get(
                url,
                partial,
                resume_size=partial.tell(),
                headers=utils.build_hf_headers(),
                expected_size=nbytes,
                displayed_filename=Path(file.name).name,
            )
            damage = partial.damage()
        if damage:
            path.unlink()
            raise DownloadError(
                f"{file.name} of {repository} arrived damaged: {damage}. It was deleted; fetch it "
                f"again by `townsfolk pull {repository}:{file.name}`"
            )
        path.replace(blob)
        return blob


def _reporter(name: str, nbytes: int) -> Callable[[int], None]:
    """Write how far a download has come into the log, where no terminal shows the hub's own bar."""
    if sys.stderr.isatty():
        return lambda _: None
    logged = time.monotonic()

    def report(done: int) -> None:
        nonlocal logged
        now = time.monotonic()
        if now - logged > _LOG_EVERY_S:
            logged = now
            percent = 100 * done // max(nbytes, 1)
            logger.info("downloading %s: %d%% of %.1f GB", name, percent, nbytes / 1e9)

    return report


def _check_space(place: Path, nbytes: int) -> None:
    """Refuse a download for which there is no room, before it begins."""
    begun = sum(path.stat().st_size for path in (place / "blobs").glob("*.incomplete"))
    needed = max(nbytes - begun, 0)
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if nbytes and needed + _SPARE > free:
        raise NoRoomError(
            f"{needed // MIB:,} MiB are to be downloaded, but {place.parent} has {free // MIB:,} "
            "MiB free: make room, or have HF_HOME name a folder on another disk"
        )


@contextlib.contextmanager
def _failures(name: str) -> Iterator[None]:
    """Turn what the hub's library raises into errors that say what to do."""
    errors = _module("errors")
    try:
        yield
    except ModelNotFoundError:
        raise
    except errors.GatedRepoError as error:
        raise DownloadError(
            f"{name} is gated: accept its licence on the hub, then log in with `hf auth login`"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise DownloadError(f"the hub has no model {name} (or it is private)") from error
    # It lets its HTTP library's own errors through: those that its own are made of.
    except (*errors.HfHubHTTPError.__bases__, OSError) as error:
        if getattr(error, "errno", None) in _NO_ROOM:
            raise NoRoomError(
                f"the disk is full, with {name} half fetched: make room, or have HF_HOME name a "
                "folder on another disk. What has arrived is kept, and the download goes on from "
                "there"
            ) from error
        raise DownloadError(
            f"{name} is not in the local cache and cannot be downloaded ({error or type(error)}); "
            f"what has arrived is kept. Go online and try again, or fetch its file elsewhere and "
            f"put it into {models_folder()}"
        ) from error
