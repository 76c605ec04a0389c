"""How a command reaches a runtime: one it launches, or one that runs already."""

from __future__ import annotations

import argparse
import os
import subprocess
from typing import Any

from townsfolk.client import Runtime, SamplingParams, TownsfolkError
from townsfolk.installation import DEFAULT_MODEL, is_frozen, own_command
from townsfolk.library import AUTO, ModelNotFoundError, find


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the options that `open_runtime` reads."""
    parser.add_argument(
        "--connect",
        metavar="HOST:PORT",
        help="use the runtime that listens there instead of starting one",
    )
    add_token(parser)
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help="the model of a started runtime: a file, a directory, a name that `townsfolk models` "
        f"lists, a hub id, or auto. Default {DEFAULT_MODEL}.",
    )
    parser.add_argument(
        "--adapter",
        metavar="FOLDER",
        help="a low-rank adapter (LoRA) of that model, as PEFT writes it; with --connect, the name "
        "of one in the folder of adapters of that runtime",
    )


def add_token(parser: argparse.ArgumentParser) -> None:
    """Add the option for the token of a runtime that runs already."""
    parser.add_argument(
        "--token",
        default=os.environ.get("TOWNSFOLK_AUTH_TOKEN", ""),
        help="the token of that runtime; not set: what the environment variable "
        "TOWNSFOLK_AUTH_TOKEN says, which others on this machine can't read",
    )


def open_runtime(options: argparse.Namespace) -> Runtime:
    """Return the runtime that the options name; use it as a context manager."""
    if options.connect:
        return Runtime.connect(options.connect, options.token)
    fetch(options.model)
    adapter = ("--adapter", options.adapter) if options.adapter else ()
    return Runtime.launch("--model", options.model, *adapter)


def named_adapter(options: argparse.Namespace) -> str:
    """Return the adapter to name in requests; one that is part of the weights has no name."""
    return (options.adapter or "") if options.connect else ""


def fetch(model: str) -> None:
    """Fetch a model that is not here yet, where its progress is seen and no start waits for it.

    Raises:
        TownsfolkError: it is not to be had.
    """
    try:
        if is_frozen() or (model != AUTO and find(model) is not None):
            return
    except ModelNotFoundError as error:
        raise TownsfolkError(str(error)) from None
    command = [*own_command(), "pull", model]
    if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(1)  # it has said why


def add_sampling(parser: argparse.ArgumentParser) -> None:
    """Add the most used sampling parameters."""
    parser.add_argument("--seed", type=int, help="the same seed draws the same random numbers")
    parser.add_argument("--temperature", type=float, help="0 is always the likeliest token")
    parser.add_argument("--top-k", type=int, help="draw from the k likeliest tokens")
    parser.add_argument("--top-p", type=float, help="draw from the likeliest tokens up to p")
    parser.add_argument("--max-new-tokens", type=int, help="the longest reply")
    parser.add_argument("--min-new-tokens", type=int, help="no end token before this many")


def sampling(options: argparse.Namespace, **more: Any) -> SamplingParams:
    """Return what `add_sampling`'s options say, and more fields."""
    names = ("seed", "temperature", "top_k", "top_p", "max_new_tokens", "min_new_tokens")
    return SamplingParams(**{name: getattr(options, name) for name in names}, **more)
