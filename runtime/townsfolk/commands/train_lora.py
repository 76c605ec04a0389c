"""`townsfolk train lora`: an adapter for a model of any family, from dialogues."""

from __future__ import annotations

import argparse
import hashlib
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from townsfolk.commands.options import positive, share, whole_number

if TYPE_CHECKING:
    from townsfolk.checkpoint import Adapter, AdapterConfig
    from townsfolk.text.tokenizer import Tokenizer
    from townsfolk.training.encoding import Example
    from townsfolk.training.held_out import Document
    from townsfolk.training.lora import LoraDecoder
    from townsfolk.training.packing import Batch
    from townsfolk.training.sources import PackedSource
    from townsfolk.training.trainer import Trainer, TrainerSettings

_LENGTH = 1024
# Below, a tenth of the dialogues would be no measure.
_LEAST_TO_DIVIDE = 10


class TrainingError(ValueError):
    """The run can't begin, and the message says what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    count = whole_number(1)
    data = parser.add_argument_group("what to learn")
    add = data.add_argument
    add("--base", required=True, metavar="MODEL", help="a model directory, GGUF file or hub id")
    add("--data", type=Path, nargs="+", required=True, metavar="FILE", help="dialogues, as JSONL")
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="where the adapter goes")
    add("--validation", type=Path, metavar="FILE", help="dialogues to measure the loss on")
    add(
        "--hold-out",
        type=share,
        default=0.1,
        metavar="SHARE",
        help="without --validation: this share of at least ten dialogues, whole characters where "
        "there are several, is measured on and not learned. Default 0.1; 0 learns all",
    )
    add("--adapter", type=Path, metavar="DIR", help="go on from this adapter, as PEFT writes it")

    shape = parser.add_argument_group("the adapter")
    add = shape.add_argument
    add("--rank", type=count, help="width of its matrices. Default 16")
    add("--alpha", type=positive, help="its weight times its rank. Default twice the rank")
    add("--dropout", type=share, default=0.0, help="share of inputs it doesn't see. Default 0")
    add(
        "--targets",
        metavar="NAMES",
        help="names of the modules to adapt, with commas. Default all products of the layers",
    )

    course = parser.add_argument_group("the course of training")
    add = course.add_argument
    add("--epochs", type=positive, default=3.0, help="times each dialogue is read. Default 3")
    add("--steps", type=count, help="optimizer steps, instead of --epochs")
    add("--max-minutes", type=positive, help="end after this time, the schedule with it")
    add("--patience", type=count, help="end after so many measurements without a better one")
    add("--rows", type=count, default=4, help="rows in a batch. Default 4")
    add(
        "--accumulate",
        type=count,
        default=1,
        metavar="N",
        help="batches of a step, one after the other: the gradients of N times the rows, in the "
        "memory of --rows. Default 1",
    )
    add("--length", type=whole_number(2), help=f"tokens in a row. Default at most {_LENGTH}")
    add("--learning-rate", type=positive, default=2e-4, help="its peak. Default 2e-4")
    add("--warmup-steps", type=count, default=10, help="steps until the peak. Default 10")
    add("--weight-decay", type=float, default=0.0, help="of the adapter. Default 0")
    add(
        "--prompt-weight",
        type=share,
        default=0.0,
        help="weight of the loss on persona and player. Default 0: the character's own words only",
    )
    add("--seed", type=int, default=0, help="of first weights, order and dropout. Default 0")
    add("--resume", action="store_true", help="go on with the run in --output")
    add("--save-every", type=count, default=20, help="steps between checkpoints. Default 20")
    add("--log-every", type=count, default=10, help="steps between measurements. Default 10")

    machine = parser.add_argument_group("the machine")
    add = machine.add_argument
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N. Default auto")
    add("--threads", type=count, help="CPU threads to compute with")
    add(
        "--gradient-checkpointing",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compute layers twice to keep less of them. Default on",
    )


def run(options: argparse.Namespace) -> int:
    """Train; return the exit status."""
    from townsfolk.dialogue.errors import DialogueError
    from townsfolk.engine.load_errors import LOAD_ERRORS

    try:
        _train(options)
    except (*LOAD_ERRORS, DialogueError, OSError, ValueError) as error:
        print(f"townsfolk train lora: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Stopped. The same command with --resume goes on with {options.output}.")
        return 130
    return 0


def _train(options: argparse.Namespace) -> None:
    import torch

    from townsfolk.commands.train import compute_device
    from townsfolk.engine.threads import compute_with
    from townsfolk.library import resolve
    from townsfolk.models import open_source
    from townsfolk.text.tokenizer import Tokenizer
    from townsfolk.training import record
    from townsfolk.training.lora import LoraDecoder
    from townsfolk.training.trainer import Trainer

    device = torch.device(compute_device(options.device))
    if options.threads:
        compute_with(options.threads)
    path = resolve(options.base)
    source = open_source(path)
    architecture = source.architecture()
    begun = _read_adapter(options)
    config = _config(options, path, begun)
    longest = architecture.spec.context_length
    length = options.length or min(_LENGTH, longest)
    if length > longest:
        raise TrainingError(f"--length {length}: the model's context is {longest} tokens")
    learned, measured = _examples(options, Tokenizer(source.tokenizer()), length)
    packed = _packed(learned, options, length)
    settings = _settings(options, packed.size, str(device))
    folder = options.output / "checkpoint"
    noted = _noted(options, config, length, settings.steps)
    if options.resume:
        record.check_same(folder, noted)
    else:
        record.begin(folder, noted)
    model = LoraDecoder(path, config, device, options.seed)
    model.checkpointing = options.gradient_checkpointing
    if begun is not None:
        model.load_adapter(begun)
    trainer = Trainer(model, packed, settings, options.output, _batches(measured, options, length))
    print(_summary(trainer, model, learned, measured))
    if options.resume:
        trainer.resume()
    try:
        trainer.run()
    finally:  # stopped by hand, or astray, it has an adapter, too
        if trainer.history.step:
            _finish(options, trainer, model)


def _read_adapter(options: argparse.Namespace) -> Adapter | None:
    from townsfolk.checkpoint import read_adapter

    if options.adapter is None:
        return None
    if options.rank or options.alpha or options.targets:
        raise TrainingError("--adapter has a rank, an alpha and targets of its own: leave out ours")
    return read_adapter(options.adapter)


def _config(options: argparse.Namespace, path: Path, begun: Adapter | None) -> AdapterConfig:
    from townsfolk.checkpoint import AdapterConfig
    from townsfolk.models import open_source
    from townsfolk.training.lora import module_names

    changes: dict[str, Any] = {"lora_dropout": options.dropout}
    if begun is not None:
        return begun.config.model_copy(update=changes)
    source = open_source(path)
    architecture = source.architecture()
    modules = module_names(architecture, source.checkpoint())
    ends = sorted({name.rsplit(".", 1)[1] for name in modules.values()})
    wanted = [name.strip() for name in options.targets.split(",")] if options.targets else ends
    if unknown := sorted(set(wanted) - set(ends)):
        raise TrainingError(
            f"--targets: the model has no {', '.join(unknown)}; it has {', '.join(ends)}"
        )
    rank = options.rank or 16
    return AdapterConfig(
        r=rank,
        lora_alpha=options.alpha or 2 * rank,
        target_modules=tuple(wanted),
        fan_in_fan_out=architecture.modules.transposed,
        base_model_name_or_path=options.base,
        **changes,
    )


def _examples(
    options: argparse.Namespace, tokenizer: Tokenizer, length: int
) -> tuple[list[Example], list[Example]]:
    """Return what is learned, and what the loss is measured on, in tokens."""
    from townsfolk.training.chat import ChatEncoder
    from townsfolk.training.held_out import hold_out
    from townsfolk.training.script import read

    documents, encoder = read(options.data), ChatEncoder(tokenizer)

    def encoded(some: Iterable[Document]) -> list[Example]:
        return [example for each in some for example in encoder.fitting(each, length)]

    if options.validation:
        return encoded(documents), encoded(read([options.validation]))
    divided = options.hold_out if len(documents) >= _LEAST_TO_DIVIDE else 0.0
    ours, held = hold_out(documents, divided, options.seed)
    return encoded(ours), encoded(held)


def _packed(examples: Sequence[Example], options: argparse.Namespace, length: int) -> PackedSource:
    from townsfolk.training.sources import PackedSource

    if not examples:
        raise TrainingError(
            "the dialogues hold no reply that can be learned: a reply follows what was heard, "
            f"isn't cut, and begins within --length, which is {length} tokens"
        )
    return PackedSource(examples, options.rows, length, options.seed)


def _batches(examples: Sequence[Example], options: argparse.Namespace, length: int) -> list[Batch]:
    from townsfolk.training.packing import pack

    packed = pack(examples, length)
    return [
        packed.rows(range(first, min(first + options.rows, len(packed.tokens))))
        for first in range(0, len(packed.tokens), options.rows)
    ]


def _settings(options: argparse.Namespace, rows: int, device: str) -> TrainerSettings:
    from townsfolk.training.trainer import TrainerSettings

    at_once = options.rows * options.accumulate
    return TrainerSettings(
        steps=options.steps or math.ceil(options.epochs * rows / at_once),
        accumulate=options.accumulate,
        max_minutes=options.max_minutes,
        learning_rate=options.learning_rate,
        warmup_steps=options.warmup_steps,
        weight_decay=options.weight_decay,
        prompt_weight=options.prompt_weight,
        device=device,
        save_every=options.save_every,
        log_every=options.log_every,
        patience=options.patience,
        keep_best=True,
        seed=options.seed,
    )


def _noted(
    options: argparse.Namespace, config: AdapterConfig, length: int, steps: int
) -> dict[str, Any]:
    """Return all that decides what a run comes to."""
    names = (
        *("rows", "learning_rate", "warmup_steps", "weight_decay", "prompt_weight", "seed"),
        *("accumulate", "hold_out", "patience", "log_every", "max_minutes"),
    )
    files = [*options.data, *([options.validation] if options.validation else [])]
    return {
        "base": options.base,
        "data": [hashlib.sha256(file.read_bytes()).hexdigest() for file in files],
        "adapter": config.to_json(),
        "length": length,
        "steps": steps,
        **{name: getattr(options, name) for name in names},
    }


def _summary(
    trainer: Trainer, model: LoraDecoder, learned: Sequence[Example], measured: Sequence[Example]
) -> str:
    from townsfolk.training.encoding import REPLY

    def size(examples: Sequence[Example]) -> str:
        tokens = sum(len(each.tokens) for each in examples)
        own = sum(int((each.kinds == REPLY).sum()) for each in examples)
        return f"{len(examples)} dialogues, {tokens:,} tokens, {own:,} of them the characters' own"

    lines = [
        f"adapter: {trainer.parameters:,} numbers in {len(model.scales)} modules, beside "
        f"{model.spec.num_parameters:,} that stay as they are",
        f"learned from: {size(learned)}; {trainer.settings.steps} steps",
        f"measured on: {size(measured)}" if measured else "measured on: nothing (see --hold-out)",
    ]
    return "\n".join(lines)


def _finish(options: argparse.Namespace, trainer: Trainer, model: LoraDecoder) -> None:
    """Write the adapter, the best if any was measured, and the plot."""
    from townsfolk.checkpoint import write_adapter
    from townsfolk.training.plot import PlottingUnavailableError, plot_losses

    history = trainer.history
    if history.validation_loss:
        trainer.restore_best()
        best = min(history.validation_loss)
        step = history.validation_step[history.validation_loss.index(best)]
        print(
            f"validation loss: {history.validation_loss[0]:.4f} at step "
            f"{history.validation_step[0]}, best {best:.4f} at step {step}"
        )
    write_adapter(model.adapter(), options.output)
    print(f"The adapter is in {options.output}.")
    try:
        title = f"{options.output.name}: {trainer.parameters:,} numbers beside {options.base}"
        plot_losses(history, options.output / "loss.png", title)
    except PlottingUnavailableError as error:
        print(error)
