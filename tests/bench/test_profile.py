"""Reading the trace of a GPU's decode steps."""

import pytest
from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.floor import decode_bytes
from townsfolk.bench.profile import decode_steps, kernel_bytes, kernel_rows, step_facts
from townsfolk.models import named_spec


def kernel(name, begin, end, launch, grid=(1, 1, 1)):
    args = {"correlation": launch, "grid": list(grid)}
    return {"cat": "kernel", "name": name, "ts": begin, "dur": end - begin, "args": args}


def launch(name, correlation):
    return {"cat": "cuda_runtime", "name": name, "args": {"correlation": correlation}}


# Two steps of three kernels, of which the second begins while the first still runs. Before them a
# prompt: kernels of their own, and a graph of another size.
TRACE = [
    launch("cudaLaunchKernel", 1),
    kernel("prefill", 0, 50, 1),
    launch("cudaGraphLaunch", 2),
    kernel("product", 60, 90, 2),
    launch("cudaGraphLaunch", 3),
    launch("cudaGraphLaunch", 4),
    kernel("product", 100, 130, 3),
    kernel("attend", 120, 150, 3),
    kernel("draw", 155, 160, 3),
    kernel("attend", 190, 210, 4),
    kernel("product", 170, 200, 4),
    kernel("draw", 215, 220, 4),
    {"cat": "gpu_memcpy", "name": "Memcpy", "ts": 161, "dur": 2, "args": {"correlation": 5}},
]


def test_steps_are_launches_of_the_usual_graph():
    steps = decode_steps(TRACE)
    assert [(step.begin, step.end) for step in steps] == [(100, 160), (170, 220)]


def test_steps_of_another_batch_are_others():
    trace = [launch("cudaGraphLaunch", number) for number in range(5)]
    trace += [kernel("attend", 10 * n, 10 * n + 9, n, (8, 1, 1)) for n in range(2)]
    trace += [kernel("attend", 10 * n, 10 * n + 5, n, (32, 1, 1)) for n in range(2, 5)]
    assert [step.begin for step in decode_steps(trace)] == [20, 30, 40]


def test_the_gap_lies_between_steps():
    assert step_facts(decode_steps(TRACE)) == {
        "steps": 2,
        "step us": 70,
        "idle gap us": 10,
        "idle gap %": pytest.approx(100 / 7),
    }


def test_exposed_times_sum_up_to_the_steps():
    rows = {row["kernel"]: row for row in kernel_rows(decode_steps(TRACE), {"product": 60_000})}
    assert list(rows) == ["product", "attend", "draw"]
    assert rows["product"]["mean us"] == 30
    assert rows["product"]["GB/s"] == pytest.approx(2.0)
    assert rows["attend"]["exposed us"] == pytest.approx((20 + 10) / 2)
    assert rows["attend"]["GB/s"] is None
    assert sum(row["share"] for row in rows.values()) == pytest.approx(1)
    exposed = sum(row["exposed us"] * row["calls"] for row in rows.values())
    assert 2 * exposed == pytest.approx(60 + 50)


def test_a_trace_without_steps_is_refused():
    with pytest.raises(MeasurementError, match="--new-tokens"):
        decode_steps(TRACE[:4])


@pytest.mark.parametrize("batch", [1, 8])
def test_the_kernels_read_what_the_step_reads(batch):
    shape = named_spec("llama-3.2-1b")
    known = kernel_bytes(shape, 2, batch, 544)
    assert sum(known.values()) == decode_bytes(shape, 2, batch, 544)


@pytest.mark.parametrize("batch", [1, 8])
def test_the_kernels_are_called_so(batch):
    pytest.importorskip("triton", reason="pip install triton: there is none for this system")
    from townsfolk_kernels.decode import mlp, projection, qkv_attention, rope_attention

    modules = (mlp, projection, qkv_attention, rope_attention)
    for name in kernel_bytes(named_spec("llama-3.2-1b"), 2, batch, 544):
        assert any(hasattr(module, name) for module in modules), name
