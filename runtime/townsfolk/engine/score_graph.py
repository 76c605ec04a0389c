"""Scoring of texts behind one prompt on a CUDA device: as graphs in a few sizes, or eagerly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from townsfolk_kernels import PagedLayout, upload

from townsfolk.engine.cuda_graphs import GraphResources, StepGraph
from townsfolk.engine.memory import SCORED_ROWS
from townsfolk.engine.mixed_step import StepResources
from townsfolk.engine.prompt_scores import score_chunks
from townsfolk.engine.step_inputs import Ints
from townsfolk.models.batch import Chunk, FlatChunks, ModelBatch
from townsfolk.sampling import prompt_logprobs

TOKENS = (128, 256, 512)
SEQUENCES = 64
"""Texts that go through the model together."""

_ALIGNED = 4  # 32-bit numbers, behind which others begin at a multiple of 16 bytes


@dataclass(frozen=True, slots=True)
class ScoreShape:
    """The size of a pass.

    Attributes:
        tokens: places for tokens, of all texts.
        sequences: places for texts.
    """

    tokens: int
    sequences: int

    @classmethod
    def fitting(cls, tokens: int) -> ScoreShape | None:
        """Return the smallest for so many tokens; None where they are too many for any."""
        return next((cls(places, SEQUENCES) for places in TOKENS if places >= tokens), None)


@dataclass(frozen=True, slots=True)
class Scored:
    """Texts whose tokens are scored; see `Runner.score`.

    Attributes:
        begun: the block whose content is copied first, if there is one.
        chunks: the texts.
        next_ids: the token behind each of theirs.
    """

    begun: int | None
    chunks: Sequence[Chunk]
    next_ids: Sequence[int]

    def parts(self) -> Iterator[Scored]:
        """Yield them in parts that fit into the largest pass, if each text does."""
        begin = end = tokens = 0
        for number, chunk in enumerate(self.chunks):
            count = len(chunk.token_ids)
            if number > begin and (tokens + count > TOKENS[-1] or number - begin == SEQUENCES):
                yield self._part(begin, number, end - tokens, end)
                begin, tokens = number, 0
            end, tokens = end + count, tokens + count
        yield self._part(begin, len(self.chunks), end - tokens, end)

    def _part(self, begin: int, end: int, first: int, last: int) -> Scored:
        return Scored(self.begun, self.chunks[begin:end], self.next_ids[first:last])


class ScoreGraph(StepGraph):
    """Up to `shape.sequences` texts, of up to `shape.tokens` tokens in all."""

    def __init__(self, shape: ScoreShape, resources: GraphResources) -> None:
        """Take memory for the inputs; see `capture`."""
        super().__init__(resources)
        self._shape = shape
        self._width = resources.step.tables.blocks.shape[1]
        self._inputs = torch.from_numpy(self._empty()).to(self._device)
        self._logprobs = torch.zeros(shape.tokens, device=self._device)

    def compute(self) -> None:
        """See `StepGraph`."""
        own, shape = self._resources.step, self._shape
        of_tokens, moved, lengths, tables, starts = self._inputs.split(self._sizes())
        token_ids, positions, slots, next_ids = of_tokens.long().view(4, -1)
        blocks = moved.long()
        own.kv.spread(blocks[:1], blocks[_ALIGNED:])
        layout = PagedLayout(
            starts,
            lengths,
            tables.view(shape.sequences, -1),
            own.kv.block_size,
            longest=shape.tokens,
            singles=0,
            workspace=self._resources.workspace,
        )
        batch = ModelBatch(token_ids, positions, slots, layout)
        hidden = own.decoder.forward(batch, own.kv)  # [tokens, hidden]
        for begin in range(0, shape.tokens, SCORED_ROWS):
            part = slice(begin, begin + SCORED_ROWS)
            scored = prompt_logprobs(own.decoder.logits(hidden[part]), next_ids[part], 0)
            self._logprobs[part] = scored.logprobs

    def draw_masked(self, logits: Tensor) -> None:
        """See `StepGraph`: nothing is drawn."""

    def launch(self, scored: Scored) -> Tensor:
        """Start a pass.

        Returns:
            the log-probability of each of its tokens, [tokens], on the device.
        """
        self._inputs.copy_(upload(self._pack(scored), self._device))
        self.replay()
        return self._logprobs[: len(scored.next_ids)].clone()

    def _sizes(self) -> tuple[int, ...]:
        """Return the lengths of the inputs: of tokens, moved blocks, lengths, tables, starts."""
        tokens, sequences = self._shape.tokens, self._shape.sequences
        of_tables = sequences * self._width
        return (4 * tokens, _ALIGNED + sequences, sequences, of_tables, sequences + 1)

    def _empty(self) -> Ints:
        """Return inputs of no text: no token is stored, and block 0 is copied to itself."""
        flat = np.zeros(sum(self._sizes()), dtype=np.int32)
        flat[2 * self._shape.tokens : 3 * self._shape.tokens] = -1
        return flat

    def _pack(self, scored: Scored) -> Ints:
        flat = self._empty()
        ends = np.cumsum(self._sizes())[:-1]
        of_tokens, moved, lengths, tables, starts = np.split(flat, ends)
        block_size = self._resources.step.kv.block_size
        chunks, count = FlatChunks.of(scored.chunks, block_size), len(scored.chunks)
        rows = of_tokens.reshape(4, -1)
        rows[:3, : len(scored.next_ids)] = chunks.tokens
        rows[3, : len(scored.next_ids)] = scored.next_ids
        first = [each.block_ids[each.start // block_size] for each in scored.chunks]
        moved[:] = first[0] if scored.begun is None else scored.begun
        if scored.begun is not None:
            moved[_ALIGNED : _ALIGNED + count] = first
        lengths[:count] = chunks.lengths
        tables.reshape(self._shape.sequences, -1)[:count, : chunks.tables.shape[1]] = chunks.tables
        starts[: count + 1], starts[count + 1 :] = chunks.starts, chunks.starts[-1]
        return flat


class ScoreGraphs(Protocol):
    """Where graphs are found."""

    def get(self, key: ScoreShape) -> object:
        """Return a graph if it is there."""


def score_in_graphs(graphs: ScoreGraphs, scored: Scored) -> list[float] | None:
    """Score texts, and wait; see `Runner.score`. Return None where a graph is missing for that."""
    launches: list[tuple[ScoreGraph, Scored]] = []
    for part in scored.parts():
        shape = ScoreShape.fitting(len(part.next_ids))
        graph = None if shape is None else graphs.get(shape)
        if not isinstance(graph, ScoreGraph):
            return None
        launches.append((graph, part))
    logprobs: list[float] = torch.cat([graph.launch(part) for graph, part in launches]).tolist()
    return logprobs


def score_eagerly(resources: StepResources, scored: Scored) -> list[float]:
    """Score texts of any lengths operation by operation, and wait; see `Runner.score`."""
    decoder, kv = resources.decoder, resources.kv
    batch = ModelBatch.build(scored.chunks, kv.block_size, decoder.device)
    batch.layout = replace(batch.layout, singles=0)  # nothing to be looked at on the device
    return score_chunks(decoder, kv, scored.begun, scored.chunks, batch, scored.next_ids)
