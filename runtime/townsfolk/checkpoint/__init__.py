"""Reading weights, and finding the directory that holds them."""

from townsfolk.checkpoint.gguf import GgufCheckpoint, GgufError
from townsfolk.checkpoint.reader import Checkpoint
from townsfolk.checkpoint.resolve import ModelNotFoundError, resolve
from townsfolk.checkpoint.store import CheckpointError, Encoding, StoredTensor, TensorStore
from townsfolk.checkpoint.upload import Upload

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "Encoding",
    "GgufCheckpoint",
    "GgufError",
    "ModelNotFoundError",
    "StoredTensor",
    "TensorStore",
    "Upload",
    "resolve",
]
