"""A character to talk to."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Unpack

from townsfolk.client.actions import Actions
from townsfolk.client.arguments import message
from townsfolk.client.attachment import Attachment
from townsfolk.client.choice import Choice, ChoiceOptions, choose_request
from townsfolk.client.errors import (
    FailedPreconditionError,
    RuntimeFaultError,
    RuntimeUnavailableError,
    TownsfolkError,
)
from townsfolk.client.hold import Hold
from townsfolk.client.lines import spoken
from townsfolk.client.open_turns import OpenTurns
from townsfolk.client.options import TurnOptions, utterance
from townsfolk.client.session_host import SessionHost
from townsfolk.client.stream import ANSWER_TIMEOUT_S
from townsfolk.client.transcript import Transcript
from townsfolk.client.turn import AsyncTurn
from townsfolk.v1.dialogue_pb2 import (
    ActionRequested,
    SessionConfig,
    SessionEvent,
    TranscriptEntry,
    TurnCue,
    Utterance,
)
from townsfolk.v1.townsfolk_pb2 import (
    AnswerActionRequest,
    ConverseRequest,
    Interrupt,
    RecordedLines,
)

# The most characters that a character learns of an action.
MAX_OUTCOME = 2048


class AsyncNpc:
    """A character to talk to. Several turns queue up and are answered in order.

    A turn takes options: overrides of its sampling, a deadline, a grammar, actions; see
    `TurnOptions`.

    The stream opens with the first use. When the connection or the runtime is lost, answers under
    way raise `RuntimeUnavailableError` and the next call connects again: to the session that
    waits in the runtime, or to a new one with the transcript so far.
    """

    def __init__(
        self,
        host: SessionHost,
        config: SessionConfig,
        actions: Actions | None = None,
        save_key: str = "",
    ) -> None:
        """Made by `AsyncRuntime.npc`."""
        self.save_key = save_key or config.persona.name
        """What it is called in a saved game."""
        self._actions = actions or Actions()
        self._running: set[asyncio.Task[None]] = set()  # functions of actions
        self.transcript = Transcript(config.persona.name, config.history)
        """The lines that the character remembers; `entries` is the `history` of a saved game."""
        self._host = host
        self._attachment = Attachment(self, host, config, self._follow, self._lose)
        self._turns = OpenTurns()
        self._hold = Hold()
        self._sending = asyncio.Lock()  # first come, first served: turns keep their order
        self._deliveries: dict[asyncio.Task[None], AsyncTurn] = {}

    @property
    def session_id(self) -> str:
        """The session's id; empty until it is open, unless one was chosen."""
        return self._attachment.config.session_id

    async def open(self) -> AsyncNpc:
        """Open the session now instead of with the first use; return this object.

        Raises:
            TownsfolkError: The runtime refused the session, or can't be reached.
        """
        async with self._sending:
            await self._attachment.connected()
        return self

    def say(self, text: str, speaker: str = "", **options: Unpack[TurnOptions]) -> AsyncTurn:
        """Say something to the character; iterate over the returned turn for the answer.

        Args:
            text: What is said.
            speaker: Who says it; empty means "Player".
            options: See `TurnOptions`.

        Raises:
            InvalidArgumentError: An option has a value that it can't have, or a text is none.
        """
        return self._begin(TurnCue.TURN_CUE_SAID, options, text, speaker)

    def greet(self, **options: Unpack[TurnOptions]) -> AsyncTurn:
        """Have the character speak of its own accord: first, or again; see `say` for the rest."""
        return self._begin(TurnCue.TURN_CUE_NONE, options)

    def react(self, event: str, **options: Unpack[TurnOptions]) -> AsyncTurn:
        """Have the character say something to what happens; see `say` for the rest."""
        return self._begin(TurnCue.TURN_CUE_EVENT, options, event)

    async def record(self, *lines: str | TranscriptEntry) -> None:
        """Have the character remember lines that the game's script has spoken.

        Args:
            lines: Texts that the character itself spoke, or lines of `spoken`, `heard` and
                `happened`. All of them are taken, or none.

        Raises:
            InvalidArgumentError: A line is empty or too long, or there are none.
            TownsfolkError: As `open`.
        """
        entries = [spoken(line) if isinstance(line, str) else line for line in lines]
        await self._ask(ConverseRequest(record=message(RecordedLines, lines=entries)))

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep the character busy: what it is to answer waits, and its time with it.

        An answer under way goes on; interrupt it where it is in the way. Events and recorded lines
        reach the character all the same.
        """
        self._hold.take()
        try:
            yield
        finally:
            self._hold.let_go()

    @property
    def is_busy(self) -> bool:
        """Whether anybody keeps it busy; see `busy`."""
        return self._hold.is_held

    def save(self) -> SessionConfig:
        """Return what a saved game keeps of the character, an answer under way as far as it is."""
        saved = SessionConfig()
        saved.CopyFrom(self._attachment.config)
        del saved.history[:]
        saved.history.extend(self.transcript.saved())
        return saved

    async def restore(self, history: Iterable[TranscriptEntry]) -> None:
        """Go on from the history of a saved game; the session is closed, and opens with it anew."""
        entries = [*history]
        await self.close()
        self.transcript.replace(entries)

    def _begin(
        self, cue: TurnCue, options: TurnOptions, text: str = "", speaker: str = ""
    ) -> AsyncTurn:
        turn = AsyncTurn(uuid.uuid4().hex, self.interrupt)
        said = utterance(cue, options, turn_id=turn.turn_id, text=text, speaker=speaker)
        if not self._hold.is_held:
            self._turns.start_clock(turn, said)
        delivery = asyncio.get_running_loop().create_task(self._deliver(turn, said))
        self._deliveries[delivery] = turn
        delivery.add_done_callback(self._deliveries.pop)
        return turn

    async def choose(
        self,
        options: Iterable[str],
        text: str = "",
        speaker: str = "",
        *,
        remember: bool = False,
        **how: Unpack[ChoiceOptions],
    ) -> Choice:
        """Have the character choose what to say among texts of yours; nothing is generated.

        The conversation stays as it is, unless it is to be remembered: so this also tells a mood,
        or decides what the character does.

        Args:
            options: The texts.
            text: What is said to the character before; empty: what it would say now.
            speaker: Who says it; empty means "Player".
            remember: Have what was said and the chosen text be part of the conversation.
            how: See `ChoiceOptions`.

        Raises:
            InvalidArgumentError: An option is empty or there twice, or there is nothing to answer.
            TownsfolkError: As `open`.
        """
        async with self._sending:
            await self._attachment.connected()
            request = choose_request(options, how, session_id=self.session_id, remember=remember)
            turn_id = uuid.uuid4().hex
            if text:
                said = message(Utterance, text=text, speaker=speaker, turn_id=turn_id)
                request.utterance.CopyFrom(said)
            choice = await self._host.choose(request)
        if remember:
            self.transcript.remember(choice.response.turn_id, speaker, text, choice.text)
        return choice

    async def accept(self, action_id: str, result: str = "") -> None:
        """Say that an action is done; the character learns the result.

        Of actions that are functions, the client says so itself.

        Raises:
            NotFoundError: No such action waits for an answer.
        """
        request = message(
            AnswerActionRequest, session_id=self.session_id, action_id=action_id, accept=result
        )
        await self._host.answer_action(request)

    async def reject(self, action_id: str, reason: str = "") -> None:
        """Say that an action is not done, and why; the character learns it and goes on.

        Raises:
            NotFoundError: No such action waits for an answer.
        """
        request = message(
            AnswerActionRequest, session_id=self.session_id, action_id=action_id, reject=reason
        )
        await self._host.answer_action(request)

    async def _run_action(self, request: ActionRequested) -> None:
        is_done, text = await self._actions.run(request)
        answer = self.accept if is_done else self.reject
        with suppress(TownsfolkError):  # the turn was cut off meanwhile
            await answer(request.action_id, text[:MAX_OUTCOME])

    async def notify(self, event: str) -> None:
        """Let the character learn of an event in the world, without an answer.

        Raises:
            InvalidArgumentError: The text is empty or too long.
            TownsfolkError: As `open`.
        """
        await self._ask(message(ConverseRequest, notify=event))

    async def interrupt(
        self, turn_id: str = "", heard_characters: int | None = None
    ) -> tuple[str, ...]:
        """Cut off a turn, or with no turn_id the current one and all that wait.

        An answer that is whole but not yet heard to its end can be cut, too: with
        `heard_characters` and no turn under way, the newest one is.

        Args:
            turn_id: The turn, which may be over.
            heard_characters: How much of the (current) answer was shown or heard, in Unicode code
                points: the character remembers exactly that much. None: all that was generated.

        Returns:
            The turns that were cut off, oldest first.

        Raises:
            InvalidArgumentError: `heard_characters` is negative.
            NotFoundError: The session remembers no such turn.
            TownsfolkError: As `open`.
        """
        interrupt = message(Interrupt, turn_id=turn_id, heard_characters=heard_characters)
        answer = await self._ask(ConverseRequest(interrupt=interrupt))
        turn_ids = tuple(answer.interrupted.turn_ids)
        if heard_characters is not None and turn_ids:
            self.transcript.cut(turn_ids, heard_characters)
            self._turns.cut(turn_ids[0], heard_characters)
        return turn_ids

    async def set_priority(self, priority: int) -> None:
        """Change the session's priority, -100 to 100.

        Raises:
            InvalidArgumentError: It is out of range.
            TownsfolkError: As `open`.
        """
        await self._ask(message(ConverseRequest, update_priority=priority))

    async def close(self) -> None:
        """End the session and forget it in the runtime; what was said and waits is not said.

        The next use opens it anew, with the transcript so far.
        """
        for delivery, turn in [*self._deliveries.items()]:
            turn.deliver(FailedPreconditionError("the session was closed before this was said"))
            delivery.cancel()
        async with self._sending:
            await self._attachment.close()

    async def disconnect(self) -> None:
        """Leave the stream; the session waits in the runtime to be resumed."""
        await self._attachment.leave()

    async def _deliver(self, turn: AsyncTurn, said: Utterance) -> None:
        try:
            await self._hold.over()
            if turn.expires_at is None:  # it waited for that
                self._turns.start_clock(turn, said)
            async with self._sending:
                stream = await self._attachment.connected()
                if turn.is_over:  # its time was up while the runtime was waited for
                    return
                if turn.expires_at is not None:
                    left = turn.expires_at - asyncio.get_running_loop().time()
                    said.deadline_ms = max(1, round(left * 1000))
                self._turns.add(turn)
                self.transcript.ask(said)
                await stream.send(ConverseRequest(say=said))
        except TownsfolkError as error:
            self._turns.fail(turn, error)
        except asyncio.CancelledError:
            self._turns.fail(turn, RuntimeUnavailableError("the client was closed"))
            raise
        except Exception as error:
            fault = RuntimeFaultError(f"it could not be said: {error}")
            fault.__cause__ = error
            self._turns.fail(turn, fault)

    async def _ask(self, request: ConverseRequest) -> SessionEvent:
        async with self._sending:
            stream = await self._attachment.connected()
            answer = await stream.ask(request)
        try:
            return await asyncio.wait_for(answer, ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise RuntimeUnavailableError(
                f"the runtime did not answer within {ANSWER_TIMEOUT_S:g} s"
            ) from error

    def _lose(self, reason: TownsfolkError) -> None:
        """Fail the turns whose answers won't come."""
        self.transcript.lose_connection()
        self._turns.lose(reason)

    def _follow(self, event: SessionEvent) -> None:
        """Take note of what happens."""
        self.transcript.follow(event)
        kind = event.WhichOneof("event")
        if kind == "priority_updated":
            self._attachment.config.priority = event.priority_updated.priority
        elif kind == "action_requested" and self._actions.runs(event.action_requested.name):
            running = asyncio.create_task(self._run_action(event.action_requested))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        turn_id = getattr(getattr(event, kind), "turn_id", "") if kind else ""
        self._turns.follow(kind or "", turn_id, event)

    async def __aenter__(self) -> AsyncNpc:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
