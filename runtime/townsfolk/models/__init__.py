"""Decoder families: a configuration and weights, from a flat batch of tokens to logits."""

from townsfolk.models.batch import Chunk, KvPages, ModelBatch
from townsfolk.models.decoder import Decoder
from townsfolk.models.families import read_config
from townsfolk.models.names import Architecture, TensorNames
from townsfolk.models.shapes import NAMED_SHAPES, named_spec
from townsfolk.models.source import open_source
from townsfolk.models.spec import DecoderSpec, UnsupportedModelError

__all__ = [
    "NAMED_SHAPES",
    "Architecture",
    "Chunk",
    "Decoder",
    "DecoderSpec",
    "KvPages",
    "ModelBatch",
    "TensorNames",
    "UnsupportedModelError",
    "named_spec",
    "open_source",
    "read_config",
]
