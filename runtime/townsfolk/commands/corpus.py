"""`townsfolk corpus`: for those who write the texts of the starter's conversations."""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from rich.console import Console

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
        default=1,
        help="of the starter model. Default: 1, of the weights that ship",
    )
    show.add_argument("--count", type=whole_number(1), default=1, help="how many. Default: 1")


def run(args: Namespace) -> int:
    """Check or show; return 0, or 1 where something is wrong."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    try:
        return _check(args, console) if args.action == "check" else _show(args, console)
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


def _print(told: "Conversation", console: Console) -> None:
    system = Script(told.persona, tuple(told.world.lore), told.transcript, told.actions).messages()
    console.print(system[0]["content"], style="dim")
    for entry in told.transcript:
        speaker = {EntryKind.SPOKE: told.persona.name, EntryKind.EVENT: "*"}.get(entry.kind)
        console.print(f"{speaker or entry.speaker}: {entry.text}{'—' if entry.cut else ''}")
    console.print()
