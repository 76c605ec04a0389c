"""Kernels that are launched: compiled when they are needed, or long before.

`@kernel` takes the place of `@triton.jit` for what is launched. A launch whose machine code lies in
the library of built kernels (`townsfolk_kernels.gpu.library`) takes it from there; another one is
compiled by Triton. With a card on paper nothing is launched: `recorded` tells what would be.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import triton
from triton import knobs
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from townsfolk_kernels.gpu import library
from townsfolk_kernels.gpu.card import Capability, Card, on_paper


@dataclass(frozen=True, slots=True)
class Launch:
    """What a compiler has to know of a launch.

    Attributes:
        kernel: the kernel.
        key: Triton's: dtypes, alignments, constants and options.
        signature: the type of each parameter, "constexpr" for those that are compiled in.
        constants: their values, by place.
        attributes: what is known of the others, by place.
        options: warps, stages and so on.
    """

    kernel: Kernel
    key: str
    signature: Mapping[str, str]
    constants: Mapping[tuple[int, ...], Any]
    attributes: Mapping[tuple[int, ...], Any]
    options: Any

    @property
    def name(self) -> str:
        """What is compiled, for people."""
        named = {self.kernel.arg_names[place[0]]: value for place, value in self.constants.items()}
        constants = ", ".join(f"{name}={value}" for name, value in named.items())
        return f"{self.kernel.__module__}.{self.kernel.__name__}({constants})"

    @property
    def place(self) -> str:
        """Its name in a library."""
        return library.place_of(self.kernel.full_name, self.key)


_only_compiled: ContextVar[bool] = ContextVar("townsfolk_only_compiled", default=False)


@contextmanager
def only_compiled() -> Iterator[None]:
    """Compile kernels that are not compiled yet, and launch none, within this context.

    Some launched and others not would have those read what nobody wrote: offsets, say.
    """
    token = _only_compiled.set(True)
    try:
        yield
    finally:
        _only_compiled.reset(token)


class Kernel(JITFunction):  # type: ignore[misc]
    """A kernel that is launched."""

    def run(self, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> Any:
        """Launch it, unless it is `only_compiled`. Triton's hook."""
        launched = not (warmup or _only_compiled.get() or isinstance(driver.active, _PaperDriver))
        return super().run(*args, grid=grid, warmup=not launched, **kwargs)

    def __reduce__(self) -> tuple[Callable[[str, str], Kernel], tuple[str, str]]:
        """Go to another process by name."""
        return _imported, (self.__module__, self.__name__)

    @property
    def full_name(self) -> str:
        """Module and name."""
        return f"{self.__module__}.{self.__name__}"

    @property
    def room(self) -> str:
        """The room of `townsfolk_kernels` that it is in."""
        return self.__module__.split(".")[1]

    def _do_compile(
        self,
        key: str,
        signature: Mapping[str, str],
        device: int,
        constexprs: Mapping[tuple[int, ...], Any],
        options: Any,
        attrs: Mapping[tuple[int, ...], Any],
        warmup: bool,
    ) -> Any:
        """Find or make what a launch needs; with a card on paper, note it. Triton's hook."""
        active = driver.active
        if isinstance(active, _PaperDriver):
            launch = Launch(self, key, signature, constexprs, attrs, options)
            active.launches[self.full_name, key] = launch
            # So that Triton asks once for each, however many layers and steps launch it.
            self.device_caches[device][0][key] = launch
            return launch
        built = library.find(self.full_name, key, device)
        if built is None:
            return super()._do_compile(key, signature, device, constexprs, options, attrs, warmup)
        self.device_caches[device][0][key] = built
        return built


def _imported(module: str, name: str) -> Kernel:
    found: Kernel = getattr(importlib.import_module(module), name)
    return found


KERNELS: list[Kernel] = []
"""All of them, once their modules are imported."""


def kernel(
    function: Callable[..., object] | None = None,
    *,
    do_not_specialize: Sequence[str] = (),
    do_not_specialize_on_alignment: Sequence[str] = (),
) -> Any:
    """Declare a kernel that is launched: a decorator like `triton.jit`."""
    options = {
        "do_not_specialize": list(do_not_specialize),
        "do_not_specialize_on_alignment": list(do_not_specialize_on_alignment),
    }

    def make(function: Callable[..., object]) -> Any:
        if knobs.runtime.interpret:
            return triton.jit(function, **options)
        made = Kernel(function, **options)
        KERNELS.append(made)
        return made

    return make if function is None else make(function)


@dataclass
class _PaperDriver:
    """Stands for Triton's driver where there is no GPU."""

    card: Card
    launches: dict[tuple[str, str], Launch] = field(default_factory=dict)

    def get_current_target(self) -> GPUTarget:
        return target_of(self.card.capability)

    def get_current_device(self) -> int:
        return -_number(self.card.capability)  # Triton keeps a target for each device

    def get_current_stream(self, device: int) -> int:
        return 0


def target_of(capability: Capability) -> GPUTarget:
    """Return what Triton calls a capability."""
    return GPUTarget("cuda", _number(capability), 32)


def _number(capability: Capability) -> int:
    return 10 * capability[0] + capability[1]


@contextmanager
def recorded(card: Card) -> Iterator[dict[tuple[str, str], Launch]]:
    """Note kernels of tensors on "meta" instead of launching them, within this context.

    Yields:
        what was noted so far: by name and key, each once.
    """
    before = driver._active
    paper = _PaperDriver(card)
    driver.set_active(paper)
    try:
        with on_paper(card):
            yield paper.launches
    finally:
        driver._active = before
        for launch in paper.launches.values():
            launch.kernel.device_caches.pop(paper.get_current_device(), None)
