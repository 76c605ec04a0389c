"""Paged key/value memory: blocks, who holds them, and which content they keep."""

from townsfolk.kv.cache import KvCache
from townsfolk.kv.pool import BlockPool, OutOfBlocksError
from townsfolk.kv.table import BlockTable

__all__ = ["BlockPool", "BlockTable", "KvCache", "OutOfBlocksError"]
