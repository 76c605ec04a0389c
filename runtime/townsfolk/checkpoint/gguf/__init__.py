"""GGUF files: metadata and tensors, mapped from one file or its parts."""

from townsfolk.checkpoint.gguf.file import GgufCheckpoint
from townsfolk.checkpoint.gguf.header import GgufError

__all__ = ["GgufCheckpoint", "GgufError"]
