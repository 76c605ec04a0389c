"""What a decode step is made of: its kernels, and how long the GPU waits for the next step."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity

from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.decode import random_prompts
from townsfolk.bench.engine_stage import EngineStage
from townsfolk.bench.floor import decode_bytes
from townsfolk.bench.report import Row, median
from townsfolk.bench.subject import Subject
from townsfolk.models import DecoderSpec

Event = Mapping[str, Any]

MOST_OPERATIONS = 25


@dataclass(frozen=True, slots=True)
class Step:
    """One launch of a CUDA graph: its kernels as they ran. Times are in us."""

    kernels: tuple[Event, ...]

    @property
    def begin(self) -> float:
        """When its first kernel began."""
        return min(float(kernel["ts"]) for kernel in self.kernels)

    @property
    def end(self) -> float:
        """When its last kernel ended."""
        return max(float(kernel["ts"]) + float(kernel["dur"]) for kernel in self.kernels)


def profile(
    subject: Subject, stage: EngineStage, folder: Path, batch: int, prompt: int, new: int
) -> tuple[list[Row], Row]:
    """Profile decoding; return a row for each kernel, and what holds for the step.

    Args:
        subject: what runs.
        stage: its engine.
        folder: where the trace goes, to be looked at with Perfetto or `chrome://tracing`.
        batch: requests.
        prompt: tokens of each.
        new: tokens of each answer.
    """
    on_gpu = subject.device.type == "cuda"
    stage.complete(random_prompts(subject.spec.vocab_size, batch, prompt, 0), new)  # warms up
    stage.rest()
    prompts = random_prompts(subject.spec.vocab_size, batch, prompt, 1)
    activity = ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU
    everywhere = torch._C._profiler._ExperimentalConfig(profile_all_threads=not on_gpu)
    with torch.profiler.profile(
        activities=[activity], experimental_config=everywhere, acc_events=True
    ) as traced:
        stage.complete(prompts, new)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{subject.name}-batch-{batch}.json"
    traced.export_chrome_trace(str(path))
    if not on_gpu:
        return operation_rows(traced), {"trace": str(path)}
    steps = decode_steps(json.loads(path.read_text("utf-8"))["traceEvents"])
    known: Mapping[str, int] = {}
    # Kernels of 16-bit weights and KV each read a known part.
    if not subject.outline.is_quantized and subject.kept_dtype == subject.dtype:
        known = kernel_bytes(subject.spec, subject.dtype.itemsize, batch, prompt + new // 2)
    return kernel_rows(steps, known), {**step_facts(steps), "trace": str(path)}


def decode_steps(events: Sequence[Event]) -> list[Step]:
    """Return the launches of the graph that was launched most often, in their order.

    Raises:
        MeasurementError: no graph was launched twice.
    """
    launches = {
        event["args"]["correlation"]
        for event in events
        if event.get("cat") == "cuda_runtime" and "GraphLaunch" in event["name"]
    }
    kernels: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "kernel" and event["args"]["correlation"] in launches:
            kernels[event["args"]["correlation"]].append(event)
    # Graphs of other sizes of batch have kernels of the same names.
    contents = {
        launch: tuple(sorted((k["name"], *k["args"].get("grid", ())) for k in group))
        for launch, group in kernels.items()
    }
    ((usual, count),) = Counter(contents.values()).most_common(1) or [((), 0)]
    if count < 2:
        raise MeasurementError("the trace holds no decode steps: ask for more --new-tokens")
    steps = [Step(tuple(kernels[launch])) for launch in kernels if contents[launch] == usual]
    return sorted(steps, key=lambda step: step.begin)


def step_facts(steps: Sequence[Step]) -> Row:
    """Return the time from step to step and the idle time between two, medians, in us."""
    periods = [after.begin - before.begin for before, after in itertools.pairwise(steps)]
    gaps = [after.begin - before.end for before, after in itertools.pairwise(steps)]
    period, gap = median(periods), median([max(gap, 0.0) for gap in gaps])
    return {
        "steps": len(steps),
        "step us": period,
        "idle gap us": gap,
        "idle gap %": 100 * gap / period,
    }


def kernel_rows(steps: Sequence[Step], known_bytes: Mapping[str, int]) -> list[Row]:
    """Return a row for each kernel, the costliest first.

    Kernels may overlap. A kernel's exposed time is what it adds to the step: from the end of all
    that began before it to its own end. The exposed times of a step sum up to the step.

    Args:
        steps: which to look at.
        known_bytes: what all calls of a kernel read in a step, by its name.
    """
    durations: dict[str, list[float]] = defaultdict(list)
    exposed: dict[str, float] = defaultdict(float)
    for step in steps:
        reached = step.begin
        for kernel in sorted(step.kernels, key=lambda kernel: float(kernel["ts"])):
            name, end = kernel["name"], float(kernel["ts"]) + float(kernel["dur"])
            durations[name].append(float(kernel["dur"]))
            exposed[name] += max(end - reached, 0.0)
            reached = max(reached, end)
    rows: list[Row] = []
    total = sum(exposed.values())
    for name in sorted(durations, key=lambda name: -exposed[name]):
        each = durations[name]
        read = known_bytes.get(name)
        rate = None if read is None else read / (exposed[name] / len(steps)) / 1e3
        rows.append(
            {
                "kernel": name[:60],
                "calls": len(each) / len(steps),
                "mean us": sum(each) / len(each),
                "exposed us": exposed[name] / len(each),
                "share": exposed[name] / total,
                "MB a step": None if read is None else read / 1e6,
                "GB/s": rate,
            }
        )
    return rows


def kernel_bytes(spec: DecoderSpec, element_bytes: int, batch: int, context: int) -> dict[str, int]:
    """Return the bytes that a decode step's kernels read at least, by their names."""
    hidden, inner = spec.hidden_size, spec.layers[0].mlp.width
    attention = spec.layers[0].attention
    queries, keys = attention.query_width, attention.kv_width
    layers, none = spec.num_layers, decode_bytes(spec, element_bytes, 0, context)
    kv = decode_bytes(spec, element_bytes, batch, context) - none
    qkv = layers * (queries + 2 * keys) * hidden * element_bytes
    head = spec.vocab_size * hidden * element_bytes
    common = {
        "_gate_up_kernel": layers * 2 * inner * hidden * element_bytes,
        "_project_and_add_kernel": layers * (queries + inner) * hidden * element_bytes,
    }
    if batch == 1:
        return {**common, "_qkv_attend_kernel": qkv + kv, "_project_kernel": head}
    return {**common, "_step_kernel": kv, "_project_kernel": qkv + head}


def operation_rows(traced: torch.profiler.profile) -> list[Row]:
    """Return a row for each PyTorch operation on the CPU, the costliest first; prefill is in it.

    Times are an operation's own, without those that it calls.
    """
    averages = sorted(traced.key_averages(), key=lambda event: -event.self_cpu_time_total)
    total = sum(event.self_cpu_time_total for event in averages)
    return [
        {
            "operation": event.key,
            "calls": event.count,
            "mean us": event.self_cpu_time_total / event.count,
            "share": event.self_cpu_time_total / total,
        }
        for event in averages[:MOST_OPERATIONS]
    ]
