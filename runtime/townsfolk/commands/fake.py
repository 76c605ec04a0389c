"""`townsfolk fake`: a runtime without a model, for the tests of a game."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from townsfolk.commands.options import add_settings, read_settings
from townsfolk.commands.sharing import add_host, be_host, share
from townsfolk.service.settings import ServiceSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--script",
        required=True,
        type=Path,
        metavar="FILE",
        help="what the characters say, in TOML; see docs/testing-games.md",
    )
    add_settings(parser, ServiceSettings)
    add_host(parser)


def run(options: argparse.Namespace) -> int:
    """Serve until ended; return the exit status."""
    settings = read_settings(options, ServiceSettings)
    return serve_script(options.script, settings, options.share_host)


def serve_script(path: Path, settings: ServiceSettings, share_host: str | None = None) -> int:
    """Serve what a script says until ended; return the exit status.

    Args:
        path: Of the script.
        settings: Of the service.
        share_host: Key of the shared runtime to be; None to serve one game, or to share.
    """
    from townsfolk.fake import Script, ScriptedEngine, ScriptError
    from townsfolk.service import quieten_grpc

    try:
        script = Script.read(path)
    except ScriptError as error:
        print(f"townsfolk fake: {error}", file=sys.stderr)
        return 1
    if settings.share and share_host is None:
        from townsfolk.sharing.key import key_of_script

        command = ["fake", "--script", str(path.absolute())]
        return share(key_of_script(path), command, settings)
    quieten_grpc()
    from townsfolk.service.process import run as serve
    from townsfolk.service.start_error import StartError

    def load() -> ScriptedEngine:
        time.sleep(script.start_ms / 1000)
        if script.start_error:
            raise StartError(f"the model can't be used: {script.start_error}")
        return ScriptedEngine(script, path.stem)

    return serve(settings, load) if share_host is None else be_host(share_host, load, settings)
