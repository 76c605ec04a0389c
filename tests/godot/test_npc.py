"""NPC agents in the real engine against a real runtime."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chat_models import write_model
from godot_engine import is_alive, wait_until_gone
from runtime_process import LaunchedRuntime, launch_runtime
from tls_proxy import make_certificate, tls_proxy

HEARD, SPOKE, EVENT = 1, 2, 3
EDGES = "".join(map(chr, range(33)))
GRPC_WEB = "2"  # of the project setting townsfolk/connection/transport
TOWNSFOLK = Path(os.sys.executable).with_name("townsfolk")
FLAGS = ("--device", "cpu", "--threads", "1", "--kv-memory-mib", "64", "--max-batch", "32")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model: it says nonsense, but as fast as the transport must stand."""
    return write_model(tmp_path_factory.mktemp("model"), "llama3")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def both(model: Path) -> Iterator[dict[str, LaunchedRuntime]]:
    """One runtime, as each transport reaches it."""
    web_port = free_port()
    flags = ("--model", str(model), "--web-port", str(web_port), *FLAGS)
    with launch_runtime(*flags) as launched:
        yield {"http2": launched, "grpc_web": replace(launched, port=web_port)}


@pytest.fixture(params=["http2", "grpc_web"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make the test run over both transports."""
    if request.param == "grpc_web":
        monkeypatch.setenv("TOWNSFOLK_TEST_TRANSPORT", GRPC_WEB)
    return request.param


@pytest.fixture
def runtime(both: dict[str, LaunchedRuntime], transport: str) -> LaunchedRuntime:
    return both[transport]


@pytest.fixture(autouse=True)
def executable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWNSFOLK_EXECUTABLE", str(TOWNSFOLK))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def drive(godot, runtime: LaunchedRuntime, scenario: str, driver: str = "npc", **options):
    address = f"{runtime.address}:{runtime.port}"
    return godot.drive(driver, scenario, address, runtime.token, **options)


def test_the_runtime_is_told_of_frames(godot, runtime):
    events = drive(godot, runtime, "frames", "pacing")
    assert kinds(events)[-3:] == ["paced", "unpaced", "paced again"]
    paced = only(events, "paced")
    assert paced["policy"] == 1
    assert paced["error"] == ""
    assert 1 <= paced["frame"] <= 1000


def test_the_model_is_released_and_warmed(godot, runtime):
    events = drive(godot, runtime, "release_and_warm", "pacing")
    assert only(events, "early")["error"] != ""
    assert only(events, "released")["error"] == ""
    assert only(events, "model") == {"event": "model", "state": 2, "done": False}
    assert only(events, "warm")["error"] == ""
    assert only(events, "turn")["error"] == ""


def named(events, *names: str):
    return [event for event in events if event["event"] in names]


def only(events, name: str):
    [event] = named(events, name)
    return event


def kinds(events, *, without: tuple[str, ...] = ("text", "sentence")):
    return [event["event"] for event in events if event["event"] not in without]


def test_one_npc(godot, runtime):
    events = drive(godot, runtime, "one_npc")
    turn = only(events, "turn")
    assert only(events, "said")["done"] is False
    assert turn["text"]
    assert turn["again"]
    assert turn["error"] == ""
    assert turn["tokens"] == 12
    assert turn["ttft"] > 0
    streamed = "".join(event["text"] for event in named(events, "text"))
    assert streamed == turn["text"]
    assert [event["text"] for event in named(events, "sentence")] == turn["sentences"]
    assert kinds(named(events, "thinking_started", "reply_finished", "failed")) == [
        "thinking_started",
        "reply_finished",
    ]
    heard, spoke = only(events, "transcript")["entries"]
    assert (heard["speaker"], heard["text"]) == ("Anna", "Good evening!")
    assert (spoke["speaker"], spoke["text"], spoke["cut"]) == ("Mira", turn["text"], False)


def test_an_answer_is_what_its_grammar_says_and_a_choice_among_texts(godot, runtime):
    events = drive(godot, runtime, "grammars_and_choices")
    data = only(events, "data")
    assert data["value"]["mood"] in ("calm", "angry"), data
    assert data["value"].keys() == {"mood", "gold"}
    assert data["sentences"] == []
    assert only(events, "chosen")["text"] in ("Aye.", "Never!")
    assert "unclosed group" in only(events, "refused")["error"]
    mood = only(events, "mood")
    assert mood["error"] == ""
    assert mood["text"] == ("Aye.", "Never!")[mood["index"]]
    assert sum(mood["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert mood["added"] == 0
    kept = only(events, "kept")
    assert [line["text"] for line in kept["last"]] == ["Will you?", kept["text"]]
    twice = only(events, "twice")
    assert "twice" in twice["error"]
    assert twice["index"] == -1


def test_a_method_is_an_action(godot, runtime):
    events = drive(godot, runtime, "actions")
    assert not [turn for turn in named(events, "turn") if turn["error"]]
    given = named(events, "given")
    assert len(given) == 3
    assert all(each["item"] in ("sword", "shield") for each in given)
    asked = only(events, "asked")
    assert (asked["name"], asked["arguments"]) == ("open_door", {})
    last = only(events, "last")
    assert last["error"] == ""
    assert "open_door() is not done: it is locked" in last["entry"]["text"]
    session = only(events, "session")
    assert [line for line in session["entries"] if "give_item" in line[2]]


TURNS = """
context_tokens = 1024

[[lines]]
heard = "Take your time"
says = '''Well now, that is a long tale, and my mother told it better than I ever will, by this
very fire, when the nights were as long as they are now and the snow lay up to the sills.'''
words_per_second = 4

[[lines]]
heard = "Fail"
fails = "overloaded"

[[lines]]
says = "I keep the Lantern, as my mother did."
"""


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[LaunchedRuntime]:
    script = tmp_path / "turns.toml"
    script.write_text(TURNS, encoding="utf-8")
    with launch_runtime("--model", str(script)) as launched:
        yield launched


def test_a_turn_says_how_it_ended(godot, scripted):
    events = drive(godot, scripted, "endings", driver="turns")
    endings = {event["event"]: event for event in events if "reason" in event}
    assert {name: (each["reason"], each["is_cut"]) for name, each in endings.items()} == {
        "whole": ("END", False),
        "long": ("LENGTH", True),
        "late": ("DEADLINE", True),
        "cut": ("INTERRUPTED", True),
        "heard": ("INTERRUPTED", True),
        "fallback": ("UNSPECIFIED", False),
    }
    assert endings["cut"]["text"] == "We"
    assert endings["heard"]["text"] == "I k"


def test_the_game_is_told_what_a_character_forgets(godot, scripted):
    event = only(drive(godot, scripted, "forgetting", driver="turns"), "forgotten")
    heard = [line["text"] for line in event["lines"] + event["kept"] if line["kind"] == HEARD]
    assert event["lines"]
    assert heard == event["said"]


def test_stage_directions_are_told_apart_from_speech(godot, tmp_path):
    reply = "*slams the tankard* Get out! I *never* lie. (laughs) Really."
    script = tmp_path / "tavern.toml"
    script.write_text(f'[[lines]]\nsays = "{reply}"\n', encoding="utf-8")
    with launch_runtime("--model", str(script)) as launched:
        events = drive(godot, launched, "directions", driver="speech")
    kept, apart = only(events, "KEEP"), only(events, "APART")
    dropped, spoken = only(events, "DROP"), only(events, "SPEAK")
    done = ["slams the tankard", "laughs"]
    assert kept["text"] == spoken["text"] == reply
    assert kept["given"] == kept["directions"] == apart["given"] == done
    assert kept["done"] == ["*slams the tankard*", "(laughs)"]
    assert apart["text"] == dropped["text"] == "Get out! I *never* lie. Really."
    assert dropped["given"] == spoken["given"] == []
    assert kept["sentences"] == apart["sentences"] == ["Get out!", "I never lie.", "Really."]
    assert kept["until"] == [reply[:28], reply[:43], reply]
    assert spoken["sentences"][0] == "*slams the tankard* Get out!"


def test_twenty_npcs_speak_at_once(godot, runtime):
    done = only(drive(godot, runtime, "twenty_at_once"), "done")
    assert done["all_whole"]
    assert done["most_at_once"] >= 15


def test_twenty_npcs_share_the_connections_that_a_browser_has(godot, both, monkeypatch):
    monkeypatch.setenv("TOWNSFOLK_TEST_TRANSPORT", GRPC_WEB)
    done = only(
        drive(godot, both["grpc_web"], "twenty_over_six_connections", "npc_connection"), "done"
    )
    assert done["all_whole"]
    assert done["most_at_once"] <= 5


def test_interrupted_in_mid_sentence_it_remembers_exactly_what_was_heard(godot, runtime):
    events = drive(godot, runtime, "interrupt")
    turn, waiting = only(events, "turn"), only(events, "waiting")
    assert turn["interrupted"]
    assert len(turn["text"]) == 17
    assert waiting["interrupted"]
    assert waiting["text"] == ""
    assert kinds(named(events, "interrupted", "failed")) == ["interrupted", "interrupted"]
    first, second, third = named(events, "session")
    assert first["entries"] == [
        [HEARD, "Player", "Tell me everything.", False],
        [SPOKE, "Mira", turn["text"], True],
    ]
    assert first["same"]
    assert [len(entry[2]) for entry in second["entries"] if entry[0] == SPOKE] == [17, 2]
    assert second["same"]
    assert [len(entry[2]) for entry in third["entries"] if entry[0] == SPOKE] == [17, 2, 3]
    assert third["same"]
    newest = only(events, "newest")
    assert (len(newest["text"]), newest["interrupted"]) == (3, True)


def test_closed_in_mid_sentence_it_keeps_what_was_said(godot, runtime):
    events = drive(godot, runtime, "closed_while_it_speaks")
    turn = only(events, "turn")
    heard, spoke = only(events, "transcript")["entries"]
    assert turn["interrupted"]
    assert heard["text"] == "Tell me everything."
    assert (spoke["text"].strip(EDGES), spoke["cut"]) == (turn["text"].strip(EDGES), True)


def test_turns_queue_events_and_saved_games(godot, runtime):
    events = drive(godot, runtime, "queue_and_events")
    assert [event["prompt"] for event in named(events, "thinking")] == ["One.", "Two.", "Three."]
    first, restored = named(events, "session")
    heard = [[EVENT, "", "A dog barks.", False], [HEARD, "Player", "One.", False]]
    assert first["entries"][:2] == heard
    assert [entry[0] for entry in first["entries"]] == [EVENT, *[HEARD, SPOKE] * 3]
    assert first["same"]
    assert first["priority"] == 40
    assert restored["entries"][:7] == first["entries"]
    assert len(restored["entries"]) == 9
    assert restored["same"]


def test_the_nearer_the_more_urgent(godot, runtime):
    sessions = named(drive(godot, runtime, "attention"), "session")
    assert [session["priority"] for session in sessions] == [60, 35, 10]


def test_npcs_share_lore(godot, runtime):
    sessions = named(drive(godot, runtime, "shared_lore"), "session")
    assert [session["lore"] for session in sessions] == [["harbor"], ["harbor"]]


def test_bad_values_are_clear_errors_and_nothing_else_is_lost(godot, runtime):
    events = drive(godot, runtime, "bad_values")
    messages = [event["message"] for event in named(events, "failed")]
    assert "temperature" in messages[0]
    assert "--adapters FOLDER" in messages[2]
    assert len(named(events, "reply_finished")) == 3
    assert "has no persona" in messages[-1]
    assert len(messages) == 4


def test_a_deadline_keeps_what_was_said(godot, runtime):
    turn = only(drive(godot, runtime, "deadline"), "turn")
    assert turn["error"] == ""
    assert 0 < turn["tokens"] < 900


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


def test_stats(godot, runtime):
    assert only(drive(godot, runtime, "stats"), "stats")["tokens"] >= 8


def test_parts_of_a_persona_weigh_more(godot, runtime):
    events = drive(godot, runtime, "parts_of_a_persona", "contrast")
    assert "nothing of what its contrast is about" in only(events, "problem")["text"]
    turn = only(events, "turn")
    assert turn == {"event": "turn", "error": "", "strength": 0.5, "fields": [1, 2]}


def test_dialogue_box(godot, runtime):
    events = drive(godot, runtime, "dialogue_box")
    assert only(events, "typing") == {"event": "typing", "shown": 12, "name": "Mira"}
    assert only(events, "turn") == {"event": "turn", "length": 12, "cut": True}
    assert only(events, "slow")["shown"] == 6
    assert only(events, "skipped") == {"event": "skipped", "all": True, "open": True}
    assert only(events, "dismissed")["open"] is False
