"""`townsfolk serve --share`: games that share a runtime, and what becomes of it when one dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import threading
from pathlib import Path

import pytest
from sharing_games import Games, is_gone, wait_until
from townsfolk.client import (
    NotFoundError,
    Persona,
    Runtime,
    RuntimeProcess,
    RuntimeUnavailableError,
    TownsfolkError,
    UnauthenticatedError,
)

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes as POSIX does")


def test_two_games_have_one_runtime_and_nothing_else_in_common(games: Games):
    with games.start() as one, games.start() as other:
        first, second = one.ready(), other.ready()
        host = games.host()
        assert (first["pid"], second["pid"]) == (one.attendant, other.attendant)
        assert first["port"] != second["port"]
        assert first["token"] != second["token"]
        with one.connected() as mine, other.connected() as theirs:
            mine.register_lore("inn", "The inn burnt down.")
            mira = mine.npc(Persona(name="Mira"), session_id="inn", lore=["inn"])
            bo = theirs.npc(Persona(name="Bo"), session_id="inn")
            assert mira.say("Hello!").wait().text == "Well met."
            assert bo.say("Hello!").wait().text == "Well met."
            assert [each.persona_name for each in mine.sessions()] == ["Mira"]
            assert [each.persona_name for each in theirs.sessions()] == ["Bo"]
            theirs.close_session("inn")
            assert len(mine.session("inn").config.history) == 2
            with pytest.raises(NotFoundError):
                theirs.npc(Persona(name="Ada"), lore=["inn"]).say("Hello!").wait()
        stranger = Runtime.connect(f"{second['address']}:{second['port']}", str(first["token"]))
        with stranger, pytest.raises(UnauthenticatedError):
            stranger.sessions()
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in games.shared.iterdir())
        assert stat.S_IMODE(games.shared.stat().st_mode) == 0o700
    wait_until(lambda: is_gone(host), "it has ended with the last game")
    assert not list(games.shared.glob("*.json"))


def test_games_that_start_at_once_start_one(games: Games):
    with contextlib.ExitStack() as stack:
        them = [stack.enter_context(games.start()) for _ in range(4)]
        for game in them:
            game.ready()
        assert len({game.attendant for game in them}) == 4
        host = games.host()
        logs = "".join(game.log.read_text() for game in them)
        assert {line.partition("pid=")[2] for line in logs.splitlines() if "pid=" in line} == {
            str(host)
        }


def test_what_plays_something_else_is_another_runtime(games: Games):
    with games.start() as one, games.start(script="[[lines]]\nsays = 'No.'") as other:
        one.ready(), other.ready()
        assert len(set(games.hosts())) == 2


def test_who_did_not_ask_for_it_shares_nothing(games: Games):
    with games.start() as one, games.start("--no-share") as other:
        one.ready()
        assert other.ready()["pid"] == other.attendant
        assert len(games.hosts()) == 1
        assert len(list(games.shared.glob("*.hosting"))) == 1


def test_a_game_that_is_killed_leaves_the_other_speaking(games: Games):
    with games.start() as one, games.start() as other:
        one.ready()
        with other.connected() as theirs:
            host = games.host()
            turn = theirs.npc(Persona(name="Bo")).say("Tell me something long!")
            next(iter(turn))
            one.kill()
            wait_until(lambda: is_gone(one.attendant), "its attendant is gone")
            assert turn.wait().text.endswith("on and")
        other.kill()
        wait_until(lambda: is_gone(host), "the runtime is gone with the last game")
        wait_until(lambda: is_gone(other.attendant), "and so is the other attendant")


def test_both_games_are_killed_while_one_speaks(games: Games):
    with games.start() as one, games.start() as other:
        other.ready()
        with one.connected() as mine:
            host = games.host()
            next(iter(mine.npc(Persona(name="Bo")).say("Tell me something long!")))
            one.kill()
            other.kill()
            wait_until(lambda: is_gone(host), "the runtime is gone")


def test_a_runtime_that_is_killed_is_started_anew_for_both(games: Games, tmp_path: Path):
    script = tmp_path / "script.toml"
    script.write_text(games.script, encoding="utf-8")
    arguments = ("--model", str(script))
    with Runtime.launch(*arguments, share=True) as one:
        with Runtime.launch(*arguments, share=True) as other:
            mira, bo = one.npc(Persona(name="Mira")), other.npc(Persona(name="Bo"))
            for npc in (mira, bo):
                npc.say("Hello!").wait()
            host = games.host()
            os.kill(host, signal.SIGKILL)
            for npc in (mira, bo):
                wait_until(lambda npc=npc: _answers(npc), "it answers again")
                assert len(npc.transcript) >= 4
            assert games.host() != host
        assert mira.say("Hello again!").wait().text == "Well met."


def _answers(npc) -> bool:
    try:
        return bool(npc.say("And now?").wait().text)
    except TownsfolkError:
        return False


def test_an_attendant_that_is_killed_costs_its_own_game_its_part_only(games: Games):
    with games.start() as one, games.start() as other:
        one.ready()
        with other.connected() as theirs:
            os.kill(one.attendant, signal.SIGKILL)
            one.wait()
            assert theirs.npc(Persona(name="Bo")).say("Hello!").wait().text
            with pytest.raises(TownsfolkError), one.connected() as mine:
                mine.sessions()


def test_a_game_that_ends_lets_its_answer_end_and_says_no_error(games: Games):
    with games.start() as one, games.start() as other:
        other.ready()
        with one.connected() as mine:
            turn = mine.npc(Persona(name="Bo")).say("Tell me something long!")
            next(iter(turn))
            os.kill(one.attendant, signal.SIGTERM)
            assert turn.wait().text.endswith("on and")
            assert "ERROR" not in one.wait()
        with other.connected() as theirs:
            assert theirs.npc(Persona(name="Bo")).say("Hello!").wait().text


def test_a_model_that_cannot_be_used_is_told_to_all_who_wait(games: Games):
    script = "start_ms = 1500\nstart_error = 'there is a hole in it'\n[[lines]]\nsays = 'No.'"
    with games.start(script=script) as one, games.start(script=script) as other:
        for game in (one, other):
            assert "there is a hole in it" in game.wait()


def test_a_launch_that_fails_says_why(games: Games, tmp_path: Path):
    script = tmp_path / "script.toml"
    script.write_text("start_error = 'it is broken'\n[[lines]]\nsays = 'No.'", encoding="utf-8")
    with pytest.raises(RuntimeUnavailableError, match="it is broken"):
        RuntimeProcess(["--model", str(script), "--share"]).start()


def test_a_place_that_another_program_has_by_now_is_not_trusted(games: Games):
    with games.start() as one:
        one.ready()
        [told] = games.shared.glob("*.json")
    wait_until(lambda: not told.exists(), "it has ended")
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        heard = []

        def answer() -> None:
            connection, _ = stranger.accept()
            with connection:
                heard.append(connection.recv(4096))
                connection.sendall(b'{"proof": "mine", "challenge": "none"}\n')
                heard.append(connection.recv(4096))

        threading.Thread(target=answer, daemon=True).start()
        port = stranger.getsockname()[1]
        told.write_text(json.dumps({"port": port, "token": "left over", "pid": 1}))
        with games.start() as one:
            one.ready()
            assert games.host() != 1
        assert list(json.loads(heard[0])) == ["hello"]
        assert heard[1:] == [b""]
