"""Decode steps on the CPU in one call of compiled code: a token of each sequence."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from townsfolk_kernels.compiled import step
from townsfolk_kernels.compiled.team import Team, local_team
from townsfolk_kernels.compiled.vectors import LANES

from townsfolk.models.batch import KvPages, ModelBatch
from townsfolk.models.compiled_adapters import CompiledRows
from townsfolk.models.compiled_phases import (
    PhaseTable,
    Splits,
    StepPhases,
    widest_input,
    with_adapters,
)
from townsfolk.models.decoder import Decoder
from townsfolk.models.projections import projections_of

MOST_SEQUENCES = 16
"""In a step of 16-bit weights; with more of them, the products of whole batches are faster."""
_MOST_QUANTIZED = 64  # likewise of weights in blocks, whose products are the same ones


class CompiledDecode:
    """Decode steps of a decoder that `can_compile`; for one thread at a time."""

    def __init__(self, decoder: Decoder, kv: KvPages) -> None:
        """Prepare steps of as many sequences as `takes` says."""
        spec = decoder.spec
        self._decoder, self._kv = decoder, kv
        is_quantized = decoder.weights.is_quantized
        self._most = most = _MOST_QUANTIZED if is_quantized else MOST_SEQUENCES
        attentions = [layer.attention for layer in spec.layers]
        self._scratch_bytes = step.scratch_bytes(
            most,
            widest_input(spec),
            max(each.num_heads // each.num_kv_heads for each in attentions),
            max(each.head_dim for each in attentions),
            kv.k[0].shape[2],
        )
        self._partials = torch.empty(0)
        self._own = own = StepPhases(decoder, kv, most)
        self._phases = PhaseTable(own.phases)
        self._adapted = PhaseTable(with_adapters(own.phases, projections_of(spec)))
        self._step = np.zeros(1, dtype=step.STEP)
        self._scratch = torch.empty(0, dtype=torch.uint8)

    def takes(self, batch: ModelBatch) -> bool:
        """Return whether it computes a batch: one new token of each sequence, of not too many."""
        count = len(batch.token_ids)
        if not isinstance(batch.adapters, CompiledRows | None):
            return False
        return count <= self._most and count == len(batch.layout.kv_lengths)

    @torch.inference_mode()
    def logits(self, batch: ModelBatch) -> Tensor:
        """Compute one token of each sequence and write its keys and values.

        Args:
            batch: one new token of each sequence, as `takes` says.

        Returns:
            [batch, vocab], fp32: scores of the next token, valid until the next step.

        Raises:
            IndexError: a token id lies outside the vocabulary.
        """
        decoder, count = self._decoder, len(batch.token_ids)
        team = local_team()
        self._make_room(team)
        residual = self._own.residual[:count]
        residual.copy_(decoder.embed(batch.token_ids, batch.positions))
        tables = batch.layout.block_tables.contiguous()
        positions = batch.positions.contiguous()
        rotations = decoder.rotations(positions)
        rows = batch.adapters
        phases = self._phases if rows is None else self._adapted
        phases.rotate(rotations)
        splits = Splits.of(positions.numpy())
        numbers = self._own.partial_numbers * len(splits.owners)
        if self._partials.numel() < numbers:
            self._partials = torch.empty(2 * numbers)
        values = self._step[0]
        values["count"] = count
        values["positions"] = positions.data_ptr()
        values["tables"], values["table_stride"] = tables.data_ptr(), tables.shape[1]
        splits.write(values)
        values["partials"] = self._partials.data_ptr()
        if isinstance(rows, CompiledRows):
            values["adapters"], values["units"] = rows.addresses.ctypes.data, rows.units
            shrunk = torch.empty(count, 3 * rows.units * LANES)
            values["shrunk"] = shrunk.data_ptr()
        team.run(partial(self._work, phases.table))
        return decoder.finish_logits(self._own.logits[:count])

    def _make_room(self, team: Team) -> None:
        """Be ready for a team's threads."""
        values = self._step[0]
        if values["team"] == team.address:
            return
        self._scratch = torch.empty(team.size * self._scratch_bytes, dtype=torch.uint8)
        values["team"], values["threads"] = team.address, team.size
        values["block_size"] = self._kv.k[0].shape[2]
        values["pages_are_bf16"] = self._kv.k[0].dtype == torch.bfloat16
        values["qkv"] = self._own.qkv
        values["scratch"] = self._scratch.data_ptr()
        values["scratch_bytes"] = self._scratch_bytes

    def _work(self, phases: NDArray[Any], thread: int) -> None:
        step.run_step(self._step, phases, self._own.parts, thread)
