# ruff: noqa: D102, N802 (names and meanings of the methods are the contract's)
"""The methods of TownsfolkService: each translates a request, calls, and translates the answer.

What they raise becomes the call's status in calls.py. Streaming methods write to the context
instead of yielding: so a cancelled call is cancelled inside the method, whose `finally` runs then
and not when a generator happens to be collected.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

from townsfolk.dialogue.choice import decide
from townsfolk.dialogue.limits import check_length
from townsfolk.engine.generation import Generation
from townsfolk.engine.scoring import score
from townsfolk.grammar import CompiledGrammar
from townsfolk.service.calls import Context, writer
from townsfolk.service.converse import Conversation, need_adapter, open_session
from townsfolk.service.errors import InvalidRequestError
from townsfolk.service.gate import Gate
from townsfolk.service.messages import (
    choices,
    completions,
    episodes,
    events,
    inspection,
    sampling,
    turns,
)
from townsfolk.service.messages.adapters import adapter_message
from townsfolk.service.messages.frames import frame_report
from townsfolk.service.messages.info import info_message
from townsfolk.service.messages.sessions import (
    checked_lore,
    script_lines,
    session_config_message,
    summary_message,
)
from townsfolk.service.messages.stats import stats_message
from townsfolk.service.settings import ServiceSettings
from townsfolk.v1 import episode_pb2 as play
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.sampling_pb2 import Grammar

STATS_INTERVAL_MS = 1000
MIN_STATS_INTERVAL_MS = 50
MAX_STATS_INTERVAL_MS = 60_000


class TownsfolkServicer:
    """The one servicer; gRPC-Web reaches it through the gRPC server too."""

    def __init__(self, gate: Gate, settings: ServiceSettings) -> None:
        """Serve what is behind the gate, once it is open."""
        self._gate = gate
        self._settings = settings
        self._generations: set[Generation] = set()

    async def Converse(self, requests: AsyncIterator[pb.ConverseRequest], context: Context) -> None:
        await Conversation(self._gate, requests, writer(context)).run()

    async def OpenSession(
        self, request: pb.OpenSessionRequest, _: Context
    ) -> pb.OpenSessionResponse:
        self._gate.check_open()
        _session, opened = await open_session(self._gate, request.open)
        return pb.OpenSessionResponse(opened=events.opened_message(opened))

    async def Say(self, request: pb.SayRequest, context: Context) -> None:
        backend = self._gate.backend
        self._gate.check_open()
        session = backend.sessions.get(request.session_id)
        write = writer(context)
        utterance = turns.utterance(request.utterance)
        await self._compiled(
            request.utterance.grammar
        )  # what is wrong with it is the call's status
        turn = session.say(utterance)
        self._gate.begin(turn)
        try:
            with session.held():
                async for event in turn:
                    message = pb.SayResponse()
                    events.write_event(message.event, event, backend.tokenizer)
                    await write(message)
        finally:
            turn.interrupt()
            self._gate.end(turn)

    async def InterruptSession(
        self, request: pb.InterruptSessionRequest, _: Context
    ) -> pb.InterruptSessionResponse:
        session = self._gate.backend.sessions.get(request.session_id)
        turn_ids = session.interrupt(*turns.interruption(request.interrupt))
        return pb.InterruptSessionResponse(turn_ids=turn_ids)

    async def AnswerAction(
        self, request: pb.AnswerActionRequest, _: Context
    ) -> pb.AnswerActionResponse:
        session = self._gate.backend.sessions.get(request.session_id)
        session.answer_action(request.action_id, turns.outcome(request))
        return pb.AnswerActionResponse()

    async def NotifySession(
        self, request: pb.NotifySessionRequest, _: Context
    ) -> pb.NotifySessionResponse:
        self._gate.backend.sessions.get(request.session_id).notify(request.text)
        return pb.NotifySessionResponse()

    async def RecordLines(
        self, request: pb.RecordLinesRequest, _: Context
    ) -> pb.RecordLinesResponse:
        session = self._gate.backend.sessions.get(request.session_id)
        recorded = session.record(script_lines(request.recorded))
        return pb.RecordLinesResponse(recorded=events.recorded_message(recorded))

    async def UpdateSession(
        self, request: pb.UpdateSessionRequest, _: Context
    ) -> pb.UpdateSessionResponse:
        session = self._gate.backend.sessions.get(request.session_id)
        if not request.HasField("priority"):
            raise InvalidRequestError("priority: is not set (allowed: -100 to 100)")
        session.set_priority(request.priority)
        return pb.UpdateSessionResponse()

    async def GetSession(self, request: pb.GetSessionRequest, _: Context) -> pb.GetSessionResponse:
        session = self._gate.backend.sessions.get(request.session_id)
        return pb.GetSessionResponse(
            config=session_config_message(session.config),
            current_turn_id=session.current_turn_id,
            queued_turns=session.queued_turns,
        )

    async def ListSessions(
        self, request: pb.ListSessionsRequest, _: Context
    ) -> pb.ListSessionsResponse:
        sessions = self._gate.backend.sessions.list()
        return pb.ListSessionsResponse(sessions=map(summary_message, sessions))

    async def InspectSession(
        self, request: pb.InspectSessionRequest, _: Context
    ) -> pb.InspectSessionResponse:
        backend = self._gate.backend
        session = backend.sessions.get(request.session_id)
        response = inspection.session_message(session)
        if request.with_prompt and session.turn_log.prompt is not None:
            turn, prompt = session.turn_log.prompt
            # Not here: others speak, and a prompt is long.
            report = await backend.encoding.run(
                4 * len(prompt),
                lambda: inspection.prompt_message(turn, prompt.token_ids, backend.tokenizer),
            )
            response.prompt.CopyFrom(report)
        return response

    async def ListErrors(self, _request: pb.ListErrorsRequest, _: Context) -> pb.ListErrorsResponse:
        return pb.ListErrorsResponse(errors=map(inspection.error_message, self._gate.errors))

    async def CloseSession(
        self, request: pb.CloseSessionRequest, _: Context
    ) -> pb.CloseSessionResponse:
        await self._gate.backend.sessions.close(request.session_id)
        return pb.CloseSessionResponse()

    async def RegisterLore(
        self, request: pb.RegisterLoreRequest, _: Context
    ) -> pb.RegisterLoreResponse:
        backend, lore = self._gate.backend, checked_lore(request.lore)
        backend.sessions.register_lore(lore)
        # Not here: others speak, and lore is long.
        encode = backend.tokenizer.encode
        token_ids = await backend.encoding.run(len(lore.text), encode, lore.text)
        return pb.RegisterLoreResponse(tokens=len(token_ids))

    async def RemoveLore(self, request: pb.RemoveLoreRequest, _: Context) -> pb.RemoveLoreResponse:
        self._gate.backend.sessions.remove_lore(request.lore_id)
        return pb.RemoveLoreResponse()

    async def Generate(self, request: pb.GenerateRequest, context: Context) -> None:
        backend = self._gate.backend
        self._gate.check_open()
        match request.WhichOneof("prompt"):
            case "text":
                prompt = await self._encoded(request.text)
            case "token_ids":
                prompt = list(request.token_ids.ids)
            case _:
                raise InvalidRequestError("prompt: set text or token_ids")
        grammar = await self._compiled(request.grammar)
        await need_adapter(self._gate, request.adapter)
        self._gate.check_open()
        generation = backend.engine.submit(
            prompt,
            sampling.overrides(request.sampling).over(backend.engine.default_params),
            priority=request.priority,
            echo=request.echo,
            grammar=grammar,
            adapter=request.adapter,
        )
        write = writer(context)
        self._gate.begin(generation)
        self._generations.add(generation)
        try:
            echoed = not request.echo
            async for delta in generation:
                if not echoed:
                    await write(completions.echo_message(generation, backend.tokenizer))
                    echoed = True
                await write(completions.text_message(delta, backend.tokenizer))
            if not echoed:
                await write(completions.echo_message(generation, backend.tokenizer))
            assert generation.completion is not None
            await write(completions.finished_message(generation.completion))
        finally:
            generation.cancel()
            self._generations.discard(generation)
            self._gate.end(generation)

    async def _compiled(self, message: Grammar) -> CompiledGrammar | None:
        grammar = sampling.grammar(message)
        return None if grammar is None else await self._gate.backend.engine.compile(grammar)

    async def Choose(self, request: pb.ChooseRequest, _: Context) -> pb.ChooseResponse:
        backend = self._gate.backend
        self._gate.check_open()
        question = choices.question(request)
        match request.WhichOneof("subject"):
            case "session_id":
                if request.adapter:
                    raise InvalidRequestError("adapter: a character chooses with its own")
                utterance = choices.asked(request)
                session = backend.sessions.get(request.session_id)
                choice = await session.choose(question, utterance, remember=request.remember)
                return choices.choice_message(choice)
            case "text":
                prompt = await self._encoded(request.text)
            case "token_ids":
                prompt = list(request.token_ids.ids)
            case _:
                raise InvalidRequestError("subject: set session_id, text or token_ids")
        if request.remember or request.HasField("utterance"):
            raise InvalidRequestError("utterance, remember: mean nothing without a session")
        encode = backend.tokenizer.encode
        options = [encode(text, continues=True) for text in question.options]
        await need_adapter(self._gate, request.adapter)
        scored = await score(
            backend.engine,
            prompt,
            options,
            priority=request.priority,
            adapter=request.adapter,
        )
        return choices.choice_message(decide(question, len(prompt), scored))

    async def _encoded(self, text: str) -> list[int]:
        """Return a prompt's tokens."""
        engine = self._gate.backend.engine
        check_length("text: the prompt", len(text), engine.info.context_length)
        return await self._gate.backend.encoding.run(len(text), engine.encode, text)

    async def GetRuntimeInfo(
        self, request: pb.GetRuntimeInfoRequest, _: Context
    ) -> pb.GetRuntimeInfoResponse:
        engine = self._gate.backend.engine
        return info_message(engine.info, engine.stats(), self._settings)

    async def WatchStats(self, request: pb.WatchStatsRequest, context: Context) -> None:
        backend = self._gate.backend
        interval = request.interval_ms if request.HasField("interval_ms") else STATS_INTERVAL_MS
        if not MIN_STATS_INTERVAL_MS <= interval <= MAX_STATS_INTERVAL_MS:
            raise InvalidRequestError(
                f"interval_ms: is {interval} "
                f"(allowed: {MIN_STATS_INTERVAL_MS} to {MAX_STATS_INTERVAL_MS})"
            )
        write = writer(context)
        stats = stats_message(backend.engine.stats(), len(backend.sessions))
        while True:
            self._gate.check_open()
            await write(stats)
            before, reported_at = stats.generated_tokens_total, time.monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gate.closing.wait(), interval / 1000)
            stats = stats_message(backend.engine.stats(), len(backend.sessions))
            generated = stats.generated_tokens_total - before
            stats.tokens_per_second = generated / (time.monotonic() - reported_at)

    async def ReportFrames(
        self, request: pb.ReportFramesRequest, _: Context
    ) -> pb.ReportFramesResponse:
        report = frame_report(request, time.monotonic())
        self._gate.backend.engine.report_frames(report)
        return pb.ReportFramesResponse()

    async def Release(self, request: pb.ReleaseRequest, _: Context) -> pb.ReleaseResponse:
        engine = self._gate.backend.engine
        await engine.release(until_warm=request.until_warm)
        return pb.ReleaseResponse(memory_used_mib=engine.stats().memory_used_mib)

    async def Warm(self, _request: pb.WarmRequest, _: Context) -> pb.WarmResponse:
        self._gate.check_open()
        engine = self._gate.backend.engine
        await engine.warm()
        return pb.WarmResponse(memory_used_mib=engine.stats().memory_used_mib)

    async def LoadAdapter(
        self, request: pb.LoadAdapterRequest, _: Context
    ) -> pb.LoadAdapterResponse:
        self._gate.check_open()
        info = await self._gate.backend.engine.adapters.load(_adapter_name(request))
        return pb.LoadAdapterResponse(adapter=adapter_message(info))

    async def UnloadAdapter(
        self, request: pb.UnloadAdapterRequest, _: Context
    ) -> pb.UnloadAdapterResponse:
        await self._gate.backend.engine.adapters.unload(_adapter_name(request))
        return pb.UnloadAdapterResponse()

    async def ListAdapters(
        self, request: pb.ListAdaptersRequest, _: Context
    ) -> pb.ListAdaptersResponse:
        found = await asyncio.to_thread(self._gate.backend.engine.adapters.list)
        return pb.ListAdaptersResponse(adapters=map(adapter_message, found))

    async def OpenEpisode(
        self, request: play.OpenEpisodeRequest, _: Context
    ) -> play.OpenEpisodeResponse:
        self._gate.check_open()
        backend, config = self._gate.backend, episodes.episode_config(request.config)
        characters = backend.sessions.characters(config.session)
        window = await backend.encoding.run(characters, backend.sessions.window, config.session)
        await need_adapter(self._gate, config.session.adapter)
        self._gate.check_open()
        episode = backend.episodes.open(config, window)
        return play.OpenEpisodeResponse(episode_id=episode.session.id)

    async def Act(self, request: play.ActRequest, _: Context) -> play.ActResponse:
        self._gate.check_open()
        seen = episodes.observation(request.observation)
        self._gate.begin(seen)
        try:
            act = await self._gate.backend.episodes.act(request.episode_id, seen)
        finally:
            self._gate.end(seen)
        return play.ActResponse(act=episodes.act_message(act))

    async def RewardEpisode(
        self, request: play.RewardEpisodeRequest, _: Context
    ) -> play.RewardEpisodeResponse:
        self._gate.backend.episodes.reward(request.episode_id, request.value)
        return play.RewardEpisodeResponse()

    async def EndEpisode(
        self, request: play.EndEpisodeRequest, _: Context
    ) -> play.EndEpisodeResponse:
        played = await self._gate.backend.episodes.end(
            request.episode_id, truncated=request.truncated, drop=request.drop
        )
        return play.EndEpisodeResponse(reward=played.reward)

    async def TakeEpisodes(
        self, request: play.TakeEpisodesRequest, _: Context
    ) -> play.TakeEpisodesResponse:
        most, wait_s = episodes.wanted(request)
        taken, left = await self._gate.backend.episodes.take(
            request.task, most, wait_s, episodes.MAX_TAKEN_TOKENS
        )
        return play.TakeEpisodesResponse(
            episodes=map(episodes.trajectory_message, taken), left=left
        )

    def stats(self) -> pb.WatchStatsResponse | None:
        """Return the counters as they are now, from any thread; None while the model loads."""
        if not self._gate.loaded:
            return None
        backend = self._gate.backend
        return stats_message(backend.engine.stats(), len(backend.sessions))

    def interrupt_all(self) -> None:
        """Cut off all answers under way: each ends with what there is of it."""
        for generation in self._generations:
            generation.cancel()
        if self._gate.loaded:
            for session in self._gate.backend.sessions.list():
                session.interrupt()


def _adapter_name(request: pb.LoadAdapterRequest | pb.UnloadAdapterRequest) -> str:
    if not request.name:
        raise InvalidRequestError("name: is empty (allowed: that of an adapter)")
    return request.name
