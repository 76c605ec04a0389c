"""A decoder as a module: tokens to logits and losses, with gradients for its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Self

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from townsfolk_kernels.quantized.matrix import QuantizedMatrix

from townsfolk.models.layers import run_layer, run_layers
from townsfolk.models.rope import Rotations
from townsfolk.models.spec import DecoderSpec
from townsfolk.models.weights import DecoderWeights
from townsfolk.training.ops import Masks, TrainingOps


class DecoderModule(nn.Module):
    """A decoder of any family: tokens to logits, with gradients.

    Attributes:
        spec: What it computes.
        checkpointing: Keep nothing of a layer for the gradients but its input, and compute the
            layer again: much less memory for a third more time.
    """

    def __init__(self, spec: DecoderSpec) -> None:
        """A decoder that `use` gives its weights."""
        super().__init__()
        self.spec = spec
        self.checkpointing = False

    def use(self, weights: DecoderWeights) -> None:
        """Take weights, whose parameters are registered here."""
        self._weights = weights
        self._rotations = self._new_rotations()

    def matrices(self) -> list[nn.Parameter]:
        """Return the trained matrices of the layers: what is multiplied, and no table of rows."""
        numbered = re.compile(r"\.\d+\.")  # a layer's, among the names of the module
        return [
            parameter
            for name, parameter in self.named_parameters()
            if parameter.dim() == 2 and numbered.search(name)
        ]

    def forward(self, tokens: Tensor, positions: Tensor, masks: Masks) -> Tensor:
        """Return logits for every position.

        Args:
            tokens: [batch, length], int64.
            positions: Each token's position in its document. [batch, length], int64.
            masks: From ``document_masks``.

        Returns:
            [batch, length, vocabulary].
        """
        return self.logits(self.hidden(tokens, positions, masks))

    def losses(self, tokens: Tensor, positions: Tensor, masks: Masks, wanted: Tensor) -> Tensor:
        """Return the loss of each next token, nats.

        Args:
            tokens: [batch, length + 1], int64.
            positions: Each token's position in its document. [batch, length], int64.
            masks: From ``document_masks``.
            wanted: Where the loss is asked for; elsewhere it may be 0. [batch, length], bool.

        Returns:
            [batch, length], fp32.
        """
        logits = self(tokens[:, :-1], positions, masks)
        losses = F.cross_entropy(
            logits.float().flatten(0, 1), tokens[:, 1:].flatten(), reduction="none"
        )
        return losses.view_as(positions)

    def hidden(self, tokens: Tensor, positions: Tensor, masks: Masks) -> Tensor:
        """Return rows [batch, length, hidden] ready for the head; see ``forward``."""
        ops = TrainingOps(self._rotations(positions.flatten()), masks)
        run = run_layer
        if self.checkpointing and torch.is_grad_enabled():
            run = partial(checkpoint, run_layer, use_reentrant=False)
        return run_layers(self._weights, self._embedded(tokens, positions), ops, run)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return scores of the next token, [..., vocabulary]."""
        head = self.spec.head
        logits = self._weights.head.product(hidden)
        if head.multiplier != 1.0:
            logits = logits * head.multiplier
        if head.soft_cap is not None:
            logits = torch.tanh(logits / head.soft_cap) * head.soft_cap
        return logits

    def weights(self) -> dict[str, Tensor]:
        """Return the parameters under the checkpoint's names; a tied head is not in it."""
        return dict(self.state_dict())

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Load what ``weights`` gave; raises RuntimeError naming missing or unknown weights."""
        self.load_state_dict(dict(weights))

    def _embedded(self, tokens: Tensor, positions: Tensor) -> Tensor:
        weights = self._weights
        if isinstance(weights.embedding, QuantizedMatrix):
            flat = weights.embedding.gather(tokens.flatten(), torch.float32)
            x = flat.view(*tokens.shape, -1)  # [batch, length, hidden]
        else:
            x = F.embedding(tokens, weights.embedding).float()
        if (multiplier := self._embedding_multiplier()) != 1.0:
            x = x * multiplier
        if weights.positions is not None:
            x = x + F.embedding(positions, weights.positions)
        return x

    def _embedding_multiplier(self) -> float:
        return self.spec.embedding.multiplier

    def _new_rotations(self) -> Rotations:
        attentions = [layer.attention for layer in self.spec.layers]
        device = self._weights.embedding.device
        return Rotations(attentions, self.spec.context_length, device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._rotations = self._new_rotations()
        return self


def register(module: nn.Module, name: str, value: Tensor) -> nn.Parameter:
    """Make a parameter of a module, under a name with dots."""
    *path, last = name.split(".")
    for part in path:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module.get_submodule(part)
    parameter = nn.Parameter(value)
    module.register_parameter(last, parameter)
    return parameter
