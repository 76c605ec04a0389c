"""`townsfolk corpus teach`: a model plays characters for others to learn from."""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from townsfolk.commands.connection import add_connection, fetch, named_adapter
from townsfolk.commands.options import whole_number


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    count = whole_number(1)
    parser.add_argument("cast", type=Path, metavar="CAST", help="a YAML file with characters")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    add_connection(parser)
    play = parser.add_argument_group("what is played")
    add = play.add_argument
    add("--count", type=count, default=100, help="dialogues tried for each character. Default 100")
    add("--turns", type=count, default=4, help="the character's replies in each. Default 4")
    add("--at-once", type=count, default=16, help="dialogues played at once. Default 16")
    add("--seed", type=int, default=0, help="of openings, players and draws. Default 0")
    add("--temperature", type=float, help="of the character. Default the model's own")
    add("--max-new-tokens", type=count, default=120, help="of a reply. Default 120")
    add("--resume", action="store_true", help="go on with the run in --output")


def run(args: Namespace) -> int:
    """Play; return the exit status."""
    from townsfolk.client import TownsfolkError

    try:
        asyncio.run(_teach(args))
    except KeyboardInterrupt:
        print(f"Stopped. The same command with --resume goes on with {args.output}.")
        return 130
    except (TownsfolkError, OSError, ValueError) as error:
        print(f"townsfolk corpus teach: {error}", file=sys.stderr)
        return 2
    return 0


async def _teach(args: Namespace) -> None:
    from townsfolk.client import AsyncRuntime
    from townsfolk.dataset.cast import Cast
    from townsfolk.dataset.journal import Journal
    from townsfolk.dataset.teacher import Teacher, TeacherSettings, about, reasons

    cast = Cast.read(args.cast)
    settings = TeacherSettings(
        count=args.count,
        turns=args.turns,
        at_once=args.at_once,
        seed=args.seed,
        temperature=args.temperature,
        max_new_tokens=args.max_new_tokens,
    )
    if args.connect:
        runtime = AsyncRuntime.connect(args.connect, args.token)
    else:
        fetch(args.model)
        adapter = ("--adapter", args.adapter) if args.adapter else ()
        sessions = str(max(2 * args.at_once, 256))
        runtime = AsyncRuntime.launch(
            *("--model", args.model, "--max-sessions", sessions), *adapter
        )
    async with runtime:
        described = about(settings, cast, await runtime.info()) | {"adapter": args.adapter or ""}
        journal = Journal(args.output, described, resume=args.resume)
        teacher = Teacher(runtime, cast, settings, named_adapter(args))
        tasks = [task for task in teacher.tasks if task not in journal.done]
        print(f"{described['teacher']} plays {len(tasks)} dialogues of {len(cast.characters)}")
        async for outcome in teacher.play(tasks):
            journal.add(outcome)
            if len(journal.outcomes) % 50 == 0:
                print(f"{len(journal.outcomes)} played", flush=True)
    found = reasons(journal.outcomes)
    kept = journal.finish(found)
    print(f"{kept} of {len(journal.outcomes)} dialogues are in {args.output / 'dialogues.jsonl'}")
    for reason, times in found.items():
        print(f"{times:6d}  dropped or cut short: the reply {reason}")
