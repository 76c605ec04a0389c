"""Builds the kernels that models need on cards of a capability, and holds them to its limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from townsfolk_kernels.gpu import library
from townsfolk_kernels.gpu.build import BuildError, Built, build_all
from townsfolk_kernels.gpu.card import Capability, sample_cards

from townsfolk.engine.launch_list import LaunchList, launch_list
from townsfolk.models import Decoder


@dataclass(slots=True)
class KernelReport:
    """What became of the kernels of a capability.

    Attributes:
        capability: theirs.
        count: how many could be compiled.
        most_shared: bytes of shared memory of the block that takes most.
        spilling: what keeps registers in memory, and how many bytes a thread.
        problems: what a player would run into: what can't be compiled, takes more shared memory
            than a block may have, or spills where characters wait for each token.
    """

    capability: Capability
    count: int = 0
    most_shared: int = 0
    spilling: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, built: Built, limit: int, is_decoding: bool) -> None:
        """Take a kernel into account.

        Args:
            built: the kernel.
            limit: bytes of shared memory that a block may have.
            is_decoding: whether characters wait for it at every token.
        """
        entry, name = built.entry, built.launch.name
        self.count += 1
        self.most_shared = max(self.most_shared, entry.shared)
        if entry.shared > limit:
            self.problems.append(f"{name}: a block takes {entry.shared} of {limit} bytes")
        if entry.spills:
            spill = f"{name}: a thread spills {entry.spills} bytes"
            self.spilling.append(spill)
            if is_decoding:
                self.problems.append(spill)


def build_library(
    needed: LaunchList, capability: Capability, folder: Path | None, processes: int
) -> KernelReport:
    """Compile kernels for cards of a capability.

    Args:
        needed: what may be launched; see `launches_of`.
        capability: of the cards.
        folder: where the library goes; None to look only at what the kernels take.
        processes: that compile at once.

    Raises:
        OSError: the library can't be written.
    """
    report = KernelReport(capability)
    limit = sample_cards(capability)[0].shared_memory
    jobs = [(launch, capability) for _, launch in needed.every()]

    def built() -> Iterator[tuple[str, library.Entry, bytes]]:
        for made in build_all(jobs, processes):
            if isinstance(made, BuildError):
                report.problems.append(str(made))
                continue
            place = made.launch.place
            report.add(made, limit, place in needed.decoding)
            yield place, made.entry, made.cubin

    if folder is None:
        for _ in built():
            pass
    else:
        library.write(folder / library.file_name(capability), capability, built())
    return report


def launches_of(
    decoders: Sequence[Decoder],
    capability: Capability,
    block_size: int = 16,
    kept: torch.dtype | None = None,
) -> LaunchList:
    """Return all that decoders on paper may launch on the cards of a capability.

    Args:
        decoders: the models.
        capability: of the cards.
        block_size: tokens in a block of keys and values.
        kept: dtype of keys and values; None for that of the activations.
    """
    cards = sample_cards(capability)
    return LaunchList.joined(
        launch_list(decoder, card, block_size, kept) for decoder in decoders for card in cards
    )
