"""`townsfolk doctor`: what hardware there is, what will be used, what is missing."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from townsfolk import __version__
from townsfolk.bundle.manifest import differences
from townsfolk.commands.connection import add_connection
from townsfolk.commands.options import whole_number
from townsfolk.host_memory import total_bytes
from townsfolk.installation import MANIFEST, bundle_folder, is_frozen, read_manifest

GIB = 1024**3
_BROKEN_SHOWN = 5

# package: (what it is for, the extra that brings it)
OPTIONAL_PACKAGES = {
    "triton": ("fast kernels on a GPU", "gpu"),
    "huggingface_hub": ("models by hub id", "hub"),
    "prometheus_client": ("metrics", "metrics"),
    "matplotlib": ("plots", "train"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; a finding that is not fine says what to do."""

    what: str
    text: str
    fine: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_connection(parser)
    parser.add_argument(
        "--gpu-memory-mib",
        type=whole_number(1),
        metavar="N",
        help="whether the model fits into so much, on this machine's GPU or another one",
    )
    parser.add_argument(
        "--kv-dtype",
        choices=("auto", "int8"),
        default="auto",
        help="of keys and values; see serve",
    )


def run(options: argparse.Namespace) -> int:
    """Print the report; return 0 when Townsfolk can run here."""
    checks: list[Callable[[argparse.Namespace], list[Finding]]] = [
        _system,
        _device,
        _kernels,
        _packages,
        _bundle,
        _model,
        _memory_use,
        _network,
    ]
    fine = True
    for check in checks:
        for finding in check(options):
            fine = fine and finding.fine
            mark = "ok " if finding.fine else "NO "
            print(f"{mark} {finding.what + ':':12} {finding.text}")
    print("\nTownsfolk can run here." if fine else "\nSomething is missing; see the lines with NO.")
    return 0 if fine else 1


def _system(_: argparse.Namespace) -> list[Finding]:
    new_enough = sys.version_info >= (3, 11)
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if not new_enough:
        python += "; Townsfolk needs 3.11 or later"
    return [
        Finding("Townsfolk", __version__),
        Finding("Python", python, new_enough),
        Finding("memory", _memory()),
    ]


def _memory() -> str:
    total = total_bytes()
    return "unknown on this system" if total is None else f"{total / GIB:.1f} GiB"


def _device(_: argparse.Namespace) -> list[Finding]:
    if importlib.util.find_spec("torch") is None:
        return [Finding("PyTorch", "missing: run `make talk`, or `pip install torch`", fine=False)]
    import torch

    found = [
        Finding("PyTorch", torch.__version__),
        Finding(
            "CPU", f"{torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
        ),
    ]
    if not torch.cuda.is_available():
        hint = "this PyTorch is built without CUDA" if torch.version.cuda is None else "none found"
        found.append(Finding("GPU", f"{hint}; the CPU will be used"))
        return found
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found.append(
            Finding(
                f"GPU {index}",
                f"{properties.name}, {properties.total_memory / GIB:.1f} GiB, "
                f"compute capability {properties.major}.{properties.minor}"
                + (": will be used" if index == 0 else ""),
            )
        )
    return found


def _kernels(_: argparse.Namespace) -> list[Finding]:
    """Return where the kernels of a GPU come from: whether a compiler is needed, and is there."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("triton") is None:
        return []
    import torch

    if not torch.cuda.is_available():
        return []
    from townsfolk_kernels.gpu import library
    from townsfolk_kernels.gpu.card import card_of
    from townsfolk_kernels.gpu.cuda import assembler, cache_folder

    built = library.opened(card_of(torch.device("cuda", 0)).capability)
    count, path = (0, library.folder()) if built is None else (len(built.entries), built.path)
    return [kernel_finding(count, str(path), assembler() is not None, cache_folder())]


def kernel_finding(built: int, path: str, can_compile: bool, cache: str | None) -> Finding:
    """Return what to say of kernels.

    Args:
        built: how many are built beforehand.
        path: where these lie, or would.
        can_compile: whether there is what compiles others.
        cache: the folder in which compiled ones are kept; None where it can't be written.
    """
    text = f"{built} built ones in {path}" if built else f"none built beforehand in {path}"
    if not can_compile:
        text += (
            "; others can't be compiled, as Triton's assembler (ptxas) is missing: a model that "
            "they were not built for does not run"
        )
        return Finding("kernels", text, fine=built > 0)
    text += "; others are compiled when they are first needed, without a C compiler"
    if cache is None:
        return Finding("kernels", f"{text}, at each start anew, as no folder can be written")
    return Finding("kernels", f"{text}, and kept in {cache}")


def _packages(_: argparse.Namespace) -> list[Finding]:
    if is_frozen():  # nothing can be installed into a bundle
        return []
    found = []
    for package, (purpose, extra) in OPTIONAL_PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            text = f"not installed; only needed for {purpose}: pip install 'townsfolk[{extra}]'"
        else:
            version = importlib.metadata.version(package.replace("_", "-"))
            text = f"{version}, for {purpose}"
        found.append(Finding(package, text))
    return found


def _bundle(_: argparse.Namespace) -> list[Finding]:
    """Return whether a bundle is as it was made."""
    folder = bundle_folder()
    if folder is None:
        return []
    manifest = read_manifest(folder)
    if not manifest:
        text = f"{folder / MANIFEST} is missing or broken: have the game's files verified"
        return [Finding("bundle", text, fine=False)]
    broken = differences(folder, manifest)
    if broken:
        text = f"have the game's files verified: {'; '.join(broken[:_BROKEN_SHOWN])}"
        return [Finding("bundle", text, fine=False)]
    text = f"{len(manifest['files'])} files as they were made, for {manifest['platform']}"
    return [Finding("bundle", text)]


def _model(options: argparse.Namespace) -> list[Finding]:
    """Return what loading the model would say of its files."""
    from townsfolk.config import EngineSettings
    from townsfolk.dialogue.chat_template import ChatTemplate
    from townsfolk.dialogue.errors import UnsupportedTemplateError
    from townsfolk.engine.fit import Machine
    from townsfolk.engine.load_errors import LOAD_ERRORS
    from townsfolk.engine.model_choice import largest
    from townsfolk.library import AUTO, find
    from townsfolk.models import open_source
    from townsfolk.models.loading import check_tensors, stored_as
    from townsfolk.text import Tokenizer

    name = options.model
    found = []
    if name == AUTO:
        settings = EngineSettings(kv_dtype=options.kv_dtype)
        machine = Machine.here(options.gpu_memory_mib, settings)
        known = largest(machine)
        name = "starter" if known is None else known.name
        found.append(Finding("auto", f"{name}, of what fits into {machine}"))
    try:
        path = find(name)
        if path is None:
            text = f"{name} is not on this machine: `townsfolk pull {name}` fetches it"
            return [*found, Finding("model", text, fine=False)]
        source = open_source(path)
        architecture = source.architecture()
        checkpoint = source.checkpoint()
        check_tensors(architecture, checkpoint)
        ChatTemplate(Tokenizer(source.tokenizer()))
    except (*LOAD_ERRORS, UnsupportedTemplateError, OSError) as error:
        return [*found, Finding("model", f"{name}: {error}", fine=False)]
    spec = architecture.spec
    return [
        *found,
        Finding(
            "model",
            f"{name}: {spec.num_layers} layers of {spec.hidden_size}, "
            f"context {spec.context_length} tokens, weights in {stored_as(checkpoint)}",
        ),
    ]


def _memory_use(options: argparse.Namespace) -> list[Finding]:
    """Return what the model would take, whether it fits, and how many characters with it."""
    import torch

    from townsfolk.config import EngineSettings
    from townsfolk.engine import NotEnoughMemoryError
    from townsfolk.engine.fit import Machine, ModelFootprint, characters
    from townsfolk.engine.load_errors import LOAD_ERRORS
    from townsfolk.engine.model_choice import largest
    from townsfolk.library import AUTO, catalogue, find

    machine = Machine.here(options.gpu_memory_mib, EngineSettings(kv_dtype=options.kv_dtype))
    name = options.model
    if name == AUTO:
        known = largest(machine)
        name = "starter" if known is None else known.name
    try:
        path = find(name)
        if path is not None:
            footprint = ModelFootprint.of_files(path, machine.device)
        elif name in catalogue():
            footprint = ModelFootprint.of_known(catalogue()[name], machine.device)
        else:
            return []  # said above
    except LOAD_ERRORS:
        return []  # said above
    try:
        plan = footprint.plan(machine.device, machine.settings)
        if machine.device.type == "cpu" or torch.cuda.is_available():
            plan.check_free(machine.device)
    except NotEnoughMemoryError as error:
        return [Finding("memory use", str(error), fine=False)]
    return [Finding("memory use", str(plan)), Finding("characters", characters(plan))]


def _network(options: argparse.Namespace) -> list[Finding]:
    if options.connect:
        from townsfolk.client import Runtime, TownsfolkError
        from townsfolk.v1.townsfolk_pb2 import ModelState

        try:
            with Runtime.connect(options.connect, options.token) as runtime:
                info = runtime.info()
        except TownsfolkError as error:
            return [Finding("runtime", f"{options.connect}: {error}", fine=False)]
        state = ModelState.Name(info.model_state).removeprefix("MODEL_STATE_").lower()
        limit = f" of at most {info.memory_limit_mib:,}" if info.memory_limit_mib else ""
        return [
            Finding("runtime", f"{options.connect}: {info.model} on {info.device}"),
            Finding("memory use", f"{info.memory_used_mib:,}{limit} MiB; the model is {state}"),
        ]
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", 0))
        except OSError as error:
            return [Finding("loopback", f"no port can be opened: {error}", fine=False)]
    return [Finding("loopback", "ports can be opened")]
