"""Settings: one class a concern, every field with a description and a unit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from townsfolk.installation import DEFAULT_MODEL


class EngineSettings(BaseModel):
    """What the engine runs and how much it may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(
        default=DEFAULT_MODEL,
        description=(
            "A GGUF file, a model directory, a name that `townsfolk models` lists, a Hugging Face "
            'hub id, "starter" for the one that comes with Townsfolk, or "auto" for the largest '
            'that fits. What is not here is downloaded. In a bundle "bundled" is its own, and '
            "nothing is downloaded."
        ),
    )
    adapter: Path | None = Field(
        default=None,
        description=(
            "Folder of a low-rank adapter (LoRA), as PEFT writes it: everybody speaks with it. It "
            "becomes part of the weights while they are loaded, and costs nothing then; beside "
            "quantised weights it is computed apart."
        ),
    )
    adapters: Path | None = Field(
        default=None,
        description=(
            "Folder with a folder for each adapter that sessions and completions may name, many at "
            "once. Nothing outside of it is read."
        ),
    )
    adapter_memory_mib: int = Field(
        default=128,
        ge=1,
        description=(
            "Memory that all adapters of that folder may take which are loaded at once, in MiB; on "
            "a GPU it is set aside."
        ),
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where the model runs; auto takes CUDA where there is one."
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        default="auto", description="Type of weights and activations; auto takes the checkpoint's."
    )
    kv_dtype: Literal["auto", "int8"] = Field(
        default="auto",
        description=(
            "Type of the conversations' keys and values (KV); auto takes that of dtype. int8 holds "
            "twice the tokens in the same memory, with a scale for each token and head."
        ),
    )
    kv_memory_mib: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Memory for the conversations' keys and values (KV), in MiB; at least 1. Not set: 512, "
            "or with gpu_memory_mib all that weights and work space leave of it."
        ),
    )
    gpu_memory_mib: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Limit of all that the runtime takes on the GPU, in MiB: weights, KV, work space, and "
            "CUDA's own memory. A request that would need more waits or fails. Not set: what the "
            "weights, the work space and kv_memory_mib take. On the CPU it is not looked at."
        ),
    )
    idle_release_s: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description=(
            "Seconds without a request under way after which the model's memory is given back. "
            "Sessions stay; the next request loads the model again and waits for it. 0: never."
        ),
    )
    block_size: int = Field(default=16, ge=1, le=256, description="Tokens in a KV block. 1 to 256.")
    max_batch: int = Field(
        default=64, ge=1, le=1024, description="Requests that run in one batch. 1 to 1024."
    )
    step_token_budget: int | None = Field(
        default=None,
        ge=1,
        description=(
            "Tokens that one step computes at most, at least max_batch. A long prompt is split "
            "into steps of this size, between which others go on speaking. Not set: 256 on the "
            "CPU, 2048 on a GPU (down to 256 where gpu_memory_mib is tight), or max_batch if that "
            "is more."
        ),
    )
    max_context: int | None = Field(
        default=None,
        ge=2,
        description=(
            "Longest prompt and reply together, in tokens; at most what the model can, which it is "
            "when not set."
        ),
    )
    max_waiting: int = Field(
        default=1024,
        ge=0,
        description="Requests beyond max_batch that may wait before new ones are refused.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        description=(
            "CPU threads of the model. Not set: one less than there are cores, which the service "
            "and the game need: 32 characters of the starter model on two cores got 407 tokens a "
            "second from one thread, 285 from two."
        ),
    )

    @field_validator("adapters")
    @classmethod
    def _check_adapters(cls, folder: Path | None) -> Path | None:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"{folder} is no folder")
        return folder

    @field_validator("threads")
    @classmethod
    def _check_threads(cls, threads: int | None) -> int | None:
        processors = os.cpu_count()
        if threads is not None and processors is not None and threads > processors:
            raise ValueError(f"must be at most {processors}, the processors of this machine")
        return threads

    @model_validator(mode="after")
    def _check_budget(self) -> Self:
        if self.step_token_budget is not None and self.step_token_budget < self.max_batch:
            raise ValueError(
                f"step_token_budget must be at least max_batch ({self.max_batch}), "
                f"but is {self.step_token_budget}"
            )
        return self
