"""Decoding on a CUDA device: a step of one token a sequence, in four or five kernels a layer.

The kernels depend on each other only, take all they need from tensors that stay where they are,
and never ask the host: so a step can be captured as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import gcd

import torch
from torch import Tensor
from townsfolk_kernels.triton.attention import DecodeWorkspace
from townsfolk_kernels.triton.embedding import embed_drawn
from townsfolk_kernels.triton.launch import (
    SplitWorkspace,
    Tiles,
    has_dependent_launch,
    processors_of,
)
from townsfolk_kernels.triton.mlp import gate_up_swiglu
from townsfolk_kernels.triton.projection import project, project_and_add
from townsfolk_kernels.triton.qkv_attention import LoneSpace, lone_splits, qkv_attend
from townsfolk_kernels.triton.rope_attention import (
    rope_store_attend,
    step_programs,
    step_splits,
)
from townsfolk_kernels.triton.tuning import choose, split_space, starts_early

from townsfolk.models.batch import KvPages
from townsfolk.models.llama import Decoder
from townsfolk.models.weights import LayerWeights

# With more rows than these, attention gains nothing by loading keys and values before its wait,
# and the draw nothing by starting early.
_MOST_AHEAD, _MOST_DRAWN_EARLY = 16, 4

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
        self._processors = processors_of(device)

        def space(width: int, of: torch.dtype = dtype) -> Tensor:
            return torch.empty(max_batch, width, dtype=of, device=device)

        heads, head_dim = config.num_heads, config.head_dim
        self._residual, self._scaled = space(config.hidden_size), space(config.hidden_size)
        self._qkv = space((heads + 2 * config.num_kv_heads) * head_dim, torch.float32)
        self._attended = space(heads * head_dim)
        self._inner = space(config.intermediate_size)
        self._logits = space(config.vocab_size, torch.float32)
        # Sums of squares after the embedding, the output projection and the down projection.
        self._squares = torch.empty(3, max_batch * config.hidden_size, device=device)
        self._workspace = self._split_workspace(max_batch)
        self._lone = LoneSpace.allocate(
            config.num_layers, heads, config.num_kv_heads, head_dim, dtype, device
        )
        programs = step_programs(max_batch, config.num_kv_heads, self._processors)
        self._attention = DecodeWorkspace(programs, heads // config.num_kv_heads, head_dim, device)

    def is_dependent(self, batch: int) -> bool:
        """Whether the kernel behind such a step starts while the step still runs."""
        return self._dependent and batch <= _MOST_DRAWN_EARLY

    def _early(self, op: str, rows: int, batch: int, tiles: Tiles) -> bool:
        """Whether a product starts while the kernel before still runs."""
        return self._dependent and starts_early(op, rows, batch, tiles, self._decoder.device)

    @torch.inference_mode()
    def logits(self, inputs: DecodeInputs) -> Tensor:
        """Computes one token of each sequence and writes its keys and values.

        Returns:
            [batch, vocab], fp32: scores of the next token, valid until the next step.
        """
        decoder, config = self._decoder, self._decoder.config
        weights, eps = decoder.weights, config.rms_norm_eps
        batch = inputs.rows.shape[0]
        residual, scaled, inner = self._residual[:batch], self._scaled[:batch], self._inner[:batch]
        attended, logits = self._attended[:batch], self._logits[:batch]

        def add(x: Tensor, weight: Tensor, bias: Tensor | None, norm: Tensor, at: int) -> Tensor:
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
                tiles,
                self._early("project", rows, batch, tiles),
            )
            return squares

        squares = self._squares[0, :batch].view(1, batch)
        first_norm = weights.layers[0].attention_norm
        embed_drawn(
            inputs.rows,
            inputs.drawn,
            weights.embedding,
            first_norm,
            residual,
            scaled,
            squares,
            self._lone.step if batch == 1 else None,
        )
        next_norms = [layer.attention_norm for layer in weights.layers[1:]] + [weights.norm]
        layers = zip(weights.layers, next_norms, self._kv.k, self._kv.v, strict=True)
        for number, (layer, next_norm, k_pages, v_pages) in enumerate(layers):
            self._attend(inputs, number, layer, scaled, squares, k_pages, v_pages, attended)
            squares = add(attended, *layer.output.dense(), layer.mlp_norm, 1)
            weight, bias = layer.gate_up.dense()
            tiles = self._tiles("gate_up", weight.shape, batch)
            early = self._early("gate_up", weight.shape[0], batch, tiles)
            gate_up_swiglu(scaled, squares, weight, bias, eps, inner, self._workspace, tiles, early)
            squares = add(inner, *layer.down.dense(), next_norm, 2)
        head, _ = weights.head.dense()
        tiles = self._tiles("head", head.shape, batch)
        early = self._early("head", head.shape[0], batch, tiles)
        project(scaled, head, logits, self._workspace, tiles, early, squares, eps)
        return logits

    def _attend(
        self,
        inputs: DecodeInputs,
        number: int,
        layer: LayerWeights,
        scaled: Tensor,
        squares: Tensor,
        k_pages: Tensor,
        v_pages: Tensor,
        attended: Tensor,
    ) -> None:
        """Projects to queries, keys and values, writes the latter two, and attends."""
        config, batch = self._decoder.config, scaled.shape[0]
        weight, bias = layer.qkv.dense()
        tiles = self._tiles("qkv", weight.shape, batch)
        early = self._early("qkv", weight.shape[0], batch, tiles)
        attends_early = self._dependent and batch <= _MOST_AHEAD
        eps, scale = config.rms_norm_eps, config.head_dim**-0.5
        out = attended.view(batch, config.num_heads, config.head_dim)
        if batch == 1:
            rows = max(gcd(tiles.rows, config.head_dim), 2)
            qkv_attend(
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
                scale,
                config.sliding_window,
                out,
                self._lone,
                number,
                replace(tiles, rows=rows, splits=1),
                lone_splits(config.num_kv_heads, self._processors),
                early,
            )
            return
        qkv = self._qkv[:batch]
        project(scaled, weight, qkv, self._workspace, tiles, early)
        rope_store_attend(
            qkv,
            squares,
            config.hidden_size,
            eps,
            bias,
            self._rotation,
            inputs.rows,
            inputs.positions,
            inputs.tables,
            k_pages,
            v_pages,
            scale,
            config.sliding_window,
            out,
            self._attention,
            step_splits(batch, config.num_kv_heads, self._processors),
            attends_early,
            attends_early,
        )

    def _tiles(self, op: str, shape: Sequence[int], batch: int) -> Tiles:
        rows, columns = shape
        tiles = self._choose(op, rows, columns, batch, self._decoder.device)
        return tiles if self._decoder.dtype.itemsize == 2 else tiles.in_full_precision()

    def _split_workspace(self, max_batch: int) -> SplitWorkspace:
        """What partial sums and their counters take at most, over all batches and products."""
        layer = self._decoder.weights.layers[0]
        products = [
            ("qkv", layer.qkv),
            ("project", layer.output),
            ("gate_up", layer.gate_up),
            ("project", layer.down),
            ("head", self._decoder.weights.head),
        ]
        elements = counters = 0
        for op, weight in products:
            shape = weight.dense()[0].shape
            for batch in range(1, max_batch + 1):
                tiles = self._tiles(op, shape, batch)
                size, count = split_space(op, shape[0], batch, tiles)
                elements, counters = max(elements, size), max(counters, count)
        return SplitWorkspace.allocate(elements, counters, self._decoder.device)
