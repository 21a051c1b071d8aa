"""A few threads, each with blocks of particles of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch


def in_threads(function: Callable[..., None], tasks: Iterable[tuple[Any, ...]]) -> None:
    """Call ``function(*task)`` for every task, by as many threads as torch has.

    Within a task torch keeps to one thread: that blocks of particles are shared out, and not every small
    operation on them, makes two threads nearly twice as fast as one, also where other programs run.
    """
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for done in [pool.submit(function, *task) for task in tasks]:
                done.result()
    finally:
        torch.set_num_threads(n_threads)
