"""A whole runtime process: from its settings to its exit status."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from townsfolk import __version__
from townsfolk.config import EngineSettings
from townsfolk.dialogue.sessions import Sessions
from townsfolk.engine.engine import Engine
from townsfolk.service import logs
from townsfolk.service.gate import Backend
from townsfolk.service.lifetime import Lifetime, end_hard_after
from townsfolk.service.server import LAST_WORDS_S, RuntimeServer, StartError
from townsfolk.service.settings import ServiceSettings, dial_address

logger = logging.getLogger(__name__)

# What the orderly end may take beyond the grace for answers before the process is killed.
END_S = 10.0

Result = TypeVar("Result")
