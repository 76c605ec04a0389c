"""Reading weights."""

from townsfolk.checkpoint.adapter import (
    Adapter,
    LowRank,
    read_adapter,
    read_generation,
    write_adapter,
)
from townsfolk.checkpoint.adapter_config import AdapterConfig, AdapterError
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
    "Adapter",
    "AdapterConfig",
    "AdapterError",
    "Checkpoint",
    "CheckpointError",
    "Encoding",
    "FileTensor",
    "GgufCheckpoint",
    "GgufError",
    "LowRank",
    "StoredTensor",
    "TensorStore",
    "Upload",
    "read_adapter",
    "read_generation",
    "write_adapter",
]
