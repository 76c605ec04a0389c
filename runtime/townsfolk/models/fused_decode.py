"""Decoding on a CUDA device: a step of one token a sequence, in five kernels a layer.

The kernels depend on each other only, take all they need from tensors that stay where they are,
and never ask the host: so a step can be captured as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from townsfolk_kernels.triton.attention import (
    DecodeWorkspace,
    decode_attention,
    decode_splits,
    most_programs,
)
from townsfolk_kernels.triton.embedding import embed_drawn
from townsfolk_kernels.triton.launch import Tiles, batch_tile, has_dependent_launch
from townsfolk_kernels.triton.mlp import gate_up_swiglu, vocabulary_logits
from townsfolk_kernels.triton.projection import project_and_add
from townsfolk_kernels.triton.qkv import qkv_rope_store
from townsfolk_kernels.triton.tuning import choose

from townsfolk.models.batch import KvPages
from townsfolk.models.llama import Decoder

# Kernels on tensor cores lose by it: 1.37 ms a step of 32 rows against 1.25 (Llama-3.2-1B, H200).
_MOST_DEPENDENT = 4

TileChoice = Callable[..., Tiles]
"""As `townsfolk_kernels.triton.tuning.choose`."""


@dataclass(frozen=True, slots=True)
class DecodeInputs:
    """What a step of `FusedDecode` reads.

    Attributes:
        rows: [batch], int32: the sequence's row in `tables` and `drawn`; below 0 for a place that
            is not used.
        positions: [batch], int32: of the token to compute.
        tables: [max_rows, max_blocks], int32: block tables.
        drawn: [max_rows], int32: the token to compute, by row.
    """

    rows: Tensor
    positions: Tensor
    tables: Tensor
    drawn: Tensor


class FusedDecode:
    """Runs decode steps of a decoder that lies on a CUDA device."""

    def __init__(
        self,
        decoder: Decoder,
        kv: KvPages,
        max_batch: int,
        context_length: int,
        *,
        tiles: TileChoice = choose,
        dependent: bool | None = None,
    ) -> None:
        """Takes the memory that steps work in.

        Args:
            decoder: the model.
            kv: its pages.
            max_batch: the most sequences in a step.
            context_length: the most positions of a sequence.
            tiles: how the tiles of a product are chosen.
            dependent: whether to use programmatic dependent launch; by default where there is one.
        """
        config, device, dtype = decoder.config, decoder.device, decoder.dtype
        self._decoder, self._kv, self._choose = decoder, kv, tiles
        self._dependent = has_dependent_launch(device) if dependent is None else dependent
        self._rotation = decoder.angles(torch.arange(context_length, device=device))
        self._processors = torch.cuda.get_device_properties(device).multi_processor_count

        def space(width: int, of: torch.dtype = dtype) -> Tensor:
            return torch.empty(max_batch, width, dtype=of, device=device)

        heads, head_dim = config.num_heads, config.head_dim
        self._residual, self._scaled = space(config.hidden_size), space(config.hidden_size)
        self._q, self._attended = space(heads * head_dim), space(heads * head_dim)
        self._inner = space(config.intermediate_size)
        self._logits = space(config.vocab_size, torch.float32)
        # Sums of squares after the embedding, the output projection and the down projection.
        self._squares = torch.empty(3, max_batch * config.hidden_size, device=device)
        self._workspace = torch.empty(self._most_split_elements(max_batch), device=device)
        self._counters = torch.zeros(config.hidden_size, dtype=torch.int32, device=device)
        programs = most_programs(max_batch, config.num_kv_heads, self._processors)
        self._attention = DecodeWorkspace(programs, heads // config.num_kv_heads, head_dim, device)

    def is_dependent(self, batch: int) -> bool:
        """Whether kernels of such a step start while those before still run."""
        return self._dependent and batch <= _MOST_DEPENDENT

    @torch.inference_mode()
    def logits(self, inputs: DecodeInputs) -> Tensor:
        """Computes one token of each sequence and writes its keys and values.

        Returns:
            [batch, vocab], fp32: scores of the next token, valid until the next step.
        """
        decoder, config = self._decoder, self._decoder.config
        weights, eps = decoder.weights, config.rms_norm_eps
        batch = inputs.rows.shape[0]
        dependent = self.is_dependent(batch)
        residual, scaled, inner = self._residual[:batch], self._scaled[:batch], self._inner[:batch]
        q = self._q[:batch].view(batch, config.num_heads, config.head_dim)
        attended = self._attended[:batch]
        logits = self._logits[:batch]
        splits = decode_splits(batch, config.num_kv_heads, self._processors)

        def project(
            x: Tensor, weight: Tensor, bias: Tensor | None, norm: Tensor, at: int
        ) -> Tensor:
            rows = weight.shape[0]
            tiles = self._tiles("project", weight.shape, batch)
            count = -(-rows // tiles.rows)
            squares = self._squares[at, : count * batch].view(count, batch)
            project_and_add(
                x,
                weight,
                bias,
                residual,
                norm,
                scaled,
                squares,
                self._workspace,
                self._counters,
                tiles,
                dependent,
            )
            return squares

        squares = self._squares[0, :batch].view(1, batch)
        first_norm = weights.layers[0].attention_norm
        embed_drawn(
            inputs.rows, inputs.drawn, weights.embedding, first_norm, residual, scaled, squares
        )
        next_norms = [layer.attention_norm for layer in weights.layers[1:]] + [weights.norm]
        for layer, next_norm, k_pages, v_pages in zip(
            weights.layers, next_norms, self._kv.k, self._kv.v, strict=True
        ):
            weight, bias = layer.qkv.dense()
            qkv_rope_store(
                scaled,
                squares,
                weight,
                bias,
                self._rotation,
                inputs.rows,
                inputs.positions,
                inputs.tables,
                k_pages,
                v_pages,
                eps,
                q,
                self._tiles("qkv", weight.shape, batch, within=config.head_dim),
                dependent,
            )
            decode_attention(
                q,
                k_pages,
                v_pages,
                inputs.tables,
                inputs.positions,
                config.head_dim**-0.5,
                config.sliding_window,
                attended.view(q.shape),
                self._attention,
                splits,
                rows=inputs.rows,
                dependent=dependent,
                ahead=dependent,
            )
            squares = project(attended, *layer.output.dense(), layer.mlp_norm, 1)
            weight, bias = layer.gate_up.dense()
            tiles = self._tiles("gate_up", weight.shape, batch)
            gate_up_swiglu(scaled, squares, weight, bias, eps, inner, tiles, dependent)
            squares = project(inner, *layer.down.dense(), next_norm, 2)
        head, _ = weights.head.dense()
        tiles = self._tiles("head", head.shape, batch)
        vocabulary_logits(scaled, squares, head, eps, logits, tiles, dependent)
        return logits

    def _tiles(self, op: str, shape: Sequence[int], batch: int, within: int = 0) -> Tiles:
        rows, columns = shape
        tiles = self._choose(op, rows, columns, batch, self._decoder.device, within)
        return tiles if self._decoder.dtype.itemsize == 2 else tiles.in_full_precision()

    def _most_split_elements(self, max_batch: int) -> int:
        """What partial sums take at most, over all batches and both projections."""
        config, most = self._decoder.config, 0
        for columns in (config.num_heads * config.head_dim, config.intermediate_size):
            for batch in range(1, max_batch + 1):
                tiles = self._tiles("project", (config.hidden_size, columns), batch)
                rows = -(-config.hidden_size // tiles.rows) * tiles.rows
                most = max(most, rows * tiles.splits * batch_tile(batch, tiles))
        return most
