"""`townsfolk serve` as a whole process: how it starts, what it tells, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import grpc
import http2_frames
import pytest
import tiny_models
from grpc_health.v1 import health_pb2, health_pb2_grpc
from serve_process import ENDS_WITHIN_S, Serve, serve, stub_of
from service_runtime import exactly
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb


def say(session_id: str, text: str, **fields) -> pb.SayRequest:
    return pb.SayRequest(session_id=session_id, utterance=dialogue.Utterance(text=text, **fields))


def opening(**config) -> pb.OpenSessionRequest:
    return pb.OpenSessionRequest(open=pb.OpenSession(config=dialogue.SessionConfig(**config)))


def test_the_ready_file_tells_how_to_call_and_only_its_owner(model, tmp_path):
    flags = ("--web-port", "0", "--metrics-port", "0")
    # Closed standard input is no reason to end unless --exit-with-stdin says so.
    with serve(model, tmp_path, *flags, stdin=subprocess.DEVNULL) as (child, ready):
        file = tmp_path / "ready.json"
        if os.name == "posix":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert ready["address"] == "127.0.0.1"
        assert ready["pid"] == child.process.pid
        assert len(ready["token"]) >= 32
        assert len({ready["port"], ready["web_port"], ready["metrics_port"], 0}) == 4
        with stub_of(ready) as (stub, metadata):
            info = stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest(), metadata=metadata)
            assert info.version == ready["version"]
            with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
                stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest())
        child.process.send_signal(signal.SIGTERM)
        code, log = child.ended()
        assert code == 0
        assert "SIGTERM" in log
        assert ready["token"] not in log
        assert list(tmp_path.iterdir()) == []


def test_it_ends_with_its_parent(model, tmp_path):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        flags = ("--exit-with-parent", str(parent.pid))
        with serve(model, tmp_path, *flags) as (child, ready):
            calls_of(child, ready, 10)  # it serves as long as its parent lives
            parent.kill()
            parent.wait()
            code, log = child.ended()
            assert code == 0
            assert f"parent process {parent.pid}" in log


def test_it_ends_when_its_parent_is_gone_already(model):
    with subprocess.Popen([sys.executable, "-c", ""]) as parent:
        parent.wait()
    child = Serve(model, "--port", "0", "--exit-with-parent", str(parent.pid))
    assert child.ended()[0] == 0


def test_it_ends_when_standard_input_is_closed(model, tmp_path):
    flags = ("--exit-with-stdin",)
    with serve(model, tmp_path, *flags, stdin=subprocess.PIPE) as (child, ready):
        child.process.stdin.write("anything\n")
        child.process.stdin.flush()
        calls_of(child, ready, 10)
        child.process.stdin.close()
        child.process.stdin = None
        code, log = child.ended()
        assert code == 0
        assert "standard input" in log


def wait_until_it_ends(ready: dict) -> None:
    """Wait until health says that nothing new is taken."""
    with grpc.insecure_channel(f"{ready['address']}:{ready['port']}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for answer in health.Watch(health_pb2.HealthCheckRequest()):
            if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                return


@pytest.mark.skipif(os.name != "posix", reason="signals to another process are POSIX's")
def test_a_signal_lets_the_answer_end_and_a_second_one_does_not(model, tmp_path):
    flags = ("--shutdown-grace-s", "600", "--log-format", "json")
    with serve(model, tmp_path, *flags) as (child, ready), stub_of(ready) as (stub, metadata):
        stub.OpenSession(
            opening(
                session_id="inn", persona=dialogue.Persona(name="Mira"), sampling=exactly(4000)
            ),
            metadata=metadata,
        )
        call = stub.Say(say("inn", "Go on."), metadata=metadata)
        next(call)
        child.process.send_signal(signal.SIGINT)
        wait_until_it_ends(ready)
        child.process.send_signal(signal.SIGINT)
        last = list(call)[-1].event
        assert last.HasField("turn_interrupted")
        code, log = child.ended()
        assert code == 0
        lines = [json.loads(line) for line in log.splitlines()]
        milestones = ["starting", "listening", "weights loaded", "serving", "ending"]
        assert [line["message"] for line in lines] == milestones
        assert lines[-1]["reason"] == "SIGINT received"


def test_a_conversation_goes_on_after_a_restart(model, tmp_path):
    """The runtime is killed; the game opens the session again with what it has saved."""
    persona = dialogue.Persona(name="Mira")
    with serve(model, tmp_path) as (child, ready), stub_of(ready) as (stub, metadata):
        opened = opening(session_id="inn", persona=persona, sampling=exactly(10, seed=1))
        stub.OpenSession(opened, metadata=metadata)
        for text in ("Hello!", "How is business?"):
            list(stub.Say(say("inn", text), metadata=metadata))
        saved = stub.GetSession(pb.GetSessionRequest(session_id="inn"), metadata=metadata).config
        following = list(stub.Say(say("inn", "And you?"), metadata=metadata))[-1].event
        child.process.kill()
        child.process.wait()
    (tmp_path / "ready.json").unlink()
    with serve(model, tmp_path) as (_, ready), stub_of(ready) as (stub, metadata):
        with pytest.raises(grpc.RpcError, match="NOT_FOUND"):
            list(stub.Say(say("inn", "And you?"), metadata=metadata))
        opened = pb.OpenSessionRequest(open=pb.OpenSession(config=saved))
        stub.OpenSession(opened, metadata=metadata)
        again = list(stub.Say(say("inn", "And you?"), metadata=metadata))[-1].event
        assert again.turn_finished.finish_reason == following.turn_finished.finish_reason
        history = stub.GetSession(pb.GetSessionRequest(session_id="inn"), metadata=metadata)
        assert [line.text for line in history.config.history[:4]] == [
            line.text for line in saved.history
        ]
        assert len(history.config.history) == 6


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--host", "0.0.0.0"), "auth_token"),
        (("--port", "70000"), "--port"),
        (("--web-origins", "game.example"), "scheme://host"),
        (("--tls-key", "none.pem"), "both or neither"),
        (("--ready-file", "/nowhere/ready.json"), "ready_file"),
        (("--kv-memory-mib", "x"), "--kv-memory-mib"),
        (("--kv-memory-mib", "40000000"), "kv_memory_mib asks for 40,000,000"),
        (("--threads", "9999"), "--threads"),
        (("--max-context", "100000000"), "max_context is 100000000"),
        (("--host", "192.0.2.1", "--auth-token", "a", "--allow-plaintext"), "no address of this"),
        (("--host", "0.0.0.0", "--auth-token", "a"), "allow_plaintext"),
        (("--web-origins", "*"), "web_origins *"),
        (("--auth-token-file", "/nowhere/token"), "auth_token_file"),
        (("--ready-file", "/"), "is a folder"),
    ],
)
def test_what_can_not_be_served_ends_with_a_reason(model, flags, says):
    code, log = Serve(model, "--port", "0", *flags).ended()
    assert code == 1
    assert says in log
    assert "Traceback" not in log


def test_a_model_that_is_not_there_is_named(tmp_path):
    code, log = Serve(tmp_path / "nobody", "--port", "0").ended()
    assert code == 1
    assert "nobody" in log
    assert "Traceback" not in log


def test_nothing_is_imported_that_is_not_needed(model):
    """What takes long to import must wait until somebody asks for it."""
    script = (
        "import sys; import townsfolk.commands.serve, townsfolk.service;"
        "light = {'torch', 'grpc', 'uvicorn'} & set(sys.modules);"
        "import townsfolk.service.process;"
        "heavy = {'transformers', 'uvicorn', 'prometheus_client', 'huggingface_hub', 'matplotlib',"
        " 'safetensors.flax'} & set(sys.modules);"
        "print(sorted(light), sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] []", model


def test_memory_that_is_too_little_ends_the_start_and_says_what_would_do(tmp_path):
    model = tiny_models.write_llama(tmp_path, num_hidden_layers=8, head_dim=512)
    code, log = Serve(model, "--port", "0", "--kv-memory-mib", "1").ended()
    assert code == 1
    assert "the model can't be used: kv_memory_mib holds" in log
    assert "Traceback" not in log


def calls_of(child, ready, count):
    """Make calls, each of which is logged at the level debug."""
    with stub_of(ready) as (stub, metadata):
        for _ in range(count):
            stub.ListSessions(pb.ListSessionsRequest(), metadata=metadata)


@pytest.mark.skipif(os.name != "posix", reason="signals to another process are POSIX's")
def test_a_log_that_nobody_reads_holds_nothing_up(model, tmp_path):
    """A pipe takes 64 KiB, and each call logs 100 bytes."""
    with serve(model, tmp_path, "--log-level", "debug") as (child, ready):
        calls_of(child, ready, 3000)
        child.process.send_signal(signal.SIGTERM)
        assert child.process.wait(ENDS_WITHIN_S) == 0


def test_a_token_that_is_no_utf8_is_not_logged(model, tmp_path):
    with serve(model, tmp_path, "--auth-token", "s3cret") as (child, ready):
        token = http2_frames.frame(
            http2_frames.HEADERS,
            http2_frames.END_HEADERS | http2_frames.END_STREAM,
            1,
            http2_frames.call_headers(b"/x", (b"authorization", b"Bearer s3cret\xff")),
        )
        with socket.create_connection(("127.0.0.1", ready["port"])) as connection:
            connection.sendall(http2_frames.opening() + token)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
        child.process.send_signal(signal.SIGTERM)
        code, log = child.ended()
        assert code == 0
        assert "s3cret" not in log
        assert "no UTF-8" in log


def test_the_token_can_come_from_the_environment_and_all_ports_are_logged(model, tmp_path):
    environment = os.environ | {"TOWNSFOLK_AUTH_TOKEN": "s3cret"}
    flags = ("--web-port", "0", "--metrics-port", "0")
    with serve(model, tmp_path, *flags, env=environment) as (child, ready):
        assert ready["token"] == "s3cret"
        child.process.terminate()
        _, log = child.ended()
    listening = next(line for line in log.splitlines() if "listening" in line)
    for name in ("port", "web_port", "metrics_port"):
        assert f" {name}={ready[name]}" in listening


@pytest.mark.skipif(sys.platform != "linux", reason="truncated maps crash on Linux")
def test_weights_that_are_truncated_while_it_serves_end_it_with_a_log_line(tmp_path):
    """What is mapped is read when it is needed; memory that has no file any more is a bus error."""
    (tmp_path / "model").mkdir()
    model = tiny_models.write_llama(tmp_path / "model", hidden_size=512, intermediate_size=4096)
    with serve(model, tmp_path) as (child, ready), stub_of(ready) as (stub, metadata):
        for file in model.glob("*.safetensors"):
            os.truncate(file, 4096)
        request = pb.GenerateRequest(text="Hi", sampling=exactly(2000))
        with pytest.raises(grpc.RpcError):
            list(stub.Generate(request, metadata=metadata))
        code, log = child.ended()
        # Unless it looks at its files before it needs them.
        assert code in (-signal.SIGBUS, 1)
        assert ("Bus error" if code < 0 else "was overwritten") in log


@pytest.mark.skipif(os.name != "posix", reason="elsewhere what is mapped can't be overwritten")
def test_weights_that_are_overwritten_while_it_serves_end_it_and_say_so(tmp_path):
    (tmp_path / "model").mkdir()
    model = tiny_models.write_llama(tmp_path / "model")
    with serve(model, tmp_path) as (child, _):
        file = next(model.glob("*.safetensors"))
        with file.open("r+b") as weights:
            weights.seek(-4, os.SEEK_END)
            weights.write(b"\\0\\0\\0\\0")
        code, log = child.ended()
        assert code == 1
        assert f"{file} was overwritten" in log


FAILING_ENGINE = """
from pathlib import Path
from townsfolk.engine.scheduler import Scheduler
plan = Scheduler.plan
def failing(self, *args):
    if Path({flag!r}).exists():
        raise SystemExit("no order")
    return plan(self, *args)
Scheduler.plan = failing
"""


def test_when_the_engine_fails_callers_learn_it_and_the_process_ends_with_1(model, tmp_path):
    flag = tmp_path / "flag"
    prelude = FAILING_ENGINE.format(flag=str(flag))
    with serve(model, tmp_path, prelude=prelude) as (child, ready):
        with stub_of(ready) as (stub, metadata):
            generating = stub.Generate(
                pb.GenerateRequest(text="Hi", sampling=exactly(3000)), metadata=metadata
            )
            next(generating)
            flag.touch()
            with pytest.raises(grpc.RpcError, match="UNAVAILABLE") as caught:
                list(generating)
            assert "no order" in caught.value.details()
        code, log = child.ended()
        assert code == 1
        assert "can't go on" in log
        assert not (tmp_path / "ready.json").exists()


HANGING_LOOP = """
from pathlib import Path
from townsfolk.service.servicer import TownsfolkServicer
async def hang(*_):
    Path({flag!r}).touch()
    while True:
        pass
TownsfolkServicer.ListSessions = hang
"""


@pytest.mark.skipif(os.name != "posix", reason="signals to another process are POSIX's")
@pytest.mark.parametrize("how", ["signal", "parent", "stdin"])
def test_a_service_that_hangs_ends_all_the_same(model, tmp_path, how):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as parent:
        flags = ("--exit-with-stdin", "--exit-with-parent", str(parent.pid))
        flag = tmp_path / "flag"
        options = {"stdin": subprocess.PIPE, "prelude": HANGING_LOOP.format(flag=str(flag))}
        with serve(model, tmp_path, *flags, **options) as (child, ready):
            with stub_of(ready) as (stub, metadata):
                hanging = stub.ListSessions.future(pb.ListSessionsRequest(), metadata=metadata)
                while not flag.exists():
                    time.sleep(0.01)
                if how == "signal":
                    child.process.send_signal(signal.SIGTERM)
                elif how == "stdin":
                    child.process.stdin.close()
                    child.process.stdin = None
                else:
                    parent.kill()
                assert child.process.wait(ENDS_WITHIN_S) == 1
                hanging.cancel()
            assert not (tmp_path / "ready.json").exists()
        parent.kill()


def test_a_second_runtime_does_not_take_the_first_ones_ready_file(model, tmp_path):
    with serve(model, tmp_path) as (_, ready):
        file = tmp_path / "ready.json"
        code, log = Serve(model, "--port", "0", "--ready-file", str(file)).ended()
        assert code == 1
        assert "belongs to a runtime" in log
        assert json.loads(file.read_text()) == ready
