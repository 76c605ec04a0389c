"""What is measured: random weights of a shape, or a model; here or in a runtime of its own."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from townsfolk.bench.checkpoint import write_checkpoint
from townsfolk.bench.engine_stage import EngineStage
from townsfolk.bench.gguf_checkpoint import write_gguf
from townsfolk.bench.report import Row
from townsfolk.bench.service_stage import ServiceStage
from townsfolk.bench.vocabulary import MadeUpVocabulary
from townsfolk.checkpoint import read_adapter
from townsfolk.client import RuntimeProcess
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.engine.load_errors import LOAD_ERRORS
from townsfolk.engine.threads import run_in_new_thread
from townsfolk.kv.cache import MIB, block_bytes
from townsfolk.library import resolve
from townsfolk.models import (
    NAMED_SHAPES,
    Architecture,
    Decoder,
    DecoderSpec,
    named_spec,
    open_source,
    read_config,
)
from townsfolk.models.adapters import bind_adapter
from townsfolk.models.mixes import MIXES
from townsfolk.models.outline import WeightOutline
from townsfolk.models.weights import Precision

_LEAST_KV_MIB = 256
_BLOCK_TOKENS = 16
_ADAPTER_MEMORY_MIB = 4096
START_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, where it runs and how.

    Attributes:
        name: of the shape, or of the model's file.
        shape: its `config.json`; None where it isn't a named shape.
        quantization: the mix of formats of random weights.
        kv_dtype: as `EngineSettings` has it.
        spec: what it computes.
        outline: what its weights take.
        path: where its checkpoint is or will be.
        adapter: the folder of one that is merged into its weights.
    """

    name: str
    shape: Mapping[str, Any] | None
    quantization: str | None
    kv_dtype: Literal["auto", "int8"]
    spec: DecoderSpec
    outline: WeightOutline
    dtype: torch.dtype
    device: torch.device
    threads: int | None
    step_tokens: int | None
    path: Path
    adapter: Path | None = None

    @classmethod
    @contextlib.contextmanager
    def of(cls, options: argparse.Namespace) -> Iterator[Subject]:
        """Yield what the options name; a checkpoint that they do not keep is gone afterwards.

        Raises:
            ValueError: there is no such shape, model or device.
        """
        if options.shape and options.shape not in NAMED_SHAPES:
            raise ValueError(f"--shape is one of {', '.join(NAMED_SHAPES)}")
        has_cuda = torch.cuda.is_available()
        if options.device == "cuda" and not has_cuda:
            raise ValueError("--device cuda: there is no CUDA device, or this PyTorch has no CUDA")
        on_cuda = options.device != "cpu" and has_cuda
        device = torch.device("cuda:0" if on_cuda else "cpu")
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        if not options.shape:
            yield cls._of_model(options, device)
            return
        with contextlib.ExitStack() as stack:
            folder = options.keep or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="townsfolk-bench-"))
            )
            yield cls._of_shape(options, device, folder)

    @classmethod
    def _of_shape(cls, options: argparse.Namespace, device: torch.device, folder: Path) -> Subject:
        spec, dtype = named_spec(options.shape), getattr(torch, options.dtype)
        mix = options.quantization
        if mix is None:
            outline = WeightOutline.of_numbers(spec, dtype)
            path = folder / f"{options.shape}-{options.dtype}"
        else:
            outline = WeightOutline.of_mix(spec, MIXES[mix], dtype, device)
            path = folder / f"{options.shape}-{mix}.gguf"
        return cls(
            name=options.shape if mix is None else f"{options.shape} {mix}",
            shape=NAMED_SHAPES[options.shape],
            quantization=mix,
            kv_dtype=options.kv_dtype,
            spec=spec,
            outline=outline,
            dtype=dtype,
            device=device,
            threads=options.threads,
            step_tokens=options.step_tokens,
            path=path,
        )

    @classmethod
    def _of_model(cls, options: argparse.Namespace, device: torch.device) -> Subject:
        try:
            path = resolve(options.model)
            source = open_source(path)
            architecture = source.architecture()
            dtype = architecture.spec.dtype
            checkpoint = source.checkpoint()
            outline = WeightOutline.of_checkpoint(architecture, checkpoint, dtype, device)
            if options.adapter:
                bound = bind_adapter(read_adapter(Path(options.adapter)), architecture)
                outline = outline.with_adapter(bound, Precision.choose(dtype, device))
        except LOAD_ERRORS as error:
            raise ValueError(str(error)) from error
        return cls(
            name=path.name,
            shape=None,
            quantization=None,
            kv_dtype=options.kv_dtype,
            spec=architecture.spec,
            outline=outline,
            dtype=dtype,
            device=device,
            threads=options.threads,
            step_tokens=options.step_tokens,
            path=path,
            adapter=Path(options.adapter) if options.adapter else None,
        )

    @property
    def kept_dtype(self) -> torch.dtype:
        """Of keys and values."""
        return self.dtype if self.kv_dtype == "auto" else torch.int8

    @property
    def facts(self) -> Row:
        """What a report says of it."""
        return {
            "shape": self.name,
            "dtype": str(self.dtype).removeprefix("torch."),
            "kv_dtype": self.kv_dtype,
            "weights_mib": self.outline.nbytes / MIB,
            "device": self.device.type,
            **({"adapter": self.adapter.name} if self.adapter else {}),
        }

    @property
    def architecture(self) -> Architecture:
        """What it computes, with the names of its tensors."""
        source = read_config(self.shape) if self.shape else open_source(self.path).architecture()
        return Architecture(self.spec, source.modules)

    def engine_stage(self, requests: int, tokens: int, adapters: Path | None = None) -> EngineStage:
        """Return an engine in this process, at rest, with room for so many requests and tokens.

        Args:
            requests: how many at once.
            tokens: of all of them.
            adapters: the folder of those that they may name.
        """
        decoder = run_in_new_thread(self._decoder)
        settings = EngineSettings(
            device="cuda" if self.device.type == "cuda" else "cpu",
            kv_dtype=self.kv_dtype,
            kv_memory_mib=self._kv_memory_mib(requests, tokens),
            max_batch=requests,
            step_token_budget=self._step_tokens(requests),
            threads=self.threads or torch.get_num_threads(),
            adapters=adapters,
            adapter_memory_mib=_ADAPTER_MEMORY_MIB,
        )
        words = MadeUpVocabulary(self.spec.vocab_size)
        engine = Engine(
            decoder,
            None,
            settings,
            name=self.name,
            architecture=self.architecture if adapters else None,
            vocabulary=words,
        )
        stage = EngineStage(engine, self.spec.vocab_size)
        stage.rest()
        return stage

    def service_stage(self, requests: int, tokens: int) -> ServiceStage:
        """Return a runtime process with such room, that serves and is at rest.

        Raises:
            RuntimeUnavailableError: it could not start.
        """
        runtime = RuntimeProcess(self.serve_arguments(requests, tokens), timeout_s=START_TIMEOUT_S)
        stage = ServiceStage(runtime, runtime.start())
        stage.rest()
        return stage

    def serve_arguments(self, requests: int, tokens: int) -> list[str]:
        """Arguments of `townsfolk serve`; the checkpoint is written if it is not there yet."""
        self._write()
        arguments = {
            "--model": self.path,
            "--adapter": self.adapter,
            "--device": self.device.type,
            "--kv-dtype": self.kv_dtype,
            "--kv-memory-mib": self._kv_memory_mib(requests, tokens),
            "--max-batch": requests,
            "--max-sessions": max(requests, 256),
            "--threads": self.threads,
            "--step-token-budget": self._step_tokens(requests),
        }
        return [str(part) for pair in arguments.items() if pair[1] is not None for part in pair]

    def gguf_file(self) -> Path:
        """Return a GGUF file with such weights, for a peer; it is written if it is not there yet.

        Raises:
            ValueError: the model is in other files, or of no Llama shape.
        """
        if self.shape is None:
            if self.path.suffix != ".gguf":
                raise ValueError(f"--peer llama.cpp reads GGUF files: {self.path} is none")
            return self.path
        if self.quantization is not None:
            self._write()
            return self.path
        if self.dtype != torch.bfloat16:
            raise ValueError("--peer llama.cpp is measured with --dtype bfloat16 or --quantization")
        path = self.path.with_name(f"{self.path.name}.gguf")
        if not path.exists():
            write_gguf(path, self.spec, None, self.device)
        return path

    def _write(self) -> None:
        """Write the checkpoint that a runtime of its own loads, unless it is there."""
        if self.quantization is not None:
            if not self.path.exists():
                write_gguf(self.path, self.spec, MIXES[self.quantization], self.device)
        elif self.shape is not None and not (self.path / "config.json").exists():
            write_checkpoint(self.path, self.shape, self.dtype, self.device)

    def _decoder(self) -> Decoder:
        if self.shape is None:
            adapter = None if self.adapter is None else read_adapter(self.adapter)
            return Decoder.load(self.path, self.dtype, self.device, adapter=adapter)
        mix = None if self.quantization is None else MIXES[self.quantization]
        return Decoder.random(self.spec, self.dtype, self.device, mix=mix)

    def _step_tokens(self, requests: int) -> int | None:
        return None if self.step_tokens is None else max(self.step_tokens, requests)

    def _kv_memory_mib(self, requests: int, tokens: int) -> int:
        blocks = tokens // _BLOCK_TOKENS + 8 * requests
        each = block_bytes(self.spec, _BLOCK_TOKENS, self.kept_dtype)
        return max(_LEAST_KV_MIB, blocks * each * 5 // 4 // MIB)
