"""From what was said to a character to its line in the transcript."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

from townsfolk.dialogue.acting import Acting
from townsfolk.dialogue.actions import ActionBook, ActionCall, Outcome, possible
from townsfolk.dialogue.choice import Choice, Question
from townsfolk.dialogue.config import SessionConfig
from townsfolk.dialogue.context import ContextWindow, Fit
from townsfolk.dialogue.encoding import EncodedPrompt
from townsfolk.dialogue.errors import DialogueError
from townsfolk.dialogue.events import (
    NO_USAGE,
    ContextTrimmed,
    TurnFailed,
    TurnFinished,
    TurnInterrupted,
)
from townsfolk.dialogue.limits import MAX_EVENT_CHARACTERS
from townsfolk.dialogue.plain_prompt import PlainPrompt
from townsfolk.dialogue.play import PlayLog
from townsfolk.dialogue.prompt import opening
from townsfolk.dialogue.transcript import EntryKind, Transcript, TranscriptEntry
from townsfolk.dialogue.turn import Turn, TurnCue
from townsfolk.dialogue.turn_log import TurnLog
from townsfolk.dialogue.turn_queue import TurnQueue
from townsfolk.dialogue.voice import Voice
from townsfolk.engine.errors import EngineError
from townsfolk.engine.outputs import Completion, FinishReason
from townsfolk.grammar import GrammarFailedError, InvalidGrammarError
from townsfolk.sampling.params import InvalidSamplingError

logger = logging.getLogger(__name__)

_EXPECTED = (
    DialogueError, EngineError, GrammarFailedError, InvalidGrammarError, InvalidSamplingError,
)  # fmt: skip


class TurnRunner:
    """Answers the turns of one character.

    Attributes:
        priority: of its requests; larger goes first.
    """

    def __init__(
        self,
        config: SessionConfig,
        transcript: Transcript,
        window: ContextWindow,
        voice: Voice,
        actions: ActionBook,
        turns: TurnQueue,
        log: TurnLog,
        play: PlayLog | None = None,
    ) -> None:
        """Made by `Session`.

        Args:
            config: Who the character is.
            transcript: What it remembers, and what becomes of the turns.
            window: Makes prompts.
            voice: Has the model speak.
            actions: What the character can do.
            turns: Those that wait.
            log: Is told how turns go.
            play: Is told of actions and failures, where the conversation is recorded.
        """
        self.priority = config.priority
        self._name = config.persona.name
        self._contrast = config.contrast
        self._transcript = transcript
        self._window = window
        self._voice = voice
        self._actions = actions
        self._turns = turns
        self._log = log
        self._play = play
        self._fitting = asyncio.Lock()  # one at a time may use the window
        self._expecting: asyncio.Task[None] | None = None

    async def answer(self, turn: Turn) -> None:
        """Answer a turn; it is told of what fails, and nobody else."""
        self._transcript.ask(turn.utterance.entry(turn.id))
        record = self._log.begin(turn)
        told = self._opening(turn)
        try:
            prompt = await self._fit(turn, told)
            self._log.ask_model(record, prompt)
            # Once the request is on its way.
            asyncio.get_running_loop().call_soon(self._expect_next, told)
            speakers = self._transcript.speakers | self._turns.speakers
            turn.own_lines = self._transcript.own_lines(turn.params.repeat_window)
            completion = await self._voice.answer(
                turn, prompt, speakers, self.priority, self._acting(turn)
            )
            self._log.end(record, turn, completion)
            self._end(turn, completion)
            generated = () if completion is None else completion.token_ids
            self._window.remember(prompt, generated, self._transcript.entries)
            if turn.plain is not None and self._window.plain is not None:
                plain = turn.plain.prompt
                self._window.plain.remember(plain, generated, self._transcript.entries)
        except Exception as error:
            self._log.fail(turn, error, record)
            self._fail(turn, error)

    def reply(self, turn: Turn, text: str, *, cut: bool) -> TranscriptEntry:
        """Return the line of the transcript that answers a turn."""
        return TranscriptEntry(
            kind=EntryKind.SPOKE, speaker=self._name, text=text, cut=cut, turn_id=turn.id
        )

    def _opening(self, turn: Turn) -> tuple[TranscriptEntry, ...]:
        """Return what the model is told, and no transcript, where nothing began the turn."""
        if turn.utterance.cue is not TurnCue.NONE:
            return ()
        line = opening(self._transcript.entries)
        return () if line is None else (line,)

    async def _fit(self, turn: Turn, told: tuple[TranscriptEntry, ...]) -> EncodedPrompt:
        """Return the turn's prompt; forgets old lines when it would be too long."""
        excess = self._transcript.excess()
        entries = (*self._transcript.entries[excess:], *told)
        most = turn.params.max_new_tokens
        names = self._actions.names(turn.utterance.actions.names)
        if not self._actions.is_all(names):  # else the character knows what it can do
            hint = TranscriptEntry(kind=EntryKind.EVENT, text=possible(names))
            entries = (*entries[:-1], hint, entries[-1])
        async with self._fitting:
            fit = await _fit_in(self._window, entries, most)
            if self._contrast is not None and self._window.plain is not None:
                plain = await _fit_in(self._window.plain, entries[fit.dropped :], most)
                turn.plain = PlainPrompt(plain.prompt, len(fit.prompt), self._contrast.strength)
        # What was told beside is no line of the transcript. What is answered stays in any case.
        most_dropped = len(self._transcript.entries) - (not told)
        if dropped := min(excess + fit.dropped, most_dropped):
            turn.send(ContextTrimmed(turn.id, self._transcript.forget(dropped)))
        return fit.prompt

    def _acting(self, turn: Turn) -> Acting | None:
        """Return what the character may do in a turn."""
        names = self._actions.names(turn.utterance.actions.names)
        if not names:
            return None

        def settle(call: ActionCall, outcome: Outcome) -> str:
            line = call.told(self._name, outcome)[:MAX_EVENT_CHARACTERS]
            self._transcript.note(TranscriptEntry(kind=EntryKind.EVENT, text=line))
            if self._play is not None:
                self._play.act(turn.id, call, outcome)
            return line

        return Acting(self._actions, names, turn.utterance.actions, settle)

    async def choose(self, question: Question, entries: Sequence[TranscriptEntry]) -> Choice:
        """Have the character choose what to say behind these lines; see `Session.choose`."""
        return await self._voice.choose(
            question, lambda room: self._fitted(entries, room), self.priority
        )

    async def _fitted(self, entries: Sequence[TranscriptEntry], room: int) -> list[int]:
        async with self._fitting:
            fit = await asyncio.to_thread(self._window.fit, entries, room)
        return fit.prompt.token_ids

    def _expect_next(self, told: tuple[TranscriptEntry, ...]) -> None:
        """Prepare for the line after this answer, while the model speaks."""
        entries = (*self._transcript.entries, *told)
        if not self._window.expects(entries) and (not self._expecting or self._expecting.done()):
            self._expecting = asyncio.create_task(self._expect(entries))

    async def _expect(self, entries: Sequence[TranscriptEntry]) -> None:
        with suppress(DialogueError):  # whoever says that line is told
            await asyncio.to_thread(self._window.expect, entries)

    def _end(self, turn: Turn, completion: Completion | None) -> None:
        reason = FinishReason.INTERRUPTED if completion is None else completion.finish_reason
        usage = NO_USAGE if completion is None else completion.usage
        text = turn.text
        is_cut = reason is FinishReason.INTERRUPTED
        if turn.interrupted and turn.heard is not None and turn.heard < len(text):
            text, is_cut = text[: turn.heard], True
        looks_cut = is_cut or reason is FinishReason.DEADLINE
        if text or looks_cut:
            self._transcript.answer(self.reply(turn, text, cut=looks_cut))
        if is_cut:
            turn.send(TurnInterrupted(turn.id, text, usage))
        else:
            turn.send(TurnFinished(turn.id, text, reason, usage, turn.retries))

    def _fail(self, turn: Turn, error: Exception) -> None:
        if not isinstance(error, _EXPECTED):
            logger.exception("turn %s of %s failed", turn.id, self._turns.name)
        if self._play is not None:
            self._play.failed.append(turn.id)
        if turn.generation is not None:
            turn.generation.discard()
        if turn.text:
            reply = self.reply(turn, turn.text[: turn.heard], cut=True)
            self._transcript.answer(reply)
        else:
            self._transcript.unask()
        turn.send(TurnFailed(turn.id, error))


async def _fit_in(window: ContextWindow, entries: Sequence[TranscriptEntry], most: int) -> Fit:
    """Return a window's prompt; where that takes a while, not on the event loop: others speak."""
    fit = window.fit_at_once(entries, most)
    return fit if fit is not None else await asyncio.to_thread(window.fit, entries, most)
