"""The command line: one module a command, imported only when it is the one that runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from townsfolk import __version__

# name: (module with add_arguments(parser) and run(arguments) -> exit status, what it does)
COMMANDS = {
    "serve": ("townsfolk.commands.serve", "host a model for games, over gRPC"),
    "talk": ("townsfolk.commands.talk", "talk to a character in this terminal"),
    "generate": ("townsfolk.commands.generate", "complete a prompt"),
    "bench": ("townsfolk.bench.command", "measure latency and throughput"),
    "tune": ("townsfolk.commands.tune", "measure how a model runs fastest on this GPU"),
    "train": ("townsfolk.training.command", "train a small model on dialogues"),
    "eval": ("townsfolk.starter.evaluation", "test how well a model plays its characters"),
    "doctor": ("townsfolk.commands.doctor", "say what hardware there is and what is missing"),
}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its status.

    Args:
        argv: The arguments without the program's name; None takes the process's own.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    chosen = next((word for word in arguments if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog="townsfolk", description="Townsfolk makes a game's characters talk."
    )
    parser.add_argument("--version", action="version", version=f"townsfolk {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, purpose) in COMMANDS.items():
        sentence = f"{purpose[0].upper()}{purpose[1:]}."
        command = commands.add_parser(name, help=purpose, description=sentence)
        if name == chosen:
            importlib.import_module(module).add_arguments(command)
    options = parser.parse_args(arguments)
    run = importlib.import_module(COMMANDS[options.command][0]).run
    try:
        status: int = run(options)
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
