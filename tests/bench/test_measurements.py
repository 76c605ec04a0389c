"""Every measurement of random weights, for real: a tiny shape on the CPU, runtimes as processes."""

import json

import pytest
import torch
import warm_process
from townsfolk.bench.checkpoint import write_checkpoint
from townsfolk.bench.gguf_checkpoint import write_gguf
from townsfolk.models import NAMED_SHAPES, named_spec
from townsfolk.models.mixes import MIXES

TINY = ("--shape", "llama-tiny", "--device", "cpu", "--threads", "1", "--rounds", "1")
BRIEF = ("--turns", "2", "--thinking-s", "0.05")


def bench(*arguments):
    return warm_process.run("bench", *map(str, arguments))


def report(*arguments, name="llama-tiny"):
    done = bench(*TINY, *arguments)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["shape"] == name
    assert found["device"] == "cpu"
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


def test_decode():
    found = report("--batch", "1,4", "--prompt-tokens", "32", "--new-tokens", "16")
    assert [row["batch"] for row in found["rows"]] == [1, 4]
    for row in found["rows"]:
        assert 0 < row["decode tok/s"] == pytest.approx(row["batch"] * 1000 / row["step ms"])
        expected = row["decode tok/s"] / row["floor tok/s"]
        assert row["share of floor"] == pytest.approx(expected)
        assert "peer (recorded)" not in row  # none was recorded on this CPU
    assert found["memory_bandwidth_gb_s"] > 0


def test_decode_with_adapters():
    asked = ("--batch", "3", "--prompt-tokens", "32", "--new-tokens", "16")
    (row,) = report(*asked, "--adapters", "2", "--rank", "4")["rows"]
    costs = 100 * (1 - row["adapters tok/s"] / row["decode tok/s"])
    assert row["adapters cost %"] == pytest.approx(costs)


def test_decode_of_quantised_weights():
    asked = ("--batch", "2", "--prompt-tokens", "32", "--new-tokens", "16")
    plain = report(*asked)
    packed = report(*asked, "--quantization", "q4_0", name="llama-tiny q4_0")
    assert packed["weights_mib"] < 0.4 * plain["weights_mib"]
    assert bytes_of_a_token(packed) < 0.5 * bytes_of_a_token(plain)


def bytes_of_a_token(found):
    """What the floor takes a token to read, in GB."""
    return found["memory_bandwidth_gb_s"] / found["rows"][0]["floor tok/s"]


def test_a_model_of_its_own(kept):
    """The file that a runtime loads can be measured by its name, as any other."""
    path = kept / "llama-tiny-q8_0.gguf"
    spec = named_spec("llama-tiny")
    write_gguf(path, spec, MIXES["q8_0"], torch.device("cpu"))
    options = ("--model", path, "--device", "cpu", "--threads", "1", "--rounds", "1")
    done = bench(*options, "--batch", "1", "--prompt-tokens", "32", "--new-tokens", "16")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["shape"] == path.name
    assert found["rows"][0]["decode tok/s"] > 0


def test_a_tavern_of_quantised_weights(kept):
    asked = ("--tavern", "2", *BRIEF, "--keep", kept, "--quantization", "q8_0")
    (row,) = report(*asked, name="llama-tiny q8_0")["rows"]
    assert 0.3 < row["cached share"] < 1


def test_prefill():
    (row,) = report("--prefill", "64")["rows"]
    assert row["tok/s"] == pytest.approx(64 * 1000 / row["ms"])
    assert row["share of matrix rate"] > 0


def test_decode_in_process_and_through_the_service(kept):
    found = report(
        *("--through", "service", "--batch", "1,3", "--keep", kept, "--prompt-tokens", "64"),
    )
    for row in found["rows"]:
        loss = 1 - row["through gRPC tok/s"] / row["in process tok/s"]
        assert row["loss %"] == pytest.approx(100 * loss)
        assert row["tokens/message"] >= 1


@pytest.mark.parametrize("way", ["over gRPC", "in process"])
def test_tavern(way, kept):
    arguments = ("--in-process",) if way == "in process" else ("--keep", kept)
    found = report("--tavern", "1,2", *BRIEF, *arguments)
    assert found["way"] == way
    assert [row["NPCs"] for row in found["rows"]] == [1, 2]
    for row in found["rows"]:
        assert 0 < row["TTFT later p50 ms"] <= row["TTFT later p99 ms"]
        assert 0 < row["inter-token p50 ms"] <= row["inter-token p99 ms"]
        assert 0.3 < row["cached share"] < 1  # all that was said before, and the lore
        assert row["tok/s"] > 0


def test_the_tavern_can_be_plotted_at_once_and_later(tmp_path):
    pytest.importorskip("matplotlib", reason="pip install 'townsfolk[train]'")
    first, second, output = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "run.txt"
    done = bench(*TINY, "--tavern", "1", *BRIEF, "--in-process", "--plot", first)
    assert done.returncode == 0, done.stderr
    output.write_text(done.stdout)
    assert bench("--report", output, "--plot", second).returncode == 0
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("way", ["over gRPC", "in process"])
def test_interference(way, kept):
    arguments = ("--in-process",) if way == "in process" else ("--keep", kept)
    found = report("--interference", "--new-tokens", "96", *arguments)
    assert found["way"] == way
    counted = ["messages", "tokens", *(["steps"] if way == "in process" else [])]
    assert [row["ms between"] for row in found["rows"]] == counted
    for row in found["rows"]:
        assert row["speakers"] == 8
        assert row["p99 ratio"] == pytest.approx(row["disturbed p99 ms"] / row["quiet p99 ms"])
        assert row["disturbed longest ms"] >= row["disturbed p99 ms"]


def test_cold_start_of_a_kept_checkpoint(tmp_path):
    directory = tmp_path / "llama-tiny-bfloat16"
    device = torch.device("cpu")
    write_checkpoint(directory, NAMED_SHAPES["llama-tiny"], torch.bfloat16, device)
    before = (directory / "model.safetensors").stat().st_mtime_ns
    (row,) = report("--cold", "--keep", tmp_path)["rows"]
    assert (directory / "model.safetensors").stat().st_mtime_ns == before
    parts = ["imports s", "server up s", "weights loaded s", "ready s", "first token s"]
    times = [row[part] for part in parts]
    assert times == sorted(times)
    assert times[0] > 0
    assert row["first TTFT ms"] > 0


def test_profile(tmp_path):
    found = report(
        *("--profile", tmp_path, "--batch", "2", "--prompt-tokens", "32", "--new-tokens", "8")
    )
    assert sum(row["share"] for row in found["rows"]) <= 1.001
    assert any("linear" in row["operation"] for row in found["rows"])
    (trace,) = tmp_path.glob("*.json")
    assert json.loads(trace.read_text())["traceEvents"]


# Where there is a GPU it is no bad option.
WITHOUT_CUDA = [(("--shape", "llama-tiny", "--device", "cuda", "--batch", "1"), "CUDA")]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        *([] if torch.cuda.is_available() else WITHOUT_CUDA),
        (("--shape", "gpt-7"), "llama-3.2-1b"),
        (("--shape", "llama-tiny", "--tavern", "0"), "--tavern"),
        (("--shape", "llama-tiny", "--tavern", "1", "--cold"), "not allowed with"),
        (("--report", "nowhere.txt"), "--plot"),
        (("--report", "nowhere.txt", "--plot", "a.png"), "nowhere.txt"),
    ],
)
def test_a_bad_option_is_named(arguments, named):
    refused = bench(*arguments)
    assert refused.returncode != 0
    assert named in refused.stderr
