"""The command line: one module a command, imported only when it is the one that runs."""

from __future__ import annotations

import argparse
import importlib
import os
import select
import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

from townsfolk import __version__
from townsfolk.installation import is_frozen

# name: (module with add_arguments(parser) and run(arguments) -> exit status, what it does)
COMMANDS = {
    "serve": ("townsfolk.commands.serve", "host a model for games, over gRPC"),
    "talk": ("townsfolk.commands.talk", "talk to a character in this terminal"),
    "generate": ("townsfolk.commands.generate", "complete a prompt"),
    "bench": ("townsfolk.commands.bench", "measure latency and throughput"),
    "models": ("townsfolk.commands.models", "list models, and what fits this machine"),
    "pull": ("townsfolk.commands.pull", "download a model, or check one that is here"),
    "quantize": ("townsfolk.commands.quantize", "make a model smaller: int8, int4 or fp8"),
    "tune": ("townsfolk.commands.tune", "measure how a model runs fastest on this GPU"),
    "kernels": ("townsfolk.commands.kernels", "compile kernels for players' GPUs"),
    "train": ("townsfolk.commands.train", "train a small model on dialogues"),
    "train lora": ("townsfolk.commands.train_lora", "train an adapter for a model on dialogues"),
    "learn": (
        "townsfolk.commands.learn",
        "have an adapter learn from play",
    ),
    "eval": ("townsfolk.commands.evaluate", "test how well a model plays its characters"),
    "corpus": ("townsfolk.commands.corpus", "dialogues to train on: write, check, teach, gather"),
    "doctor": ("townsfolk.commands.doctor", "say what hardware there is and what is missing"),
    "inspect": ("townsfolk.commands.inspect", "look into a running runtime, or record it"),
    "fake": ("townsfolk.commands.fake", "play a script instead of a model, for a game's tests"),
    "bundle": ("townsfolk.commands.bundle", "make a runtime that ships with a game"),
}
# Of these a bundle has those that players and their support need.
if is_frozen():
    COMMANDS = {name: COMMANDS[name] for name in ("serve", "talk", "generate", "doctor")}


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit with its status.

    Args:
        argv: The arguments without the program's name; None takes the process's own.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        try:
            status = _run(arguments)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        deserted = [stream for stream in (sys.stdout, sys.stderr) if _nobody_reads(stream)]
        if not deserted:
            raise
        for stream in deserted:  # the interpreter flushes them at its end, and would complain
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        status = 141  # as a shell says of a program that a closed pipe ended
    sys.exit(status)


def _run(arguments: Sequence[str]) -> int:
    arguments = _joined(arguments)
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
    status: int = importlib.import_module(COMMANDS[options.command][0]).run(options)
    return status


def _joined(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with a command of two words as one."""
    words = list(arguments)
    if (both := " ".join(words[:2])) in COMMANDS:
        words[:2] = [both]
    return words


def _nobody_reads(stream: TextIO) -> bool:
    """Return whether the stream's reader is gone; Windows can't tell, so there it always is."""
    if sys.platform == "win32":
        return True
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
