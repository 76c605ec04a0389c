"""Where the keys and values of a flat batch of tokens lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from townsfolk_kernels.prefill.attention import AttentionWorkspace


@dataclass(slots=True)
class PagedLayout:
    """Which token of a flat batch belongs to which sequence, and where its keys and values lie.

    Sequence b owns the tokens `query_starts[b] : query_starts[b + 1]`, which are the last ones of
    its `kv_lengths[b]` positions.

    Attributes:
        query_starts: [sequences + 1], int32.
        kv_lengths: [sequences], int32, with the batch's own tokens.
        block_tables: [sequences, max_blocks], int32; entries past a sequence's length are unused.
        block_size: tokens a block holds.
        longest: the most new tokens of a sequence; None if unknown, which a GPU has to wait for.
        singles: the first so many sequences have one new token each, and are decoded; the others
            are prompts, of one token or more. None: each is looked at. A GPU's graph, in which
            lengths are not known beforehand, passes over sequences of no positions or new tokens.
        workspace: where the programs of a GPU meet that share a sequence; without one, they share
            none. Taken with `singles` only.
    """

    query_starts: Tensor
    kv_lengths: Tensor
    block_tables: Tensor
    block_size: int
    longest: int | None = None
    singles: int | None = None
    workspace: AttentionWorkspace | None = None
