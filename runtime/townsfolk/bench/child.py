"""Contestants in processes of their own, which sleep while they have nothing to do.

OpenMP's teams of two libraries in one process would slow both down.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from townsfolk.bench.answer import MeasurementError
from townsfolk.bench.decode import Rates

Complete = Callable[[Sequence[Sequence[int]], int], Rates]
"""Completes prompts, as `Contestant.run` does."""


class ChildContestant:
    """A contestant that a child process makes and asks; see `Contestant`."""

    def __init__(self, name: str, make: Callable[..., Complete], *args: object) -> None:
        """Start a process that calls `make`, a function of a module, with the arguments."""
        self.name = name
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make, args), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, prompts: Sequence[Sequence[int]], new_tokens: int) -> Rates:
        """See `Contestant`.

        Raises:
            MeasurementError: it failed, and its process has said why.
        """
        try:
            self._pipe.send((prompts, new_tokens))
            rates: Rates = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise MeasurementError(f"{self.name} has failed; see above") from error
        return rates

    def close(self) -> None:
        """End the child process."""
        self._pipe.close()
        self._process.join()


def _serve(pipe: Connection, make: Callable[..., Complete], args: Sequence[object]) -> None:
    complete = make(*args)
    while True:
        try:
            prompts, new_tokens = pipe.recv()
        except EOFError:
            return
        pipe.send(complete(prompts, new_tokens))
