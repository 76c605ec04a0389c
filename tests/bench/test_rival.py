"""Another program that computes beside frames."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import psutil
import pytest
from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.rival import Rival
from townsfolk.bench.rival_talk import RivalTalk

LASTS = f"{sys.executable} -c 'import time; time.sleep(600)'"


def test_it_runs_meanwhile_and_not_afterwards():
    with Rival(LASTS, 0.01) as rival:
        process = rival._process
        assert process.poll() is None
    assert not psutil.pid_exists(process.pid)


def test_one_that_ends_before_the_measurement_is_told():
    rival = Rival(f"{sys.executable} -c 'raise SystemExit(3)'", 0.0)

    def measure():
        with rival:
            rival._process.wait()

    with pytest.raises(MeasurementError, match="status 3"):
        measure()


@pytest.mark.parametrize(
    ("command", "reason"),
    [("", "empty"), ("'", "no command"), ("no-such-program-here", "can't be started")],
)
def test_what_is_no_command_is_refused(command, reason):
    with pytest.raises(MeasurementError, match=reason), Rival(command, 0.0):
        pass


class Server(BaseHTTPRequestHandler):
    """Streams an answer in pieces, as servers with OpenAI's interface do."""

    asked: ClassVar[list[dict]]
    events: ClassVar[list[dict]]
    status = 200

    def do_GET(self):
        self._begin()

    def do_POST(self):
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._begin()
        for event in self.events:
            self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
        self.wfile.write(b"data: [DONE]\n\n")

    def _begin(self):
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    class Own(Server):
        asked: ClassVar[list[dict]] = []
        events: ClassVar[list[dict]] = [
            {"choices": [{"delta": {"role": "assistant", "content": None}}]},
            {"choices": [{"delta": {"content": "Well"}}]},
            {"choices": [{"delta": {"content": " met."}}]},
            {"choices": [], "usage": {"completion_tokens": 3}},
        ]

    http = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield Own, f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


def test_talk_with_a_rival_remembers_what_was_said_and_times_it(server):
    own, url = server
    talk = RivalTalk(url, "You are Mara.", 64)
    assert talk.is_ready()
    heard = talk.say("Hello!")
    talk.say("And now?")
    assert heard.first_s > 0
    assert heard.rate > 0
    assert [each["max_tokens"] for each in own.asked] == [64, 64]
    assert [(each["role"], each["content"]) for each in own.asked[1]["messages"]] == [
        ("system", "You are Mara."),
        ("user", "Hello!"),
        ("assistant", "Well met."),
        ("user", "And now?"),
    ]


def test_a_rival_that_refuses_or_says_nothing_is_told_of(server):
    own, url = server
    own.events = []
    with pytest.raises(MeasurementError, match="nothing"):
        RivalTalk(url, "", 1).say("Hello!")
    own.status = 503
    assert not RivalTalk(url, "", 1).is_ready()
    with pytest.raises(MeasurementError, match="503"):
        RivalTalk(url, "", 1).say("Hello!")


def test_a_rival_that_does_not_serve_in_time_is_ended():
    rival = Rival(LASTS, 0.3, "http://127.0.0.1:9")
    with pytest.raises(MeasurementError, match="does not serve"), rival:
        pass
    assert rival._process.poll() is not None


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "https://here", "http://"])
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(MeasurementError, match="--rival-url"):
        RivalTalk(url, "", 1)
