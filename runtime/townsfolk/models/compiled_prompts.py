"""Steps with prompts on the CPU in one call of compiled code, for weights in blocks.

The operations of `Decoder.forward` take as long for what is around products of the starter as for
these: activations become fp32, are brought into 8 bits, and become bf16 again, each in a call.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from townsfolk_kernels.compiled import prompt, step
from townsfolk_kernels.compiled.blocks import COLUMNS, QUANTIZED_BYTES
from townsfolk_kernels.compiled.prompt_attention import tile_tokens
from townsfolk_kernels.compiled.team import local_team

from townsfolk.models.batch import KvPages, ModelBatch
from townsfolk.models.compiled_phases import (
    PhaseTable,
    Splits,
    StepPhases,
    for_prompts,
    is_in_blocks,
    widest_input,
)
from townsfolk.models.decoder import Decoder

Ints = NDArray[np.int64]

_ROWS = 128  # memory is taken for multiples of so many


class CompiledPrompts:
    """Steps of any batch of a decoder whose layers `are_in_blocks`; for one thread at a time."""

    def __init__(self, decoder: Decoder, kv: KvPages) -> None:
        """Prepare steps."""
        self._decoder, self._kv = decoder, kv
        attentions = [layer.attention for layer in decoder.spec.layers]
        self._group = max(each.num_heads // each.num_kv_heads for each in attentions)
        self._head_dim = max(each.head_dim for each in attentions)
        self._widest = widest_input(decoder.spec)
        # A head of numbers is multiplied in their dtype.
        self._dtype = torch.float32 if is_in_blocks(decoder.weights.head) else decoder.dtype
        self._take_memory(_ROWS)

    def takes(self, batch: ModelBatch) -> bool:
        """Return whether it computes a batch."""
        return batch.adapters is None

    @torch.inference_mode()
    def forward(self, batch: ModelBatch) -> Tensor:
        """Run the tokens of a batch and write their keys and values into the pages.

        Args:
            batch: as `takes` says.

        Returns:
            [tokens, hidden], as `Decoder.forward`, fp32 if the head is in blocks, too; valid until
            the next step.

        Raises:
            IndexError: a token id lies outside the vocabulary.
        """
        decoder, layout = self._decoder, batch.layout
        rows = len(batch.token_ids)
        if rows > self._rows:
            self._take_memory(-(-rows // _ROWS) * _ROWS)
        embedded = decoder.embed(batch.token_ids, batch.positions)
        self._own.residual[:rows].copy_(embedded)
        positions, slots = batch.positions.contiguous(), batch.slots.contiguous()
        tables = layout.block_tables.contiguous()
        rotations = decoder.rotations(positions)
        self._phases.rotate(rotations)
        starts = layout.query_starts.numpy().astype(np.int64)
        ends = np.zeros(rows, dtype=np.int64)
        ends[starts[1:] - 1] = 1
        decodes = layout.singles or 0
        tiles = self._tiles(starts, decodes)
        splits = Splits.of(positions.numpy()[:decodes])
        partials = torch.empty(self._own.partial_numbers * len(splits.owners))
        team = local_team()
        needed = max(
            prompt.scratch_bytes(self._widest, self._group, self._head_dim),
            step.scratch_bytes(0, self._widest, self._group, self._head_dim, layout.block_size),
        )
        scratch = torch.empty(team.size * needed, dtype=torch.uint8)
        steps = np.zeros(1, dtype=step.STEP)
        values = steps[0]
        values["team"], values["threads"] = team.address, team.size
        values["count"], values["rows"] = decodes, rows
        values["block_size"] = layout.block_size
        values["pages_are_bf16"] = self._kv.k[0].dtype == torch.bfloat16
        values["positions"], values["slots"] = positions.data_ptr(), slots.data_ptr()
        values["ends"] = ends.ctypes.data
        values["tables"], values["table_stride"] = tables.data_ptr(), tables.shape[1]
        values["tiles"], values["tile_table"] = len(tiles), tiles.ctypes.data
        splits.write(values)
        values["partials"] = partials.data_ptr()
        values["qkv"] = self._own.qkv
        values["quantized"] = self._quantized.data_ptr()
        values["attended"] = self._attended.data_ptr()
        values["scratch"], values["scratch_bytes"] = scratch.data_ptr(), needed
        team.run(partial(prompt.run_prompt_step, steps, self._phases.table, self._own.parts))
        return self._hidden[:rows].to(self._dtype)

    def _tiles(self, starts: Ints, decodes: int) -> Ints:
        """Return the tiles [tiles, 3] of prompts; the last ones, which see most, come first."""
        size = tile_tokens(self._group, self._head_dim)
        found = [
            (row, min(size, starts[sequence + 1] - row), sequence)
            for sequence in range(decodes, len(starts) - 1)
            for row in range(starts[sequence], starts[sequence + 1], size)
        ]
        return np.array(found[::-1], dtype=np.int64).reshape(-1, 3)

    def _take_memory(self, rows: int) -> None:
        spec = self._decoder.spec
        self._own = StepPhases(self._decoder, self._kv, rows, with_logits=False)
        self._hidden = torch.empty(rows, spec.hidden_size)
        self._phases = PhaseTable(for_prompts(self._own.phases, self._hidden))
        width = max(layer.attention.query_width for layer in spec.layers)
        self._attended = torch.empty(rows, width)
        row_bytes = -(-self._widest // COLUMNS) * QUANTIZED_BYTES
        self._quantized = torch.empty(rows, row_bytes, dtype=torch.uint8)
        self._rows = rows
