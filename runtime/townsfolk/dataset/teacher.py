"""A model that plays characters, and those who talk with them, for others to learn from."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import yaml

from townsfolk.client import AsyncNpc, AsyncRuntime, SamplingParams
from townsfolk.client import Persona as PersonaMessage
from townsfolk.client.lines import spoken
from townsfolk.dataset import filters
from townsfolk.dataset.cast import Cast, Character, Fact
from townsfolk.dialogue.persona import Persona
from townsfolk.dialogue.transcript import EntryKind, TranscriptEntry
from townsfolk.training.script import Script
from townsfolk.v1.sampling_pb2 import FINISH_REASON_REPETITION

_OPENINGS = Path(__file__).with_name("openings.yaml")
_MOST_OF_A_LINE = 40
"""Tokens of what a player says."""
_SLIP_NATS = 2.0
"""By how much a contradiction may gain in a conversation that was likelier than the fact before."""


@dataclass(frozen=True, slots=True)
class TeacherSettings:
    """How a teacher plays.

    Attributes:
        count: dialogues that are tried for each character.
        turns: replies of the character in each, at most.
        at_once: dialogues that are played at once, in one batch of the runtime.
        seed: of all choices and draws.
        temperature: of the character's draws; None for the model's own.
        max_new_tokens: of a reply.
    """

    count: int = 100
    turns: int = 4
    at_once: int = 16
    seed: int = 0
    temperature: float | None = None
    max_new_tokens: int = 120


@dataclass(frozen=True, slots=True)
class Task:
    """One dialogue that is to be played: the number of a character's."""

    character: str
    number: int


@dataclass(frozen=True, slots=True)
class Taught:
    """What came of a task.

    Attributes:
        task: which.
        script: what is sound of the dialogue; None for nothing.
        fault: why it ended early or was rejected; None where nothing was wrong.
        rejected: the reply that was at fault.
    """

    task: Task
    script: Script | None
    fault: str | None
    rejected: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as one JSON object."""
        return {
            "character": self.task.character,
            "number": self.task.number,
            "fault": self.fault,
            "rejected": self.rejected,
            "dialogue": None if self.script is None else self.script.to_json(),
        }


@dataclass(slots=True)
class _Dialogue:
    """A dialogue as it is played."""

    character: Character
    lore: tuple[str, ...]
    player: str
    transcript: list[TranscriptEntry] = field(default_factory=list)

    def add(self, kind: EntryKind, text: str) -> None:
        speaker = self.player if kind is EntryKind.HEARD else ""
        self.transcript.append(TranscriptEntry(kind=kind, speaker=speaker, text=text))

    @property
    def script(self) -> Script:
        return Script(self.character.persona, self.lore, tuple(self.transcript))


class Teacher:
    """Has a runtime play the characters of a cast, many dialogues at once."""

    def __init__(
        self, runtime: AsyncRuntime, cast: Cast, settings: TeacherSettings, adapter: str = ""
    ) -> None:
        """Play with a runtime; `adapter` is one that the characters have there."""
        self._runtime, self._cast, self._settings = runtime, cast, settings
        self._adapter = adapter
        self._characters = {each.name: each for each in cast.characters}
        self._book: dict[str, list[str]] = yaml.safe_load(_OPENINGS.read_text("utf-8"))
        self._lore_ids: dict[str, str] = {}

    @property
    def tasks(self) -> list[Task]:
        """All that is to be played: of all characters in turn, so that a part of them is fair."""
        return [
            Task(each.name, number)
            for number in range(self._settings.count)
            for each in self._cast.characters
        ]

    async def play(self, tasks: Iterable[Task]) -> AsyncIterator[Taught]:
        """Play dialogues, and yield what came of each as it ends.

        Raises:
            TownsfolkError: The runtime failed.
        """
        left = iter(tasks)
        await self._tell_lore()
        playing: set[asyncio.Task[Taught]] = set()
        try:
            while True:
                while len(playing) < self._settings.at_once and (task := next(left, None)):
                    playing.add(asyncio.create_task(self._play(task)))
                if not playing:
                    return
                done, playing = await asyncio.wait(playing, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    yield each.result()
        finally:
            for each in playing:
                each.cancel()
            await asyncio.gather(*playing, return_exceptions=True)

    async def _play(self, task: Task) -> Taught:
        rng = Random(f"{self._settings.seed}:{task.character}:{task.number}")
        character = self._characters[task.character]
        dialogue = _Dialogue(
            character, (*self._cast.lore, *character.lore), rng.choice(self._book["players"])
        )
        async with self._both(dialogue, rng) as (npc, player):
            before = await self._margins(npc, dialogue)
            fault = rejected = None
            line, fact = self._opening(dialogue, rng)
            await player.record(spoken(line))
            for turn in range(self._settings.turns):
                dialogue.add(EntryKind.HEARD, line)
                answer = await npc.say(line, dialogue.player).wait()
                dialogue.add(EntryKind.SPOKE, answer.text or "\u2026")
                fault = self._fault(
                    dialogue, answer.finish_reason == FINISH_REASON_REPETITION, fact
                )
                if fault is not None:
                    rejected = answer.text
                    break
                if turn + 1 < self._settings.turns:
                    line, fact = await self._next_line(player, dialogue, rng, answer.text)
                    if not line:
                        break
            script = dialogue.script
            if fault is not None:
                return Taught(
                    task, filters.head(script, len(script.transcript) - 1), fault, rejected or ""
                )
            after = await self._margins(npc, dialogue)
            if slipped(before, after):
                return Taught(task, None, filters.CONTRADICTS, script.transcript[-1].text)
            return Taught(task, script, None)

    def _fault(self, dialogue: _Dialogue, looped: bool, fact: Fact | None) -> str | None:
        """What is wrong with the newest reply; None for nothing."""
        if looped:
            return filters.LOOP
        script = dialogue.script
        found = filters.fault(script, len(script.transcript) - 1)
        if found is None and fact is not None and fact.says:
            said = filters.plain(script.transcript[-1].text)
            if not any(f" {filters.plain(text)} " in f" {said} " for text in fact.says):
                return filters.WRONG
        return found

    def _facts(self, character: Character) -> list[Fact]:
        """What can be asked of a character: its facts, and its name."""
        own = character.name.split()
        name = Fact(
            ask=("What's your name?", "What are you called?"), says=(character.name, own[0])
        )
        return [*character.facts, name]

    def _asked(self, character: Character, line: str) -> Fact | None:
        """The fact that a line asks for, whoever thought of it; None for none."""
        for fact in self._facts(character):
            if filters.plain(line) in map(filters.plain, fact.ask):
                return fact
        return None

    def _opening(self, dialogue: _Dialogue, rng: Random) -> tuple[str, Fact | None]:
        if rng.random() < 0.4:
            return self._question(dialogue, rng)
        line = rng.choice(self._book["openings"])
        return line, self._asked(dialogue.character, line)

    def _question(self, dialogue: _Dialogue, rng: Random) -> tuple[str, Fact | None]:
        fact = rng.choice(self._facts(dialogue.character))
        return rng.choice(fact.ask), fact

    async def _next_line(
        self, player: AsyncNpc, dialogue: _Dialogue, rng: Random, reply: str
    ) -> tuple[str, Fact | None]:
        """What the player says next, and the fact that it asks for; no text ends the dialogue."""
        if rng.random() < 0.3:
            line, fact = self._question(dialogue, rng)
            if line not in {entry.text for entry in dialogue.transcript}:
                await player.record(spoken(line))
                return line, fact
        answer = await player.say(reply, dialogue.character.name).wait()
        line = " ".join(answer.text.split())
        said = {filters.plain(entry.text) for entry in dialogue.transcript}
        looped = answer.finish_reason == FINISH_REASON_REPETITION
        is_fit = line and not looped and filters.plain(line) not in said
        return (line, self._asked(dialogue.character, line)) if is_fit else ("", None)

    async def _margins(self, npc: AsyncNpc, dialogue: _Dialogue) -> list[float]:
        """By how many nats a token each fact is likelier than its likeliest contradiction."""
        margins = []
        for fact in dialogue.character.facts:
            if fact.never:
                choice = await npc.choose(
                    (fact.line, *fact.never), fact.ask[0], dialogue.player, per_token=True
                )
                right, *others = (each.logprob_per_token for each in choice.options)
                margins.append(right - max(others))
        return margins

    @asynccontextmanager
    async def _both(
        self, dialogue: _Dialogue, rng: Random
    ) -> AsyncIterator[tuple[AsyncNpc, AsyncNpc]]:
        """Open the character and who talks with it."""
        settings, character = self._settings, dialogue.character
        about = (
            f"You are {dialogue.player}, a traveller. You talk with {character.name}, whom you "
            f"don't know. You want to {rng.choice(self._book['aims'])}."
        )
        whom = PersonaMessage(
            name=dialogue.player, description=about, speaking_style="one short line, a question"
        )
        sampling = SamplingParams(
            seed=rng.getrandbits(31),
            temperature=settings.temperature,
            max_new_tokens=settings.max_new_tokens,
        )
        lines = SamplingParams(seed=rng.getrandbits(31), max_new_tokens=_MOST_OF_A_LINE)
        npc = self._runtime.npc(
            _message(character.persona),
            lore=[self._lore_ids[text] for text in dialogue.lore],
            sampling=sampling,
            adapter=self._adapter,
            off_the_record=True,
        )
        player = self._runtime.npc(whom, sampling=lines, off_the_record=True)
        async with npc, player:
            yield npc, player

    async def _tell_lore(self) -> None:
        """Give the runtime all lore, each text under an id of its own."""
        own = [text for each in self._cast.characters for text in each.lore]
        for text in dict.fromkeys([*self._cast.lore, *own]):
            self._lore_ids[text] = f"teacher/{hashlib.sha256(text.encode()).hexdigest()[:16]}"
            await self._runtime.register_lore(self._lore_ids[text], text)


def slipped(before: Sequence[float], after: Sequence[float]) -> bool:
    """Whether a contradiction of a fact has become the likelier one in a conversation.

    One that was likelier from the beginning says more of the teacher than of the conversation: it
    must have gained much.

    Args:
        before: by how many nats a token each fact was likelier than its likeliest contradiction.
        after: the same at the end.
    """
    return any(
        now < 0 and was - now > (0.0 if was >= 0 else _SLIP_NATS)
        for was, now in zip(before, after, strict=True)
    )


def _message(persona: Persona) -> PersonaMessage:
    """Return a persona as the client takes it."""
    return PersonaMessage(
        name=persona.name,
        description=persona.description,
        goals=persona.goals,
        speaking_style=persona.speaking_style,
        taboos=persona.taboos,
        example_lines=persona.example_lines,
    )


def about(settings: TeacherSettings, cast: Cast, info: Any) -> dict[str, Any]:
    """Return what decides what a teacher plays, for the card, and to go on from."""
    return {
        "teacher": Path(info.model).name,
        "parameters": info.parameters,
        "dtype": info.dtype,
        "runtime": info.version,
        "cast": cast.digest,
        "licence": cast.licence,
        "count": settings.count,
        "turns": settings.turns,
        "seed": settings.seed,
        "temperature": settings.temperature,
        "max_new_tokens": settings.max_new_tokens,
    }


def reasons(outcomes: Sequence[Taught]) -> dict[str, int]:
    """Return how often dialogues ended early or were rejected, by reason."""
    counts: dict[str, int] = {}
    for each in outcomes:
        if each.fault is not None:
            counts[each.fault] = counts.get(each.fault, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
