"""`townsfolk serve`: host a model for games."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from townsfolk.commands.options import add_settings, read_settings
from townsfolk.commands.sharing import add_host, be_host, engine_arguments, share
from townsfolk.config import EngineSettings
from townsfolk.service.settings import ServiceSettings

TOKEN_VARIABLE = "TOWNSFOLK_AUTH_TOKEN"
SCRIPT = ".toml"
"""How a model's name ends that is none: a script, as `townsfolk fake` takes it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_settings(parser, EngineSettings)
    add_settings(parser, ServiceSettings)
    add_host(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until ended; return the exit status."""
    from townsfolk.service import quieten_grpc, serve

    if options.auth_token is None and options.auth_token_file is None:
        options.auth_token = os.environ.get(TOKEN_VARIABLE)
    if (options.model or "").endswith(SCRIPT):
        from townsfolk.commands.fake import serve_script

        return serve_script(
            Path(options.model), read_settings(options, ServiceSettings), options.share_host
        )
    settings = read_settings(options, ServiceSettings)
    engine_settings = read_settings(options, EngineSettings)
    if options.share_host:
        quieten_grpc()
        from townsfolk.service.loading import load_engine

        return be_host(options.share_host, lambda: load_engine(engine_settings), settings)
    if settings.share:
        from townsfolk.sharing.key import key_of_settings

        key = key_of_settings(engine_settings)
        return share(key, ["serve", *engine_arguments(engine_settings)], settings)
    return serve(settings, engine_settings)
