"""The command ``townsfolk train``."""

import json
import os
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from townsfolk.starter import recipe
from townsfolk.training import tokenizer as tokenizers
from townsfolk.training.checkpoint import DTYPES, load_model, save_model
from townsfolk.training.encoding import Encoder
from townsfolk.training.model import Llama, LlamaConfig, UnsupportedConfigError
from townsfolk.training.plot import PlottingUnavailableError, plot_losses
from townsfolk.training.script import InvalidScriptError, Script, read
from townsfolk.training.sources import ScriptSource, Source, WorkerSource
from townsfolk.training.trainer import Trainer, TrainerSettings


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Train a model on conversations or text (JSONL), or train the starter model anew."
    )
    defaults = TrainerSettings()
    add = parser.add_argument
    add(
        "data",
        nargs="*",
        type=Path,
        help="JSONL files: conversations (persona, lore, transcript) or {text}",
    )
    add(
        "--starter-corpus",
        action="store_true",
        help="learn from the starter model's generated corpus instead of files",
    )
    add(
        "--out",
        type=Path,
        required=True,
        help="folder for the model, its checkpoint and its loss plot",
    )
    add(
        "--model",
        type=Path,
        help="fine-tune this Hugging Face Llama directory instead of starting anew",
    )
    add("--resume", action="store_true", help="go on from the checkpoint in --out")
    add(
        "--seed",
        type=int,
        default=0,
        help="seed of the initial weights and of the order of the data",
    )
    add(
        "--device",
        default="cuda" if torch.cuda.is_available() else "cpu",
        help="cpu, cuda or cuda:N",
    )
    add(
        "--compile",
        action="store_true",
        help="compile the model (worth it on CUDA in runs of some minutes)",
    )
    add("--steps", type=int, default=defaults.steps, help="optimizer steps")
    add(
        "--max-minutes",
        type=float,
        help="end after this time, with the learning rate falling accordingly",
    )
    add("--rows", type=int, default=8, help="rows in a batch")
    add("--length", type=int, default=1024, help="tokens in a row")
    add("--learning-rate", type=float, default=defaults.learning_rate)
    add("--warmup-steps", type=int, default=defaults.warmup_steps)
    add("--weight-decay", type=float, default=defaults.weight_decay)
    add("--prompt-weight", type=float, default=defaults.prompt_weight,
        help="weight of the loss on persona and player: 0 learns replies only, 1 all text")  # fmt: skip
    add("--save-every", type=int, default=defaults.save_every, help="steps between checkpoints")
    add("--log-every", type=int, default=defaults.log_every, help="steps between measurements")
    add(
        "--dtype",
        choices=DTYPES,
        default="bfloat16",
        help="of the weights that are written at the end",
    )
    add(
        "--workers",
        type=int,
        default=max(1, (os.cpu_count() or 2) - 1),
        help="processes that write the starter corpus",
    )
    shape = parser.add_argument_group("a new model's shape")
    for name, value in recipe.SHAPE.items():
        shape.add_argument("--" + name.replace("_", "-"), type=int, default=value)


def run(args: Namespace) -> int:
    """Train; returns the exit status."""
    try:
        return _run(args)
    except (
        InvalidScriptError,
        UnsupportedConfigError,
        PlottingUnavailableError,
        FileNotFoundError,
    ) as error:
        print(f"townsfolk train: {error}")
        return 2
    except KeyboardInterrupt:
        print(f"Stopped. Go on with --resume --out {args.out}")
        return 130


def _run(args: Namespace) -> int:
    if bool(args.data) == args.starter_corpus:
        print("townsfolk train: give JSONL files, or --starter-corpus")
        return 2
    torch.manual_seed(args.seed)
    torch.set_float32_matmul_precision("high")
    documents = None if args.starter_corpus else read(args.data)
    _prepare_files(args, documents)
    tokenizer_config = json.loads((args.out / "tokenizer_config.json").read_text())
    model = load_model(args.model) if args.model else Llama(_new_config(args))
    source: Source
    validation = None
    if documents is None:
        make = partial(recipe.batch, args.out, args.seed, args.rows, args.length)
        source = WorkerSource(make, args.workers)
        validation = recipe.validation_batch(args.out, args.rows, args.length)
    else:
        encoder = Encoder(Tokenizer.from_file(str(args.out / "tokenizer.json")), tokenizer_config)
        source = ScriptSource(documents, encoder, args.rows, args.length, args.seed)
    trainer = Trainer(model, source, _settings(args), args.out, validation)
    if args.resume:
        trainer.resume()
    trainer.run()
    generation = json.loads((args.out / "generation_config.json").read_text())
    save_model(model, args.out, args.dtype, generation)
    plot_losses(
        trainer.history,
        args.out / "loss.png",
        f"{args.out.name}: {trainer.parameters:,} parameters",
    )
    return 0


def _prepare_files(args: Namespace, documents: list[Script | str] | None) -> None:
    """Put the tokenizer's files into --out: those of --model, or new ones."""
    names = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")
    args.out.mkdir(parents=True, exist_ok=True)
    if args.model:
        for name in names:
            (args.out / name).write_bytes((args.model / name).read_bytes())
    elif not args.resume:
        texts = recipe.tokenizer_texts() if documents is None else _texts(documents)
        trained = tokenizers.train(texts, args.vocab_size)
        tokenizers.save(trained, args.out, args.max_position_embeddings)


def _texts(documents: list[Script | str]) -> list[str]:
    texts = []
    for document in documents:
        texts += (
            [document] if isinstance(document, str) else [m["content"] for m in document.messages()]
        )
    return texts


def _new_config(args: Namespace) -> LlamaConfig:
    shape: dict[str, Any] = {name: getattr(args, name) for name in recipe.SHAPE}
    vocabulary = Tokenizer.from_file(str(args.out / "tokenizer.json")).get_vocab_size()
    return LlamaConfig(**{**shape, "vocab_size": vocabulary})


def _settings(args: Namespace) -> TrainerSettings:
    return TrainerSettings(
        steps=args.steps,
        max_minutes=args.max_minutes,
        learning_rate=args.learning_rate,
        warmup_steps=args.warmup_steps,
        weight_decay=args.weight_decay,
        prompt_weight=args.prompt_weight,
        device=args.device,
        compile=args.compile,
        save_every=args.save_every,
        log_every=args.log_every,
    )
