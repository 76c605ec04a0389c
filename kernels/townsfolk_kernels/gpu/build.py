"""Compiles kernels for cards that need not be there."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import triton
from triton import knobs
from triton.compiler import ASTSource

from townsfolk_kernels.gpu.card import Capability
from townsfolk_kernels.gpu.kernel import Launch, target_of
from townsfolk_kernels.gpu.library import Entry

_USAGE = re.compile(r"REG:(\d+) STACK:(\d+)")


@dataclass(frozen=True, slots=True)
class Built:
    """A compiled kernel.

    Attributes:
        launch: what it was compiled for.
        entry: how it is launched, and what it takes.
        cubin: its machine code.
    """

    launch: Launch
    entry: Entry
    cubin: bytes


class BuildError(Exception):
    """A kernel can't be compiled; it says which one and why."""


def build(launch: Launch, capability: Capability) -> Built:
    """Compile what a launch needs.

    Raises:
        Exception: Triton or its assembler can't.
    """
    source = ASTSource(
        launch.kernel, dict(launch.signature), dict(launch.constants), dict(launch.attributes)
    )
    made = triton.compile(source, target=target_of(capability), options=launch.options.__dict__)
    facts, cubin = made.metadata, made.asm["cubin"]
    if facts.num_ctas != 1 or facts.launch_cooperative_grid or facts.profile_scratch_size:
        raise NotImplementedError(f"{launch.name} needs a launch that a library has no words for")
    registers, spills = _usage(cubin)
    entry = Entry(
        kernel=launch.kernel.full_name,
        function=facts.name,
        signature=list(launch.signature.values()),
        warps=facts.num_warps,
        shared=facts.shared,
        dependent=facts.launch_pdl,
        scratch=(facts.global_scratch_size, facts.global_scratch_align),
        registers=registers,
        spills=spills,
    )
    return Built(launch, entry, cubin)


def build_all(
    jobs: Sequence[tuple[Launch, Capability]], processes: int
) -> Iterator[Built | BuildError]:
    """Compile in several processes, or in this one; give what comes of each, in the jobs' order."""
    if processes == 1:  # another would only import everything once more
        yield from map(_try, jobs)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_try, jobs)


def _try(job: tuple[Launch, Capability]) -> Built | BuildError:
    launch, capability = job
    try:
        return build(launch, capability)
    except Exception as error:
        return BuildError(f"{launch.name}: {error}")


def _usage(cubin: bytes) -> tuple[int, int]:
    """Return the registers of a thread, and bytes of its stack: what it spills."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = _USAGE.search(text)
    if found is None:
        raise RuntimeError(f"cuobjdump says nothing of registers: {text}")
    return int(found[1]), int(found[2])
