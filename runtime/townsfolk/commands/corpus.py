"""`townsfolk corpus`: dialogues to train on: the starter's, a teacher's, recorded ones."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from townsfolk.commands import corpus_gather, corpus_teach
from townsfolk.commands.options import whole_number
from townsfolk.dialogue.transcript import EntryKind
from townsfolk.starter.corpus.book import DATA, BookError
from townsfolk.training.script import Script

if TYPE_CHECKING:
    from townsfolk.starter.corpus.conversation import Conversation


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser(
        "check",
        help="say what is wrong with the texts",
        description=f"Say file, line and reason of all that is wrong with the texts in {DATA}.",
    )
    check.add_argument(
        "--conversations",
        type=whole_number(0),
        default=1000,
        help="to write for the check of what is known where it is said. Default: 1000",
    )
    show = actions.add_parser(
        "show",
        help="show conversations",
        description="Show conversations that the model would learn from.",
    )
    show.add_argument("--seed", default="0", help="another seed gives other conversations")
    show.add_argument(
        "--edition",
        type=int,
        choices=(1, 2),
        default=2,
        help="of the starter model. Default: 2, of the weights that ship",
    )
    show.add_argument("--count", type=whole_number(1), default=1, help="how many. Default: 1")
    write = actions.add_parser(
        "write",
        help="write conversations for `townsfolk train lora`",
        description="Write conversations in which people say more than they are asked for, as "
        "JSONL: for models that can write already.",
    )
    write.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    write.add_argument("--seed", default="0", help="another seed gives other conversations")
    write.add_argument("--count", type=whole_number(1), default=1000, help="Default: 1000")
    teach = actions.add_parser(
        "teach",
        help="have a model play characters, for others to learn from",
        description="Have a model play the characters of a file, and those who talk with them; "
        "keep what is sound.",
    )
    corpus_teach.add_arguments(teach)
    gather = actions.add_parser(
        "gather",
        help="make dialogues of any source into data to train on",
        description="Filter dialogues of people, teachers and recorded play, keep each once, hold "
        "whole characters out, and describe what is in it.",
    )
    corpus_gather.add_arguments(gather)
    held_out = "of names, trades and facts that are in no other conversation"
    write.add_argument("--held-out", action="store_true", help=held_out)


def run(args: Namespace) -> int:
    """Check or show; return 0, or 1 where something is wrong."""
    if args.action == "teach":
        return corpus_teach.run(args)
    if args.action == "gather":
        return corpus_gather.run(args)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    try:
        return {"check": _check, "show": _show, "write": _write}[args.action](args, console)
    except BookError as error:  # a book that can't be read at all
        console.print(str(error))
        return 1


def _check(args: Namespace, console: Console) -> int:
    from townsfolk.starter.corpus.check import check

    found = 0
    for fault in check(args.conversations):
        console.print(str(fault))
        found += 1
    console.print(f"{found} faults" if found else "nothing wrong")
    return 1 if found else 0


def _show(args: Namespace, console: Console) -> int:
    from townsfolk.starter.corpus.conversation import conversation

    for number in range(args.count):
        told = conversation(f"show:{args.seed}:{number}", edition=args.edition)
        _print(told, console)
    return 0


def _write(args: Namespace, console: Console) -> int:
    from townsfolk.starter.corpus.conversation import natural
    from townsfolk.starter.corpus.split import Split
    from townsfolk.starter.recipe import script

    split = Split.HELD_OUT if args.held_out else Split.TRAIN
    with args.output.open("w", encoding="utf-8") as file:
        for number in range(args.count):
            told = script(natural(f"natural:{args.seed}:{number}", split))
            print(json.dumps(told.to_json(), ensure_ascii=False), file=file)
    return 0


def _print(told: "Conversation", console: Console) -> None:
    system = Script(told.persona, tuple(told.world.lore), told.transcript, told.actions).messages()
    console.print(system[0]["content"], style="dim")
    for entry in told.transcript:
        speaker = {EntryKind.SPOKE: told.persona.name, EntryKind.EVENT: "*"}.get(entry.kind)
        console.print(f"{speaker or entry.speaker}: {entry.text}{'—' if entry.cut else ''}")
    console.print()
