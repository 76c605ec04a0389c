"""The Llama decoder (Touvron et al. 2023, arXiv:2302.13971), which Mistral shares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from townsfolk_kernels import (
    add_rms_norm,
    embedding,
    linear,
    paged_attention,
    rms_norm,
    rope_and_store,
    swiglu,
)

from townsfolk.checkpoint import Checkpoint
from townsfolk.models.batch import KvPages, ModelBatch
from townsfolk.models.config import DecoderConfig
from townsfolk.models.loading import Progress, load_weights
from townsfolk.models.rope import RotaryAngles
from townsfolk.models.weights import DecoderWeights, Precision, TensorSpec


class Decoder:
    """A decoder with its weights on one device.

    Attributes:
        config: its shape.
        device: where it runs.
        precision: dtypes of weights, activations and residual stream.
        weights: its tensors.
        angles: rotation angles of its positions.
    """

    def __init__(
        self,
        config: DecoderConfig,
        weights: DecoderWeights,
        precision: Precision,
        device: torch.device,
    ) -> None:
        self.config = config
        self.device = device
        self.precision = precision
        self.weights = weights
        self.angles = RotaryAngles(config.rope, config.head_dim, device)
        self._scale = config.head_dim**-0.5

    @property
    def dtype(self) -> torch.dtype:
        """Of activations, keys and values."""
        return self.precision.activations

    @property
    def num_parameters(self) -> int:
        """Tied embeddings are counted once."""
        return self.config.num_parameters

    @property
    def weight_bytes(self) -> int:
        """Memory of the weights; an embedding that stays in its mapped file is counted too."""
        weights = self.weights
        projections = [weights.head]
        for layer in weights.layers:
            projections += [layer.qkv, layer.output, layer.gate_up, layer.down]
        return weights.embedding.nbytes + sum(each.nbytes for each in projections)

    @classmethod
    def load(
        cls,
        directory: Path,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        progress: Progress | None = None,
    ) -> Decoder:
        """Load a Hugging Face model directory.

        On the CPU the files are memory-mapped, and the embedding is read where it lies in them: do
        not overwrite them while the decoder lives. To a GPU they are streamed through pinned
        buffers; see `townsfolk.checkpoint.upload`.

        Args:
            directory: holds `config.json` and one or several `*.safetensors`.
            dtype: of the weights, bf16, fp16 or fp32; None for the checkpoint's own.
            device: where the weights go.
            progress: called with bytes read and bytes in all.

        Raises:
            UnsupportedModelError: the model has a feature that is not implemented.
            CheckpointError: a tensor is missing, unexpected or of the wrong shape or dtype.
        """
        config = DecoderConfig.from_directory(directory)
        target = torch.device(device)
        precision = Precision.choose(dtype or config.dtype, target)
        weights = load_weights(config, precision, Checkpoint(directory), target, progress)
        return cls(config, weights, precision, target)

    @classmethod
    def random(
        cls,
        config: DecoderConfig,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> Decoder:
        """A decoder with random weights: normal with deviation 0.02, norms near one.

        Args:
            config: its shape.
            dtype: of the weights, bf16, fp16 or fp32; None for the configuration's.
            device: where the weights go.
            seed: of the draw.
        """
        target = torch.device(device)
        precision = Precision.choose(dtype or config.dtype, target)
        generator = torch.Generator(device=target).manual_seed(seed)

        def draw(specs: Sequence[TensorSpec], wanted: torch.dtype | None) -> Tensor:
            shape = (sum(spec.shape[0] for spec in specs), *specs[0].shape[1:])
            weight = torch.empty(shape, dtype=wanted or precision.weights, device=target)
            mean = 1.0 if specs[0].name.endswith("norm.weight") else 0.0
            return weight.normal_(mean, 0.02, generator=generator)

        return cls(config, DecoderWeights.build(config, precision, draw), precision, target)

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
        weights, eps = self.weights, self.config.rms_norm_eps
        tokens = batch.token_ids.shape[0]
        rotation = self.angles(batch.positions)  # [T, head_dim / 2, 2]
        residual = embedding(batch.token_ids, weights.embedding).to(self.precision.residual)
        normed = rms_norm(
            residual, weights.layers[0].attention_norm, eps, self.dtype
        )  # [T, hidden]
        next_norms = [layer.attention_norm for layer in weights.layers[1:]] + [weights.norm]
        for layer, next_norm, k_pages, v_pages in zip(
            weights.layers, next_norms, kv.k, kv.v, strict=True
        ):
            qkv = linear(normed, layer.qkv)  # [T, (heads + 2 * kv_heads) * head_dim]
            q = rope_and_store(qkv, rotation, k_pages, v_pages, batch.slots)
            attended = paged_attention(
                q, k_pages, v_pages, batch.layout, self._scale, self.config.sliding_window
            )  # [T, heads, head_dim]
            out = linear(attended.view(tokens, -1), layer.output)
            normed, residual = add_rms_norm(out, residual, layer.mlp_norm, eps)
            inner = swiglu(linear(normed, layer.gate_up))
            out = linear(inner, layer.down)
            normed, residual = add_rms_norm(out, residual, next_norm, eps)
        return normed

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of the next token, [n, vocab] fp32, of rows [n, hidden] of `forward`'s result."""
        return linear(hidden, self.weights.head).float()
