"""A model's engine for the service, or in a sentence why there is none."""

from __future__ import annotations

from townsfolk.config import EngineSettings
from townsfolk.engine.engine import Engine
from townsfolk.engine.load_errors import LOAD_ERRORS
from townsfolk.service.start_error import StartError


def load_engine(settings: EngineSettings) -> Engine:
    """Load the model that the settings name. Takes a thread, not the loop.

    Raises:
        StartError: It can't be used; the message says why.
    """
    try:
        return Engine.from_pretrained(settings=settings)
    except LOAD_ERRORS as error:
        raise StartError(f"the model can't be used: {error}") from error
