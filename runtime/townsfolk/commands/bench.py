"""`townsfolk bench`: measurements, each ending in one JSON line.

Characters of a model that talk at once, over the real service. With --shape, random weights of that
shape, or with --model and --batch or one of the options below, that model's own: decode speed, or
what the option names.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import sys
from pathlib import Path

from townsfolk.commands.connection import add_connection
from townsfolk.commands.options import positive, whole_number

DTYPES = ("bfloat16", "float16", "float32")
# The names of `townsfolk.models.mixes`, which would import PyTorch here.
QUANTIZATIONS = ("q8_0", "q6_k", "q5_k_m", "q4_k_m", "q5_1", "q5_0", "q4_1", "q4_0")
_OWN = ("prefill", "through", "tavern", "interference", "render", "cold", "profile", "report")
# What `townsfolk serve` allows by default.
_USUAL_SESSIONS = 256

# Which options of the groups each measurement reads, beside its own; others are refused, not
# ignored. `--threads`, `--rounds`, `--turns` and `--new-tokens` may be given for all.
_FOR_ALL = {"threads", "rounds", "turns", "new_tokens"}
_CHARACTERS = "characters of a model"
_OF_SHAPES = {
    "model", "adapter", "device", "dtype", "quantization", "kv_dtype", "step_tokens", "keep",
}  # fmt: skip
_OF_FRAMES = {
    "frames",
    "renderer",
    "seconds",
    "policy",
    "rival",
    "rival_url",
    "rival_loads_s",
    "plot",
}
# These make no sense for a model that is there.
_RANDOM_ONLY = ("dtype", "quantization", "keep")
_PEERS = {"transformers": "transformers", "llama.cpp": "xllamacpp"}
"""What can be measured beside ours, and the package that brings it."""
_READS = {
    _CHARACTERS: {"connect", "token", "model", "adapter", "npcs"},
    "decode speed": _OF_SHAPES | {"batch", "prompt_tokens", "peer", "grammar", "adapters", "rank"},
    "--prefill": _OF_SHAPES,
    "--through": _OF_SHAPES | {"batch", "prompt_tokens"},
    "--tavern": _OF_SHAPES | {"in_process", "thinking_s", "plot"},
    "--interference": _OF_SHAPES | {"in_process"},
    "--render": _OF_SHAPES | _OF_FRAMES,
    "--cold": _OF_SHAPES,
    "--profile": _OF_SHAPES | {"batch", "prompt_tokens"},
    "--report": {"plot"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_connection(parser)
    parser.set_defaults(model=None)
    count = whole_number(1)
    parser.add_argument("--threads", type=count, help="CPU threads. Default: what PyTorch takes")
    parser.add_argument("--rounds", type=count, default=3, help="runs of each; medians. Default 3")
    parser.add_argument("--turns", type=count, help="questions to each. Default 4; tavern 8")
    parser.add_argument(
        "--new-tokens",
        type=count,
        help="tokens an answer. Default 64, or 4 for each request of a batch; more where that is "
        "too short to have all answer at once",
    )
    npcs = parser.add_argument_group("characters of a model, over the service")
    npcs.add_argument("--npcs", type=_numbers, default=[1, 8, 32], help="default 1,8,32")

    shape = parser.add_argument_group("random weights")
    shape.add_argument("--shape", help="llama-3.2-1b, llama-3.1-8b, llama-160m, llama-tiny")
    shape.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    shape.add_argument("--dtype", choices=DTYPES, default="bfloat16", help="of our weights")
    shape.add_argument(
        "--quantization",
        choices=QUANTIZATIONS,
        help="formats of our weights, as llama.cpp's quantiser chooses them; then --dtype is that "
        "of activations",
    )
    shape.add_argument(
        "--kv-dtype", choices=("auto", "int8"), default="auto", help="of keys and values"
    )
    shape.add_argument("--step-tokens", type=count, help="of one step; see step_token_budget")
    shape.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="keep the checkpoint that a runtime loads there, and use it again",
    )
    shape.add_argument(
        "--batch",
        type=_numbers,
        help="requests that decode at once. Default 1,2,4,8,16,32,64",
    )
    shape.add_argument("--prompt-tokens", type=count, default=512, help="default 512")
    shape.add_argument(
        "--peer",
        nargs="?",
        choices=tuple(_PEERS),
        const="transformers",
        help="decode: in turns with ours, too: transformers, in bf16, or on the CPU llama.cpp, "
        "with the same formats. Default transformers",
    )
    shape.add_argument(
        "--grammar",
        action="store_true",
        help="decode: with every row under a JSON Schema, in turns with none, too",
    )

    shape.add_argument(
        "--adapters",
        type=count,
        metavar="N",
        help="decode: with N random adapters, one for each row in turn, in turns with none, too",
    )
    shape.add_argument("--rank", type=count, default=16, help="of --adapters. Default 16")

    measure = parser.add_argument_group("instead of decode speed").add_mutually_exclusive_group()
    measure.add_argument("--prefill", type=_numbers, metavar="TOKENS", help="such as 512,2048")
    measure.add_argument(
        "--through",
        choices=("service",),
        help="decode in this process and over the service in turns: what the service costs",
    )
    measure.add_argument(
        "--tavern",
        type=_numbers,
        metavar="NPCS",
        help="characters who share lore, such as 8,32,64,128, over the service",
    )
    measure.add_argument(
        "--interference",
        action="store_true",
        help="what long prompts do to 8 who speak, over the service",
    )
    measure.add_argument(
        "--render",
        type=_counts,
        metavar="NPCS",
        help="frames of a game on the same processor beside characters who talk, such as 0,1,8",
    )
    measure.add_argument(
        "--cold", action="store_true", help="seconds from a started process to a first word"
    )
    measure.add_argument(
        "--profile", type=Path, metavar="DIR", help="kernels of a decode step; the trace goes there"
    )
    measure.add_argument(
        "--report", type=Path, metavar="FILE", help="measure nothing: --plot this earlier output"
    )
    scene = parser.add_argument_group("tavern and interference")
    scene.add_argument(
        "--in-process", action="store_true", help="the engine alone, without the service"
    )
    scene.add_argument(
        "--thinking-s",
        type=positive,
        default=2.0,
        help="tavern: mean of the pauses between turns, exponential. Default 2",
    )
    frames = parser.add_argument_group("render")
    frames.add_argument(
        "--frames",
        type=_frames,
        default=[(60.0, 8.0)],
        metavar="RATE:MS,...",
        help="frames a second, and milliseconds of the processor for each, such as 60:8,120:4. "
        "Default 60:8",
    )
    frames.add_argument(
        "--renderer",
        choices=("town", "products"),
        help="a town drawn with OpenGL by EGL (default on a GPU), or matrix products in one CPU "
        "thread (default beside a model on the CPU)",
    )
    frames.add_argument("--seconds", type=positive, default=60.0, help="of each row. Default 60")
    frames.add_argument(
        "--policy",
        choices=("none", "smooth", "balanced", "fast"),
        action="append",
        help="of the game that reports its frames; none for one that does not. May be given more "
        "than once. Default none and balanced",
    )
    frames.add_argument(
        "--rival",
        metavar="COMMAND",
        help="a program that computes on the same processor in the runtime's place, for a row of "
        "its own; it must run for longer than --seconds, and is ended then",
    )
    frames.add_argument(
        "--rival-url",
        metavar="URL",
        help="where --rival serves OpenAI's chat completions, such as http://127.0.0.1:8080 for "
        "llama-server: as many characters speak by it",
    )
    frames.add_argument(
        "--rival-loads-s",
        type=positive,
        default=5.0,
        help="before it computes, or with --rival-url at most until it serves. Default 5",
    )
    scene.add_argument("--plot", type=Path, metavar="PNG", help="tavern, render: draw the figures")


def run(options: argparse.Namespace) -> int:
    """Measure and report; return the exit status."""
    from townsfolk.bench.answer import MeasurementError
    from townsfolk.bench.plot import PlotError, plot, read_report
    from townsfolk.client import TownsfolkError

    try:
        _refuse_unread(options)
        if options.report:
            if not options.plot:
                raise PlotError("--report needs --plot PNG")
            plot(read_report(options.report), options.plot)
        elif options.shape or _measures_model(options):
            from townsfolk.bench import shape

            shape.run(options)
        else:
            asyncio.run(_npcs(options))
    except (TownsfolkError, PlotError, MeasurementError, ValueError) as error:
        print(f"townsfolk: {error}", file=sys.stderr)
        return 1
    return 0


def _measures_model(options: argparse.Namespace) -> bool:
    """Return whether a model's own weights are measured, instead of its characters."""
    return options.model is not None and (options.batch is not None or _asked(options) != "")


def _asked(options: argparse.Namespace) -> str:
    """Return the option that names a measurement, if there is one."""
    return next((f"--{name}" for name in _OWN if getattr(options, name)), "")


def _refuse_unread(options: argparse.Namespace) -> None:
    """Raise ValueError where an option is given that the measurement would not look at."""
    asked, of_weights = _asked(options), options.shape or _measures_model(options)
    if asked and asked != "--report" and not of_weights:
        raise ValueError(
            f"{asked} measures random weights: it needs --shape, such as llama-3.2-1b, or a --model"
        )
    if options.shape and options.model:
        raise ValueError("--shape is of random weights, --model of a model: give one of them")
    if options.adapter and (options.shape or options.connect):
        raise ValueError("--adapter is of a --model that is started here")
    measurement = asked or ("decode speed" if of_weights else _CHARACTERS)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    read = {*_OWN, "shape", "command"} | _FOR_ALL | _READS[measurement]
    for name, value in vars(options).items():
        if value == parser.get_default(name):
            continue
        option = "--" + name.replace("_", "-")
        if of_weights and not options.shape and name in _RANDOM_ONLY:
            raise ValueError(f"{option} is for random weights, with --shape, not for a --model")
        if name in read:
            continue
        readers = " or ".join(key for key, names in _READS.items() if name in names)
        needs = "" if options.shape or name in _READS[_CHARACTERS] else " (with --shape)"
        raise ValueError(
            f"{option} has no meaning for {measurement}; it goes with {readers}{needs}"
        )
    if options.peer:
        _check_peer(options)


def _check_peer(options: argparse.Namespace) -> None:
    """Raise ValueError where the peer can't be measured."""
    if options.peer == "transformers" and (options.model or options.quantization):
        raise ValueError(
            "--peer transformers is of random weights in bf16; llama.cpp can be had quantised"
        )
    if options.peer == "llama.cpp" and options.device != "cpu":
        raise ValueError("--peer llama.cpp computes on the CPU: it goes with --device cpu")
    package = _PEERS[options.peer]
    if importlib.util.find_spec(package) is None:
        raise ValueError(f"--peer measures {options.peer}, too: pip install {package}")


def _frames(text: str) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    try:
        for part in text.split(","):
            rate, work_ms = (float(number) for number in part.split(":"))
            found.append((rate, work_ms))
    except ValueError:
        found = []
    if not found or not all(1 <= rate <= 1000 and 0 < ms <= 1000 / rate for rate, ms in found):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list such as 60:8,120:4: frames a second (1 to 1000), and the "
            "milliseconds of work in each, no more than there are"
        )
    return found


def _counts(text: str) -> list[int]:
    return _numbers(text, least=0)


def _numbers(text: str, least: int = 1) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 1,8,16")
    return numbers


async def _npcs(options: argparse.Namespace) -> None:
    from townsfolk.bench.npcs import measure
    from townsfolk.bench.report import print_report
    from townsfolk.client import AsyncRuntime

    turns, new_tokens = options.turns or 4, options.new_tokens or 64
    arguments = ["--model", options.model or "starter"]
    if options.adapter:
        arguments += ["--adapter", options.adapter]
    if options.threads is not None:
        arguments += ["--threads", str(options.threads)]
    if max(options.npcs) > _USUAL_SESSIONS:
        arguments += ["--max-sessions", str(max(options.npcs))]
    runtime = (
        AsyncRuntime.connect(options.connect, options.token)
        if options.connect
        else AsyncRuntime.launch(*arguments)
    )
    async with runtime:
        info = await runtime.info()
        await measure(runtime, npcs=1, turns=1, new_tokens=new_tokens)  # warm up
        rows = [await measure(runtime, npcs, turns, new_tokens) for npcs in options.npcs]
    print_report("npcs", rows, model=info.model, device=info.device, dtype=info.dtype)
