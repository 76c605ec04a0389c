"""Decoding on a CUDA device: a step of one token a sequence, in four or five kernels a layer.

The kernels depend on each other only, take all they need from tensors that stay where they are,
and never ask the host: so a step can be captured as a CUDA graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import gcd

import torch
from torch import Tensor
from townsfolk_kernels.decode.attention import DecodeWorkspace
from townsfolk_kernels.decode.embedding import embed_drawn
from townsfolk_kernels.decode.mlp import gate_up_swiglu
from townsfolk_kernels.decode.projection import project, project_and_add
from townsfolk_kernels.decode.qkv_attention import LoneSpace, lone_splits, qkv_attend
from townsfolk_kernels.decode.rope_attention import (
    rope_store_attend,
    step_programs,
    step_splits,
)
from townsfolk_kernels.gpu.launch import (
    SplitWorkspace,
    Tiles,
    has_dependent_launch,
    processors_of,
)
from townsfolk_kernels.gpu.tuning import choose, split_space, starts_early

from townsfolk.models.batch import KvPages
from townsfolk.models.decode_step import DecodeInputs
from townsfolk.models.decoder import Decoder
from townsfolk.models.weights import Layer

# With more rows than these, attention gains nothing by loading keys and values before its wait,
# and the draw nothing by starting early.
_MOST_AHEAD, _MOST_DRAWN_EARLY = 16, 4
# From this position on one sequence alone takes the whole device for its attention, as several do;
# before, its attention runs beside its projection, in few programs.
_LONG = 2560

TileChoice = Callable[..., Tiles]
"""As `townsfolk_kernels.gpu.tuning.choose`."""


class FusedDecode:
    """Decode steps of a decoder for which `has_fused_steps` holds; see `DecodeStep`."""

    long_from: int | None = _LONG

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
        spec, device, dtype = decoder.spec, decoder.device, decoder.dtype
        attention, width = spec.layers[0].attention, spec.layers[0].mlp.width
        self._decoder, self._kv, self._choose = decoder, kv, tiles
        self._dependent = has_dependent_launch(device) if dependent is None else dependent
        self._rotations = decoder.rotations(torch.arange(context_length, device=device))
        self._processors = processors_of(device)

        def space(width: int, of: torch.dtype = dtype) -> Tensor:
            return torch.empty(max_batch, width, dtype=of, device=device)

        heads, kv_heads = attention.num_heads, attention.num_kv_heads
        head_dim = attention.head_dim
        self._residual, self._scaled = space(spec.hidden_size), space(spec.hidden_size)
        self._qkv = space((heads + 2 * kv_heads) * head_dim, torch.float32)
        self._attended = space(heads * head_dim)
        self._inner = space(width)
        self._logits = space(spec.vocab_size, torch.float32)
        # Sums of squares after the embedding, the output projection and the down projection.
        self._squares = torch.empty(3, max_batch * spec.hidden_size, device=device)
        self._workspace = self._split_workspace(max_batch)
        self._lone = LoneSpace.allocate(spec.num_layers, heads, kv_heads, head_dim, dtype, device)
        programs = step_programs(max_batch, kv_heads, self._processors)
        self._attention = DecodeWorkspace(programs, heads // kv_heads, head_dim, device)

    def is_dependent(self, batch: int) -> bool:
        """See `DecodeStep`."""
        return self._dependent and batch <= _MOST_DRAWN_EARLY

    def _early(self, op: str, rows: int, batch: int, tiles: Tiles) -> bool:
        """Whether a product starts while the kernel before still runs."""
        return self._dependent and starts_early(op, rows, batch, tiles, self._decoder.device)

    @torch.inference_mode()
    def logits(self, inputs: DecodeInputs) -> Tensor:
        """See `DecodeStep`."""
        weights = self._decoder.weights
        assert isinstance(weights.embedding, Tensor)
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
        first_norm = weights.layers[0].attention_norm.weight
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
            attend = self._attend_alone if batch == 1 and not inputs.is_long else self._attend
            attend(inputs, number, layer, scaled, squares, k_pages, v_pages, attended)
            squares = add(attended, *layer.output.dense(), layer.mlp_norm.weight, 1)
            weight, bias = layer.up.dense()
            eps = layer.mlp_norm.spec.eps
            tiles = self._tiles("gate_up", weight.shape, batch)
            early = self._early("gate_up", weight.shape[0], batch, tiles)
            gate_up_swiglu(scaled, squares, weight, bias, eps, inner, self._workspace, tiles, early)
            squares = add(inner, *layer.down.dense(), next_norm.weight, 2)
        head, _ = weights.head.dense()
        tiles = self._tiles("head", head.shape, batch)
        early = self._early("head", head.shape[0], batch, tiles)
        eps = weights.norm.spec.eps
        project(scaled, head, logits, self._workspace, tiles, early, squares, eps)
        return logits

    def _attend_alone(
        self,
        inputs: DecodeInputs,
        number: int,
        layer: Layer,
        scaled: Tensor,
        squares: Tensor,
        k_pages: Tensor,
        v_pages: Tensor,
        attended: Tensor,
    ) -> None:
        """As `_attend`, for one sequence, in one launch."""
        spec = layer.spec.attention
        weight, bias = layer.qkv.dense()
        tiles = self._tiles("qkv", weight.shape, 1)
        qkv_attend(
            scaled,
            squares,
            weight,
            bias,
            self._rotations[number],
            inputs.rows,
            inputs.positions,
            inputs.tables,
            k_pages,
            v_pages,
            layer.attention_norm.spec.eps,
            spec.scale,
            spec.window,
            attended.view(1, spec.num_heads, spec.head_dim),
            self._lone,
            number,
            replace(tiles, rows=max(gcd(tiles.rows, spec.head_dim), 2), splits=1),
            lone_splits(spec.num_kv_heads, self._processors),
            self._early("qkv", weight.shape[0], 1, tiles),
        )

    def _attend(
        self,
        inputs: DecodeInputs,
        number: int,
        layer: Layer,
        scaled: Tensor,
        squares: Tensor,
        k_pages: Tensor,
        v_pages: Tensor,
        attended: Tensor,
    ) -> None:
        """Projects to queries, keys and values, writes the latter two, and attends."""
        spec, batch = layer.spec.attention, scaled.shape[0]
        weight, bias = layer.qkv.dense()
        tiles = self._tiles("qkv", weight.shape, batch)
        early = self._early("qkv", weight.shape[0], batch, tiles)
        attends_early = self._dependent and batch <= _MOST_AHEAD
        qkv = self._qkv[:batch]
        project(scaled, weight, qkv, self._workspace, tiles, early)
        rope_store_attend(
            qkv,
            squares,
            self._decoder.spec.hidden_size,
            layer.attention_norm.spec.eps,
            bias,
            self._rotations[number],
            inputs.rows,
            inputs.positions,
            inputs.tables,
            k_pages,
            v_pages,
            spec.scale,
            spec.window,
            attended.view(batch, spec.num_heads, spec.head_dim),
            self._attention,
            step_splits(batch, spec.num_kv_heads, self._processors),
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
            ("gate_up", layer.up),
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
