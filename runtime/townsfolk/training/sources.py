"""Where batches come from: functions of seed and step, so that a run resumes exactly."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import Protocol

import numpy as np

from townsfolk.training.encoding import Example
from townsfolk.training.packing import Batch, pack


class BatchSource(Protocol):
    """An endless, repeatable stream of batches."""

    def batches(self, first_step: int) -> Generator[Batch, None, None]:
        """Return the batches of this step and all later ones."""
        ...


class PackedSource:
    """Examples, packed once; every epoch goes through the rows in another order.

    Attributes:
        size: How many rows there are.
    """

    def __init__(self, examples: Iterable[Example], rows: int, length: int, seed: int) -> None:
        """Pack examples into rows of a length, so many of them in a batch."""
        self._all = pack(examples, length)
        self.size = len(self._all.tokens)
        self._rows = rows
        self._seed = seed

    def batches(self, first_step: int) -> Generator[Batch, None, None]:
        """See ``BatchSource``."""
        order = self._order(first_step * self._rows)
        while True:
            yield self._all.rows(np.array(list(islice(order, self._rows))))

    def _order(self, position: int) -> Iterator[int]:
        """Row numbers from this position of the endless sequence of shuffled epochs."""
        epoch, at = divmod(position, self.size)
        while True:
            yield from np.random.default_rng((self._seed, epoch)).permutation(self.size)[at:]
            epoch, at = epoch + 1, 0


class WorkerSource:
    """Batches that processes make ahead of time, each from its step number alone."""

    def __init__(self, make: Callable[[int], Batch], workers: int) -> None:
        """``make`` must be picklable: it runs in the workers."""
        self._make = make
        self._workers = workers

    def batches(self, first_step: int) -> Generator[Batch, None, None]:
        """See ``BatchSource``. The workers end with the iterator."""
        # "spawn": CUDA does not survive a fork.
        with ProcessPoolExecutor(self._workers, mp_context=get_context("spawn")) as pool:
            ahead: deque[Future[Batch]] = deque()
            step = first_step
            try:
                while True:
                    while len(ahead) < 3 * self._workers:
                        ahead.append(pool.submit(self._make, step))
                        step += 1
                    yield ahead.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
