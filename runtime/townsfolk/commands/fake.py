"""`townsfolk fake`: a runtime without a model, for the tests of a game."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from townsfolk.commands.options import add_settings, read_settings
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


def run(options: argparse.Namespace) -> int:
    """Serve until ended; return the exit status."""
    return serve_script(options.script, read_settings(options, ServiceSettings))


def serve_script(path: Path, settings: ServiceSettings) -> int:
    """Serve what a script says until ended; return the exit status."""
    from townsfolk.fake import Script, ScriptedEngine, ScriptError
    from townsfolk.service import quieten_grpc

    try:
        script = Script.read(path)
    except ScriptError as error:
        print(f"townsfolk fake: {error}", file=sys.stderr)
        return 1
    quieten_grpc()
    from townsfolk.service.errors import StartError
    from townsfolk.service.process import run as serve

    def load() -> ScriptedEngine:
        time.sleep(script.start_ms / 1000)
        if script.start_error:
            raise StartError(f"the model can't be used: {script.start_error}")
        return ScriptedEngine(script, path.stem)

    return serve(settings, load)
