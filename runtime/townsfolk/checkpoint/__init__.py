"""Reading weights."""

from townsfolk.checkpoint.gguf import GgufCheckpoint, GgufError
from townsfolk.checkpoint.reader import Checkpoint
from townsfolk.checkpoint.store import (
    CheckpointError,
    Encoding,
    FileTensor,
    StoredTensor,
    TensorStore,
)
from townsfolk.checkpoint.upload import Upload

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Encoding",
    "FileTensor",
    "GgufCheckpoint",
    "GgufError",
    "StoredTensor",
    "TensorStore",
    "Upload",
]
