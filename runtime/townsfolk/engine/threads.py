"""Threads that compute: how many each uses, and none left behind."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import torch

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def run_in_new_thread(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call a function in a thread that ends with it, and return its result.

    OpenMP keeps a team of workers for every thread that ever computed in parallel. As soon as a
    process has more of them than cores, workers sleep between two products instead of waiting
    awake: with the model loaded in another thread than it ran in, a decode step of llama-160m took
    15.1 ms instead of 10.7 on two cores.
    """
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(function, *args, **kwargs).result()


def compute_with(count: int) -> None:
    """Set how many CPU threads the calling thread computes with, for no other thread.

    PyTorch also takes the number as the default of all threads that begin to compute later, those
    of another engine among them, so that default is set back.
    """
    usual = torch.get_num_threads()
    torch.set_num_threads(count)
    run_in_new_thread(torch.set_num_threads, usual)
