"""`townsfolk serve`: host a model for games."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from townsfolk.commands.options import add_settings, read_settings
from townsfolk.config import EngineSettings
from townsfolk.service.settings import ServiceSettings

TOKEN_VARIABLE = "TOWNSFOLK_AUTH_TOKEN"
SCRIPT = ".toml"
"""How a model's name ends that is none: a script, as `townsfolk fake` takes it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_settings(parser, EngineSettings)
    add_settings(parser, ServiceSettings)


def run(options: argparse.Namespace) -> int:
    """Serve until ended; return the exit status."""
    from townsfolk.service import serve

    if options.auth_token is None and options.auth_token_file is None:
        options.auth_token = os.environ.get(TOKEN_VARIABLE)
    if (options.model or "").endswith(SCRIPT):
        from townsfolk.commands.fake import serve_script

        return serve_script(Path(options.model), read_settings(options, ServiceSettings))
    return serve(read_settings(options, ServiceSettings), read_settings(options, EngineSettings))
