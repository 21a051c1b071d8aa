"""Run tasks on a Dask cluster, through joblib."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import joblib

from glasslib.errors import GlassError


@contextmanager
def on_dask(address: str) -> Iterator[int]:
    """Inside, :func:`glasslib.simulate.production.produce` runs on a Dask cluster.

    Parameters
    ----------
    address :
        Of the scheduler, such as ``tcp://10.0.0.1:8786``; its workers see the same file system and
        have one thread each (``dask worker ADDRESS --nthreads 1``), as LAMMPS wants a process of its own.

    Yields
    ------
    int
        The number of workers.

    Raises
    ------
    GlassError
        Without Dask, without a scheduler at the address, without workers, or with several threads in one.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise GlassError("Dask is not installed", remedy='pip install "dask[distributed]"') from error
    try:
        client = Client(address, timeout="15s")
    except (OSError, ValueError) as error:
        raise GlassError(f"no Dask scheduler answers ({error})", source=address) from error
    with client:
        threads = client.nthreads().values()
        if set(threads) != {1}:
            raise GlassError(
                f"expected workers of one thread each, got {sorted(threads) or 'no workers'}",
                source=address,
                remedy=f"Start them with: dask worker {address} --nthreads 1",
            )
        with joblib.parallel_config("dask"):
            yield len(threads)
