"""Reading weights, and finding the directory that holds them."""

from townsfolk.checkpoint.reader import Checkpoint, CheckpointError, StoredTensor
from townsfolk.checkpoint.resolve import ModelNotFoundError, resolve
from townsfolk.checkpoint.upload import Upload

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "ModelNotFoundError",
    "StoredTensor",
    "Upload",
    "resolve",
]
