"""The command ``townsfolk eval``: how well a model plays characters that it has never met.

What counts is the exam (`starter/exam`): no phrasing and no value of it is in the starter's corpus.
The characters of ``--generated`` are made by the corpus' own generator, but for `wild` and `cast`;
see `interview`.
"""

import asyncio
import json
import random
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.table import Table

from townsfolk.commands.options import whole_number
from townsfolk.config import EngineSettings
from townsfolk.dialogue.actions import Outcome
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.errors import DialogueError
from townsfolk.dialogue.events import ActionRequested, TurnFailed, TurnFinished
from townsfolk.dialogue.lore import Lore
from townsfolk.dialogue.overrides import SamplingOverrides
from townsfolk.dialogue.prompt import system_text
from townsfolk.dialogue.session import Session
from townsfolk.dialogue.sessions import Sessions
from townsfolk.dialogue.turn import Utterance
from townsfolk.engine.engine import Engine
from townsfolk.engine.errors import EngineError
from townsfolk.engine.load_errors import LOAD_ERRORS
from townsfolk.engine.outputs import FinishReason
from townsfolk.starter import form, interview
from townsfolk.starter.exam.paper import Paper
from townsfolk.starter.exam.question import Mark
from townsfolk.starter.exam.record import Record, RecordError, draw
from townsfolk.starter.exam.report import Tally, total, wilson
from townsfolk.starter.interview import Interview
from townsfolk.starter.reply import Act, Reply
from townsfolk.starter.wild import named, wild

SUBJECTS = ("name", "trade", "home", "recall", "wild", "cast")
EXAM_AIMS = {"name": 0.97, "told": 0.85, "action": 0.90, "no action": 0.95}
EXAM_AIM = 0.90
"""Of all questions together."""
SENTENCES = "sampled sentences"
"""The row of replies that were drawn as the model draws them, and are judged by their form."""
AIMS = {"name": 0.95, "trade": 0.95, "home": 0.95, "recall": 0.80}
"""The least share of right answers, by subject."""
_AT_ONCE = 32
_MAX_NEW_TOKENS = 96
_LOOPS = (FinishReason.REPETITION, FinishReason.LENGTH)


class Interviewer(Protocol):
    """Somebody who can hold interviews with characters."""

    def hold(self, interviews: Sequence[Interview], *, greedy: bool) -> list[list[str]]:
        """The character's reply to every line of every interview.

        Args:
            interviews: What to ask whom.
            greedy: Take the likeliest token always, rather than the model's own sampling defaults.
        """
        ...


class EngineInterviewer:
    """Holds interviews in dialogue sessions on the real engine, many at once."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine = engine
        self._seed = seed

    def hold(self, interviews: Sequence[Interview], *, greedy: bool) -> list[list[str]]:
        """See ``Interviewer``. Raises what a turn fails with."""
        held = self.converse(interviews, greedy=greedy)
        return [[reply.text for reply in replies] for replies in held]

    def converse(self, interviews: Sequence[Interview], *, greedy: bool) -> list[list[Reply]]:
        """Return what characters say and do; the game accepts whatever that is.

        Args:
            interviews: What to ask whom.
            greedy: Take the likeliest token always, rather than the model's own sampling defaults.
        """
        return asyncio.run(self._hold(interviews, greedy))

    async def _hold(self, interviews: Sequence[Interview], greedy: bool) -> list[list[Reply]]:
        sessions = Sessions(self._engine)
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int, asked: Interview) -> list[Reply]:
            async with room:
                return await self._interview(sessions, number, asked, greedy)

        try:
            return await asyncio.gather(*(one(*item) for item in enumerate(interviews)))
        finally:
            await sessions.aclose()

    async def _interview(
        self, sessions: Sessions, number: int, asked: Interview, greedy: bool
    ) -> list[Reply]:
        lore_ids = tuple(f"{number}/{at}" for at in range(len(asked.lore)))
        for lore_id, text in zip(lore_ids, asked.lore, strict=True):
            sessions.register_lore(Lore(lore_id=lore_id, text=text))
        sampling = SamplingOverrides(
            temperature=0.0 if greedy else None,
            max_new_tokens=_MAX_NEW_TOKENS,
            seed=random.Random(f"{self._seed}:{number}").getrandbits(31),
        )
        session = sessions.open(
            SessionConfig(
                persona=asked.persona,
                lore_ids=lore_ids,
                sampling=sampling,
                actions=asked.actions,
            )
        )
        replies = [await _answer(session, line) for line in asked.lines]
        await sessions.close(session.id)
        return replies


async def _answer(session: Session, line: str) -> Reply:
    """Return what the character says and does; raises what its turn fails with."""
    acts: list[Act] = []
    async for event in session.say(Utterance(text=line)):
        if isinstance(event, ActionRequested):
            acts.append(Act(event.name, json.loads(event.arguments_json)))
            session.answer_action(event.action_id, Outcome(is_accepted=True, text=""))
        elif isinstance(event, TurnFailed):
            raise event.error
        elif isinstance(event, TurnFinished):
            return Reply(event.text, tuple(acts), event.finish_reason in _LOOPS)
    raise AssertionError("a turn ended without its end")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    add = parser.add_argument
    add("--model", default="starter", help="a directory, a hub id, or starter")
    add("--adapter", type=Path, metavar="DIR", help="a low-rank adapter (LoRA) of the model")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto")
    add("--count", type=whole_number(1), default=100, help="questions of each kind")
    add(
        "--generated",
        action="store_true",
        help="ask characters of the starter's own corpus instead, as it was built to be asked",
    )
    sampled = "sampled replies to look for loops, or with --generated for broken sentences, in"
    add("--replies", type=whole_number(0), default=200, help=sampled)
    add("--seed", type=int, default=0, help="other seeds ask other characters")
    shown = "how many wrong answers to show for each subject"
    add("--failures", type=whole_number(0), default=5, help=shown)
    add("--threads", type=whole_number(1), help="CPU threads of the model")
    add("-o", "--output", type=Path, metavar="DIR", help="where exam.json and exam.png go")
    beside = "an exam.json of another model, to be drawn beside this one"
    add("--beside", type=Path, action="append", default=[], metavar="FILE", help=beside)


def run(args: Namespace) -> int:
    """Evaluate; returns 0 when every aim is reached, 1 when not, 2 when it can't be told."""
    console = Console(soft_wrap=True, highlight=False)
    settings = EngineSettings(device=args.device, threads=args.threads, adapter=args.adapter)
    try:
        others = [Record.read(path) for path in args.beside]
        engine = Engine.from_pretrained(args.model, settings)
    except (*LOAD_ERRORS, RecordError) as error:
        console.print(f"townsfolk eval: {error}", markup=False)
        return 2
    try:
        began = time.monotonic()
        interviewer = EngineInterviewer(engine, args.seed)
        if args.generated:
            reached = _answers(interviewer, args, console) & _form(interviewer, args, console)
        else:
            record = _exam(interviewer, args, console)
            sentences = _sentences(interviewer, args, console)
            reached = _reached(record) & all(not each.looped for each in sentences.values())
            record = replace(record, tallies={**record.tallies, **sentences})
            if args.output:
                record.write(args.output / "exam.json")
                draw([record, *others], args.output / "exam.png")
        console.print(f"{time.monotonic() - began:.0f} s on {engine.info.device}")
        return 0 if reached else 1
    except (
        DialogueError,
        EngineError,
        RecordError,
        OSError,
    ) as error:  # a template or a context that can't be used
        console.print(f"townsfolk eval: {error}", markup=False)
        return 2
    finally:
        engine.close()


def _exam(interviewer: EngineInterviewer, args: Namespace, console: Console) -> Record:
    """Hold the exam, greedily; print and return what came of it, with 95% intervals."""
    paper = Paper(f"exam:{args.seed}")
    table = Table("kind", "right", "share", "95% interval", "exact", "loops", "aim")
    tallies: dict[str, Tally] = {}
    for kind in paper.kinds:
        asked = paper.questions(kind, args.count)
        held = interviewer.converse([each.interview for each in asked], greedy=True)
        marks = [each.mark(replies) for each, replies in zip(asked, held, strict=True)]
        tallies[kind] = Tally.count(marks)
        aim = EXAM_AIMS.get(kind)
        table.add_row(kind, *tallies[kind].cells, f"{aim:.0%}" if aim else "")
        wrong = [at for at, mark in enumerate(marks) if not mark.right]
        for at in wrong[: args.failures]:
            console.print(f"{kind}: {asked[at].told(held[at], marks[at])}", markup=False)
    tallies["all"] = total(tallies.values())
    table.add_row("all", *tallies["all"].cells, f"{EXAM_AIM:.0%}")
    console.print(table)
    name = Path(args.model).name
    title = f"{name} with {args.adapter.name}" if args.adapter else name
    return Record(title, args.seed, tallies)


def _reached(record: Record) -> bool:
    """Whether all aims of the exam are reached."""
    aims = {**EXAM_AIMS, "all": EXAM_AIM}
    return all(record.tallies[kind].share >= aim for kind, aim in aims.items())


def _sentences(
    interviewer: EngineInterviewer, args: Namespace, console: Console
) -> dict[str, Tally]:
    """Let characters of the exam talk with the model's own sampling; count what is broken.

    Returns:
        the row of sound replies; none where none were asked for.
    """
    paper = Paper(f"loops:{args.seed}")
    asked: list[Interview] = []
    each_kind = -(-args.replies // len(paper.kinds))
    for kind in paper.kinds:
        asked += [each.interview for each in paper.questions(kind, each_kind)]
    held = interviewer.converse(asked, greedy=False)
    marked = [pair for each, said in zip(asked, held, strict=True) for pair in _marked(each, said)]
    marked = marked[: args.replies]
    for reply, mark in [pair for pair in marked if not pair[1].right][: args.failures]:
        console.print(f"sampled: {reply.text!r}: {_wrong(mark)}", markup=False)
    tally = Tally.count(mark for _, mark in marked)
    if not tally.of:
        return {}
    low, high = wilson(tally.right, tally.of)
    console.print(
        f"{tally.of} sampled replies, {tally.looped} in loops, {tally.right} unbroken "
        f"({tally.share:.1%}, {low:.0%} to {high:.0%})"
    )
    return {SENTENCES: tally}


def _marked(asked: Interview, said: Sequence[Reply]) -> Iterator[tuple[Reply, Mark]]:
    """Yield each reply of an interview with what its form is worth."""
    heard = [system_text(asked.persona, asked.lore)]
    for line, reply in zip(asked.lines, said, strict=True):
        heard.append(line)
        # Who acts need not speak.
        faults = form.broken(reply.text, heard) if reply.text or not reply.acts else []
        yield reply, Mark(not faults, tuple(faults), reply.looped)
        heard.append(reply.text)


def _wrong(mark: Mark) -> str:
    return "; ".join([*mark.faults, *(["it goes round in circles"] if mark.looped else [])])


def _answers(interviewer: Interviewer, args: Namespace, console: Console) -> bool:
    """Asks for facts, greedily; prints the shares of right answers."""
    table = Table("subject", "right", "of", "share", "aim")
    reached = True
    for subject in SUBJECTS:
        asked = _interviews(subject, args.count, f"eval:{args.seed}")
        answers = interviewer.hold(asked, greedy=True)
        wrong = [
            (each, replies[-1])
            for each, replies in zip(asked, answers, strict=True)
            if not each.passes(replies)
        ]
        right = len(asked) - len(wrong)
        share, aim = right / len(asked), AIMS.get(subject)
        reached &= aim is None or share >= aim
        table.add_row(
            subject, str(right), str(len(asked)), f"{share:.1%}", f"{aim:.0%}" if aim else ""
        )
        for each, reply in wrong[: args.failures]:
            console.print(
                f"{subject}: {each.persona.name}: {each.lines[-1]!r} -> {reply!r}, "
                f"not {each.accepted[0]!r}",
                markup=False,
            )
    console.print(table)
    return reached


def _interviews(subject: str, count: int, seed: str) -> list[Interview]:
    if subject == "wild":
        return wild()
    if subject == "cast":
        return named()
    if subject == "recall":
        return interview.recall(count, seed)
    return interview.about_itself(subject, count, seed)


def _form(interviewer: Interviewer, args: Namespace, console: Console) -> bool:
    """Lets characters talk with the model's own sampling; prints broken replies."""
    known = form.vocabulary()
    asked = interview.small_talk(args.replies, f"eval:{args.seed}")
    looked_at = broken = 0
    for each, replies in zip(asked, interviewer.hold(asked, greedy=False), strict=True):
        said = [system_text(each.persona, each.lore)]
        for line, reply in zip(each.lines, replies, strict=True):
            if looked_at == args.replies:
                break
            said.append(line)
            looked_at += 1
            if faults := form.faults(reply, known, said):
                broken += 1
                console.print(f"broken: {line!r} -> {reply!r}: {'; '.join(faults)}", markup=False)
            said.append(reply)
    console.print(f"{looked_at} sampled replies, {broken} broken")
    return broken == 0
