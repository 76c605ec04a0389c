"""The command ``townsfolk train``."""

import json
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from townsfolk.commands.options import positive, share, whole_number
from townsfolk.starter import recipe
from townsfolk.training import tokenizer as tokenizers
from townsfolk.training.checkpoint import DTYPES, load_model, require_progress, save_model
from townsfolk.training.encoding import Encoder, Example
from townsfolk.training.model import TrainableDecoder
from townsfolk.training.packing import Batch, pack, pieces
from townsfolk.training.plot import PlottingUnavailableError, plot_losses
from townsfolk.training.script import InvalidScriptError, Script, read
from townsfolk.training.sources import BatchSource, PackedSource, WorkerSource
from townsfolk.training.trainer import Trainer, TrainerSettings

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    count, more_than_one = whole_number(1), whole_number(2)
    defaults = TrainerSettings()

    data = parser.add_argument_group("what to learn")
    data.add_argument("data", nargs="*", type=Path, help="JSONL files: conversations or {text}")
    data.add_argument(
        "--starter-corpus",
        action="store_true",
        help="learn from the starter model's corpus, made on the way, instead of files",
    )
    data.add_argument(
        "--edition",
        type=int,
        choices=(1, 2),
        default=2,
        help="of the starter model's corpus. Default: 2, of the weights that ship",
    )
    data.add_argument("--validation", type=Path, help="a JSONL file to measure the loss on")
    data.add_argument("--model", type=Path, help="go on from this Hugging Face directory")
    words = "the tokenizer of this directory, for a new model; without, one is trained"
    data.add_argument("--tokenizer", type=Path, help=words)
    data.add_argument("--out", type=Path, required=True, help="folder for model, checkpoint, plot")
    data.add_argument(
        "--prompt-weight",
        type=float,
        default=defaults.prompt_weight,
        help="weight of the loss on persona and player: 0 learns replies only, 1 all alike",
    )

    course = parser.add_argument_group("the course of training")
    add = course.add_argument
    add("--steps", type=count, default=defaults.steps, help="optimizer steps")
    add("--max-minutes", type=positive, help="end after this time, the schedule with it")
    add("--rows", type=count, default=8, help="rows in a batch")
    add("--length", type=more_than_one, default=1024, help="tokens in a row")
    add("--learning-rate", type=positive, default=defaults.learning_rate)
    add("--warmup-steps", type=count, default=defaults.warmup_steps)
    hold = "share of the run before the learning rate falls. Default: 0, it falls at once"
    add("--hold", type=share, default=defaults.hold, help=hold)
    add("--weight-decay", type=float, default=defaults.weight_decay)
    muon = "Muon instead of AdamW for the matrices of the layers: learns more of as many tokens"
    add("--muon", action="store_true", help=muon)
    add("--seed", type=int, default=0, help="of the initial weights and the order of the data")
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add("--save-every", type=count, default=defaults.save_every, help="steps between checkpoints")
    add("--log-every", type=count, default=defaults.log_every, help="steps between measurements")

    machine = parser.add_argument_group("the machine")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    cores = max(1, (os.cpu_count() or 2) - 1)
    add = machine.add_argument
    add("--device", default=device, help="cpu, cuda or cuda:N")
    add("--compile", action="store_true", help="compile the model; pays on CUDA after a minute")
    add("--workers", type=count, default=cores, help="processes that make the starter corpus")
    add("--dtype", choices=DTYPES, default="bfloat16", help="of the weights written at the end")

    shape = parser.add_argument_group("the shape of a new model")
    least = {"vocab_size": tokenizers.LEAST_SIZE}
    for name, value in recipe.SHAPE.items():
        kind = whole_number(least.get(name, 1))
        shape.add_argument("--" + name.replace("_", "-"), type=kind, default=value)


def run(args: Namespace) -> int:
    """Train; returns the exit status."""
    try:
        return _run(args)
    except (InvalidScriptError, OSError, ValueError) as error:
        print(f"townsfolk train: {error}")
        return 2
    except KeyboardInterrupt:
        print(f"Stopped. The same command with --resume goes on from {args.out / 'checkpoint'}.")
        return 130


def _run(args: Namespace) -> int:
    if bool(args.data) == args.starter_corpus:
        print("townsfolk train: give JSONL files, or --starter-corpus")
        return 2
    if args.model and args.tokenizer:
        print("townsfolk train: --model brings its own tokenizer; --tokenizer is for a new model")
        return 2
    _check_device(args.device)
    if args.resume and not args.model:
        require_progress(args.out / "checkpoint")
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    documents = None if args.starter_corpus else read(args.data)
    _prepare_files(args, documents)
    model = load_model(args.model) if args.model else TrainableDecoder(_new_shape(args))
    source, validation = _data(args, documents)
    trainer = Trainer(model, source, _settings(args), args.out, validation)
    if args.resume:
        trainer.resume()
    trainer.run()
    generation = json.loads((args.out / "generation_config.json").read_text())
    save_model(model, args.out, args.dtype, generation)
    print(f"The model is in {args.out}.")
    try:
        title = f"{args.out.name}: {trainer.parameters:,} parameters"
        plot_losses(trainer.history, args.out / "loss.png", title)
    except PlottingUnavailableError as error:
        print(error)
    return 0


def compute_device(name: str) -> str:
    """Return where to compute; "auto" is a GPU where there is one.

    Raises:
        ValueError: PyTorch can't compute there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    _check_device(name)
    return name


def _check_device(name: str) -> None:
    """Raise ValueError where PyTorch can't compute there."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"--device {name}: write cpu, cuda or cuda:N") from None
    if device.type == "cpu":
        return
    if device.type != "cuda":
        raise ValueError(f"--device {name}: only cpu and cuda can be trained on")
    if not torch.cuda.is_available():
        why = "is built without CUDA" if torch.version.cuda is None else "finds no CUDA device"
        raise ValueError(f"--device {name}: this PyTorch {why}; use --device cpu")
    if (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"--device {name}: there are {torch.cuda.device_count()} CUDA devices")


def _prepare_files(args: Namespace, documents: list[Script | str] | None) -> None:
    """Put the tokenizer's files into --out: those of --model or --tokenizer, or new ones."""
    args.out.mkdir(parents=True, exist_ok=True)
    given = args.model or args.tokenizer
    if args.model or (given and not args.resume):
        for name in _TOKENIZER_FILES:
            (args.out / name).write_bytes((given / name).read_bytes())
    elif not args.resume:
        texts = recipe.tokenizer_texts(args.edition) if documents is None else _texts(documents)
        trained = tokenizers.train(texts, args.vocab_size)
        tokenizers.save(trained, args.out, args.max_position_embeddings)


def _texts(documents: list[Script | str]) -> list[str]:
    texts = []
    for document in documents:
        if isinstance(document, str):
            texts.append(document)
        else:
            texts += [
                part for turn in document.messages() for part in (turn["role"], turn["content"])
            ]
    return texts


def _new_shape(args: Namespace) -> dict[str, Any]:
    """Return the `config.json` of a new model, but for what its tokenizer and its end say."""
    shape = {name: getattr(args, name) for name in recipe.SHAPE}
    vocabulary = Tokenizer.from_file(str(args.out / "tokenizer.json")).get_vocab_size()
    return recipe.CONFIG | shape | {"vocab_size": vocabulary}


def _data(
    args: Namespace, documents: list[Script | str] | None
) -> tuple[BatchSource, Sequence[Batch]]:
    encoder = Encoder.from_directory(args.out)
    source: BatchSource
    validation: list[Batch] = []
    if documents is None:
        shape = (args.rows, args.length)
        make = partial(recipe.batch, args.out, args.seed, *shape, edition=args.edition)
        source = WorkerSource(make, args.workers)
        validation = [recipe.validation_batch(args.out, *shape, edition=args.edition)]
    else:
        examples = [each for document in documents for each in _examples(document, encoder, args)]
        source = PackedSource(examples, args.rows, args.length, args.seed)
    if args.validation:
        validation = [pack(map(encoder, read([args.validation])), args.length, args.rows)]
    return source, validation


def _examples(document: Script | str, encoder: Encoder, args: Namespace) -> list[Example]:
    example = encoder(document)
    return pieces(example, args.length) if isinstance(document, str) else [example]


def _settings(args: Namespace) -> TrainerSettings:
    return TrainerSettings(
        steps=args.steps,
        max_minutes=args.max_minutes,
        learning_rate=args.learning_rate,
        warmup_steps=args.warmup_steps,
        hold=args.hold,
        weight_decay=args.weight_decay,
        orthogonal=args.muon,
        prompt_weight=args.prompt_weight,
        device=args.device,
        compile=args.compile,
        save_every=args.save_every,
        log_every=args.log_every,
    )
