"""`townsfolk inspect`: look into a running runtime, or record what is seen."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from pathlib import Path

from townsfolk.client import AsyncRuntime, TownsfolkError
from townsfolk.commands.connection import add_token
from townsfolk.inspector.recording import Recording
from townsfolk.inspector.redaction import Redaction
from townsfolk.inspector.snapshot import take

MISSING = (
    "townsfolk inspect: the terminal view needs Textual, which is not installed: "
    "pip install 'townsfolk[inspect]'; --record FILE --no-view works without it"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--connect", metavar="HOST:PORT", help="the runtime's gRPC port")
    where.add_argument(
        "--ready-file", type=Path, metavar="FILE", help="what `townsfolk serve --ready-file` wrote"
    )
    add_token(parser)
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FILE",
        help="write all that is seen to this file, as JSON lines, without tokens and keys",
    )
    parser.add_argument(
        "--no-text", action="store_true", help="record no text that a player or a writer wrote"
    )
    parser.add_argument(
        "--no-view", action="store_true", help="only record, until Ctrl-C or --seconds"
    )
    parser.add_argument(
        "--seconds", type=_seconds, metavar="N", help="with --no-view: record for so long"
    )
    parser.add_argument(
        "--interval", type=_seconds, default=1.0, metavar="N", help="seconds between two looks"
    )


def run(options: argparse.Namespace) -> int:
    """Look until told to stop; return the exit status."""
    if options.no_view and options.record is None:
        print("townsfolk inspect: --no-view needs --record FILE", file=sys.stderr)
        return 2
    if options.no_text and options.record is None:
        print("townsfolk inspect: --no-text is for --record FILE", file=sys.stderr)
        return 2
    try:
        address, token = _endpoint(options)
        with contextlib.ExitStack() as stack:
            recording = None
            if options.record is not None:
                redaction = Redaction([token], keep_text=not options.no_text)
                recording = stack.enter_context(Recording(options.record, redaction))
            return asyncio.run(_look(options, address, token, recording))
    except (TownsfolkError, OSError, ValueError) as error:
        print(f"townsfolk inspect: {error}", file=sys.stderr)
        return 1


async def _look(
    options: argparse.Namespace, address: str, token: str, recording: Recording | None
) -> int:
    if not options.no_view:
        try:
            from townsfolk.inspector.app import Inspector
        except ModuleNotFoundError:
            print(MISSING, file=sys.stderr)
            return 1
    async with AsyncRuntime.connect(address, token) as runtime:
        if options.no_view:
            assert recording is not None
            await _record(runtime, recording, options.interval, options.seconds)
        else:
            await Inspector(runtime, recording, options.interval).run_async()
    return 0


async def _record(
    runtime: AsyncRuntime, recording: Recording, interval_s: float, seconds: float | None
) -> None:
    end = None if seconds is None else time.monotonic() + seconds
    recording.add(await take(runtime))  # what is wrong at once is said at once
    while end is None or time.monotonic() + interval_s <= end:
        await asyncio.sleep(interval_s)
        try:
            recording.add(await take(runtime))
        except TownsfolkError as error:
            recording.fail(time.time(), str(error))


def _endpoint(options: argparse.Namespace) -> tuple[str, str]:
    if options.connect:
        return options.connect, options.token
    ready = json.loads(options.ready_file.read_text(encoding="utf-8"))
    try:
        return f"{ready['address']}:{ready['port']}", ready.get("token") or ""
    except (KeyError, TypeError):
        raise ValueError(f"{options.ready_file} is no file of --ready-file") from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.05 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("must be 0.05 to 86400 seconds")
    return seconds
