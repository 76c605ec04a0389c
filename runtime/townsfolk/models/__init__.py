"""Decoder families: a configuration and weights, from a flat batch of tokens to logits."""

from townsfolk.models.batch import Chunk, KvPages, ModelBatch
from townsfolk.models.config import DecoderConfig, RopeConfig, UnsupportedModelError
from townsfolk.models.llama import Decoder
from townsfolk.models.shapes import NAMED_SHAPES

__all__ = [
    "NAMED_SHAPES",
    "Chunk",
    "Decoder",
    "DecoderConfig",
    "KvPages",
    "ModelBatch",
    "RopeConfig",
    "UnsupportedModelError",
]
