"""`townsfolk talk`: a conversation with one character in this terminal.

A line that begins with /greet has the character speak of its own accord, /event with a text has it
answer what happens, and /line with a text has it remember that it said this.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.json_format import ParseDict, ParseError

from townsfolk.client import Npc, Persona, TownsfolkError, Turn
from townsfolk.commands.connection import (
    add_connection,
    add_sampling,
    named_adapter,
    open_runtime,
    sampling,
)
from townsfolk.commands.standard_input import is_text, keep_bad_bytes
from townsfolk.starter.cast import LORE, innkeeper
from townsfolk.text.utf8 import read_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_connection(parser)
    add_sampling(parser)
    parser.add_argument(
        "--persona",
        type=Path,
        help='a JSON file with a persona; see "A character of your own" in the README',
    )
    parser.add_argument("--lore", type=Path, help="a text file of what the character knows")
    parser.add_argument("--name", default="", help='your name. Default "Player".')
    parser.add_argument("--stats", action="store_true", help="show what each answer cost")


def run(options: argparse.Namespace) -> int:
    """Talk until the input ends or `/quit`; return the exit status."""
    try:
        persona = _persona(options.persona)
        lore = read_text(options.lore) if options.lore else LORE
        with open_runtime(options) as runtime:
            runtime.register_lore("here", lore)
            npc = runtime.npc(
                persona, lore=["here"], sampling=sampling(options), adapter=named_adapter(options)
            ).open()
            model = runtime.info().model
            print(f"{persona.name} is here (model: {model}). Ctrl-C interrupts, /quit leaves.\n")
            _converse(npc, persona.name, options)
    except (TownsfolkError, ValueError) as error:
        print(f"townsfolk: {error}", file=sys.stderr)
        return 1
    return 0


def _converse(npc: Npc, name: str, options: argparse.Namespace) -> None:
    for line in _lines(options.name or "You"):
        try:
            turn = _begin(npc, line, options.name)
            if turn is not None:
                _answer(turn, name, stats=options.stats)
        except TownsfolkError as error:  # this turn failed; the conversation goes on
            print(f"\n[{error}]\n")


def _begin(npc: Npc, line: str, player: str) -> Turn | None:
    """Do what a line of the player wants; return the turn that it begins, if it begins one."""
    command, _, text = line.partition(" ")
    match command:
        case "/greet" if not text:
            return npc.greet()
        case "/event":
            return npc.react(text)
        case "/line":
            npc.record(text)
            print()
            return None
        case _:
            return npc.say(line, player)


def _answer(turn: Turn, name: str, *, stats: bool) -> None:
    shown = 0
    cut = False
    print(f"{name}: ", end="", flush=True)
    while True:
        try:
            for piece in turn:
                if cut:
                    continue
                piece = piece if shown else piece.lstrip()
                shown += len(piece)
                print(piece, end="", flush=True)
            break
        except KeyboardInterrupt:
            # The character remembers exactly what was on the screen.
            cut = True
            turn.interrupt(heard_characters=shown)
    print(" —\n" if turn.interrupted else "\n")
    if stats:
        usage = turn.usage
        print(
            f"[{usage.prompt_tokens} prompt tokens, {usage.cached_tokens} of them cached; "
            f"{usage.generated_tokens} generated, the first after "
            f"{usage.time_to_first_token_ms:.0f} ms, then {usage.tokens_per_second:.0f} a second]\n"
        )


def _lines(name: str) -> Iterator[str]:
    """Yield what the player says until the input ends or says `/quit`.

    Raises:
        ValueError: The input ended, and some of its lines could not be said.
    """
    refused = 0
    terminal = sys.stdin.isatty()
    keep_bad_bytes()
    if terminal:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  line editing and history; not on Windows
    while True:
        try:
            line = input(f"{name}: ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            break
        if not is_text(line):
            print("\n[This line is not UTF-8 text: it was not said.]\n")
            refused += 1
            continue
        if not terminal:
            print(line)  # piped input: let the output read as the whole conversation
        if line == "/quit":
            break
        if line:
            yield line
    if refused:
        raise ValueError(f"{refused} lines of the input were not UTF-8 text, and were not said")


def _persona(path: Path | None) -> Persona:
    if path is None:
        return innkeeper()
    try:
        return ParseDict(json.loads(read_text(path)), Persona())
    except (ParseError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no persona: {error}") from error
