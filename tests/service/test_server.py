"""Who may call, how, and what a runtime tells of itself."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import re
import socket
import ssl
import sys
import urllib.request
from pathlib import Path

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grpc import StatusCode
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_web import WebCall, call, frame
from service_runtime import exactly, serving, status
from townsfolk import __version__, contract
from townsfolk.service.address import Address
from townsfolk.service.server import RuntimeServer
from townsfolk.service.settings import ServiceSettings
from townsfolk.service.start_error import StartError
from townsfolk.v1 import townsfolk_pb2 as pb
from townsfolk.v1.townsfolk_pb2_grpc import TownsfolkServiceStub

DESCRIPTOR = pb.DESCRIPTOR.services_by_name["TownsfolkService"]
SERVICE = DESCRIPTOR.full_name
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for this machine: (certificate file, key file)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return folder / "cert.pem", folder / "key.pem"


async def test_every_call_but_health_needs_the_token(model):
    async with serving(model, ServiceSettings(port=0, auth_token="secret")) as runtime:
        methods = [
            method.name for method in pb.DESCRIPTOR.services_by_name["TownsfolkService"].methods
        ]
        paths = [f"/{SERVICE}/{name}" for name in methods]
        paths.append("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        paths.append("/nobody.Service/Get")
        wrongs = [(), (("authorization", "Bearer secre"),), (("authorization", "secret"),)]
        for path in paths:
            for metadata in wrongs:
                code, message = await status(
                    runtime.channel.stream_stream(path)(iter(()), metadata=metadata)
                )
                assert code is StatusCode.UNAUTHENTICATED, path
                assert "authorization: Bearer TOKEN" in message
                assert "secret" not in message
        right = (("authorization", "Bearer secret"),)
        info = await runtime.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest(), metadata=right)
        assert info.version
        health = health_pb2_grpc.HealthStub(runtime.channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING


def test_who_launches_a_runtime_gets_a_token_unless_one_is_given(tmp_path):
    ready = {"ready_file": tmp_path / "ready.json"}
    made = [RuntimeServer(ServiceSettings(**ready)).token for _ in range(2)]
    assert made[0] != made[1]
    assert min(map(len, made)) >= 32
    assert RuntimeServer(ServiceSettings(**ready, auth_token="mine")).token == "mine"
    assert RuntimeServer(ServiceSettings(**ready, auth_token="")).token == ""
    assert RuntimeServer(ServiceSettings()).token == ""


def test_a_token_can_come_from_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    assert RuntimeServer(ServiceSettings(auth_token_file=file)).token == "s3cret"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"two words", "naïve".encode()])
def test_a_token_file_that_can_not_be_used_is_named_and_not_shown(tmp_path, content):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StartError, match="auth_token_file") as caught:
        RuntimeServer(ServiceSettings(auth_token_file=file))
    assert "words" not in str(caught.value)
    assert "na" not in str(caught.value).replace(str(tmp_path), "")


async def test_tls_on_both_ports(model, certificate):
    cert, key = certificate
    settings = ServiceSettings(
        port=0, web_port=0, tls_certificate=cert, tls_key=key, auth_token="secret"
    )
    async with serving(model, settings) as runtime:
        credentials = grpc.ssl_channel_credentials(cert.read_bytes())
        address = f"localhost:{runtime.server.port}"
        metadata = (("authorization", "Bearer secret"),)
        async with grpc.aio.secure_channel(address, credentials) as channel:
            request = pb.GenerateRequest(text="Hello", sampling=exactly(5))
            generating = TownsfolkServiceStub(channel).Generate(request, metadata=metadata)
            assert (await status(generating))[0] is StatusCode.OK
        plain = runtime.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest(), metadata=metadata)
        assert await plain.code() is StatusCode.UNAVAILABLE

        trusting = ssl.create_default_context(cafile=str(cert))
        it, messages = await call(
            runtime.server.web_port,
            "GetRuntimeInfo",
            frame(b""),
            headers=dict(metadata),
            tls=trusting,
        )
        assert it.code == 0
        assert messages
        with pytest.raises(ssl.SSLError):
            async with WebCall(
                runtime.server.web_port, "Say", b"", tls=ssl.create_default_context()
            ):
                pass


async def test_a_certificate_that_can_not_be_used_is_named(certificate, tmp_path):
    cert, key = certificate
    other = tmp_path / "none.pem"
    for settings in (
        ServiceSettings(port=0, tls_certificate=cert, tls_key=cert),
        ServiceSettings(port=0, tls_certificate=other, tls_key=key),
    ):
        with pytest.raises(StartError, match="tls_certificate and tls_key"):
            await RuntimeServer(settings).start()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what listens")
async def test_with_tls_no_port_is_plain(model, certificate):
    cert, key = certificate
    settings = ServiceSettings(port=0, web_port=0, tls_certificate=cert, tls_key=key)
    before = listening()
    async with serving(model, settings) as runtime:
        assert listening() - before == {runtime.server.port, runtime.server.web_port}


def listening() -> set[int]:
    """The TCP ports on which something of this machine listens."""
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]
    ]
    own = {os.readlink(file) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()}
    return {
        int(line[1].rpartition(":")[2], 16)
        for line in lines
        if line[3] == "0A" and f"socket:[{line[9]}]" in own
    }


@pytest.mark.parametrize("field", ["port", "web_port"])
@pytest.mark.parametrize(
    ("host", "says"),
    [("192.0.2.1", "no address of this machine"), ("nobody.invalid", "no known name")],
)
async def test_a_host_that_is_not_here_is_named(capfd, field, host, says):
    if field == "port":
        settings = ServiceSettings(port=0, host=host, auth_token="a", allow_plaintext=True)
        with pytest.raises(StartError, match=says):
            await RuntimeServer(settings).start()
    else:
        with pytest.raises(StartError, match=says):
            Address(host, 0, "web_port").bound_socket()
    assert "grpc" not in capfd.readouterr().err.lower()


@pytest.mark.parametrize("field", ["port", "web_port", "metrics_port"])
async def test_a_port_that_is_taken_is_named(field):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        server = RuntimeServer(ServiceSettings(**({"port": 0} | {field: number})))
        with pytest.raises(StartError, match=rf"{number}.*another {field}"):
            await server.start()
        await server.stop()


async def test_a_second_runtime_does_not_share_the_port(runtime):
    second = RuntimeServer(ServiceSettings(port=runtime.server.port))
    with pytest.raises(StartError, match="another runtime"):
        await second.start()
    await second.stop()


async def test_ipv6_works(model):
    async with serving(model, ServiceSettings(host="::1", port=0, web_port=0)) as runtime:
        async with grpc.aio.insecure_channel(f"[::1]:{runtime.server.port}") as channel:
            assert await TownsfolkServiceStub(channel).GetRuntimeInfo(pb.GetRuntimeInfoRequest())
        reader, writer = await asyncio.open_connection("::1", runtime.server.web_port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"405" in await reader.readline()
        writer.close()


async def test_while_the_model_loads_health_and_every_call_say_so():
    server = RuntimeServer(ServiceSettings(port=0))
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", SERVICE):
            request = health_pb2.HealthCheckRequest(service=service)
            assert (await health.Check(request)).status == NOT_SERVING
        info = TownsfolkServiceStub(channel).GetRuntimeInfo(pb.GetRuntimeInfoRequest())
        assert await info.code() is StatusCode.UNAVAILABLE
        assert "still loading" in await info.details()
    await server.stop()


async def test_health_knows_the_service_by_name(runtime):
    health = health_pb2_grpc.HealthStub(runtime.channel)
    for service in ("", SERVICE):
        request = health_pb2.HealthCheckRequest(service=service)
        assert (await health.Check(request)).status == SERVING
    unknown = health.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert await unknown.code() is StatusCode.NOT_FOUND


async def test_reflection_describes_the_whole_contract(runtime):
    def ask():
        with grpc.insecure_channel(f"127.0.0.1:{runtime.server.port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            services = set(database.get_services())
            file = database.FindFileContainingSymbol(SERVICE)
            return services, file, database.FindFileByName("townsfolk/v1/sampling.proto")

    services, file, sampling = await asyncio.to_thread(ask)
    assert services == {
        SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    described = {method.name for method in file.service[0].method}
    assert described == set(DESCRIPTOR.methods_by_name)
    assert "SamplingParams" in {message.name for message in sampling.message_type}


async def test_what_runs_here(runtime):
    info = await runtime.stub.GetRuntimeInfo(pb.GetRuntimeInfoRequest())
    engine = runtime.backend.engine.info
    assert info == pb.GetRuntimeInfoResponse(
        version=__version__,
        model=engine.model,
        parameters=engine.parameters,
        device="cpu",
        dtype="float32",
        context_tokens=4096,
        kv_memory_mib=32,
        kv_capacity_tokens=engine.kv_capacity_tokens,
        max_sessions=256,
        max_batch=64,
        max_message_bytes=ServiceSettings().max_message_bytes,
        model_state=pb.MODEL_STATE_LOADED,
        memory_used_mib=info.memory_used_mib,
        memory_limit_mib=0,
        contract=pb.ContractVersion(major=contract.OWN.major, minor=contract.OWN.minor),
    )
    assert info.memory_used_mib > 32
    assert info.parameters > 0
    assert info.kv_capacity_tokens > 4096


async def test_stats_follow_what_happens(runtime):
    watch = runtime.stub.WatchStats(pb.WatchStatsRequest(interval_ms=50))
    before = await watch.read()
    assert (before.running, before.sessions, before.requests_total) == (0, 0, 0)
    await runtime.open()
    generating = asyncio.create_task(
        status(runtime.stub.Generate(pb.GenerateRequest(text="Hello", sampling=exactly(600))))
    )
    seen = []
    while not generating.done():
        seen.append(await watch.read())
    busy = [stats for stats in seen if stats.running]
    assert busy
    assert all(stats.kv_blocks_used > 0 for stats in busy)
    assert max(stats.tokens_per_second for stats in busy) > 10
    after = await runtime.settled()
    assert after.generated_tokens_total == 600
    assert after.requests_total == 1
    assert after.sessions == 1
    assert after.prompt_tokens_total > 0
    assert after.ttft_p50_ms > 0
    assert after.ttft_p99_ms >= after.ttft_p50_ms
    assert after.kv_blocks_cached > 0
    assert after.steps_total >= 600
    assert after.prompt_steps.measured > 0
    assert 0 < after.decode_steps.p50_ms <= after.decode_steps.p99_ms
    watch.cancel()


async def test_stats_come_as_often_as_asked(runtime):
    watch = runtime.stub.WatchStats(pb.WatchStatsRequest(interval_ms=60000))
    await watch.read()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await watch.read()


async def test_metrics_are_those_of_the_contract(model):
    async with serving(model, ServiceSettings(port=0, metrics_port=0)) as runtime:
        await runtime.open()
        request = pb.GenerateRequest(text="Hello", sampling=exactly(7))
        assert (await status(runtime.stub.Generate(request)))[0] is StatusCode.OK
        await status(runtime.stub.Generate(pb.GenerateRequest()))
        url = f"http://127.0.0.1:{runtime.server.metrics_port}/metrics"

        def scrape() -> str:
            with urllib.request.urlopen(url) as response:
                return response.read().decode()

        text = await asyncio.to_thread(scrape)
    values = dict(re.findall(r"^(townsfolk_\S+) (\S+)$", text, re.MULTILINE))
    for field in pb.WatchStatsResponse.DESCRIPTOR.fields:
        inner = [] if field.message_type is None else field.message_type.fields
        for name in [f"{field.name}_{each.name}" for each in inner] or [field.name]:
            assert f"townsfolk_{name}" in values
    assert float(values["townsfolk_generated_tokens_total"]) == 7
    assert float(values["townsfolk_sessions"]) == 1
    assert float(values['townsfolk_calls_total{code="OK",method="Generate"}']) == 1
    assert float(values['townsfolk_calls_total{code="INVALID_ARGUMENT",method="Generate"}']) == 1
    assert float(values['townsfolk_call_seconds_count{method="Generate"}']) == 2
