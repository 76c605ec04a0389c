"""The gRPC service: it translates between the contract and the rooms below, and decides nothing."""

from __future__ import annotations

import os

from townsfolk.config import EngineSettings
from townsfolk.service.settings import ServiceSettings

__all__ = ["ServiceSettings", "quieten_grpc", "serve"]


def serve(settings: ServiceSettings, engine_settings: EngineSettings) -> int:
    """Run a runtime until it is ended; return the exit status of the process."""
    quieten_grpc()
    # Here, as it takes a second: whoever only wants the settings should not wait for PyTorch.
    from townsfolk.service.loading import load_engine
    from townsfolk.service.process import run

    return run(settings, lambda: load_engine(engine_settings))


def quieten_grpc() -> None:
    """Keep gRPC's core from writing to standard error itself: it would stop where nobody reads it.

    It looks at this when it is imported.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
