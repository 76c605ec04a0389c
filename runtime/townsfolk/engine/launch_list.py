"""Which kernels a decoder launches on a card, found out without one.

It is the runtime's own code that says so: its steps run on tensors that have no memory, with a card
on paper, and what they would launch is noted. So there is no second list that could differ.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from townsfolk_kernels.gpu.card import Card
from townsfolk_kernels.gpu.kernel import Launch, recorded
from townsfolk_kernels.register import register

from townsfolk.engine.cuda_graphs import DecodeShape
from townsfolk.engine.cuda_steps import CudaSteps
from townsfolk.engine.step_inputs import DECODES, StepInputs, StepShape
from townsfolk.kv import KvCache
from townsfolk.models import Decoder, DecoderSpec
from townsfolk.models.mixes import Mix

_BLOCKS = 64  # of pages: no kernel depends on how many there are
_MAX_BATCH = 1024  # smaller batches need no other kernels
_ADAPTERS = 1 << 20  # bytes: no kernel depends on how many there are


@dataclass(frozen=True, slots=True)
class LaunchList:
    """What steps of a decoder may launch, each once, by its place in a library.

    Attributes:
        decoding: by steps that decode alone: for these a character waits at every token.
        others: by other steps only.
    """

    decoding: Mapping[str, Launch]
    others: Mapping[str, Launch]

    @classmethod
    def joined(cls, lists: Iterable[LaunchList]) -> LaunchList:
        """Return what any of several lists has."""
        decoding: dict[str, Launch] = {}
        others: dict[str, Launch] = {}
        for each in lists:
            decoding |= each.decoding
            others |= each.others
        return cls(decoding, {name: others[name] for name in others.keys() - decoding.keys()})

    def every(self) -> Iterator[tuple[str, Launch]]:
        """Yield all of them, with their places."""
        yield from self.decoding.items()
        yield from self.others.items()

    def of_rooms(self, rooms: Collection[str]) -> LaunchList:
        """Return those of the kernels in some rooms of `townsfolk_kernels`, such as "decode"."""
        return self._kept({p for p, each in self.every() if each.kernel.room in rooms})

    def samples(self) -> LaunchList:
        """Return the largest of each form of each kernel: by which constants are zero or off."""
        largest: dict[object, tuple[int, str]] = {}
        for place, launch in self.every():
            off = frozenset(at for at, value in launch.constants.items() if not value)
            form, rank = (launch.kernel.full_name, off), (_size(launch), place)
            largest[form] = max(largest.get(form, rank), rank)
        return self._kept({place for _, place in largest.values()})

    def _kept(self, places: Collection[str]) -> LaunchList:
        both = (self.decoding, self.others)
        return LaunchList(*({p: each for p, each in one.items() if p in places} for one in both))


def _size(launch: Launch) -> int:
    """Return a measure of what a launch takes: the product of its constants."""
    return math.prod(
        value for value in launch.constants.values() if isinstance(value, int) and value > 0
    )


def random_on_paper(
    spec: DecoderSpec, dtype: torch.dtype | None = None, mix: Mix | None = None
) -> Decoder:
    """Return a decoder without memory for weights, for `launch_list`; see `Decoder.random`."""
    register()
    return Decoder.random(spec, dtype, "meta", mix=mix)


def model_on_paper(path: Path, dtype: torch.dtype | None = None) -> Decoder:
    """Return a decoder of a model's files without memory for weights; see `Decoder.on_paper`."""
    register()
    return Decoder.on_paper(path, dtype)


def launch_list(
    decoder: Decoder, card: Card, block_size: int = 16, kept: torch.dtype | None = None
) -> LaunchList:
    """List all that steps of a decoder may launch on a card.

    Args:
        decoder: the model, of `model_on_paper` or `random_on_paper`.
        card: what it would run on.
        block_size: tokens in a block of keys and values.
        kept: dtype of keys and values; None for that of the activations.
    """
    spec, device = decoder.spec, decoder.device
    decoding: dict[str, Launch] = {}
    with recorded(card) as found, torch.inference_mode():
        kv = KvCache.allocate(spec, _BLOCKS, block_size, kept or decoder.dtype, device)
        context = spec.context_length
        steps = CudaSteps.make(decoder, kv, spec.eos_ids, _MAX_BATCH, context, _ADAPTERS)
        for shape in sorted(steps.wanted, key=lambda shape: not isinstance(shape, DecodeShape)):
            if not isinstance(shape, DecodeShape) and not decoding:
                decoding.update((launch.place, launch) for launch in found.values())
            steps.graph(shape).run()
        for shape in _eager_shapes():
            inputs = torch.empty(sum(StepInputs.sizes(shape)), dtype=torch.int32, device=device)
            step = steps.eager(shape, inputs)
            step.draw_masked(step.run()[1])
    every = {launch.place: launch for launch in found.values()}
    return LaunchList.joined([LaunchList(decoding, every)])


def _eager_shapes() -> Iterator[StepShape]:
    """Yield steps that are no graphs, of each kind for which there is another kernel."""
    for speaking in DECODES:
        yield StepShape(speaking, speaking, 0, 1)
    for prompts in (4, *(1 << n for n in range(8, _MAX_BATCH.bit_length()))):
        yield StepShape(0, prompts * 4, prompts, 4)
    yield StepShape(8, 8 + 4 * 5, 4, 5)  # tokens that are no multiple of 16
