"""Finding blocks by the tokens whose keys and values they hold."""

from __future__ import annotations

import secrets
from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from hashlib import blake2b
from itertools import takewhile
from typing import NamedTuple


class Match(NamedTuple):
    """A block whose first `length` tokens are the ones looked for."""

    block_id: int
    length: int


class PrefixIndex:
    """Maps (namespace, all tokens before a block, tokens in it) to the block.

    A block's keys and values depend on every token before it, so its place is named by a digest
    chained over (namespace, parent, tokens). The tokens of the block itself are compared exactly;
    only the chain before it rests on the digest. Player text goes into it, and a collision would
    show one conversation to another, so it is a cryptographic one: BLAKE2b with 128 bits, keyed by
    a secret of the process. Two of 2^40 blocks collide with a probability of 2^-49, and without
    the key nobody can look for a collision.

    The blocks behind one parent are kept in the order of their tokens: the one with the longest
    common prefix is then a neighbour of where the wanted tokens would stand, which finds blocks
    that are filled in part, or match in part, without trying all of them.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(16)
        self._children: dict[bytes, list[tuple[tuple[int, ...], int]]] = {}
        self._entries: dict[int, tuple[bytes, tuple[int, ...]]] = {}  # block -> parent, tokens

    def __contains__(self, block_id: int) -> bool:
        return block_id in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def root(self, namespace: str) -> bytes:
        """Return the digest that a namespace's first blocks have as their parent."""
        digest = blake2b(namespace.encode(), digest_size=16, key=self._secret, person=b"namespace")
        return digest.digest()

    def child(self, parent: bytes, token_ids: Sequence[int]) -> bytes:
        """Return the digest of a full block with these tokens behind `parent`."""
        content = parent + array("i", token_ids).tobytes()
        return blake2b(content, digest_size=16, key=self._secret, person=b"block").digest()

    def tokens(self, block_id: int) -> tuple[int, ...]:
        """Return the tokens under which a block is indexed; empty when it is not."""
        entry = self._entries.get(block_id)
        return entry[1] if entry else ()

    def find(self, parent: bytes, token_ids: tuple[int, ...]) -> Match | None:
        """Return the block behind `parent` that shares the most leading tokens, at least one."""
        children = self._children.get(parent)
        if not children:
            return None
        position = bisect_left(children, (token_ids,))
        best: Match | None = None
        for tokens, block_id in children[max(position - 1, 0) : position + 1]:
            length = _common_prefix(tokens, token_ids)
            if length and (best is None or length > best.length):
                best = Match(block_id, length)
        return best

    def add(self, block_id: int, parent: bytes, token_ids: tuple[int, ...]) -> bool:
        """Index a block, in place of what it was indexed as; return whether that was of use.

        It is of none when another block has the same tokens or more.
        """
        self.discard(block_id)
        match = self.find(parent, token_ids)
        if match is not None and match.length == len(token_ids):
            return False
        insort(self._children.setdefault(parent, []), (token_ids, block_id))
        self._entries[block_id] = (parent, token_ids)
        return True

    def discard(self, block_id: int) -> None:
        """Forget a block, if it is known."""
        entry = self._entries.pop(block_id, None)
        if entry is None:
            return
        parent, token_ids = entry
        children = self._children[parent]
        del children[bisect_left(children, (token_ids, block_id))]
        if not children:
            del self._children[parent]


def _common_prefix(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    if one == other:
        return len(one)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
