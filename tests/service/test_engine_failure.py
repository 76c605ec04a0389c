"""When the engine fails, its process says so and ends, and who launched it may start another."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from serve_process import serve, stub_of
from service_runtime import exactly
from townsfolk.v1 import dialogue_pb2 as dialogue
from townsfolk.v1 import townsfolk_pb2 as pb

# A fault once a file is there.
FAULT = """
import os, time
from townsfolk.engine.eager_runner import EagerRunner
from townsfolk.engine import watchdog

watchdog.FLOOR_S = 2.0
launch = EagerRunner.launch

def fail(self, plan):
    kind = os.environ["FAULT_FILE"]
    if os.path.exists(kind + ".raise"):
        raise SystemExit("no such step")
    while os.path.exists(kind + ".hang"):
        time.sleep(0.01)
    return launch(self, plan)

EagerRunner.launch = fail
"""


@pytest.fixture
def faulty(tmp_path):
    """Where a file makes the engine of a runtime fail, and that runtime's environment."""
    file = tmp_path / "fault"
    return file, os.environ | {"FAULT_FILE": str(file)}


@pytest.mark.parametrize(
    ("kind", "says"), [("raise", "no such step"), ("hang", "a step has not come back")]
)
def test_an_engine_that_failed_ends_the_process_with_a_reason(model, tmp_path, faulty, kind, says):
    file, environment = faulty
    with (
        serve(model, tmp_path, prelude=FAULT, env=environment) as (child, ready),
        stub_of(ready) as (stub, auth),
    ):
        request = pb.GenerateRequest(text="hello", sampling=exactly(2000))
        answers = [stub.Generate(request, metadata=auth) for _ in range(2)]
        next(answers[0])
        Path(f"{file}.{kind}").touch()
        for answer in answers:
            with pytest.raises(grpc.RpcError) as error:
                list(answer)
            assert error.value.code() is grpc.StatusCode.UNAVAILABLE
            assert says in error.value.details()
        code, log = child.ended()
        assert code == 1
        assert says in log
        assert not (tmp_path / "ready.json").exists()


def test_a_conversation_is_told_too(model, tmp_path, faulty):
    file, environment = faulty
    with (
        serve(model, tmp_path, prelude=FAULT, env=environment) as (child, ready),
        stub_of(ready) as (stub, auth),
    ):
        config = dialogue.SessionConfig(
            session_id="gate", persona=dialogue.Persona(name="Mira"), sampling=exactly(2000)
        )
        open_request = pb.OpenSessionRequest(open=pb.OpenSession(config=config))
        stub.OpenSession(open_request, metadata=auth)
        say = pb.SayRequest(session_id="gate", utterance=dialogue.Utterance(text="hello"))
        events = stub.Say(say, metadata=auth)
        next(events)
        Path(f"{file}.raise").touch()
        said = []
        with suppress(grpc.RpcError):
            said += [each.event.WhichOneof("event") for each in events]
        assert said[-1:] == ["error"] or events.code() is grpc.StatusCode.UNAVAILABLE
        code, log = child.ended()
        assert code == 1
        assert "no such step" in log
