"""Reading weights, and finding the directory that holds them."""

from townsfolk.checkpoint.reader import Checkpoint, CheckpointError
from townsfolk.checkpoint.resolve import ModelNotFoundError, resolve

__all__ = ["Checkpoint", "CheckpointError", "ModelNotFoundError", "resolve"]
