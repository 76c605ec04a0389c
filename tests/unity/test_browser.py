"""gRPC-Web from a real browser: a page's `fetch` streams a reply where its origin is allowed."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue

import pytest
from grpc_web import SERVICE, frame
from runtime_process import launch_runtime
from townsfolk.v1 import dialogue_pb2, sampling_pb2, townsfolk_pb2

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
TRAILERS = 0x80
PAGE = """<!doctype html><script>
const call = async (path, body, token) => {
  const response = await fetch(path, {
    method: "POST",
    headers: {"content-type": "application/grpc-web+proto", "x-grpc-web": "1",
              "authorization": "Bearer " + token},
    body: Uint8Array.from(atob(body), c => c.charCodeAt(0)),
  });
  const chunks = [];
  const reader = response.body.getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read())
    chunks.push([performance.now(), btoa(String.fromCharCode(...next.value))]);
  return {status: response.status, chunks};
};
(async () => {
  const task = await (await fetch("/task")).json();
  const result = {};
  try {
    result.opened = await call(task.open[0], task.open[1], task.token);
    result.said = await call(task.say[0], task.say[1], task.token);
  } catch (error) {
    result.error = String(error);
  }
  await fetch("/result", {method: "POST", body: JSON.stringify(result)});
})();
</script>"""

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no browser: apt-get install chromium"),
    pytest.mark.timeout(1800),
]


class PageServer:
    """Serves the page with its task, and takes its result."""

    def __init__(self) -> None:
        self.task: dict[str, object] = {}
        self.results: Queue[dict[str, object]] = Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/task":
                    self._answer("application/json", json.dumps(page.task))
                else:
                    self._answer("text/html", PAGE)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                page.results.put(json.loads(body))
                self._answer("text/plain", "")

            def log_message(self, *_: object) -> None:
                pass

            def _answer(self, content_type: str, text: str) -> None:
                self.send_response(200)
                self.send_header("content-type", content_type)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

        return Handler


@contextmanager
def page_server() -> Iterator[PageServer]:
    server = PageServer()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def browser(url: str, profile: Path) -> Iterator[None]:
    assert BROWSER is not None
    process = subprocess.Popen(
        [
            BROWSER,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
            f"--user-data-dir={profile}",
            url,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(270)


def encoded(message: object) -> str:
    return base64.b64encode(frame(message.SerializeToString())).decode()


def task(address: str, token: str, session_id: str) -> dict[str, object]:
    """What the page does: open a session and speak in it."""
    config = dialogue_pb2.SessionConfig(
        session_id=session_id,
        persona=dialogue_pb2.Persona(name="Mara"),
        sampling=sampling_pb2.SamplingParams(min_new_tokens=30, max_new_tokens=30),
    )
    opened = townsfolk_pb2.OpenSessionRequest(open=townsfolk_pb2.OpenSession(config=config))
    said = townsfolk_pb2.SayRequest(
        session_id=session_id, utterance=dialogue_pb2.Utterance(text="Hello!")
    )
    return {
        "token": token,
        "open": [f"{address}{SERVICE}OpenSession", encoded(opened)],
        "say": [f"{address}{SERVICE}Say", encoded(said)],
    }


def frames(chunks: list[list[object]]) -> list[tuple[int, bytes]]:
    """The frames of an answer: flags and payload."""
    body = b"".join(base64.b64decode(str(chunk)) for _, chunk in chunks)
    found = []
    while body:
        length = int.from_bytes(body[1:5], "big")
        found.append((body[0], body[5 : 5 + length]))
        body = body[5 + length :]
    return found


def test_only_an_allowed_origin_may_talk(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        web_port = probe.getsockname()[1]
    with page_server() as allowed, page_server() as stranger:
        flags = ("--web-port", str(web_port), "--web-origins", allowed.origin, "--threads", "1")
        with launch_runtime(*flags) as runtime:
            address = f"http://127.0.0.1:{web_port}"
            allowed.task = task(address, runtime.token, "from-allowed")
            with browser(allowed.origin, tmp_path / "allowed"):
                result = allowed.results.get(timeout=270)
            stranger.task = task(address, runtime.token, "from-stranger")
            with browser(stranger.origin, tmp_path / "stranger"):
                refused = stranger.results.get(timeout=270)

    assert "error" not in result, result
    (_, opened), (flag, trailers) = frames(result["opened"]["chunks"])
    response = townsfolk_pb2.OpenSessionResponse.FromString(opened)
    assert response.opened.session_id == "from-allowed"
    assert flag == TRAILERS
    assert b"grpc-status: 0" in trailers.replace(b":0", b": 0")

    said = result["said"]["chunks"]
    *messages, (flag, trailers) = frames(said)
    events = [townsfolk_pb2.SayResponse.FromString(message).event for _, message in messages]
    text = "".join(event.text_delta.text for event in events if event.HasField("text_delta"))
    assert events[-1].turn_finished.text == text.strip() != ""
    assert flag == TRAILERS
    # That it comes while it is generated is a test of the service, which can wait for events; how
    # the browser hands it on depends on how busy the machine is.

    assert "Failed to fetch" in str(refused["error"])
