"""What the runtime does with clients of other versions of the contract."""

from __future__ import annotations

import logging

import grpc
import pytest
from grpc_web import call, frame
from service_runtime import Stream
from townsfolk import contract
from townsfolk.contract import ContractVersion
from townsfolk.v1 import dialogue_pb2
from townsfolk.v1 import townsfolk_pb2 as pb

OLDER, NEWER = (
    ContractVersion(1, contract.OWN.minor - 1),
    ContractVersion(1, contract.OWN.minor + 1),
)
UNKNOWN_FIELD = b"\x82\x7d\x01x"  # field 2000, of bytes: what a later version could have


def says(version: object) -> tuple[tuple[str, str], ...]:
    return ((contract.HEADER, str(version)),)


def with_unknown(message, inner: str = ""):
    """The message as a later version could make it: it, or one in it, has an unknown field."""
    target = message
    for name in filter(None, inner.split(".")):
        target = getattr(target, name)
    target.MergeFromString(UNKNOWN_FIELD)
    return message


async def test_the_runtime_says_its_contract(runtime):
    info = await runtime.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest())
    assert ContractVersion.of_runtime(info) == contract.OWN


@pytest.mark.parametrize("version", [OLDER, contract.OWN, NEWER])
async def test_all_minor_versions_are_served(runtime, version):
    sessions = await runtime.stub.ListSessions(pb.ListSessionsRequest(), metadata=says(version))
    assert list(sessions.sessions) == []


async def test_a_newer_client_is_named_in_the_log_once(runtime, caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            await runtime.stub.ListSessions(pb.ListSessionsRequest(), metadata=says(NEWER))
    lines = [line.getMessage() for line in caplog.records if "newer" in line.getMessage()]
    assert len(lines) == 1
    assert f"contract {NEWER}" in lines[0]


@pytest.mark.parametrize(("major", "who"), [(0, "client"), (2, "runtime"), (10, "runtime")])
async def test_another_major_version_is_refused_with_what_to_do(runtime, major, who):
    version = ContractVersion(major, 3)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await runtime.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest(), metadata=says(version))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert f"upgrade the {who};" in refused.value.details()
    assert f"contract {version}" in refused.value.details()
    stream = runtime.stub.Converse(metadata=says(version))
    with pytest.raises(grpc.aio.AioRpcError, match="FAILED_PRECONDITION"):
        await stream.read()


@pytest.mark.parametrize("said", ["", "1", "1.", "one.two", "1.1.1", "1.1 ", "9" * 30 + ".1"])
async def test_what_is_no_version_is_refused(runtime, said):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await runtime.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest(), metadata=says(said))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "MAJOR.MINOR" in refused.value.details()


@pytest.mark.parametrize("inner", ["", "open", "open.config.persona"])
async def test_what_a_newer_client_says_that_is_unknown_here_is_refused(runtime, inner):
    persona = dialogue_pb2.Persona(name="Mira")
    opening = pb.OpenSession(config=dialogue_pb2.SessionConfig(persona=persona))
    request = pb.OpenSessionRequest(open=opening)
    # It says nothing new: it is understood.
    await runtime.stub.OpenSession(request, metadata=says(NEWER))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await runtime.stub.OpenSession(with_unknown(request, inner), metadata=says(NEWER))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "upgrade the runtime" in refused.value.details()
    assert len(runtime.backend.sessions) == 1


async def test_on_a_stream_an_unknown_field_costs_its_turn_alone(runtime):
    stream = Stream(runtime)
    stream.call = runtime.stub.Converse(metadata=says(NEWER))
    await stream.open()
    say = pb.ConverseRequest(say=dialogue_pb2.Utterance(text="Hello!", turn_id="one"))
    await stream.call.write(with_unknown(say, "say"))
    error = (await stream.next()).error
    assert (error.code, error.turn_id) == (dialogue_pb2.ERROR_CODE_FAILED_PRECONDITION, "one")
    assert "upgrade the runtime" in error.message
    await stream.send(say=dialogue_pb2.Utterance(text="Hello!", turn_id="two"))
    assert (await stream.next("turn_finished")).turn_finished.turn_id == "two"


@pytest.mark.parametrize("call", ["v1.TownsfolkService/Sing", "v2.TownsfolkService/Say"])
async def test_a_call_that_there_is_not_says_what_to_upgrade(runtime, call):
    method = runtime.channel.unary_unary(f"/townsfolk.{call}")
    with pytest.raises(grpc.aio.AioRpcError) as unsaid:
        await method(b"")
    assert unsaid.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "upgrade the runtime if the caller is newer" in unsaid.value.details()
    with pytest.raises(grpc.aio.AioRpcError) as said:
        await method(b"", metadata=says("2.0"))
    assert said.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "upgrade the runtime;" in said.value.details()


async def test_the_web_port_passes_the_version_on(web):
    headers = {contract.HEADER: "2.0"}
    answer, _ = await call(web.server.web_port, "GetRuntimeInfo", frame(b""), headers=headers)
    assert answer.code == grpc.StatusCode.FAILED_PRECONDITION.value[0]
    assert "upgrade the runtime" in answer.message
