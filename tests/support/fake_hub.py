"""A web server on this machine that speaks as much of the hub's protocol as downloads need."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def git_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@dataclass
class FakeRepository:
    """What the hub has, and how it misbehaves.

    Attributes:
        files: by name; those of weights are large ones, with a SHA-256.
        gated: whether it wants a login.
        breaks_after: bytes after which the connection of a download ends, once each.
        garbled: names of files of which other bytes are sent than are promised.
        ignores_ranges: whether a download always begins at the beginning.
    """

    files: dict[str, bytes]
    gated: bool = False
    breaks_after: list[int] = field(default_factory=list)
    garbled: set[str] = field(default_factory=set)
    ignores_ranges: bool = False


class FakeHub(ThreadingHTTPServer):
    """The server.

    Attributes:
        repositories: by owner/name.
        asked: what was asked: "METHOD path", with the range if there was one.
    """

    daemon_threads = True

    def __init__(self, repositories: Mapping[str, FakeRepository]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = dict(repositories)
        self.asked: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def downloads(self, name: str) -> list[str]:
        """The requests for the bytes of a file."""
        return [line for line in self.asked if line.startswith("GET") and f"/{name}" in line]


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer_file()

    def do_GET(self):
        path = unquote(self.path.split("?")[0])
        info = re.fullmatch(r"/api/models/([^/]+/[^/]+)(/tree/.+)?", path)
        if info is None:
            return self._answer_file()
        self.server.asked.append(f"GET {path}")
        repository = self.server.repositories.get(info[1])
        if repository is None:
            return self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        return self._answer(200, json.dumps(_described(info[1], repository)).encode())

    def _answer_file(self):
        path = unquote(self.path.split("?")[0])
        asked_range = self.headers.get("Range")
        self.server.asked.append(f"{self.command} {path} {asked_range or ''}".rstrip())
        match = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        repository = self.server.repositories.get(match[1]) if match else None
        if repository is None:
            return self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        if repository.gated:
            return self._answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
        if match[3] not in repository.files:
            return self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        return self._send(repository, match[3], asked_range)

    def _send(self, repository, name, asked_range):
        data = repository.files[name]
        tag = sha256(data) if _is_large(name) else git_id(data)
        headers = {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{tag}"',
            "X-Linked-Size": str(len(data)),
        }
        if name in repository.garbled:
            data = bytes([data[0] ^ 1]) + data[1:]
        first, status = 0, 200
        if asked_range and not repository.ignores_ranges:
            first, status = int(re.match(r"bytes=(\d+)-", asked_range)[1]), 206
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
        body = data[first:]
        sent = None
        if self.command == "GET" and _is_large(name) and repository.breaks_after:
            sent = repository.breaks_after.pop(0)
        return self._answer(status, body, headers, sent)

    def _answer(self, status, body, headers=None, sent=None):
        """Answer with a body, or with the beginning of it and a broken connection."""
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body if sent is None else body[:sent])
        if sent is not None:
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)

    def log_message(self, *args):
        pass


def _is_large(name: str) -> bool:
    return name.endswith((".gguf", ".safetensors"))


def _described(name: str, repository: FakeRepository) -> dict:
    siblings = []
    for path, data in repository.files.items():
        sibling = {"rfilename": path, "size": len(data), "blobId": git_id(data)}
        if _is_large(path):
            sibling["lfs"] = {"sha256": sha256(data), "size": len(data), "pointerSize": 130}
        siblings.append(sibling)
    return {"id": name, "sha": COMMIT, "siblings": siblings, "gated": repository.gated}


@contextmanager
def serving(repositories: Mapping[str, FakeRepository]) -> Iterator[FakeHub]:
    """A hub that serves these until the block ends."""
    server = FakeHub(repositories)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def use(monkeypatch, server: FakeHub, home) -> None:
    """Have the hub's library of this process talk to the server, and keep its files in `home`."""
    from huggingface_hub import constants

    for module in [name for name in sys.modules if name.startswith("huggingface_hub")]:
        for attribute in ("ENDPOINT", "HUGGINGFACE_CO_URL_HOME"):
            if hasattr(sys.modules[module], attribute):
                monkeypatch.setattr(sys.modules[module], attribute, server.endpoint)
    template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("TOWNSFOLK_MODELS", str(home / "models"))


def environment(server: FakeHub, home) -> dict[str, str]:
    """What a process of its own needs to do the same."""
    return {
        "HF_ENDPOINT": server.endpoint,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOWNSFOLK_MODELS": str(home / "models"),
    }
