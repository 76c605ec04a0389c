"""What runs here: the model, the device, and limits."""

from __future__ import annotations

from townsfolk import __version__, contract
from townsfolk.engine.info import EngineInfo
from townsfolk.engine.stats import EngineStats
from townsfolk.service.messages.stats import MODEL_STATES
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import townsfolk_pb2


def info_message(
    info: EngineInfo, stats: EngineStats, settings: ServiceSettings
) -> townsfolk_pb2.GetRuntimeInfoResponse:
    """Return what a client is told of the runtime."""
    return townsfolk_pb2.GetRuntimeInfoResponse(
        version=__version__,
        model=info.model,
        parameters=info.parameters,
        device=info.device,
        dtype=info.dtype,
        context_tokens=info.context_length,
        kv_memory_mib=info.kv_memory_mib,
        kv_capacity_tokens=info.kv_capacity_tokens,
        max_sessions=settings.max_sessions,
        max_batch=info.max_batch,
        max_message_bytes=settings.max_message_bytes,
        model_state=MODEL_STATES[stats.model_state],
        memory_used_mib=stats.memory_used_mib,
        memory_limit_mib=info.memory_limit_mib,
        contract=contract.OWN.message(),
    )
