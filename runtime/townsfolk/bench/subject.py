"""What is measured: random weights of a named shape, in this process or in a runtime of its own."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from townsfolk.bench.checkpoint import write_checkpoint
from townsfolk.bench.engine_stage import EngineStage
from townsfolk.bench.report import Row
from townsfolk.bench.service_stage import ServiceStage
from townsfolk.client import RuntimeProcess
from townsfolk.config import EngineSettings
from townsfolk.engine import Engine
from townsfolk.engine.threads import run_in_new_thread
from townsfolk.kv.cache import MIB, block_bytes
from townsfolk.models import NAMED_SHAPES, Decoder, DecoderSpec, named_spec

_LEAST_KV_MIB = 256
_BLOCK_TOKENS = 16
START_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Subject:
    """A shape, where it runs and how."""

    name: str
    shape: Mapping[str, Any]
    """Its `config.json`."""
    spec: DecoderSpec
    dtype: torch.dtype
    device: torch.device
    threads: int | None
    step_tokens: int | None
    directory: Path
    """Where its checkpoint is or will be."""

    @classmethod
    @contextlib.contextmanager
    def of(cls, options: argparse.Namespace) -> Iterator[Subject]:
        """What the options name; a checkpoint that they do not keep is gone afterwards.

        Raises:
            ValueError: there is no such shape or device.
        """
        if options.shape not in NAMED_SHAPES:
            raise ValueError(f"--shape is one of {', '.join(NAMED_SHAPES)}")
        has_cuda = torch.cuda.is_available()
        if options.device == "cuda" and not has_cuda:
            raise ValueError("--device cuda: there is no CUDA device, or this PyTorch has no CUDA")
        on_cuda = options.device != "cpu" and has_cuda
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        with contextlib.ExitStack() as stack:
            folder = options.keep or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="townsfolk-bench-"))
            )
            yield cls(
                name=options.shape,
                shape=NAMED_SHAPES[options.shape],
                spec=named_spec(options.shape),
                dtype=getattr(torch, options.dtype),
                device=torch.device("cuda:0" if on_cuda else "cpu"),
                threads=options.threads,
                step_tokens=options.step_tokens,
                directory=folder / f"{options.shape}-{options.dtype}",
            )

    @property
    def facts(self) -> Row:
        """What a report says of it."""
        return {
            "shape": self.name,
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": self.device.type,
        }

    def engine_stage(self, requests: int, tokens: int) -> EngineStage:
        """An engine in this process, at rest, with room for so many requests and tokens."""
        decoder = run_in_new_thread(Decoder.random, self.spec, self.dtype, self.device)
        settings = EngineSettings(
            device="cuda" if self.device.type == "cuda" else "cpu",
            kv_memory_mib=self._kv_memory_mib(requests, tokens),
            max_batch=requests,
            step_token_budget=self._step_tokens(requests),
            threads=self.threads or torch.get_num_threads(),
        )
        engine = Engine(decoder, None, settings, name=self.name)
        stage = EngineStage(engine, self.spec.vocab_size)
        stage.rest()
        return stage

    def service_stage(self, requests: int, tokens: int) -> ServiceStage:
        """A runtime process with such room, that serves and is at rest.

        Raises:
            RuntimeUnavailableError: it could not start.
        """
        runtime = RuntimeProcess(self.serve_arguments(requests, tokens), timeout_s=START_TIMEOUT_S)
        stage = ServiceStage(runtime, runtime.start())
        stage.rest()
        return stage

    def serve_arguments(self, requests: int, tokens: int) -> list[str]:
        """Arguments of `townsfolk serve`; the checkpoint is written if it is not there yet."""
        if not (self.directory / "config.json").exists():
            write_checkpoint(self.directory, self.shape, self.dtype, self.device)
        arguments = {
            "--model": self.directory,
            "--device": self.device.type,
            "--kv-memory-mib": self._kv_memory_mib(requests, tokens),
            "--max-batch": requests,
            "--max-sessions": max(requests, 256),
            "--threads": self.threads,
            "--step-token-budget": self._step_tokens(requests),
        }
        return [str(part) for pair in arguments.items() if pair[1] is not None for part in pair]

    def _step_tokens(self, requests: int) -> int | None:
        return None if self.step_tokens is None else max(self.step_tokens, requests)

    def _kv_memory_mib(self, requests: int, tokens: int) -> int:
        blocks = tokens // _BLOCK_TOKENS + 8 * requests
        each = block_bytes(self.spec, _BLOCK_TOKENS, self.dtype)
        return max(_LEAST_KV_MIB, blocks * each * 5 // 4 // MIB)
