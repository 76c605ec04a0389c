"""Measurements of random weights of a named shape, or of a model: from options to a report."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from townsfolk.bench import recorded, render
from townsfolk.bench.adapters import AdapterContestant, write_random_adapters
from townsfolk.bench.cold import cold
from townsfolk.bench.decode import (
    Contestant,
    TownsfolkContestant,
    decode,
    through_service,
)
from townsfolk.bench.floor import matrix_rate, memory_bandwidth
from townsfolk.bench.grammar import GrammarContestant
from townsfolk.bench.interference import SCENE, interference
from townsfolk.bench.plot import plot
from townsfolk.bench.prefill import prefill
from townsfolk.bench.profile import profile
from townsfolk.bench.render import Ways
from townsfolk.bench.renderer import Frames, Kind, Renderer
from townsfolk.bench.report import gpu_name, print_report
from townsfolk.bench.rival import Rival
from townsfolk.bench.scene import Scene, Stage
from townsfolk.bench.subject import Subject
from townsfolk.bench.tavern import tavern, with_recorded
from townsfolk.engine.threads import run_in_new_thread

NEW_TOKENS = 64
BATCHES = [1, 2, 4, 8, 16, 32, 64]


def run(options: argparse.Namespace) -> None:
    """Measure what the options ask for, and report.

    Raises:
        ValueError: an option is wrong.
        PlotError: the figures can't be drawn.
        TownsfolkError: a runtime could not start.
        MeasurementError: a measurement came to nothing.
    """
    options.batch = options.batch or BATCHES
    with Subject.of(options) as subject:
        if options.prefill:
            _prefill(options, subject)
        elif options.through:
            _through_service(options, subject)
        elif options.tavern:
            _tavern(options, subject)
        elif options.interference:
            _interference(options, subject)
        elif options.render:
            _render(options, subject)
        elif options.cold:
            print_report("cold", cold(subject), **subject.facts)
        elif options.profile:
            _profile(options, subject)
        else:
            _decode(options, subject)


def _decode(options: argparse.Namespace, subject: Subject) -> None:
    most = max(options.batch)
    longest = _answer_lengths(options, most)[-1]
    room = most * (options.prompt_tokens + longest)
    with tempfile.TemporaryDirectory(prefix="townsfolk-adapters-") as folder:
        adapters: list[str] = []
        if options.adapters:
            adapters = write_random_adapters(
                Path(folder), subject.architecture, options.adapters, options.rank
            )
        stage = subject.engine_stage(most, room, Path(folder) if adapters else None)
        contestants: list[Contestant] = [TownsfolkContestant(stage)]
        if adapters:
            contestants.append(AdapterContestant(stage, adapters))
    if options.peer:
        contestants.append(_peer(options, subject, most, options.prompt_tokens + longest))
    if options.grammar:
        contestants.append(GrammarContestant(stage))
    bandwidth = run_in_new_thread(memory_bandwidth, subject.device)
    rows = decode(
        subject,
        contestants,
        bandwidth,
        options.batch,
        options.prompt_tokens,
        partial(_answer_lengths, options),
        options.rounds,
    )
    for contestant in contestants:
        contestant.close()
    print_report(
        "decode",
        rows,
        **subject.facts,
        prompt_tokens=options.prompt_tokens,
        memory_bandwidth_gb_s=bandwidth / 1e9,
        peer=recorded.source(gpu_name(subject.device)),
    )


def _peer(options: argparse.Namespace, subject: Subject, requests: int, tokens: int) -> Contestant:
    """Return the peer that the options name, for so many requests of so many tokens each."""
    threads = options.threads or torch.get_num_threads()
    if options.peer == "llama.cpp":
        from townsfolk.bench.llama_cpp import llama_cpp_contestant

        return llama_cpp_contestant(subject.gguf_file(), threads, requests, tokens)
    from townsfolk.bench.peer import transformers_contestant

    assert subject.shape is not None
    return transformers_contestant(subject.shape, torch.bfloat16, subject.device, threads)


def _prefill(options: argparse.Namespace, subject: Subject) -> None:
    rate = run_in_new_thread(matrix_rate, subject.device, subject.dtype)
    with closing(subject.engine_stage(1, 2 * max(options.prefill))) as stage:
        rows = prefill(subject, stage, rate, options.prefill, options.rounds)
    print_report(
        "prefill",
        rows,
        **subject.facts,
        matrix_rate_tflop_s=rate / 1e12,
        peer=recorded.source(gpu_name(subject.device)),
    )


def _through_service(options: argparse.Namespace, subject: Subject) -> None:
    most = max(options.batch)
    room = most * (options.prompt_tokens + _answer_lengths(options, most)[-1] + 80)
    with closing(subject.engine_stage(most, room)) as engine:
        rows = through_service(
            engine,
            lambda: subject.service_stage(most, room),
            options.batch,
            options.prompt_tokens,
            partial(_answer_lengths, options),
            options.rounds,
        )
    print_report("through service", rows, **subject.facts)


def _answer_lengths(options: argparse.Namespace, batch: int) -> list[int]:
    """Return lengths of answers to try: the last prompt must be read while the first one speaks."""
    if options.new_tokens:
        return [options.new_tokens]
    least = max(NEW_TOKENS, 4 * batch)
    return [least, 2 * least, 4 * least]


def _tavern(options: argparse.Namespace, subject: Subject) -> None:
    scene = Scene(npcs=max(options.tavern), thinking_s=options.thinking_s)
    scene = replace(scene, turns=options.turns or scene.turns)
    with closing(_stage(options, subject, scene, scene.npcs)) as stage:
        rows = tavern(stage, scene, options.tavern)
    gpu = gpu_name(subject.device)
    report = print_report(
        "tavern",
        with_recorded(rows, gpu, subject.name),
        **subject.facts,
        way=_way(options),
        turns=scene.turns,
        thinking_s=scene.thinking_s,
        peer=recorded.source(gpu),
    )
    if options.plot:
        plot(report, options.plot)


def _interference(options: argparse.Namespace, subject: Subject) -> None:
    scene = replace(SCENE, reply=options.new_tokens or SCENE.reply)
    with closing(_stage(options, subject, scene, 2 * scene.npcs)) as stage:
        rows = interference(stage, scene, options.rounds)
    print_report("interference", rows, **subject.facts, way=_way(options))


def _render(options: argparse.Namespace, subject: Subject) -> None:
    frames = [Frames(1 / rate, work_ms / 1000, options.seconds) for rate, work_ms in options.frames]
    policies = options.policy or ["none", "balanced"]
    ways = Ways(frames, options.render, [None if each == "none" else each for each in policies])
    scene = replace(render.SCENE, npcs=max(options.render))
    rival = None
    if options.rival:
        rival = Rival(options.rival, options.rival_loads_s, options.rival_url)
    elif options.rival_url:
        raise ValueError("--rival-url says where --rival serves, which is missing")
    if options.renderer == "products" and subject.device.type == "cuda":
        raise ValueError("--renderer products keeps the CPU busy, and the model is on the GPU")
    kind: Kind = options.renderer or ("town" if subject.device.type == "cuda" else "products")
    with (
        closing(subject.service_stage(max(scene.npcs, 1), 2 * scene.tokens)) as stage,
        closing(Renderer(kind, subject.device, stage.endpoint)) as renderer,
    ):
        rows = render.render(renderer, stage.endpoint, ways, scene, rival)
        report = print_report(
            "render", rows, **subject.facts, renderer=renderer.name, seconds=options.seconds
        )
    if options.plot:
        plot(report, options.plot)


def _profile(options: argparse.Namespace, subject: Subject) -> None:
    new_tokens = options.new_tokens or NEW_TOKENS
    for batch in options.batch:
        room = batch * (options.prompt_tokens + new_tokens)
        with closing(subject.engine_stage(batch, 2 * room)) as stage:
            rows, step = profile(
                subject, stage, options.profile, batch, options.prompt_tokens, new_tokens
            )
        print_report("profile", rows, **subject.facts, batch=batch, **step)


def _stage(options: argparse.Namespace, subject: Subject, scene: Scene, requests: int) -> Stage:
    make = subject.engine_stage if options.in_process else subject.service_stage
    return make(requests, scene.tokens)


def _way(options: argparse.Namespace) -> str:
    return "in process" if options.in_process else "over gRPC"
