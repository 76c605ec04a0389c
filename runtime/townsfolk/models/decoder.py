"""A decoder of any family: from a flat batch of tokens to logits."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from townsfolk_kernels import embedding, linear

from townsfolk.checkpoint import Adapter
from townsfolk.models.adapters import bind_adapter, merge_adapter
from townsfolk.models.batch import KvPages, ModelBatch
from townsfolk.models.layers import run_layers
from townsfolk.models.loading import PaperTensors, Progress, check_tensors, load_weights
from townsfolk.models.mixes import Mix
from townsfolk.models.names import GGUF_NAMES, Architecture, TensorNames
from townsfolk.models.paged import PagedOps
from townsfolk.models.random import RandomTensors
from townsfolk.models.rope import Rotations
from townsfolk.models.source import open_source
from townsfolk.models.spec import DecoderSpec
from townsfolk.models.weights import DecoderWeights, Precision


class Decoder:
    """A decoder with its weights on one device.

    Attributes:
        spec: what it computes.
        device: where it runs.
        precision: dtypes of weights, activations and residual stream.
        weights: its tensors.
        rotations: rotation angles of its layers' positions.
        embedding_multiplier: factor of the embeddings.
    """

    def __init__(
        self,
        spec: DecoderSpec,
        weights: DecoderWeights,
        precision: Precision,
        device: torch.device,
        context_length: int | None = None,
    ) -> None:
        """Make a decoder of weights that lie on `device`; see `load`."""
        self.spec = spec
        self.device = device
        self.precision = precision
        self.weights = weights
        self.rotations = Rotations(
            [layer.attention for layer in spec.layers],
            context_length or spec.context_length,
            device,
        )
        self.embedding_multiplier = spec.embedding.multiplier
        if spec.embedding.rounded:
            rounded = torch.tensor(spec.embedding.multiplier).to(precision.weights)
            self.embedding_multiplier = float(rounded)

    @property
    def dtype(self) -> torch.dtype:
        """Of activations, keys and values."""
        return self.precision.activations

    @property
    def num_parameters(self) -> int:
        """Tied embeddings are counted once."""
        return self.spec.num_parameters

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights; an embedding that stays in its mapped file is counted too."""
        return self.weights.nbytes

    @classmethod
    def load(
        cls,
        path: Path,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        progress: Progress | None = None,
        context_length: int | None = None,
        adapter: Adapter | None = None,
    ) -> Decoder:
        """Load a model.

        On the CPU the files are memory-mapped, and the embedding is read where it lies in them: do
        not overwrite them while the decoder lives. To a GPU they are streamed through pinned
        buffers; see `townsfolk.checkpoint.upload`.

        Args:
            path: a Hugging Face directory with `config.json` and one or several `*.safetensors`, or
                a GGUF file, whose quantised weights stay so.
            dtype: of the weights that are not quantised, and of what is computed with them, bf16,
                fp16 or fp32; None for the checkpoint's own.
            device: where the weights go.
            progress: called with bytes read and bytes in all.
            context_length: the longest sequence it will be given, in tokens, on which the
                frequencies of LongRoPE depend; None for the model's.
            adapter: becomes part of the weights; see `merge_adapter`.

        Raises:
            UnsupportedModelError: the model has a feature that is not implemented.
            CheckpointError: a tensor is missing, unexpected or of the wrong shape or dtype.
            AdapterError: the adapter is for another model.
        """
        source = open_source(path)
        architecture = source.architecture()
        spec, target = architecture.spec, torch.device(device)
        bound = None if adapter is None else bind_adapter(adapter, architecture)
        precision = Precision.choose(dtype or spec.dtype, target)
        weights = load_weights(architecture, precision, source.checkpoint(), target, progress)
        if bound is not None:
            weights = merge_adapter(weights, bound, spec, precision)
        return cls(spec, weights, precision, target, context_length)

    @classmethod
    def on_paper(cls, path: Path, dtype: torch.dtype | None = None) -> Decoder:
        """Return a model's decoder without weights, on "meta": for what depends on shapes only.

        Args:
            path: as for `load`.
            dtype: of the weights; None for the checkpoint's own.

        Raises:
            UnsupportedModelError: the model has a feature that is not implemented.
            CheckpointError: a tensor is missing, unexpected or of the wrong shape or dtype.
        """
        source = open_source(path)
        architecture, checkpoint = source.architecture(), source.checkpoint()
        found = check_tensors(architecture, checkpoint)
        meta = torch.device("meta")
        precision = Precision.choose(dtype or found.spec.dtype, meta)
        tensors = PaperTensors(checkpoint, precision.weights)
        return cls(found.spec, DecoderWeights.build(found, precision, tensors), precision, meta)

    @classmethod
    def random(
        cls,
        spec: DecoderSpec,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        seed: int = 0,
        mix: Mix | None = None,
    ) -> Decoder:
        """Return a decoder with random weights: normal with deviation 0.02, norms near one.

        Args:
            spec: what it computes.
            dtype: of the weights, bf16, fp16 or fp32; None for the spec's.
            device: where the weights go.
            seed: of the draw.
            mix: formats of its matrices; None for numbers.
        """
        target = torch.device(device)
        precision = Precision.choose(dtype or spec.dtype, target)
        drawn = RandomTensors(spec, precision.weights, target, seed, mix)
        names = TensorNames() if mix is None else GGUF_NAMES
        weights = DecoderWeights.build(Architecture(spec, names), precision, drawn)
        return cls(spec, weights, precision, target)

    @torch.inference_mode()
    def forward(self, batch: ModelBatch, kv: KvPages) -> Tensor:
        """Run the tokens of a batch and write their keys and values into the pages.

        Args:
            batch: T tokens, on this decoder's device.
            kv: pages of its dtype, on the same device.

        Returns:
            Hidden states after the last norm, [T, hidden], ready for `logits`.

        Raises:
            IndexError: a token id lies outside the vocabulary (on CPU).
        """
        residual = self.embed(batch.token_ids, batch.positions)
        ops = PagedOps(batch, kv, self.rotations(batch.positions), self.dtype)
        return run_layers(self.weights, residual, ops)

    def embed(self, token_ids: Tensor, positions: Tensor) -> Tensor:
        """Return the residual stream of tokens before the first layer, [tokens, hidden]."""
        weights = self.weights
        residual = embedding(token_ids, weights.embedding, self.precision.residual)
        if self.embedding_multiplier != 1.0:
            residual = residual * self.embedding_multiplier
        if weights.positions is not None:
            residual = residual + embedding(positions, weights.positions, self.precision.residual)
        return residual

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Return scores of the next token, [n, vocab] fp32, of rows [n, hidden] of `forward`."""
        return self.finish_logits(linear(hidden, self.weights.head).float())

    def finish_logits(self, logits: Tensor) -> Tensor:
        """Return scores [n, vocab] fp32 of the head's product with hidden states."""
        head = self.spec.head
        if head.multiplier != 1.0:
            logits = logits * head.multiplier
        if head.soft_cap is not None:
            logits = torch.tanh(logits / head.soft_cap) * head.soft_cap
        return logits
