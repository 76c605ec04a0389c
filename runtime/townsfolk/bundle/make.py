"""Makes a bundle: the frozen runtime, a model, licences and a manifest in one folder."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from townsfolk import __version__
from townsfolk.bundle import licences
from townsfolk.bundle.adapter import copy_adapter, find_adapter
from townsfolk.bundle.compile import compile_for_processors
from townsfolk.bundle.errors import BundleError
from townsfolk.bundle.freeze import LIBRARIES, PROGRAM, Frozen, freeze, platform_tag
from townsfolk.bundle.manifest import FileFacts, look_at_files, write_manifest
from townsfolk.bundle.model import FOLDER as MODEL_FOLDER
from townsfolk.bundle.model import ModelFiles
from townsfolk.bundle.proof import prove
from townsfolk.bundle.prune import strip_symbols
from townsfolk.installation import read_manifest

KERNELS = "kernels"
"""Where kernels that were compiled beforehand lie in a bundle."""
Device = Literal["cpu", "cuda"]
Engine = Literal["godot", "unity"]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What bundle is wanted.

    Attributes:
        model: as `townsfolk serve --model` takes it.
        out: the folder to make.
        device: what its PyTorch is to be built for; None for what this environment's is.
        engine: whose project the folder lies in, if it does.
        model_licences: the model's licence texts; empty for those beside it.
        kernels: a folder of kernels compiled beforehand; None to compile the model's for CUDA.
        small: leave out the compiler for the player's processor.
        adapter: one that comes along, as `townsfolk serve --adapter` takes it.
    """

    model: str
    out: Path
    device: Device | None = None
    engine: Engine | None = None
    model_licences: tuple[Path, ...] = ()
    kernels: Path | None = None
    small: bool = False
    adapter: Path | None = None


def make_bundle(order: Order, report: Progress) -> list[FileFacts]:
    """Make the bundle, prove that it talks, and put it in its place; return what is in it.

    What was there is replaced only by a bundle that talks.

    Raises:
        BundleError: It can't be made; the message says what to do.
    """
    _check_place(order)
    device = _device(order.device)
    model = ModelFiles.find(order.model)
    texts = _model_texts(model, order)
    adapter = None if order.adapter is None else find_adapter(order.adapter)
    with _workplace(order.out) as work:
        report("freezing the runtime; this takes a minute")
        frozen = freeze(work, cuda=device == "cuda", small=order.small)
        bundle = frozen.folder
        saved = strip_symbols(bundle)
        if saved is not None:
            report(f"{saved / 1e6:.0f} MB of symbols left out")
        _complete(bundle, frozen, order, model, texts)
        if adapter is not None:
            copy_adapter(adapter, bundle)
        if device == "cuda" and order.kernels is None:
            report("compiling the kernels that the model needs on players' GPUs")
            _build_kernels(model, bundle / KERNELS)
        if not order.small:
            report("compiling for players' processors; this takes a minute")
            compile_for_processors(bundle / program_name())
        facts = _describe(bundle, frozen, order, model, device)
        report("trying it: it starts with an empty environment and says something")
        prove(bundle / program_name(), sum(fact.size for fact in facts))
        _put(bundle, order.out)
    return facts


def program_name() -> str:
    """Return what a bundle's program is called on this system."""
    return PROGRAM + (".exe" if sys.platform == "win32" else "")


def _check_place(order: Order) -> None:
    out = order.out
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not read_manifest(out))):
        raise BundleError(f"--out {out} holds something else than a bundle: choose another folder")
    if not out.resolve().parent.is_dir():
        raise BundleError(f"--out {out}: there is no folder {out.resolve().parent}")
    parts = out.resolve().parts
    if order.engine == "unity" and "Assets" in parts:
        below = parts[parts.index("Assets") :]
        if not any(part.endswith("~") or part.startswith(".") for part in below):
            raise BundleError(
                f"--out {out}: Unity would import what lies in Assets. Choose a folder beside "
                "Assets, or one whose name ends with ~"
            )
    if order.kernels is not None and not order.kernels.is_dir():
        raise BundleError(f"--kernels {order.kernels} is no folder")


def _device(wanted: Device | None) -> Device:
    import torch

    there: Device = "cpu" if torch.version.cuda is None else "cuda"
    if wanted == "cuda" and there == "cpu":
        raise BundleError(
            "--cuda: this environment's PyTorch is built for the CPU. A bundle holds what is "
            "installed: make an environment with PyTorch for CUDA, as on a machine with a GPU"
        )
    if wanted == "cpu" and there == "cuda":
        raise BundleError(
            "--cpu: this environment's PyTorch is built for CUDA. A bundle holds what is "
            "installed: make an environment with PyTorch for the CPU"
        )
    return there


def _model_texts(model: ModelFiles, order: Order) -> tuple[Path, ...]:
    if model.is_starter and not order.model_licences:
        return ()  # Townsfolk's own, which is there anyway
    return licences.model_texts(model.source, order.model_licences)


def _complete(
    bundle: Path, frozen: Frozen, order: Order, model: ModelFiles, texts: Sequence[Path]
) -> None:
    """Lay beside the program all that is no program."""
    model.copy(bundle)
    parts = licences.parts_of(frozen.modules, frozen.sources)
    licences.write_texts(parts, bundle)
    if texts:
        name = f"model {model.name}".replace("/", "-")
        licences.write_texts([licences.LicensedPart(name, "", "", tuple(texts))], bundle)
    rows = [f"| {part.name} | {part.version} | {part.licence} |" for part in parts]
    table = "\n".join(["| whose | version | licence |", "|---|---|---|", *rows])
    (bundle / licences.FOLDER / "README.md").write_text(
        f"# What is in this folder's parent, and under which licences\n\n{table}\n",
        encoding="utf-8",
    )
    if order.kernels is not None:
        shutil.copytree(order.kernels, bundle / KERNELS)
    if order.engine == "godot":
        (bundle / ".gdignore").touch()  # so that the editor imports nothing from here


def _build_kernels(model: ModelFiles, folder: Path) -> None:
    """Compile what the model needs on any GPU that is known, so that players' machines needn't."""
    from townsfolk_kernels.gpu.card import capabilities

    from townsfolk.engine.kernel_library import build_library, launches_of
    from townsfolk.engine.launch_list import model_on_paper

    decoders = [model_on_paper(model.source)]
    for capability in capabilities():
        needed = launches_of(decoders, capability)
        build_library(needed, capability, folder, os.cpu_count() or 2)


def _describe(
    bundle: Path, frozen: Frozen, order: Order, model: ModelFiles, device: Device
) -> list[FileFacts]:
    facts = look_at_files(bundle)
    parts = licences.parts_of(frozen.modules, frozen.sources)
    about = {
        "townsfolk": __version__,
        "python": platform.python_version(),
        "platform": platform_tag(),
        "device": device,
        "engine": order.engine,
        "program": program_name(),
        "model": {"name": model.name, "path": model.path},
        "packages": {part.name: part.version for part in parts},
    }
    write_manifest(bundle, facts, about)
    return facts


@contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """Yield a folder on the disk of the bundle's, and remove it in the end."""
    parent = out.resolve().parent
    try:
        work = Path(tempfile.mkdtemp(prefix=f".{out.resolve().name}-", dir=parent))
    except OSError as error:
        raise BundleError(f"--out {out}: {error}") from error
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put(bundle: Path, out: Path) -> None:
    """Move a finished bundle to its place."""
    old = bundle.with_name("replaced")
    if out.exists():
        out.rename(old)
    try:
        bundle.rename(out)
    except OSError as error:
        with suppress(OSError):
            old.rename(out)
        raise BundleError(f"--out {out}: {error}") from error


def sizes(facts: Sequence[FileFacts]) -> dict[str, int]:
    """Return the bytes of a bundle's parts, largest first: libraries by package, the model, ..."""
    found: dict[str, int] = {}
    for fact in facts:
        parts = Path(fact.path).parts
        in_libraries = parts[0] == LIBRARIES and len(parts) > 1
        if parts[0] == MODEL_FOLDER:
            name = "the model"
        elif in_libraries:
            name = f"{LIBRARIES}/{parts[1]}"
        else:
            name = parts[0]
        found[name] = found.get(name, 0) + fact.size
    return dict(sorted(found.items(), key=lambda item: -item[1]))
