"""The routes: who may call, what is asked, and what is answered."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from townsfolk.dialogue.limits import check_length
from townsfolk.dialogue.tools import ToolReply
from townsfolk.engine.generation import Generation
from townsfolk.sampling.params import SamplingParams
from townsfolk.service import http
from townsfolk.service.gate import Gate
from townsfolk.service.http import Event, Headers, Receive, Send
from townsfolk.service.openai import responses
from townsfolk.service.openai.choices import Choices
from townsfolk.service.openai.errors import ApiError, api_error
from townsfolk.service.openai.requests import ChatRequest, CompletionRequest, choice_params
from townsfolk.service.openai.responses import ChatForm, TextForm

logger = logging.getLogger(__name__)

PREFIX = "/v1/"
_MODELS = "/v1/models"
_POSTS: dict[str, type[ChatRequest] | type[CompletionRequest]] = {
    "/v1/chat/completions": ChatRequest,
    "/v1/completions": CompletionRequest,
}
Reply = Generation | ToolReply
Submit = Callable[[SamplingParams], Reply]

_JSON: Headers = [(b"content-type", b"application/json")]
_EVENTS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
]


@dataclass(slots=True)
class _Reply:
    """The answer to one request."""

    send: Send
    cors: Headers
    started: bool = False

    async def whole(self, status: int, body: bytes, more: Headers | None = None) -> None:
        """Send all of it."""
        self.started = True
        await http.send_whole(self.send, status, body, [*_JSON, *self.cors, *(more or [])])

    async def start(self) -> None:
        """Begin a stream."""
        self.started = True
        head = [*_EVENTS, *self.cors]
        await self.send({"type": "http.response.start", "status": 200, "headers": head})

    async def write(self, data: bytes) -> None:
        """Send a piece of a stream; waits while the client reads slowly."""
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """End a stream."""
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def fail(self, error: ApiError) -> None:
        """Say what went wrong: as the answer, or as the last event of one that has begun."""
        if self.started:
            await self.write(responses.event(error.body))
            await self.end()
            return
        more: Headers = [(b"www-authenticate", b"Bearer")] if error.status == 401 else []
        await self.whole(error.status, responses.encoded(error.body), more)


class OpenAiApp:
    """The ASGI application of /v1/: JSON in, generations of the engine out."""

    def __init__(
        self, gate: Gate, token: str, origins: Collection[str], max_message_bytes: int
    ) -> None:
        """Serve what is behind the gate to who has the token, and to pages of these origins."""
        self._gate = gate
        self._expected = f"Bearer {token}".encode() if token else None
        self._origins = frozenset(origins)
        self._max_message_bytes = max_message_bytes
        self._created = int(time.time())
        self._generations: set[Reply] = set()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        headers = http.headers_of(scope)
        origin = headers.get("origin")
        if origin is not None and not self._origins & {origin, "*"}:
            error = ApiError(403, "this origin may not call; --web-origins allows it")
            await _Reply(send, []).fail(error)
            return
        reply = _Reply(send, http.cors(origin))
        if scope["method"] == "OPTIONS":
            # The clients for browsers send many headers about themselves.
            asked = headers.get("access-control-request-headers", "authorization, content-type")
            allow = http.preflight(headers, b"GET, POST", asked.encode("latin-1"))
            await http.answer(send, 204, "", reply.cors + allow)
            return
        try:
            self._check_token(headers.get("authorization", ""))
            if scope["path"] in _POSTS:
                await self._post(scope, headers, receive, reply)
            else:
                await self._get(scope, reply)
        except http.DisconnectedError:
            pass
        except Exception as error:
            await reply.fail(self._told(error, scope["path"]))

    def interrupt_all(self) -> None:
        """Cut off all answers under way: each ends with what there is of it."""
        for generation in self._generations:
            generation.cancel()

    def _check_token(self, given: str) -> None:
        if self._expected is None:
            return
        if not hmac.compare_digest(given.encode("latin-1"), self._expected):
            raise ApiError(
                401,
                'send the runtime\'s token as the header "Authorization: Bearer TOKEN", which is '
                "the API key of OpenAI's clients; the token is what --auth-token or "
                "--auth-token-file says, or stands in the ready file",
                code="invalid_api_key",
            )

    def _told(self, error: Exception, path: str) -> ApiError:
        told = api_error(error, "messages" if _POSTS.get(path) is ChatRequest else "prompt")
        if told.status == 500:
            logger.error("request failed", exc_info=error)
        return told

    async def _get(self, scope: Event, reply: _Reply) -> None:
        path = scope["path"].rstrip("/")
        if path != _MODELS and not path.startswith(f"{_MODELS}/"):
            raise ApiError(404, f"there is no {scope['path']} here", code="unknown_url")
        if scope["method"] != "GET":
            raise ApiError(405, f"{path} is for GET", code="method_not_allowed")
        served = await self._served()
        if path == _MODELS:
            models = [responses.model_fields(name, self._created) for name in served]
            fields = {"object": "list", "data": models}
        else:
            name = path.removeprefix(f"{_MODELS}/")
            self._check_model(name, served)
            fields = responses.model_fields(name, self._created)
        await reply.whole(200, responses.encoded(fields))

    async def _served(self) -> list[str]:
        """Return what `model` may be: the model's name, and those of adapters."""
        engine = self._gate.backend.engine
        adapters = await asyncio.to_thread(engine.adapters.list)
        return [engine.info.model, *(info.name for info in adapters)]

    def _check_model(self, given: str, served: Sequence[str]) -> None:
        if given not in served:
            shown = ", ".join(map(repr, served))
            raise ApiError(
                404,
                f"model: {given[:200]!r} is not served here; this runtime has {shown}",
                param="model",
                code="model_not_found",
            )

    async def _adapter(self, given: str) -> str:
        """Return the adapter that a request's `model` names, loaded; empty for the model alone."""
        engine = self._gate.backend.engine
        if given == engine.info.model:
            return ""
        self._check_model(given, await self._served())
        await engine.adapters.need(given)
        return given

    async def _post(
        self, scope: Event, headers: dict[str, str], receive: Receive, reply: _Reply
    ) -> None:
        if scope["method"] != "POST":
            raise ApiError(405, f"{scope['path']} is for POST", code="method_not_allowed")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise ApiError(415, "the content type must be application/json")
        try:
            body = await http.read_body(receive, self._max_message_bytes)
        except TimeoutError:
            raise ApiError(408, f"the request took more than {http.BODY_S:g} s to arrive") from None
        if body is None:
            raise ApiError(
                413,
                "the request is larger than this runtime's limit of "
                f"{self._max_message_bytes} bytes; shorten it or raise --max-message-bytes",
            )
        request = _POSTS[scope["path"]].model_validate_json(body)
        await http.while_connected(receive, self._answer(request, reply))

    async def _answer(self, request: ChatRequest | CompletionRequest, reply: _Reply) -> None:
        self._gate.check_open()
        adapter = await self._adapter(request.model)
        self._gate.check_open()
        tokenizer = self._gate.backend.tokenizer
        form = ChatForm if isinstance(request, ChatRequest) else TextForm
        wants_logprobs = request.logprobs is not None and request.logprobs is not False
        make_form = partial(form, tokenizer, wants_logprobs)
        choices = Choices(request.n, request.model, tokenizer, make_form)
        self._gate.begin(choices)
        try:
            await self._submit(request, choices.generations, adapter)
            if request.stream:
                await reply.start()
                await choices.stream(reply.write, counts=request.includes_usage)
                await reply.write(responses.DONE)
                await reply.end()
            else:
                await reply.whole(200, await choices.whole())
        finally:
            for generation in choices.generations:
                generation.discard()
                self._generations.discard(generation)
            self._gate.end(choices)

    async def _submit(
        self, request: ChatRequest | CompletionRequest, generations: list[Reply], adapter: str
    ) -> None:
        """Begin all choices, with an adapter if there is one; all that began are in the list."""
        backend = self._gate.backend
        engine, context = backend.engine, backend.engine.info.context_length
        params = request.params(engine.default_params, context)
        begin = partial(self._begin, generations, params, request.n)
        if isinstance(request, ChatRequest):
            chat, tools = backend.sessions.chat.by(adapter), request.callable
            box = chat.toolbox(tools, required=request.must_call)
            messages = [each.message(box) for each in request.messages]
            if tools:
                messages = [{"role": "system", "content": box.text}, *messages]
            wanted = None if request.response_format is None else request.response_format.grammar
            if tools:
                wanted = box.grammar
            grammar = None if wanted is None else await engine.compile(wanted)
            characters = sum(len(each["content"]) for each in messages)
            prompt_ids = await backend.encoding.run(characters, chat.encode, messages)
            self._gate.check_open()
            if tools:
                assert grammar is not None
                calls = grammar
                begin(lambda each: chat.submit_with_tools(prompt_ids, each, box, calls))
            else:
                begin(lambda each: chat.submit(prompt_ids, each, grammar))
            return
        for prompt in request.prompt:
            if isinstance(prompt, str):
                check_length("prompt: it", len(prompt), context)
                ids = await backend.encoding.run(len(prompt), engine.encode, prompt)
            else:
                ids = prompt
            self._gate.check_open()
            begin(partial(engine.submit, ids, adapter=adapter))

    def _begin(
        self,
        generations: list[Reply],
        params: SamplingParams,
        n: int,
        submit: Submit,
    ) -> None:
        for index in range(n):
            generation = submit(choice_params(params, index))
            generations.append(generation)
            self._generations.add(generation)
