"""What kernels have to know of a GPU: its limits, from which tiles and splits are chosen."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

Capability = tuple[int, int]

_KIB = 1024


@dataclass(frozen=True, slots=True)
class Card:
    """A model of GPU.

    Attributes:
        name: as the driver calls it.
        capability: compute capability: (8, 6) for 8.6.
        processors: streaming multiprocessors.
        shared_memory: bytes that one block may have.
    """

    name: str
    capability: Capability
    processors: int
    shared_memory: int

    @property
    def wave(self) -> int:
        """Multiprocessors, rounded down to a power of two.

        Whatever is compiled into a kernel depends on this, not on the exact number: so a few
        kernels serve all cards of a capability.
        """
        return 1 << (max(self.processors, 1).bit_length() - 1)

    @property
    def has_dependent_launch(self) -> bool:
        """Whether it has programmatic dependent launch."""
        return self.capability >= (9, 0)


_HOST = Card("", (0, 0), 1, 64 * _KIB)
_paper: ContextVar[Card | None] = ContextVar("townsfolk_card_on_paper", default=None)


def card_of(device: torch.device) -> Card:
    """Return the card that a device is; for "meta" the one `on_paper`, for a CPU a small one."""
    if device.type == "cuda":
        return _card(torch.cuda.current_device() if device.index is None else device.index)
    if device.type == "meta":
        return _paper.get() or _HOST
    return _HOST


@cache
def _card(index: int) -> Card:
    from townsfolk_kernels.gpu.cuda import CudaUtils

    facts, limits = (
        torch.cuda.get_device_properties(index),
        CudaUtils().get_device_properties(index),
    )
    capability = (facts.major, facts.minor)
    return Card(facts.name, capability, facts.multi_processor_count, limits["max_shared_mem"])


@contextmanager
def on_paper(card: Card) -> Iterator[None]:
    """Take tensors on "meta" for those of a card, within this context."""
    token = _paper.set(card)
    try:
        yield
    finally:
        _paper.reset(token)


@cache
def known_cards() -> tuple[Card, ...]:
    """Return the cards that kernels are compiled for beforehand, by `cards.toml`."""
    text = (Path(__file__).parent / "cards.toml").read_text("utf-8")
    cards = []
    for version, facts in tomllib.loads(text).items():
        capability = capability_of(version)
        for name, processors in facts["cards"].items():
            cards.append(Card(name, capability, processors, facts["shared_memory_kib"] * _KIB))
    return tuple(cards)


def capability_of(version: str) -> Capability:
    """Return the capability that is written "8.6".

    Raises:
        ValueError: it is not written so.
    """
    major, dot, minor = version.partition(".")
    if not dot or not major.isdecimal() or not minor.isdecimal():
        raise ValueError(f"{version!r} is no compute capability, such as 8.6")
    return int(major), int(minor)


def capabilities() -> tuple[Capability, ...]:
    """Return the capabilities of the known cards."""
    return tuple(dict.fromkeys(card.capability for card in known_cards()))


def sample_cards(capability: Capability) -> tuple[Card, ...]:
    """Return a card for each size that the known cards of a capability have; see `Card.wave`."""
    of_wave = {card.wave: card for card in known_cards() if card.capability == capability}
    return tuple(of_wave.values())
