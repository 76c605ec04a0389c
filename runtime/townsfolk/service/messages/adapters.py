"""Adapters, as the contract has them."""

from __future__ import annotations

from townsfolk.engine.adapter_info import AdapterInfo
from townsfolk.v1 import townsfolk_pb2 as pb


def adapter_message(info: AdapterInfo) -> pb.Adapter:
    """Return one adapter."""
    return pb.Adapter(
        name=info.name, loaded=info.is_loaded, rank=info.rank, memory_bytes=info.nbytes
    )
