"""How NPC agents in the real engine find their runtime, lose it and find it again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from godot_engine import is_alive, wait_until_gone
from godot_events import EVENT, FLAGS, GRPC_WEB, HEARD, SPOKE, drive, free_port, kinds, named, only
from runtime_process import launch_runtime
from tls_proxy import make_certificate, tls_proxy

EDGES = "".join(map(chr, range(33)))

pytestmark = pytest.mark.usefixtures("executable")


def test_wrong_token(godot, runtime):
    events = drive(godot, runtime, "wrong_token", check=False)
    assert "token" in only(events, "failed")["message"]
    assert "refuses the token" in only(events, "state")["message"]


def test_no_runtime_is_a_clear_message_and_no_freeze(godot, transport):
    events = godot.drive("npc", "no_runtime", f"127.0.0.1:{free_port()}", check=False)
    messages = [event["message"] for event in named(events, "failed")]
    assert "no-such-program" in messages[0] or "is not there" in messages[0]
    assert "is the Townsfolk runtime" in messages[1]
    assert "no runtime was started" in messages[2]
    for fallback in named(events, "fallback"):
        assert fallback["text"] == "Not now, friend."
        assert fallback["is_fallback"]
        assert fallback["error"]


def test_the_game_starts_the_runtime_and_takes_it_along(godot, model, transport):
    events = godot.drive("npc", "launched", str(model))
    turn = only(events, "turn")
    assert turn["error"] == ""
    assert turn["tokens"] == 8
    assert named(events, "progress")
    wait_until_gone(turn["pid"])


def test_games_that_share_have_one_runtime(godot, monkeypatch, tmp_path):
    monkeypatch.setenv("TOWNSFOLK_SHARED", str(tmp_path / "shared"))
    script = tmp_path / "inn.toml"
    script.write_text('[[lines]]\nsays = "We are full."', encoding="utf-8")
    with launch_runtime("--model", str(script), "--share") as launched:
        events = godot.drive("npc_connection", "launched_with_others", str(script))
        assert len(list((tmp_path / "shared").glob("*.json"))) == 1
        assert launched.process.running
    assert only(events, "turn")["text"] == "We are full."


def test_a_missing_model_is_a_clear_message(godot):
    events = godot.drive("npc", "launch_of_a_missing_model", check=False)
    assert "/no/such/model" in named(events, "failed")[0]["message"]


def test_a_killed_game_leaves_no_runtime_behind(godot, model):
    scene = "res://drivers/main.tscn"
    with godot.start(scene, "--", "npc", "launched_for_ever", str(model)) as process:
        pid = None
        for line in process.stdout:
            if '"pid"' in line:
                pid = int(line.split('"pid":')[1].split(",")[0].split("}")[0])
                break
        assert pid is not None
        assert is_alive(pid)
        process.send_signal(signal.SIGKILL)
        wait_until_gone(pid)


def test_a_runtime_killed_in_mid_reply_comes_back_with_the_conversation(godot, model, transport):
    events = godot.drive("npc", "killed_mid_reply", str(model))
    turn, waiting = only(events, "turn"), only(events, "waiting")
    assert "connection to the runtime was lost" in turn["error"]
    assert turn["text"]
    assert waiting["error"] == ""
    assert waiting["tokens"] == 8
    assert "connection_lost" in kinds(events)
    assert [e["ready"] for e in named(events, "ready_changed")][:3] == [True, False, True]
    assert only(events, "processes")["differ"]
    session = only(events, "session")
    assert session["same"]
    heard = [entry[2] for entry in session["entries"] if entry[0] == HEARD]
    assert heard == ["First.", "Second, a long one.", "Third.", "Fourth."]
    kind, name, text, cut = session["entries"][3]
    # Godot's strip_edges takes control characters for white space, which a random model writes.
    assert (kind, name, cut) == (SPOKE, "Mira", True)
    assert text.strip(EDGES) == turn["text"].strip(EDGES)
    # The game goes on drawing while the runtime starts anew.
    assert only(events, "frames")["drawn"] > 20


def test_a_cut_connection_resumes_the_session(godot, runtime):
    events = drive(godot, runtime, "connection_cut", "npc_connection")
    assert [event["resumed"] for event in named(events, "session_opened")] == [False, True]
    session = only(events, "session")
    assert len(session["entries"]) == 4
    assert session["same"]


def test_a_runtime_that_goes_while_nobody_speaks_is_missed(godot, model, transport):
    web_port = free_port()
    flags = ("--model", str(model), "--web-port", str(web_port), *FLAGS)
    with launch_runtime(*flags) as launched:
        port = web_port if transport == "grpc_web" else launched.port
        address, pid = f"{launched.address}:{port}", str(launched.process.pid)
        arguments = ("killed_while_idle", address, launched.token, pid)
        events = godot.drive("npc_connection", *arguments, check=False)
    assert len(named(events, "connection_lost")) == 1
    assert named(events, "state")


def test_who_stops_while_the_runtime_is_asked_something_has_lost_no_connection(godot, runtime):
    events = drive(godot, runtime, "stopped_while_asked", "npc_connection")
    assert all(event["calls"] > 0 for event in named(events, "asked"))
    stopped, connecting, ready = 0, 2, 3
    states = [event["state"] for event in named(events, "state")]
    assert states == [connecting, stopped, connecting, ready, stopped]
    assert [event["attempts"] for event in named(events, "stopped")] == [0, 0]
    assert not named(events, "connection_lost")


def test_a_session_that_the_runtime_forgot_goes_on(godot, model, transport):
    web_port = free_port()
    flags = ("--web-port", str(web_port), "--session-idle-timeout-s", "3")
    with launch_runtime("--model", str(model), *flags, *FLAGS) as launched:
        port = web_port if transport == "grpc_web" else launched.port
        events = drive(godot, replace(launched, port=port), "idle_for_long", "npc_connection")
    # Over HTTP/2 the open stream holds the session.
    opened = [False] if transport == "http2" else [False, False]
    assert [event["resumed"] for event in named(events, "session_opened")] == opened
    assert only(events, "turn")["error"] == ""
    heard = [e[2] for e in only(events, "session")["entries"] if e[0] in (HEARD, EVENT)]
    assert heard[0] == "First."
    assert heard[-1] == "Second."


def test_tls_by_the_settings_through_a_proxy(godot, both, tmp_path):
    """HTTP/2 needs a proxy that takes TLS off: the runtime insists on ALPN."""
    key, certificate = make_certificate(tmp_path)
    plain = both["http2"]
    with tls_proxy(f"{plain.address}:{plain.port}", key, certificate) as address:
        address = address.replace("127.0.0.1", "localhost")
        turn = only(
            godot.drive(
                "npc_connection", "settings_with_tls", address, plain.token, str(certificate)
            ),
            "turn",
        )
    assert (turn["error"], turn["tokens"]) == ("", 8)


@pytest.fixture(scope="module")
def encrypted(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """A runtime that speaks TLS itself: its addresses, its token and its certificate."""
    key, certificate = make_certificate(tmp_path_factory.mktemp("tls"))
    web_port = free_port()
    flags = ("--model", str(model), "--web-port", str(web_port), *FLAGS)
    tls = ("--tls-certificate", str(certificate), "--tls-key", str(key))
    with launch_runtime(*flags, *tls) as it:
        yield f"localhost:{it.port}", f"localhost:{web_port}", it.token, str(certificate)


def test_tls_by_the_settings_straight_to_the_runtime(godot, encrypted, monkeypatch):
    """gRPC-Web is HTTP/1.1: no ALPN, no proxy."""
    monkeypatch.setenv("TOWNSFOLK_TEST_TRANSPORT", GRPC_WEB)
    _, web_address, *more = encrypted
    turn = only(godot.drive("npc_connection", "settings_with_tls", web_address, *more), "turn")
    assert (turn["error"], turn["tokens"]) == ("", 8)


def test_tls_straight_to_the_grpc_port_is_a_clear_error(godot, encrypted):
    address, _, *more = encrypted
    events = godot.drive("npc_connection", "settings_with_tls", address, *more, check=False)
    assert only(events, "turn")["text"] == "Not now, friend."
    assert "insists on ALPN" in only(events, "state")["message"]
