"""One character's conversation."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from townsfolk.dialogue.actions import Outcome
from townsfolk.dialogue.chat_model import ChatModel
from townsfolk.dialogue.choice import Choice, Question
from townsfolk.dialogue.confidence import ConfidenceMeter
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.context import ContextWindow
from townsfolk.dialogue.errors import (
    AlreadyExistsError,
    InvalidFieldError,
    LimitReachedError,
    NotFoundError,
    SessionClosedError,
)
from townsfolk.dialogue.events import Notified, PriorityUpdated, Recorded, SessionOpened
from townsfolk.dialogue.limits import (
    MAX_EVENT_CHARACTERS,
    MAX_OUTCOME_CHARACTERS,
    MAX_WAITING_TURNS,
)
from townsfolk.dialogue.play import End, Played, PlayLog
from townsfolk.dialogue.script import ScriptLines
from townsfolk.dialogue.transcript import EntryKind, Transcript, TranscriptEntry
from townsfolk.dialogue.turn import Turn, Utterance
from townsfolk.dialogue.turn_log import TurnLog
from townsfolk.dialogue.turn_queue import TurnQueue
from townsfolk.dialogue.turn_runner import TurnRunner
from townsfolk.dialogue.voice import Voice
from townsfolk.engine.errors import DeadlineExceededError
from townsfolk.engine.unread import MOST_OF_ONE, Unread


class Session:
    """One character's conversation: its transcript, and the turns that wait to be answered.

    Turns are answered one after the other. A turn that fails leaves the others alone, and leaves
    no trace in the transcript unless something was said. All methods belong to one event loop.
    """

    def __init__(
        self,
        session_id: str,
        config: SessionConfig,
        window: ContextWindow,
        model: ChatModel,
        max_history_bytes: int,
        play_log: PlayLog | None = None,
    ) -> None:
        """Made by `Sessions.open`; `play_log` is kept where the conversation is recorded.

        Raises:
            InvalidFieldError: Sampling is out of range.
        """
        self.id = session_id
        self._config = config
        self._model = model
        self._actions = model.actions(config.actions)
        self._prewarming = model.prewarm(self._actions)
        self._window = window
        self._params = model.check(config.sampling.over(model.default_params))
        self.play_log = play_log
        """What its transcript does not tell, where the conversation is recorded."""
        on_forget = None if play_log is None else play_log.forget
        self._transcript = Transcript(config.history, max_history_bytes, on_forget)
        self._unread = model.engine.unread.reader()
        self.turn_log = TurnLog(session_id)
        """How its last turns went."""
        self._turns = TurnQueue(f"session {session_id}", self._answer)
        voice = Voice(config.persona.name, model, config.adapter)
        self._runner = TurnRunner(
            config,
            self._transcript,
            window,
            voice,
            self._actions,
            self._turns,
            self.turn_log,
            play_log,
        )
        self._closed = False
        self._holders = 0
        self._turn_count = 0
        self._active_at = asyncio.get_running_loop().time()

    @property
    def config(self) -> SessionConfig:
        """The session as it is now: opening one with this restores the conversation."""
        return self._config.model_copy(
            update={
                "session_id": self.id,
                "priority": self._runner.priority,
                "history": self.transcript,
            }
        )

    @property
    def transcript(self) -> tuple[TranscriptEntry, ...]:
        """All lines that the character remembers; an answer under way counts as cut."""
        turn = self._turns.current
        if turn is None or not turn.text:
            return self._transcript.entries
        reply = self._runner.reply(turn, turn.text[: turn.heard], cut=True)
        return self._transcript.with_answer(reply)

    @property
    def name(self) -> str:
        """What the character is called."""
        return self._config.persona.name

    @property
    def lines(self) -> int:
        """How many lines `transcript` has."""
        is_answering = self._turns.current is not None and bool(self._turns.current.text)
        return len(self._transcript) + is_answering

    @property
    def priority(self) -> int:
        """Larger goes first."""
        return self._runner.priority

    @property
    def current_turn_id(self) -> str:
        """The turn that is being answered; empty when none is."""
        return self._turns.current.id if self._turns.current else ""

    @property
    def queued_turns(self) -> int:
        """How many turns wait behind it."""
        return len(self._turns.waiting)

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be said here any more."""
        return self._closed

    @property
    def system_tokens(self) -> int:
        """Tokens of lore and persona."""
        return self._window.system_tokens

    @property
    def idle_since(self) -> float | None:
        """Since when nothing happens here, on the event loop's clock; None while it is in use."""
        in_use = self._holders or self._turns.current or self._turns.waiting
        return None if in_use else self._active_at

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the session from expiring, as somebody is attached to it."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self._touch()

    def opened(self, *, resumed: bool) -> SessionOpened:
        """Return the event that tells of this session."""
        context_tokens = self._model.context_tokens
        return SessionOpened(self.id, resumed, self._window.system_tokens, context_tokens)

    def say(self, utterance: Utterance, *, records: bool = False) -> Turn:
        """Have the character speak. The turn joins the queue at once; iterate it for its events.

        Args:
            utterance: What has it speak.
            records: Keep what the model draws, in `Turn.draws`.

        Raises:
            InvalidFieldError: Sampling is out of range.
            AlreadyExistsError: The session has a turn of this id.
            LimitReachedError: Too many turns wait.
            SessionClosedError: The session is closed.
        """
        self._check_open()
        if len(self._turns.waiting) >= MAX_WAITING_TURNS:
            raise LimitReachedError(
                f"{MAX_WAITING_TURNS} turns wait in this session, its limit: "
                "wait for an answer or interrupt"
            )
        loop = asyncio.get_running_loop()
        self._actions.names(utterance.actions.names)
        turn = Turn(
            self._new_turn_id(utterance.turn_id),
            utterance,
            self._model.check(utterance.sampling.over(self._params)),
            loop.time() + utterance.deadline_ms / 1000 if utterance.deadline_ms else None,
            self._turns.cut,
            Unread(MOST_OF_ONE, within=self._unread),
            self.name,
            self._config.speech,
        )
        turn.draws = [] if records else None
        threshold = utterance.hesitation_entropy
        if threshold is None:
            threshold = self._config.hesitation_entropy
        if threshold is not None:
            turn.meter = ConfidenceMeter(self._model.tokenizer, threshold)
        if turn.deadline is not None:
            turn.expiry = loop.call_at(turn.deadline, self._expire, turn)
        self._turns.add(turn)
        return turn

    def notify(self, text: str) -> Notified:
        """Let the character learn of an event in the world, without an answer.

        What happens during an answer comes after it in the transcript.

        Raises:
            InvalidFieldError: The text is empty or too long.
            LimitReachedError: The transcript is full.
            SessionClosedError: The session is closed.
        """
        self._check_open()
        if not text.strip() or len(text) > MAX_EVENT_CHARACTERS:
            raise InvalidFieldError(
                f"text: has {len(text.strip())} characters (allowed: 1 to {MAX_EVENT_CHARACTERS})"
            )
        self._transcript.add((TranscriptEntry(kind=EntryKind.EVENT, text=text),))
        self._touch()
        return Notified(text)

    def record(self, script: ScriptLines) -> Recorded:
        """Have the character remember lines that were spoken without it: those of a script.

        They enter the transcript together, or none does; during an answer they come after it.

        Raises:
            InvalidFieldError: A line that the character spoke has another's name.
            LimitReachedError: The transcript is full.
            SessionClosedError: The session is closed.
        """
        self._check_open()
        lines = script.entries(self.name)
        self._transcript.add(lines)
        self._touch()
        return Recorded(lines)

    def interrupt(self, turn_id: str = "", heard_characters: int | None = None) -> list[str]:
        """Cut answers off.

        Args:
            turn_id: The turn; empty for the current one and all that wait. Also a turn that has
                been answered, but is still being heard: then `heard_characters` must be set. With
                no turn under way, an empty id and `heard_characters` mean the last answer.
            heard_characters: How many code points of the (current) answer the transcript keeps;
                None for all that was generated.

        Returns:
            The ids of the turns that were cut off. Their events end soon with `TurnInterrupted`;
            a turn that had been answered sends no more events. A restored answer without a turn has
            an empty id.

        Raises:
            InvalidFieldError: `heard_characters` is negative.
            NotFoundError: There is no such turn.
        """
        if heard_characters is not None and heard_characters < 0:
            raise InvalidFieldError("heard_characters: must be at least 0")
        turns = [turn for turn in self._turns.live if turn_id in ("", turn.id)]
        if not turns:
            if turn_id not in ("", *self._transcript.turn_ids):
                raise NotFoundError(f"turn_id: this session remembers no turn {turn_id!r}")
            if heard_characters is None:
                return []
            cut = self._transcript.cut(turn_id, heard_characters)
            return [] if cut is None else [cut]
        if heard_characters is not None:
            turns[0].heard = min(heard_characters, len(turns[0].text))
        for turn in turns:
            self._turns.cut(turn)
        return [turn.id for turn in turns]

    async def choose(
        self, question: Question, utterance: Utterance | None = None, *, remember: bool = False
    ) -> Choice:
        """Have the character choose what to say among authored texts; nothing is generated.

        Args:
            question: What there is to choose from.
            utterance: What is said to the character before; its text, speaker and id count.
            remember: Have utterance and chosen text be part of the conversation, behind the turns
                that were under way.

        Raises:
            AlreadyExistsError: The session has a turn of this id.
            InvalidFieldError: There is nothing to answer, or no room for an option.
            SessionClosedError: The session is closed.
            EngineError: The options could not be scored.
        """
        self._check_open()
        if remember:
            await self._turns.join()
            self._check_open()
        turn_id = self._new_turn_id(utterance.turn_id if utterance else "")
        said = None if utterance is None else utterance.entry(turn_id)
        heard = () if said is None else (said,)
        entries = (*self._transcript.entries, *heard)
        if not entries or entries[-1].kind is EntryKind.SPOKE:
            raise InvalidFieldError(
                "utterance: is not set, and the character spoke last: say what it chooses about"
            )
        with self.held():
            choice = await self._runner.choose(question, entries)
        if remember:
            reply = TranscriptEntry(
                kind=EntryKind.SPOKE, speaker=self.name, text=choice.text, turn_id=turn_id
            )
            self._transcript.append((*heard, reply))
            choice = replace(choice, turn_id=turn_id)
        return choice

    def played(self, model: str, end: End) -> Played:
        """Return the conversation as it was played, once it is closed.

        Args:
            model: What spoke.
            end: How it ended.
        """
        assert self.play_log is not None, "it was not recorded"
        return Played(self.config, self.play_log, model, end)

    def set_priority(self, priority: int) -> PriorityUpdated:
        """Change the priority, -100 to 100, also of the answer under way.

        Raises:
            InvalidFieldError: The priority is out of range.
            SessionClosedError: The session is closed.
        """
        self._check_open()
        if not -100 <= priority <= 100:
            raise InvalidFieldError(f"priority: is {priority} (allowed: -100 to 100)")
        self._runner.priority = priority
        if self._turns.current is not None and self._turns.current.generation is not None:
            self._turns.current.generation.set_priority(priority)
        return PriorityUpdated(priority)

    async def close(self) -> None:
        """Cut all answers off and end the session."""
        self._closed = True
        self.interrupt()
        await self._turns.join()

    def answer_action(self, action_id: str, outcome: Outcome) -> None:
        """Say what the game makes of an action that the character takes.

        Raises:
            InvalidFieldError: The text is too long.
            NotFoundError: No such action waits for an answer.
        """
        if len(outcome.text) > MAX_OUTCOME_CHARACTERS:
            raise InvalidFieldError(
                f"outcome: has {len(outcome.text)} characters (allowed: at most "
                f"{MAX_OUTCOME_CHARACTERS})"
            )
        turn = self._turns.current
        if not action_id or turn is None or not turn.answer_action(action_id, outcome):
            raise NotFoundError(f"action_id: no action {action_id!r} waits for an answer")

    def _expire(self, turn: Turn) -> None:
        if turn in self._turns.waiting:
            self.turn_log.fail(turn, DeadlineExceededError())
        self._turns.expire(turn)

    async def _answer(self, turn: Turn) -> None:
        try:
            await self._runner.answer(turn)
        finally:
            self._touch()

    def _touch(self) -> None:
        self._active_at = asyncio.get_running_loop().time()

    def _check_open(self) -> None:
        if self._closed:
            raise SessionClosedError(f"session {self.id!r} is closed: open a new one")

    def _new_turn_id(self, wanted: str) -> str:
        taken = self._transcript.turn_ids | {turn.id for turn in self._turns.live}
        if wanted in taken:
            raise AlreadyExistsError(f"turn_id: this session has a turn {wanted!r}; choose another")
        while not wanted or wanted in taken:
            self._turn_count += 1
            wanted = f"turn-{self._turn_count}"
        return wanted
