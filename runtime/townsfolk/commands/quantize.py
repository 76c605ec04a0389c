"""`townsfolk quantize`: a model in 16 bits to a smaller one, in a directory of its own."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from townsfolk.commands.options import whole_number

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from townsfolk.models import Architecture

# The names of `townsfolk.quantization.target`, which would import PyTorch here.
TARGETS = ("int8", "int4", "fp8")
MIB = 2**20
_LEAST_TOKENS = 16
_TEXT_TOKENS = 512  # of a text that is read at once


class QuantizeError(Exception):
    """The model can't be quantised, and the message says what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("model", help="a directory of safetensors in 16 or 32 bits, or a hub id")
    parser.add_argument(
        "--to",
        choices=TARGETS,
        required=True,
        help="int8: 8.5 bits a weight. int4: 4.5, embedding and head in int8. fp8: for other "
        "runtimes; here its weights take 16 bits again",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where to")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="text such as the model will read: what matters to it is rounded less (int4)",
    )
    parser.add_argument(
        "--calibration-tokens",
        type=whole_number(16),
        default=16384,
        help="how much of the text is read, at most. Default 16384",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(options: argparse.Namespace) -> int:
    """Quantise; return the exit status."""
    from townsfolk.engine.load_errors import LOAD_ERRORS

    try:
        _quantize(options)
    except (*LOAD_ERRORS, QuantizeError, OSError, UnicodeDecodeError) as error:
        print(f"townsfolk: {error}", file=sys.stderr)
        return 1
    return 0


def _quantize(options: argparse.Namespace) -> None:
    import torch

    from townsfolk.library import resolve
    from townsfolk.models import open_source
    from townsfolk.models.loading import check_tensors
    from townsfolk.quantization.write import quantize_model

    if options.output.exists() and (not options.output.is_dir() or any(options.output.iterdir())):
        raise QuantizeError(f"{options.output} is there already: give an empty or a new folder")
    if options.calibration is not None and options.to != "int4":
        raise QuantizeError("--calibration changes nothing for int8 and fp8: leave it out")
    path = resolve(options.model)
    if path.is_file():
        raise QuantizeError(f"{path} is a GGUF file: quantise the model that it was made from")
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    if config.get("quantization_config"):
        raise QuantizeError(
            f"{path} is quantised already: quantise the model that it was made from"
        )
    has_cuda = torch.cuda.is_available()
    if options.device == "cuda" and not has_cuda:
        raise QuantizeError("--device cuda: there is no CUDA device, or this PyTorch has no CUDA")
    device = torch.device("cuda" if options.device != "cpu" and has_cuda else "cpu")
    source = open_source(path)
    checkpoint = source.checkpoint()
    architecture = check_tensors(source.architecture(), checkpoint)
    importance = _importance(options, path, architecture, device) if options.calibration else {}

    def progress(name: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{name}", end="", file=sys.stderr, flush=True)

    report = quantize_model(
        *(path, architecture, checkpoint, options.to, options.output, importance, device),
        progress,
    )
    progress("")
    for reason in sorted(set(report.kept.values())):
        count = sum(1 for each in report.kept.values() if each == reason)
        print(f"not quantised: {count} of the matrices ({reason})")
    print(
        f"{options.output}: {report.after / MIB:,.0f} MiB of weights, "
        f"before {report.before / MIB:,.0f} MiB"
    )


def _importance(
    options: argparse.Namespace, path: Path, architecture: Architecture, device: torch.device
) -> dict[str, Tensor]:
    from townsfolk.models import Decoder, open_source
    from townsfolk.quantization.importance import measure
    from townsfolk.text import Tokenizer

    text = options.calibration.read_text(encoding="utf-8")
    ids = Tokenizer(open_source(path).tokenizer()).encode(text)[: options.calibration_tokens]
    if len(ids) < _LEAST_TOKENS:
        raise QuantizeError(
            f"{options.calibration} has {len(ids)} tokens: at least {_LEAST_TOKENS} say something"
        )
    length = min(architecture.spec.context_length, _TEXT_TOKENS)
    texts = [ids[begin : begin + length] for begin in range(0, len(ids), length)]
    return measure(Decoder.load(path, device=device), architecture, texts)
