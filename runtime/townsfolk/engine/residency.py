"""Whether the model is in memory: given back when no request needs it, loaded on demand."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch
from townsfolk_kernels.registry import has_triton

from townsfolk.engine.eager_runner import EagerRunner
from townsfolk.engine.errors import EngineClosedError, ModelReloadError
from townsfolk.engine.memory import MemoryPlan, out_of_memory
from townsfolk.engine.runner import Runner
from townsfolk.engine.stats import ModelState
from townsfolk.kv import BlockPool, KvCache
from townsfolk.models import Decoder
from townsfolk.models.loading import Progress

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Resident:
    """What is in memory while the model is.

    Attributes:
        runner: runs steps; it holds the weights.
        kv: keys and values.
        nbytes: of weights, keys and values.
    """

    runner: Runner
    kv: KvCache
    nbytes: int

    @classmethod
    def make(
        cls, decoder: Decoder, plan: MemoryPlan, eos_ids: Collection[int], max_batch: int
    ) -> Resident:
        """Take the memory that was planned; the runner is the fastest one for the device.

        Raises:
            NotEnoughMemoryError: the device has less than that.
        """
        try:
            kv = _allocate(decoder, plan)
            runner = _runner(decoder, kv, eos_ids, max_batch, plan)
        except torch.OutOfMemoryError as error:
            raise out_of_memory(error) from None
        return cls(runner, kv, decoder.weight_bytes + plan.kv)


def _allocate(decoder: Decoder, plan: MemoryPlan) -> KvCache:
    spec, device = decoder.spec, decoder.device
    try:
        return KvCache.allocate(spec, plan.num_blocks, plan.block_size, plan.kv_dtype, device)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:  # all that PyTorch says when the system gives none
        if device.type != "cpu" or "allocate" not in str(error):
            raise
        raise plan.too_much_kv() from None


def _runner(
    decoder: Decoder, kv: KvCache, eos_ids: Collection[int], max_batch: int, plan: MemoryPlan
) -> Runner:
    context = plan.context_length
    if decoder.device.type == "cuda" and has_triton():
        from townsfolk.engine.cuda_runner import CudaRunner  # importing it needs Triton

        return CudaRunner(
            decoder, kv, eos_ids, max_batch, context, plan.adapters, plan.graph_tokens
        )
    return EagerRunner(decoder, kv, eos_ids, max_batch, context)


Loaded = Resident | ModelReloadError


class Residency:
    """Owns the model's memory. For the engine's thread; only `state` is for all.

    Loading runs in a thread of its own, so that the engine's goes on to answer cancellations and
    deadlines.
    """

    def __init__(
        self,
        resident: Resident,
        pool: BlockPool,
        load: Callable[[Progress], Resident] | None = None,
    ) -> None:
        """Begin with the model in memory.

        Args:
            resident: the model.
            pool: which sequence holds which block of its KV.
            load: loads it again; None if it must stay.
        """
        self.state = ModelState.LOADED
        self.since = time.monotonic()
        """When the last loading ended, on the monotonic clock."""
        self.resident: Resident | None = resident
        self.can_release = load is not None
        self.stays_away = False
        """Whether a released model waits for `Warm`, or for a request that has yet to come."""
        self._pool = pool
        self._load = load
        self._loader: threading.Thread | None = None
        self._stopping = False

    def release(self) -> None:
        """Give back weights, KV and all that the runner has; no request may hold a block."""
        self._pool.forget()
        self._pool.copy_block = _nothing_to_copy
        self._let_go()
        give_back()
        self.state = ModelState.RELEASED
        logger.info("the model is released until the next request")

    def load(self, done: Callable[[Loaded], None]) -> None:
        """Begin to load the model unless that is under way; `settle` must get what `done` gets.

        Args:
            done: called in the loader's thread, once.
        """
        if self.state is ModelState.RELEASED:
            self.state = ModelState.LOADING
            self._loader = threading.Thread(
                target=lambda: done(self._try_to_load()), name="townsfolk-loader", daemon=True
            )
            self._loader.start()

    def settle(self, loaded: Loaded) -> None:
        """End a loading: the model is there, or the next `load` tries again."""
        self.since = time.monotonic()
        if isinstance(loaded, Resident):
            self._pool.copy_block = loaded.kv.copy_block
            self.resident = loaded
            self.state = ModelState.LOADED
        else:
            self.state = ModelState.RELEASED

    def stop(self) -> None:
        """End a loading under way, wait for that, and let go of the model for good."""
        self._stopping = True
        if self._loader is not None:
            self._loader.join()
        self._pool.copy_block = _nothing_to_copy
        self._let_go()
        if torch.cuda.is_initialized():
            give_back()

    def _let_go(self) -> None:
        if self.resident is not None:
            self.resident.runner.close()
        self.resident = None

    def _try_to_load(self) -> Loaded:
        assert self._load is not None
        begin = time.perf_counter()
        try:
            resident = self._load(self._check_wanted)
            self._check_wanted()
        except Exception as error:
            if not self._stopping:
                logger.warning("the model could not be loaded again", exc_info=error)
            failure = ModelReloadError(str(error))
        else:
            logger.info("the model is back after %.2f s", time.perf_counter() - begin)
            return resident
        give_back()  # the error and its frames, which held what was loaded so far, are gone
        return failure

    def _check_wanted(self, done: int = 0, total: int = 0) -> None:
        if self._stopping:
            raise EngineClosedError


def give_back() -> None:
    """Free what only garbage holds, and return the allocator's memory to the device."""
    frozen = gc.get_freeze_count() > 0  # the service keeps what it loaded out of collections
    gc.unfreeze()
    gc.collect()
    if frozen:
        gc.freeze()
    if torch.cuda.is_initialized():
        torch._C._cuda_clearCublasWorkspaces()  # 32 MiB for each thread and stream so far
        torch.cuda.empty_cache()


def _nothing_to_copy(source: int, target: int) -> None:
    raise RuntimeError(f"KV block {source} can't be copied to {target}: the model is released")
