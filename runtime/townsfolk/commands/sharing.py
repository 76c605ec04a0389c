"""`--share`: how the commands that serve have a part in one runtime, or are it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from townsfolk.config import EngineSettings
from townsfolk.installation import own_command
from townsfolk.service.settings import ServiceSettings

if TYPE_CHECKING:
    from townsfolk.engine.interface import TextEngine  # much comes with it


def add_host(parser: argparse.ArgumentParser) -> None:
    """Add the option with which the shared runtime itself is started, by no person."""
    parser.add_argument("--share-host", metavar="KEY", help=argparse.SUPPRESS)


def share(key: str, arguments: Sequence[str], settings: ServiceSettings) -> int:
    """Have a part in the shared runtime of a key; return the exit status.

    Args:
        key: See `townsfolk.sharing.key`.
        arguments: The command that serves what all who share have in common.
        settings: Of the service.
    """
    from townsfolk.sharing.attendant import attend
    from townsfolk.sharing.host_files import HostFiles, shared_folder

    log = ("--log-format", settings.log_format, "--log-level", settings.log_level)
    command = (*own_command(), *arguments, *log, "--share-host", key)
    return attend(HostFiles(shared_folder(), key), command, settings)


def be_host(key: str, load: Callable[[], TextEngine], settings: ServiceSettings) -> int:
    """Be the shared runtime of a key; return the exit status."""
    from townsfolk.sharing.host import host
    from townsfolk.sharing.host_files import HostFiles, shared_folder

    files = HostFiles(shared_folder(), key)
    return host(files, load, settings.log_format, settings.log_level)


def engine_arguments(settings: EngineSettings) -> list[str]:
    """Return the options that give these settings, from whatever folder."""
    arguments = []
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        if value is not None:
            is_path = isinstance(value, Path) or (name == "model" and Path(value).exists())
            text = str(Path(value).absolute()) if is_path else str(value)
            arguments += ["--" + name.replace("_", "-"), text]
    return arguments
