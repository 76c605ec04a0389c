"""Talk with a character of another server, by OpenAI's interface, as with ours."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from townsfolk.bench.answer import MeasurementError

_TIMEOUT_S = 60.0
_END = "[DONE]"


@dataclass(frozen=True, slots=True)
class Heard:
    """How an answer came to the one who asked.

    Attributes:
        first_s: seconds until its first words.
        rate: tokens after the first, for each second after the first.
    """

    first_s: float
    rate: float


class RivalTalk:
    """A conversation with a server that has OpenAI's chat completions, such as llama.cpp's."""

    def __init__(self, url: str, persona: str, reply: int) -> None:
        """Begin one; nothing is sent yet.

        Args:
            url: of the server, such as http://127.0.0.1:8080.
            persona: whom it plays.
            reply: tokens of each answer.

        Raises:
            MeasurementError: that is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise MeasurementError(f"--rival-url: {url!r} is none such as http://127.0.0.1:8080")
        self._address = parts.hostname, parts.port or 80
        self._reply = reply
        self._messages = [{"role": "system", "content": persona}]

    def is_ready(self) -> bool:
        """Return whether the server is there, with its model."""
        try:
            connection = self._connect()
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False

    def say(self, text: str) -> Heard:
        """Say something and wait for the whole answer, which is remembered.

        Raises:
            MeasurementError: there was none; the message says what the server said.
        """
        self._messages.append({"role": "user", "content": text})
        asked = {
            "messages": self._messages,
            "max_tokens": self._reply,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        begin, answered, arrivals = time.perf_counter(), "", []
        tokens = self._reply
        for event in self._events(asked):
            piece = event["choices"][0]["delta"].get("content") if event["choices"] else None
            if piece:
                arrivals.append(time.perf_counter())
                answered += piece
            tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
        if not arrivals:
            raise MeasurementError("the rival's server answered nothing")
        self._messages.append({"role": "assistant", "content": answered})
        spoken = arrivals[-1] - arrivals[0]
        return Heard(arrivals[0] - begin, (tokens - 1) / spoken if spoken else 0.0)

    def _events(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what the server sends, as it comes."""
        try:
            connection = self._connect()
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/v1/chat/completions", json.dumps(asked), headers)
            response = connection.getresponse()
            if response.status != http.client.OK:
                told = response.read(500).decode("utf-8", "replace")
                raise MeasurementError(f"the rival's server said {response.status}: {told}")
            for line in response:
                data = line.decode("utf-8").removeprefix("data:").strip()
                if data == _END:
                    break
                if line.startswith(b"data:"):
                    yield json.loads(data)
            connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise MeasurementError(f"the rival's server can't be talked to: {error}") from error

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
