"""`townsfolk generate`: complete a prompt, with no character involved."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from townsfolk.client import Grammar, TownsfolkError, choices, json_schema, lark, regex
from townsfolk.commands.connection import (
    add_connection,
    add_sampling,
    named_adapter,
    open_runtime,
    sampling,
)
from townsfolk.commands.standard_input import is_text, read_input
from townsfolk.v1.sampling_pb2 import Token


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("prompt", help="the text to go on with; - reads standard input")
    add_connection(parser)
    add_sampling(parser)
    parser.add_argument("--stop", action="append", default=[], help="end before this text")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument(
        "--json-schema", metavar="FILE", help="complete with JSON that this JSON Schema describes"
    )
    kinds.add_argument("--regex", help="complete with a text that this matches from end to end")
    kinds.add_argument("--lark", metavar="FILE", help="complete with a text of this Lark grammar")
    kinds.add_argument(
        "--choice", action="append", metavar="TEXT", help="complete with one of these texts"
    )
    parser.add_argument("--echo", action="store_true", help="show the prompt's tokens, too")
    parser.add_argument(
        "--logprobs",
        type=int,
        metavar="N",
        help="show a line a token: its log-probability and the N likeliest alternatives",
    )


def run(options: argparse.Namespace) -> int:
    """Complete the prompt; return the exit status."""
    by_token = options.logprobs is not None
    try:
        prompt = read_input() if options.prompt == "-" else options.prompt
        if not is_text(prompt):
            raise ValueError("the prompt is not UTF-8 text")
        params = sampling(options, stop=options.stop, logprobs=options.logprobs)
        with open_runtime(options) as runtime:
            pieces = runtime.generate(
                prompt,
                params,
                echo=options.echo,
                grammar=_grammar(options),
                adapter=named_adapter(options),
            )
            for response in pieces:
                match response.WhichOneof("event"):
                    case "prompt" if by_token:
                        _print_tokens(response.prompt.tokens)
                    case "prompt":
                        tokens = response.prompt.tokens
                        text = b"".join(token.token.token_bytes for token in tokens)
                        print(text.decode("utf-8", "replace"), end="", flush=True)
                    case "text" if by_token:
                        _print_tokens(response.text.tokens)
                    case "text":
                        print(response.text.text, end="", flush=True)
        print()
    except (TownsfolkError, ValueError) as error:
        print(f"townsfolk: {error}", file=sys.stderr)
        return 1
    return 0


def _grammar(options: argparse.Namespace) -> Grammar | None:
    """Return what the completion must be.

    Raises:
        ValueError: A file can't be read.
    """
    if options.regex is not None:
        return regex(options.regex)
    if options.choice:
        return choices(options.choice)
    for path, make in ((options.json_schema, json_schema), (options.lark, lark)):
        if path is not None:
            try:
                return make(Path(path).read_text(encoding="utf-8"))
            except OSError as error:
                raise ValueError(f"{path}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ValueError(f"{path}: is not UTF-8 text") from None
    return None


def _print_tokens(tokens: Iterable[Token]) -> None:
    for token in tokens:
        alternatives = "  ".join(f"{top.token_bytes!r} {top.logprob:.3f}" for top in token.top)
        print(f"{token.token.logprob:9.3f}  {token.token.token_bytes!r:20}  {alternatives}")
