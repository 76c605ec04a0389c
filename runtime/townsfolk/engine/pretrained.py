"""A model from its files, with what they say of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from townsfolk.checkpoint import read_adapter, read_generation
from townsfolk.checkpoint.marks import FileMarks
from townsfolk.config import EngineSettings
from townsfolk.engine.errors import DeviceNotFoundError
from townsfolk.engine.memory import MemoryPlan, out_of_memory
from townsfolk.engine.model_choice import choose
from townsfolk.engine.threads import compute_with, run_in_new_thread
from townsfolk.library.places import adapter_folder
from townsfolk.models import Architecture, Decoder, open_source
from townsfolk.models.adapters import bind_adapter
from townsfolk.models.loading import Progress, log_progress
from townsfolk.models.outline import WeightOutline
from townsfolk.models.weights import Precision
from townsfolk.sampling.params import InvalidSamplingError, SamplingParams
from townsfolk.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A model that is loaded.

    Attributes:
        name: what it is called.
        decoder: its weights.
        tokenizer: its vocabulary.
        default_params: how its authors would sample.
        plan: the memory it takes; it is held, to be let go of by whoever ends the model.
        reload: loads the decoder again, after it was given up.
        architecture: what it computes, with the names of its tensors.
        weight_files: the files that the weights are mapped from; None where none are.
    """

    name: str
    decoder: Decoder
    tokenizer: Tokenizer
    default_params: SamplingParams
    plan: MemoryPlan
    reload: Callable[[Progress], Decoder]
    architecture: Architecture
    weight_files: FileMarks | None

    @classmethod
    def load(cls, model: str | Path | None, settings: EngineSettings) -> Pretrained:
        """Load a model; see `Engine.from_pretrained` for what is taken and raised."""
        device = _device(settings)
        choice = choose(model if model is not None else settings.model, device, settings)
        if choice.why:
            logger.info("model auto: %s", choice.why)
        path = choice.path
        source = open_source(path)
        architecture = source.architecture()
        spec = architecture.spec
        dtype = spec.dtype if settings.dtype == "auto" else getattr(torch, settings.dtype)
        outline = WeightOutline.of_checkpoint(architecture, source.checkpoint(), dtype, device)
        adapter, drawn = None, source.generation()
        if settings.adapter is not None:
            folder = adapter_folder(settings.adapter)
            adapter = read_adapter(folder)
            drawn = {**drawn, **read_generation(folder)}
            bound = bind_adapter(adapter, architecture)
            outline = outline.with_adapter(bound, Precision.choose(dtype, device))
            logger.info("the adapter %s becomes part of the weights", settings.adapter.name)
        plan = MemoryPlan.make(spec, dtype, device, settings, outline)
        if plan.context_length < (settings.max_context or spec.context_length):
            logger.info(
                "the memory for conversations holds %d tokens, of the %d that one could have: "
                "kv_memory_mib gives it more",
                plan.context_length,
                settings.max_context or spec.context_length,
            )
        tokenizer = Tokenizer(source.tokenizer())
        marks = FileMarks.of_model(path) if device.type == "cpu" else None

        def load(report: Progress) -> Decoder:
            if settings.threads is not None:
                compute_with(settings.threads)
            plan.hold(device)
            plan.check_free(device)
            try:
                return Decoder.load(path, dtype, device, report, plan.context_length, adapter)
            except torch.OutOfMemoryError as error:
                raise out_of_memory(error) from None

        try:
            decoder = run_in_new_thread(load, log_progress())
            logger.info("weights loaded")
            params = _default_params(drawn)
        except BaseException:
            plan.let_go(device)
            raise
        return cls(choice.name, decoder, tokenizer, params, plan, load, architecture, marks)


def _device(settings: EngineSettings) -> torch.device:
    if settings.device == "cpu" or (settings.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DeviceNotFoundError
    return torch.device("cuda:0")


def _default_params(raw: Mapping[str, Any]) -> SamplingParams:
    """Return what the authors of model and adapter recommend, over our own defaults.

    Args:
        raw: the contents of a `generation_config.json`.
    """
    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    given = {name: raw[name] for name in names if raw.get(name) is not None}
    if raw.get("do_sample") is False:
        given["temperature"] = 0.0
    try:
        return SamplingParams(**given)
    except InvalidSamplingError as error:
        logger.warning("the model's own sampling defaults are not used: %s", error)
        return SamplingParams()
