"""Texts that begin alike, computed once: token trees in rows.

All acts of one task stand behind the same persona, and each act of an episode behind what came
before. In a row of a tree every token is computed once; it attends to its ancestors alone, so that
its hidden state and gradients are those of its text in a row of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from townsfolk.models import DecoderSpec
from townsfolk.training.ops import Masks


@dataclass(frozen=True, slots=True, eq=False)
class TreeRow:
    """Some texts as one tree.

    Attributes:
        tokens: of its nodes; parents come before their children. [nodes], int64.
        positions: of each node in its text. [nodes], int64.
        ancestors: which nodes a node attends to: those on its way, and itself. [nodes, nodes].
        texts: which texts are in it.
        paths: for each of them, the nodes of its tokens.
    """

    tokens: NDArray[np.int64]
    positions: NDArray[np.int64]
    ancestors: NDArray[np.bool_]
    texts: tuple[int, ...]
    paths: tuple[NDArray[np.int64], ...]

    def masks(self, spec: DecoderSpec, device: torch.device) -> Masks:
        """Who may attend to whom, for every window of a decoder; see `document_masks`."""
        seen = torch.from_numpy(self.ancestors).to(device)
        at = torch.from_numpy(self.positions).to(device)
        near = at[:, None] - at[None, :]
        masks: Masks = {}
        for window in {layer.attention.window for layer in spec.layers}:
            mask: Tensor = seen if window is None else seen & (near < window)
            masks[window] = mask[None, None]
        return masks


def tree_rows(texts: Sequence[Sequence[int]], length: int) -> list[TreeRow]:
    """Lay texts into as few rows as follows from their order.

    Args:
        texts: Token ids, none empty.
        length: Of a row, in nodes; a text that is longer has a row of its own.
    """
    # Side by side in this order stand those that share most.
    order = sorted(range(len(texts)), key=lambda each: tuple(texts[each]))
    rows: list[TreeRow] = []
    growing = _Growing()
    for number in order:
        if growing.texts and growing.size + growing.missing(texts[number]) > length:
            rows.append(growing.row())
            growing = _Growing()
        growing.add(number, texts[number])
    if growing.texts:
        rows.append(growing.row())
    return rows


class _Growing:
    """A row that texts are added to."""

    def __init__(self) -> None:
        self.texts: list[int] = []
        self._paths: list[NDArray[np.int64]] = []
        self._tokens: list[int] = []
        self._parents: list[int] = []
        self._depths: list[int] = []
        self._children: dict[tuple[int, int], int] = {}  # by parent and token

    @property
    def size(self) -> int:
        return len(self._tokens)

    def missing(self, text: Sequence[int]) -> int:
        """Return how many nodes a text would add."""
        node = -1
        for depth, token in enumerate(text):
            following = self._children.get((node, token))
            if following is None:
                return len(text) - depth
            node = following
        return 0

    def add(self, number: int, text: Sequence[int]) -> None:
        node, path = -1, []
        for depth, token in enumerate(text):
            following = self._children.get((node, token))
            if following is None:
                following = self._children[node, token] = self.size
                self._tokens.append(token)
                self._parents.append(node)
                self._depths.append(depth)
            node = following
            path.append(node)
        self.texts.append(number)
        self._paths.append(np.array(path, dtype=np.int64))

    def row(self) -> TreeRow:
        ancestors = np.zeros((self.size, self.size), dtype=np.bool_)
        for node, parent in enumerate(self._parents):
            if parent >= 0:
                ancestors[node] = ancestors[parent]
            ancestors[node, node] = True
        return TreeRow(
            np.array(self._tokens, dtype=np.int64),
            np.array(self._depths, dtype=np.int64),
            ancestors,
            tuple(self.texts),
            tuple(self._paths),
        )
